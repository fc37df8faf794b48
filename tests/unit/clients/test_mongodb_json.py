from __future__ import annotations

import datetime
import json
import uuid
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    CodecOptions,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    decode,
    encode,
    json_util,
)
from bson.codec_options import DatetimeConversion
from hypothesis import given
from hypothesis import strategies as st

from wire.clients.mongodb_json import CODECS, Flavour, encoder, id_of, key_of

EVERYTHING = {
    "object_id": ObjectId("6b01bf30f9465b077842b430"),
    "text": 'naïve " \\ \n 日本',
    "int32": 1,
    "int64": Int64(5),
    "large": 2**40,
    "double": 2.5,
    "whole": 4.0,
    "nan": float("nan"),
    "infinite": float("-inf"),
    "bytes": b"x",
    "binary": Binary(b"y", 5),
    "uuid": Binary.from_uuid(uuid.UUID(int=7)),
    "date": datetime.datetime(2024, 5, 1, 1, 2, 3, 45000),
    "day": datetime.datetime(2024, 5, 1),
    "old": datetime.datetime(1950, 1, 1),
    "decimal": Decimal128("1.10"),
    "timestamp": Timestamp(3, 4),
    "regex": Regex("a.*", "im"),
    "code": Code("f()"),
    "scoped": Code("f()", {"a": 1}),
    "reference": DBRef("c", ObjectId("6b01bf30f9465b077842b430")),
    "least": MinKey(),
    "most": MaxKey(),
    "null": None,
    "true": True,
    "nested": [1, {"x": Int64(2), "y": [float("inf")]}],
}


@pytest.mark.parametrize(
    ("flavour", "options"),
    [("relaxed", json_util.RELAXED_JSON_OPTIONS), ("canonical", json_util.CANONICAL_JSON_OPTIONS)],
)
def test_every_bson_type_is_written_as_the_library_of_the_makers_writes_it(flavour: Flavour, options: Any) -> None:
    raw = encode(EVERYTHING)
    ours = json.loads(encoder(flavour)(decode(raw, CODECS[flavour])))
    plain = decode(raw, CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS))
    assert ours == json.loads(json_util.dumps(plain, json_options=options))


IDS = [
    ObjectId("6b01bf30f9465b077842b430"), "abc", "", "42", "6b01bf30f9465b077842b430", 42, 2**40, 1.5, 4.0, "true",
    "null", True, None, {"a": 1, "b": [1, "x"]}, {"b": ObjectId("6b01bf30f9465b077842b430")}, b"x",
    datetime.datetime(2024, 5, 1),
    Binary(b"x", 4), '"x"', "{a", '{"$oid":1}', "NaN", " 1", Decimal128("1.0"), "\u20ac", float("inf"),
]  # fmt: skip


@pytest.mark.parametrize("identity", IDS, ids=repr)
@pytest.mark.parametrize("flavour", ["relaxed", "canonical"])
def test_an_id_can_be_read_back_from_its_key(identity: Any, flavour: Flavour) -> None:
    stored = encode({"_id": identity})
    key = key_of(decode(stored, CODECS[flavour])["_id"])
    assert key == key_of(identity)
    assert encode({"_id": id_of(key)}) == stored


def test_keys_are_short_to_read() -> None:
    assert key_of(ObjectId("6b01bf30f9465b077842b430")) == b"6b01bf30f9465b077842b430"
    assert key_of("flight-17") == b"flight-17"
    assert key_of("2024-05-01") == b"2024-05-01"
    assert key_of(42) == b"42"
    assert key_of("42") == b'"42"'


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_its_own_id_again(text: str) -> None:
    assert id_of(key_of(text)) == text


@given(st.text(alphabet='{}[]"0123456789.-eE$:,oidtrufalsn \\', max_size=30))
def test_texts_that_look_like_json_are_told_from_json(text: str) -> None:
    assert id_of(key_of(text)) == text

from __future__ import annotations

from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.clients.mongodb_json import CODECS
from wire.sources.mongodb.cursor import Undecoded, cut

CODEC = CODECS["relaxed"]

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text().filter(lambda k: "\0" not in k), inner),
    max_leaves=8,
)
documents = st.lists(st.fixed_dictionaries({"_id": values, "a": values}), max_size=80)


def answer(batch: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cursor": {batch: found, "id": 7, "ns": "shop.orders"}, "ok": 1.0, "operationTime": bson.Timestamp(3, 1)}


@given(st.sampled_from(["firstBatch", "nextBatch"]), documents)
def test_documents_come_in_pieces_as_they_would_as_a_whole(batch: str, found: list[dict[str, Any]]) -> None:
    whole = bson.encode(answer(batch, found))
    parts = cut(whole)
    assert parts is not None
    rest, array = parts
    assert bson.decode(rest, CODEC) == answer(batch, [])
    pieces = list(Undecoded(array, CODEC).pieces())
    assert [each for piece in pieces for each in piece] == bson.decode(whole, CODEC)["cursor"][batch]
    assert all(len(piece) == 32 for piece in pieces[:-1])
    assert all(pieces)


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": 0.0, "errmsg": "cursor", "code": 43},
        {"ok": 1.0, "cursor": {"firstBatch": [{"_id": 1}], "id": 7}},
        {"cursor": {"id": 7, "firstBatch": [{"_id": 1}]}, "ok": 1.0},
        {"cursor": 7, "ok": 1.0},
        {},
    ],
)
def test_what_is_laid_out_otherwise_is_left_to_the_library(reply: dict[str, Any]) -> None:
    assert cut(bson.encode(reply)) is None

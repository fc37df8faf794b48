from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from wire.core.paths import steps
from wire.node.control.differences import differences

values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab.[", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.[", max_size=3), inner, max_size=3),
    max_leaves=12,
)


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def patched(before: Any, after: Any) -> Any:
    """Carry out the differences of two values on the first: what goes from the last to the first, then the others."""
    tree: Any = {"root": copy.deepcopy(before)}
    found = differences(encoded(before), encoded(after))
    for each in [*(d for d in reversed(found) if d.after is None), *(d for d in found if d.after is not None)]:
        *way, last = ["root", *steps(each.path)]
        place = tree
        for step in way:
            place = place[step]
        if each.after is None:
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(msgspec.json.decode(each.after))
        else:
            place[last] = msgspec.json.decode(each.after)
    return tree["root"]


@given(values)
def test_what_is_the_same_has_no_differences(value: Any) -> None:
    assert differences(encoded(value), encoded(value)) == ()


@given(values, values)
def test_each_difference_names_a_place_where_they_differ(before: Any, after: Any) -> None:
    found = differences(encoded(before), encoded(after))
    assert bool(found) == (encoded(before) != encoded(after)) or sorted_keys(before) == sorted_keys(after)
    assert len({each.path for each in found}) == len(found)
    for each in found:
        assert text(each.before) != text(each.after)


def text(raw: msgspec.Raw | None) -> bytes | None:
    return None if raw is None else bytes(raw)


def sorted_keys(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


@given(st.dictionaries(st.text("ab.[", max_size=3), values), st.dictionaries(st.text("ab.[", max_size=3), values))
def test_the_differences_lead_from_one_to_the_other(before: Any, after: Any) -> None:
    assert sorted_keys(patched(before, after)) == sorted_keys(after)


def test_the_smallest_places_are_named() -> None:
    before = {"name": "a", "transforms": [{"filter": "x > 1"}, {"drop": ["y"]}], "batch": {"max_records": 1}}
    after = {"name": "a", "transforms": [{"filter": "x > 2"}], "sink": {"type": "drop"}, "batch": {"max_records": 1.0}}
    found = [(each.path, text(each.before), text(each.after)) for each in differences(encoded(before), encoded(after))]
    assert found == [
        ("$.transforms[0].filter", b'"x > 1"', b'"x > 2"'),
        ("$.transforms[1]", b'{"drop":["y"]}', None),
        ("$.batch.max_records", b"1", b"1.0"),
        ("$.sink", None, b'{"type":"drop"}'),
    ]

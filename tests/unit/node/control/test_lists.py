"""Parts of lists against a dumb model: what was there all along is seen once, in order, whatever came and went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.api.ports import Part
from wire.core.errors import ConfigError
from wire.node.control.lists import MOST_BYTES, part_of

names = st.text("abc", min_size=1, max_size=3)


@given(st.sets(names), st.lists(st.tuples(st.booleans(), names)), st.integers(1, 4))
def test_what_is_there_all_along_is_seen_once_and_in_order(
    there: set[str], changes: list[tuple[bool, str]], limit: int
) -> None:
    rows, touched, seen, after = set(there), set[str](), list[str](), None
    while True:
        page = part_of(rows, Part(after, limit, "stale"), key=str, kind=str, view=str)
        assert len(page.items) <= limit
        seen.extend(page.items)
        after = page.next
        if after is None:
            break
        if changes:
            comes, name = changes.pop()
            touched.add(name)
            (rows.add if comes else rows.discard)(name)
    assert seen == sorted(set(seen))
    assert there - touched <= set(seen) <= there | touched


def test_a_part_is_not_larger_than_a_few_mib() -> None:
    sizes = {"a": MOST_BYTES - 1, "b": 1, "c": 1, "d": 2 * MOST_BYTES, "e": 1}
    after, parts = None, list[tuple[str, ...]]()
    while True:
        page = part_of(sizes, Part(after, 10, "stale"), key=str, kind=str, view=str, size=sizes.__getitem__)
        parts.append(page.items)
        if page.next is None:
            break
        after = page.next
    assert parts == [("a", "b"), ("c",), ("d",), ("e",)]


def test_the_end_of_a_list_is_known_without_asking_again() -> None:
    page = part_of(["a", "b"], Part(None, 2, "stale"), key=str, kind=str, view=str)
    assert (page.items, page.next) == (("a", "b"), None)


@pytest.mark.parametrize("after", ["", "x", "1", '["a"]', '{"a": 1}', '["a", "b"', "\ud800"])
def test_a_cursor_of_another_list_is_refused(after: str) -> None:
    with pytest.raises(ConfigError, match="no cursor of this list"):
        part_of([("a", 1)], Part(after, 2, "stale"), key=tuple, kind=tuple[str, int], view=tuple)

"""Deletions are remembered while something older may still come, and not longer."""

from __future__ import annotations

from wire.sinks.elasticsearch.actions import Action
from wire.sinks.elasticsearch.overtaken import Overtaken


def put(id_: str, version: int | None) -> Action:
    return Action(0, b"", "index", id_, None, version)


def delete(id_: str, version: int | None) -> Action:
    return Action(0, b"", "delete", id_, None, version)


def test_a_deletion_that_overtook_what_is_under_way() -> None:
    its = Overtaken()
    its.begin([put("k", 1)])
    number, _ = its.begin([delete("k", 2)])
    its.done([delete("k", 2)])
    its.end(number)
    assert its.is_late(put("k", 1))
    assert not its.is_late(put("k", 2))
    assert not its.is_late(put("k", 3))
    assert not its.is_late(put("j", 1))


def test_what_failed_is_remembered_until_it_is_done() -> None:
    its = Overtaken()
    number, _ = its.begin([put("k", 1), put("j", 1)])
    its.failed([put("k", 1), put("j", 1)])
    its.end(number)
    number, _ = its.begin([delete("k", 2)])
    its.done([delete("k", 2)])
    its.end(number)
    number, timely = its.begin([put("k", 1), put("j", 1)])
    assert timely == [put("j", 1)]
    its.done([put("j", 1)])
    its.end(number)
    assert not its.is_late(put("k", 1))  # Elasticsearch remembers by itself for a while


def test_what_is_refused_is_waited_for_no_more() -> None:
    its = Overtaken()
    number, _ = its.begin([put("k", 1)])
    its.failed([put("k", 1)])
    its.end(number)
    number, _ = its.begin([put("k", 1), delete("j", 2)])
    its.refused(put("k", 1))
    its.done([delete("j", 2)])
    its.end(number)
    assert not its.is_late(put("j", 1))


def test_without_versions_nothing_is_late() -> None:
    its = Overtaken()
    number, _ = its.begin([put("k", None)])
    number, _ = its.begin([delete("k", None)])
    its.done([delete("k", None)])
    its.failed([put("k", None)])
    its.end(number)
    number, timely = its.begin([put("k", None)])
    assert timely == [put("k", None)]


def test_deletions_are_forgotten_even_if_there_is_always_something_under_way() -> None:
    its = Overtaken()
    before, _ = its.begin([put("first", 1)])
    for n in range(100):
        number, _ = its.begin([delete(f"k{n}", 2)])
        its.done([delete(f"k{n}", 2)])
        assert its.is_late(put(f"k{n}", 1))
        its.end(before)
        before = number
    late = [n for n in range(100) if its.is_late(put(f"k{n}", 1))]
    assert 99 in late
    assert len(late) < 10


def test_what_was_given_up_is_not_waited_for_for_ever() -> None:
    its = Overtaken()
    number, _ = its.begin([put("k", 1)])
    its.failed([put("k", 1)])
    its.end(number)
    for n in range(3000):
        number, _ = its.begin([delete(f"k{n}", 2)])
        its.done([delete(f"k{n}", 2)])
        its.end(number)
    assert not its.is_late(put("k1", 1))
    assert len(its._deleted) < 2

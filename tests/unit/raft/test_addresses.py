"""Where members are dialed."""

from __future__ import annotations

from wire.raft import Configuration, Member, MemberId
from wire.raft.addresses import Addresses


def at(**places: str) -> Configuration:
    return Configuration(tuple(Member(MemberId(name), address) for name, address in places.items()))


def test_what_a_member_says_counts_until_the_configuration_says_something_else() -> None:
    addresses, before = Addresses(), at(a="old:1", b="b:1")
    assert addresses.of(before) == {"a": "old:1", "b": "b:1"}
    assert not addresses.say(before, Member(MemberId("a"), "old:1"))
    assert addresses.say(before, Member(MemberId("a"), "new:1"))
    assert not addresses.say(before, Member(MemberId("a"), "new:1"))
    assert addresses.of(before) == {"a": "new:1", "b": "b:1"}
    assert addresses.moved(before) == (Member(MemberId("a"), "new:1"),)
    assert addresses.of(at(a="newest:1")) == {"a": "newest:1"}
    assert addresses.of(before) == {"a": "old:1", "b": "b:1"}


def test_it_may_be_back_where_it_was() -> None:
    addresses, before = Addresses(), at(a="old:1")
    addresses.say(before, Member(MemberId("a"), "new:1"))
    assert addresses.say(before, Member(MemberId("a"), "old:1"))
    assert addresses.of(before) == {"a": "old:1"}


def test_who_is_no_member_says_nothing() -> None:
    addresses = Addresses()
    assert not addresses.say(at(a="a:1"), Member(MemberId("x"), "x:1"))
    assert addresses.of(at(a="a:1")) == {"a": "a:1"}

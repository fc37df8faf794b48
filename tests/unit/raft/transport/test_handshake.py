"""Who is welcomed, who is refused with which code, and what is taken for a greeting at all."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.core.codes import CODES
from wire.raft.transport.framing import ProtocolError
from wire.raft.transport.handshake import (
    MAX_GREETING_BYTES,
    NEWEST,
    OLDEST,
    Hello,
    Place,
    Refusal,
    Welcome,
    decode_answer,
    decode_hello,
    encode,
    hello,
    judge,
    judge_names,
)
from wire.raft.transport.ports import Admission
from wire.raft.types import Member, MemberId

ME = Place("c-1", Member(MemberId("n1/1"), "one:1"))
IT = Place("c-1", Member(MemberId("n2/1"), "two:2"))
GOOD = hello(IT, ME.member.id)


def changed(**fields: object) -> Hello:
    return msgspec.structs.replace(GOOD, **fields)


def verdict(
    greeting: Hello, names: frozenset[str] | None = frozenset(("n2",)), admission: Admission = Admission.KNOWN
) -> Welcome | Refusal:
    return judge(greeting, ME, names, lambda _: admission)


def test_a_member_that_proves_its_name_is_welcome_and_so_is_one_without_tls() -> None:
    assert verdict(GOOD) == Welcome(1)
    assert verdict(GOOD, names=frozenset(("localhost", "n2", "x"))) == Welcome(1)
    assert verdict(GOOD, names=None) == Welcome(1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "n2/1 shows no certificate that names anybody"),
        (("n3", "n1"), "the certificate of n2/1 is one for n1, n3"),
        (("*",), "the certificate of n2/1 is one for *"),
        (("N2",), "the certificate of n2/1 is one for N2"),
        (("n2/1",), "the certificate of n2/1 is one for n2/1"),
        (("n2.", "xn2", "n"), "the certificate of n2/1 is one for n, n2., xn2"),
    ],
)
def test_only_exactly_the_members_name_in_a_certificate_will_do(names: tuple[str, ...], message: str) -> None:
    assert verdict(GOOD, names=frozenset(names)) == Refusal("raft.wrong_certificate", message)
    assert judge_names(IT.member, frozenset(names)) == Refusal("raft.wrong_certificate", message)


@pytest.mark.parametrize(
    ("greeting", "admission", "expected"),
    [
        (
            changed(oldest=2, newest=4),
            Admission.KNOWN,
            Refusal("raft.incompatible_protocol", "protocol 2 to 4 is offered, n1/1 speaks protocol 1"),
        ),
        (
            changed(oldest=0, newest=0),
            Admission.KNOWN,
            Refusal("raft.incompatible_protocol", "protocol 0 is offered, n1/1 speaks protocol 1"),
        ),
        (changed(cluster="c-2"), Admission.KNOWN, Refusal("raft.wrong_cluster", "this is cluster c-1, not c-2")),
        (changed(receiver="n1/2"), Admission.KNOWN, Refusal("raft.wrong_member", "this is n1/1, not n1/2")),
        (GOOD, Admission.UNKNOWN, Refusal("raft.unknown_member", "n1/1 knows no member n2/1")),
        (GOOD, Admission.REMOVED, Refusal("raft.removed_member", "n2/1 was removed from the cluster")),
    ],
)
def test_what_does_not_fit_is_refused_with_its_own_code(
    greeting: Hello, admission: Admission, expected: Refusal
) -> None:
    assert verdict(greeting, admission=admission) == expected


def test_who_has_not_proven_its_name_learns_nothing_else() -> None:
    asked: list[Member] = []

    def admit(member: Member) -> Admission:
        asked.append(member)
        return Admission.KNOWN

    wrong = changed(oldest=9, newest=9, cluster="?", receiver="?")
    answer = judge(wrong, ME, frozenset(("n9",)), admit)
    assert isinstance(answer, Refusal)
    assert answer.code == "raft.wrong_certificate"
    assert not asked


def test_who_speaks_a_newer_protocol_too_is_answered_in_ours() -> None:
    assert verdict(changed(oldest=0, newest=99)) == Welcome(NEWEST)


def test_admission_is_asked_about_the_member_as_it_describes_itself() -> None:
    asked: list[Member] = []

    def admit(member: Member) -> Admission:
        asked.append(member)
        return Admission.KNOWN

    assert judge(GOOD, ME, None, admit) == Welcome(1)
    assert asked == [IT.member]


greetings = st.one_of(
    st.builds(
        Hello,
        st.integers(0, 1 << 30),
        st.integers(0, 1 << 30),
        st.text(max_size=300),
        st.text(min_size=1, max_size=300).map(MemberId),
        st.text(max_size=300),
        st.text(min_size=1, max_size=300).map(MemberId),
    ),
    st.builds(Refusal, st.sampled_from(sorted(CODES)), st.text(max_size=512)),
    st.builds(Welcome, st.integers(OLDEST, NEWEST)),
)


@given(greetings)
def test_a_greeting_survives_the_wire(greeting: Hello | Welcome | Refusal) -> None:
    read = decode_hello if isinstance(greeting, Hello) else decode_answer
    assert read(encode(greeting)) == greeting


@given(st.binary(max_size=200))
def test_any_bytes_are_a_greeting_or_a_fault(payload: bytes) -> None:
    for read in (decode_hello, decode_answer):
        with suppress(ProtocolError):
            read(payload)


@given(greetings, st.integers(0), st.integers(0, 255))
def test_a_damaged_greeting_is_a_greeting_or_a_fault(
    greeting: Hello | Welcome | Refusal, place: int, byte: int
) -> None:
    payload = bytearray(encode(greeting))
    payload[place % len(payload)] = byte
    for read in (decode_hello, decode_answer):
        with suppress(ProtocolError):
            read(bytes(payload))


def test_fields_that_a_later_version_adds_are_ignored() -> None:
    later = {"type": "hello", **msgspec.structs.asdict(GOOD), "zone": "a", "more": [1, {"x": 2}]}
    assert decode_hello(msgspec.msgpack.encode(later)) == GOOD
    assert decode_answer(msgspec.msgpack.encode({"type": "welcome", "version": 1, "more": 2})) == Welcome(1)


@pytest.mark.parametrize(
    "fields",
    [
        {"oldest": -1},
        {"newest": "1"},
        {"newest": 1 << 31},
        {"cluster": None},
        {"cluster": "c" * 513},
        {"sender": ""},
        {"sender": "s" * 513},
        {"receiver": b"n1/1"},
        {"address": 7},
        {"type": "welcome"},
    ],
)
def test_a_hello_with_a_wrong_field_is_a_fault(fields: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        decode_hello(msgspec.msgpack.encode({"type": "hello", **msgspec.structs.asdict(GOOD), **fields}))


@pytest.mark.parametrize("version", [OLDEST - 1, NEWEST + 1])
def test_a_welcome_in_a_version_that_was_not_offered_is_a_fault(version: int) -> None:
    with pytest.raises(ProtocolError, match="not offered"):
        decode_answer(encode(Welcome(version)))


def test_a_code_that_only_a_newer_member_knows_is_one_of_ours_with_the_reason_in_words() -> None:
    assert decode_answer(encode(Refusal("raft.too_hot", "31 degrees"))) == Refusal(
        "raft.refused", "raft.too_hot: 31 degrees"
    )


def test_the_longest_greetings_fit_their_limit() -> None:
    text = "\N{GRINNING FACE}" * 512
    longest = Hello(1, 1, text, MemberId(text), text, MemberId(text))
    assert decode_hello(encode(longest)) == longest
    assert len(encode(longest)) < MAX_GREETING_BYTES
    assert len(encode(Refusal(text, text))) < MAX_GREETING_BYTES

"""How two members find out that they belong together, before the first message.

The side that dials sends a hello, the other one answers with a welcome or a refusal. A listener knows that consensus
is spoken by ALPN, or without TLS by a preamble before the hello. All versions of the protocol read these three
messages: fields may be added, what is unknown is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from wire.core.codes import CODES
from wire.raft.transport.framing import ProtocolError, decoded
from wire.raft.transport.ports import Admission
from wire.raft.types import Member, MemberId

ALPN: Final = "wire-raft/1"
PREAMBLE: Final = b"wRF1"
OLDEST: Final = 1
"""The oldest version of the protocol that this member speaks."""
NEWEST: Final = 1
"""The newest version of the protocol that this member speaks."""

MAX_GREETING_BYTES: Final = 1 << 14

_Text: TypeAlias = Annotated[str, Meta(max_length=512)]
_Id: TypeAlias = Annotated[MemberId, Meta(min_length=1, max_length=512)]
_Version: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 31)]


class Hello(Struct, frozen=True, tag="hello"):
    """Who dials, from which cluster, whom it thinks it has reached, and which versions of the protocol it speaks."""

    oldest: _Version
    newest: _Version
    cluster: _Text
    sender: _Id
    address: _Text
    receiver: _Id


class Welcome(Struct, frozen=True, tag="welcome"):
    """The sender of the hello is heard, in this version of the protocol."""

    version: _Version


class Refusal(Struct, frozen=True, tag="refusal"):
    """The sender of the hello is not heard, and why."""

    code: _Text
    message: _Text


class Place(Struct, frozen=True):
    """Who we are, and in which cluster."""

    cluster: str
    member: Member


_encoder: Final = msgspec.msgpack.Encoder()
_hellos: Final = msgspec.msgpack.Decoder(Hello)
_answers: Final[msgspec.msgpack.Decoder[Welcome | Refusal]] = msgspec.msgpack.Decoder(Welcome | Refusal)


def encode(greeting: Hello | Welcome | Refusal) -> bytes:
    """Return the payload of a frame."""
    return _encoder.encode(greeting)


def decode_hello(payload: bytes) -> Hello:
    """Return the hello. Raises ProtocolError for anything else."""
    return decoded(_hellos.decode, payload)


def decode_answer(payload: bytes) -> Welcome | Refusal:
    """Return the answer to a hello. Raises ProtocolError for anything else, and for a version we did not offer."""
    answer = decoded(_answers.decode, payload)
    match answer:
        case Welcome(version=version) if not OLDEST <= version <= NEWEST:
            raise ProtocolError(f"welcomed in version {version}, which was not offered")
        case Refusal(code=code, message=message) if code not in CODES:
            return Refusal("raft.refused", f"{code}: {message}"[:512])  # a newer member has more codes
        case _:
            return answer


def hello(us: Place, receiver: MemberId) -> Hello:
    """Return what we say to a member."""
    return Hello(OLDEST, NEWEST, us.cluster, us.member.id, us.member.address, receiver)


def judge(
    greeting: Hello, us: Place, names: Set[str] | None, admit: Callable[[Member], Admission]
) -> Welcome | Refusal:
    """Answer a hello. `names` are those in the sender's certificate, None where there is no TLS.

    Only who has proven its name is told anything about the cluster.
    """
    member = Member(greeting.sender, greeting.address)
    wrong = judge_names(member, names)
    if wrong is not None:
        return wrong
    if greeting.newest < OLDEST or greeting.oldest > NEWEST:
        ours, theirs = _versions(OLDEST, NEWEST), _versions(greeting.oldest, greeting.newest)
        return _refusal("raft.incompatible_protocol", f"{theirs} is offered, {us.member.id} speaks {ours}")
    if greeting.cluster != us.cluster:
        return _refusal("raft.wrong_cluster", f"this is cluster {us.cluster}, not {greeting.cluster}")
    if greeting.receiver != us.member.id:
        return _refusal("raft.wrong_member", f"this is {us.member.id}, not {greeting.receiver}")
    match admit(member):
        case Admission.KNOWN:
            return Welcome(min(NEWEST, greeting.newest))
        case Admission.UNKNOWN:
            return _refusal("raft.unknown_member", f"{us.member.id} knows no member {member.id}")
        case Admission.REMOVED:
            return _refusal("raft.removed_member", f"{member.id} was removed from the cluster")


def judge_names(member: Member, names: Set[str] | None) -> Refusal | None:
    """Return a refusal unless the member's name is exactly one of those in its certificate, or there is no TLS."""
    if names is None or member.name in names:
        return None
    if not names:
        return _refusal("raft.wrong_certificate", f"{member.id} shows no certificate that names anybody")
    known = ", ".join(sorted(names))
    return _refusal("raft.wrong_certificate", f"the certificate of {member.id} is one for {known}")


def _refusal(code: str, message: str) -> Refusal:
    return Refusal(code, message[:512])


def _versions(oldest: int, newest: int) -> str:
    return f"protocol {oldest}" if oldest == newest else f"protocol {oldest} to {newest}"

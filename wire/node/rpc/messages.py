"""What nodes say to each other on a connection for calls.

The side that dials says hello and is welcomed or refused, then makes calls; each is answered by an answer or a failure
of the same number, in any order. All versions of the protocol read the first three messages: fields may be added,
what is unknown is ignored. The others are arrays, to whose end fields may be added.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from wire.core.codes import CODES
from wire.core.errors import FatalError, RetryableError, WireError
from wire.raft.transport.framing import ProtocolError, decoded

ALPN: Final = "wire-rpc/1"
PREAMBLE: Final = b"wRP1"
"""What takes ALPN's place without TLS."""
VERSION: Final = 1
MAX_GREETING_BYTES: Final = 1 << 14

_Text: TypeAlias = Annotated[str, Meta(max_length=512)]
_Words: TypeAlias = Annotated[str, Meta(max_length=4096)]
_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=512)]
_Version: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 31)]
_Number: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]

Q = TypeVar("Q", bound=Struct)
A = TypeVar("A", bound=Struct)


@dataclass(frozen=True)
class Method(Generic[Q, A]):
    """One thing that can be asked: its name, and the types of request and answer.

    Members of the cluster may ask it; with `for_strangers` any node with a certificate of the cluster's authority.
    """

    name: str
    asks: type[Q]
    answers: type[A]
    for_strangers: bool = False


class Hello(Struct, frozen=True, tag="hello"):
    """Who dials, whom it thinks it has reached, and which versions it speaks. `cluster` is None before it has one."""

    oldest: _Version
    newest: _Version
    sender: _Name
    receiver: _Text | None = None
    cluster: _Text | None = None


class Welcome(Struct, frozen=True, tag="welcome"):
    """Calls are taken, in this version of the protocol. Says who takes them."""

    version: _Version
    name: _Text
    cluster: _Text | None = None


class Refusal(Struct, frozen=True, tag="refusal"):
    """No calls are taken, and why."""

    code: _Text
    message: _Words


class Call(Struct, frozen=True, array_like=True, tag="c"):
    """Asks for something; nobody waits for the answer any longer than `timeout_ms`."""

    number: _Number
    method: _Text
    timeout_ms: _Number
    body: Raw


class Answer(Struct, frozen=True, array_like=True, tag="a"):
    """Answers the call of that number."""

    number: _Number
    body: Raw


class Failure(Struct, frozen=True, array_like=True, tag="f"):
    """Says why the call of that number failed. `after_ms` is there where it may succeed if it is made again."""

    number: _Number
    code: _Text
    message: _Words
    hint: _Words | None = None
    after_ms: _Number | None = None

    def error(self) -> WireError:
        """Return it as the error that the caller raises."""
        code, message = self.code, self.message
        if code not in CODES:  # a newer node has more
            code, message = "rpc.failed", f"{self.code}: {self.message}"
        if self.after_ms is None:
            return FatalError(code, message, hint=self.hint)
        return RetryableError(code, message, hint=self.hint, after_s=self.after_ms / 1000)


class Caller(Struct, frozen=True):
    """Who makes a call: the node's name, which its certificate has proven, and what it says of its cluster."""

    name: str
    cluster: str | None
    remote: str


class Us(Struct):
    """Who we are. The cluster is not known before we belong to one."""

    name: str
    cluster: str | None = None


_encoder: Final = msgspec.msgpack.Encoder()
_hellos: Final = msgspec.msgpack.Decoder(Hello)
_greetings: Final[msgspec.msgpack.Decoder[Welcome | Refusal]] = msgspec.msgpack.Decoder(Welcome | Refusal)
_calls: Final = msgspec.msgpack.Decoder(Call)
_answers: Final[msgspec.msgpack.Decoder[Answer | Failure]] = msgspec.msgpack.Decoder(Answer | Failure)


def encode(message: Struct) -> bytes:
    """Return the payload of a frame, or the body of a call or an answer."""
    return _encoder.encode(message)


def decode_hello(payload: bytes) -> Hello:
    """Return the hello. Raises ProtocolError for anything else."""
    return decoded(_hellos.decode, payload)


def decode_greeting(payload: bytes) -> Welcome | Refusal:
    """Return the answer to a hello. Raises ProtocolError for anything else, and for a version we did not offer."""
    greeting = decoded(_greetings.decode, payload)
    match greeting:
        case Welcome(version=version) if version != VERSION:
            raise ProtocolError(f"welcomed in version {version}, which was not offered")
        case Refusal(code=code, message=message) if code not in CODES:
            return Refusal("rpc.refused", f"{code}: {message}"[:4096])  # a newer node has more codes
        case _:
            return greeting


def decode_call(payload: bytes) -> Call:
    """Return the call. Raises ProtocolError for anything else."""
    return decoded(_calls.decode, payload)


def decode_answer(payload: bytes) -> Answer | Failure:
    """Return what a call came to. Raises ProtocolError for anything else."""
    return decoded(_answers.decode, payload)


def hello(us: Us, receiver: str | None) -> Hello:
    """Return what we say to a node, of which we may know only the address."""
    return Hello(VERSION, VERSION, us.name, receiver, us.cluster)


def judge(greeting: Hello, us: Us, names: Set[str] | None) -> Welcome | Refusal:
    """Answer a hello. `names` are those in the sender's certificate, None where there is no TLS.

    Only who has proven its name is told anything about us.
    """
    wrong = judge_names(greeting.sender, names)
    if wrong is not None:
        return wrong
    if not greeting.oldest <= VERSION <= greeting.newest:
        return Refusal("rpc.incompatible_protocol", f"{us.name} speaks version {VERSION} of this protocol only")
    if greeting.receiver not in (None, us.name):
        return Refusal("rpc.wrong_node", f"this is {us.name}, not {greeting.receiver}")
    if us.cluster is not None and greeting.cluster not in (None, us.cluster):
        return Refusal("rpc.wrong_cluster", f"this is cluster {us.cluster}, not {greeting.cluster}")
    return Welcome(VERSION, us.name, us.cluster)


def judge_names(name: str, names: Set[str] | None) -> Refusal | None:
    """Return a refusal unless a node's name is exactly one of those in its certificate, or there is no TLS."""
    if names is None or name in names:
        return None
    if not names:
        return Refusal("rpc.wrong_certificate", f"{name} shows no certificate that names a node")
    return Refusal("rpc.wrong_certificate", f"the certificate of {name} is one for {', '.join(sorted(names))}"[:4096])

"""Commands and answers as bytes: what is in the log, and what a proposer gets back.

    command    the version it came with, one byte; a msgpack map, "do" saying which it is
    answer     a msgpack map, "type" saying which it is

A version's set of commands, with their fields, never changes once it was released: whatever is added gets the next
number in `VERSIONS`, and is proposed only when `EnableCommands` has said that all nodes know it. What a command does
changes in the same way: from the version on that the state has enabled, as `State.bounded` (I6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast, get_args

import msgspec

from wire.cluster.commands import (
    Answer,
    AnyCommand,
    ApplyFilePipeline,
    Command,
    ForgetCheckpoints,
    LeaveNode,
    Refused,
    RestoreCheckpoints,
    RestorePipelines,
)
from wire.cluster.state import State
from wire.core.errors import FatalError

VERSIONS: Final[Mapping[type[Command], int]] = {
    **dict.fromkeys(get_args(AnyCommand), 1),
    **dict.fromkeys((LeaveNode, RestoreCheckpoints, RestorePipelines), 2),
    ForgetCheckpoints: 3,
    ApplyFilePipeline: 4,
}
"""The version of commands with which each of them came."""
NEWEST: Final = max(VERSIONS.values())
"""The newest version that this release understands."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AnyCommand).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def not_enabled(state: State, command: AnyCommand) -> Refused | None:
    """Return why a command may not be proposed yet, None if it may."""
    version = VERSIONS[type(command)]
    if version <= state.command_version:
        return None
    return Refused(
        code="cluster.version_not_enabled",
        message=f"this needs version {version} of the commands, and the cluster is at {state.command_version}",
        hint="upgrade all nodes; the version is enabled when the last one is back",
    )


def encode(command: AnyCommand) -> bytes:
    """Return what to propose.

    Raises FatalError for what could not be read back, as values of other types than the fields have: in the log it
    would stop every node.
    """
    try:
        body = _encode(command)
        _decode(body)
    except (*_UNREADABLE, TypeError, ValueError, OverflowError) as exc:
        message = f"a command `{command.__struct_config__.tag}` can't be written: {exc}"
        raise FatalError("cluster.bad_command", message) from exc
    return bytes((VERSIONS[type(command)],)) + body


def decode(data: bytes) -> AnyCommand:
    """Return what was proposed. Raises FatalError where it can't be told what that is."""
    version = data[0] if data else 0
    if not 0 < version <= NEWEST:
        raise FatalError(
            "cluster.unknown_command",
            f"the log holds a command of version {version}, and this release of Wire understands versions up to"
            f" {NEWEST}",
            hint="upgrade Wire on this node and start it again: it goes on where it stopped",
        )
    try:
        return cast(AnyCommand, _decode(data[1:]))
    except _UNREADABLE as exc:
        raise FatalError(
            "cluster.unknown_command",
            f"the log holds a command of version {version} that this release of Wire, which understands versions up to"
            f" {NEWEST}, can't read: {exc}",
            hint="upgrade Wire on this node and start it again: it goes on where it stopped",
        ) from exc


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as what applying the command gives."""
    return _encode(answer)


def decode_answer(data: bytes) -> Answer:
    """Return what a command has come to. Raises FatalError where it can't be told what that is."""
    try:
        return cast(Answer, _decode_answer(data))
    except _UNREADABLE as exc:
        raise FatalError("cluster.unknown_answer", f"the answer to a command can't be read: {exc}") from exc

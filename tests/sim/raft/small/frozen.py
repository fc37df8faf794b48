"""What tells two states of a member apart: everything that its future may depend on, in one comparable form."""

from __future__ import annotations

import random
from collections import deque
from types import FunctionType, MethodType
from typing import Any, Final

from msgspec import Struct

from tests.sim.raft.small.host import PATIENCE_S, Host
from wire.raft.replica.library import Peer
from wire.raft.replica.replica import Replica
from wire.raft.storage.snapshot_receiving import Receiver

_LIBRARYS_OWN: Final = [
    "changeClusterIDx", "commandsLocalCounter", "commandsQueue", "commandsWaitingCommit", "commandsWaitingReply",
    "conf", "connectedNodes", "consumers", "currentVersionFuncNames", "destroying", "enabledCodeVersion", "encryptor",
    "forceLogCompaction", "initialised", "lastInitTryTime", "lastReadonlyCheck", "lastSerializedEntry",
    "lastSerializedTime", "leaderCommitIndex", "mainThread", "needLoadDumpFile", "nodeClass", "numOneSecondDumps",
    "onReadyCalled", "onTickCallbacks", "onTickCallbacksLock", "properies", "raftElectionDeadline", "raftLog",
    "raftNextIndex", "recvTransmission", "selfCodeVersion", "selfNode", "serializer", "startTime", "thread",
    "transferInProgress", "transport", "votesCount",
]  # fmt: skip
_WITHOUT_EFFECT: Final = {f"_SyncObj__{name}" for name in _LIBRARYS_OWN} | {
    "_idToMethod", "_methodToID", "_idToConsumer", "_poller",
    "me", "_random", "_settings", "_peers", "_other_voter_ids",
    "_store", "_snapshots", "_machine",  # looked at through what they hold
    "outbox", "_in_round", "_won", "_expiry_due",  # of a turn
    "_pre_vote_round", "_pre_votes",  # elections begin without asking
}  # fmt: skip
"""Of what a replica has, what makes no difference here. Whatever is not named does."""
_SCALARS: Final = frozenset({int, str, bytes, bool, type(None)})


def frozen(host: Host) -> Any:
    """Return the host's state; times count from now, and beyond what matters all are alike."""
    log, now = host.log, host.clock()
    fields = [
        (name, value if type(value) in _SCALARS else _freeze(value, now))
        for name, value in vars(host.replica).items()
        if name not in _WITHOUT_EFFECT
    ]
    entries = tuple(log.entries(log.base[0] + 1, 1 << 60))
    disks = (log.base, entries, log.vote, host.snapshots.newest)
    return host.witness, host.lives, host.cut_in, disks, tuple(host.machine.values), tuple(fields)


def _freeze(value: Any, now: float) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is float:
        return max(-PATIENCE_S, min(PATIENCE_S, value - now))
    if kind is dict:
        return tuple(sorted((str(key), _freeze(each, now)) for key, each in value.items()))
    if kind is set:
        return tuple(sorted(map(str, value)))
    if kind in (list, tuple, deque):
        return tuple([_freeze(each, now) for each in value])
    return _freeze_object(value, now)


def _freeze_object(value: Any, now: float) -> Any:
    match value:
        case Host() | Replica() | random.Random():
            return None  # it is there anyway
        case Peer():
            return value.id
        case Receiver():
            return value.offset
        case Struct():
            return tuple([_freeze(getattr(value, name), now) for name in value.__struct_fields__])
        case MethodType():
            return value.__name__
        case FunctionType():
            cells = value.__closure__ or ()
            return (value.__qualname__, *(_freeze(cell.cell_contents, now) for cell in cells))
        case _:
            return tuple([(name, _freeze(each, now)) for name, each in sorted(vars(value).items())])

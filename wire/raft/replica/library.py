"""The library underneath: which release, which of its private names are overridden or read, and in what they are wrong.

`Replica` reaches into private names of pysyncobj 0.3.17, so nothing else will do. What is used of it: the election, the
commit rule (only entries of the own term are counted), the check that a leader still has a quorum, and the bookkeeping
between them. docs/consensus.md has the table of its defects, each with its repair and its test.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pysyncobj import SyncObj, syncobj
from pysyncobj.node import Node
from pysyncobj.version import VERSION

from wire.core.errors import UnavailableError

RELEASE: Final = "0.3.17"
_HINT: Final = f"install pysyncobj=={RELEASE}, exactly"
OVERRIDDEN: Final = {
    "_SyncObj__applyLogEntries": ("self",),
    "_SyncObj__connectedToAnyone": ("self",),
    "_SyncObj__generateRaftTimeout": ("self",),
    "_SyncObj__onBecomeLeader": ("self",),
    "_SyncObj__onMessageReceived": ("self", "node", "message"),
    "_SyncObj__sendAppendEntries": ("self",),
    "_SyncObj__tryLogCompaction": ("self",),
    "_checkCommandsToApply": ("self",),
    "_onTick": ("self", "timeToWait"),
}
"""Methods of `SyncObj` that stand for something else here, and their parameters."""

CALLED: Final = {
    "__init__": ("self", "selfNode", "otherNodes", "conf", "consumers", "nodeClass", "transport", "transportClass"),
    "_SyncObj__setCurrentTerm": ("self", "term", "votedForNodeId"),
    "_SyncObj__setState": ("self", "newState"),
}
"""Methods that are called as they are."""

T = TypeVar("T")

FOLLOWER: Final = 0
CANDIDATE: Final = 1
LEADER: Final = 2
"""The library's own numbers for what a member is."""


class Peer(Node):  # type: ignore[misc]  # it comes without types
    """Another member, as the library knows it. Sets of peers have the same order in every process."""

    def __init__(self, id_: str) -> None:
        """Stand for the member of this id."""
        super().__init__(id_)
        object.__setattr__(self, "_hash", zlib.crc32(id_.encode()))

    def __hash__(self) -> int:
        found: int = self._hash
        return found


class Private(property, Generic[T]):
    """A private attribute of `SyncObj` under a name of ours. It is read in every turn: without a call into Python."""

    names: Final[list[str]] = []

    def __init__(self, name: str) -> None:
        """Stand for `__name`."""
        attribute = f"_SyncObj__{name}"
        self.names.append(attribute)
        super().__init__(attrgetter(attribute), lambda instance, value: setattr(instance, attribute, value))

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: type | None = None) -> T: ...  # type: ignore[override]
        def __set__(self, instance: object, value: T) -> None: ...


class Library(SyncObj):  # type: ignore[misc]  # it comes without types
    """The library's class, with the part of its private state that is relied on under names of ours."""

    state: Private[int] = Private("raftState")
    term: Private[int] = Private("raftCurrentTerm")
    voted_for: Private[str | None] = Private("votedForNodeId")
    leader_node: Private[Peer | None] = Private("raftLeader")
    election_deadline: Private[float] = Private("raftElectionDeadline")
    append_due: Private[float] = Private("newAppendEntriesTime")
    log: Private[Any] = Private("raftLog")
    commit: Private[int] = Private("raftCommitIndex")
    applied: Private[int] = Private("raftLastApplied")
    match: Private[dict[Peer, int]] = Private("raftMatchIndex")
    heard: Private[dict[Peer, float]] = Private("lastResponseTime")
    other_voters: Private[set[Peer]] = Private("otherNodes")
    other_learners: Private[set[Peer]] = Private("readonlyNodes")
    no_op_index: Private[int | None] = Private("noopIDx")
    dump_wanted: Private[bool] = Private("needLoadDumpFile")

    def __dir__(self) -> Iterable[str]:
        """Return nothing: the library's constructor would look at all attributes, for commands that are methods."""
        return ()


def monotonic() -> float:
    """Return the seconds on the clock that the library reads, too."""
    now: float = syncobj.monotonicTime()
    return now


def check_release() -> None:
    """Refuse a release that is not the one the repairs were made for, before any of it is called.

    Raises UnavailableError.
    """
    if VERSION != RELEASE:
        message = f"pysyncobj is {VERSION}, and {RELEASE} is what is repaired"
        raise UnavailableError("raft.library", message, hint=_HINT)
    _refuse(_changed(OVERRIDDEN | CALLED))


def check_instance(sample: object) -> None:
    """Refuse a release whose instances have another state than the repairs rely on. Raises UnavailableError."""
    _refuse(name for name in Private.names if not hasattr(sample, name))


def _refuse(names: Iterable[str]) -> None:
    missing = ", ".join(names)
    if missing:
        raise UnavailableError("raft.library", f"pysyncobj {VERSION} lacks {missing}", hint=_HINT)


def _changed(expected: dict[str, tuple[str, ...]]) -> Iterable[str]:
    for name, parameters in expected.items():
        code = getattr(getattr(SyncObj, name, None), "__code__", None)
        if code is None or code.co_varnames[: code.co_argcount] != parameters:
            yield name

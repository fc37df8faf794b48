"""A node's folder: who the node is, on disk, and one process at a time.

wire-data/
  ├── lock        held while the node runs
  ├── node.json   name, incarnation, and the cluster once there is one, or who is to found it
  └── …           what the parts of the node keep, each in a folder of its own
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from wire.core.errors import FatalError, UnavailableError
from wire.core.locking import HeldError, lock_folder
from wire.node.membership.founding import cluster_of
from wire.raft.storage.files import DiskFiles, make_folder
from wire.raft.storage.folder import begin_log, has_log
from wire.raft.types import Member, MemberId

FORMAT: Final = 1
_FILE: Final = "node.json"
_NEW: Final = f"{_FILE}~"
_ANEW: Final = "restore it from a copy; or empty the folder and start the node with --join: it is let in anew"


class Identity(Struct, frozen=True, kw_only=True):
    """Who a node is. An incarnation is as old as the folder: the same name in an empty folder is somebody new.

    `agreed` are those with whom it is to found a cluster, before it has one; see `founding`.
    """

    name: Annotated[str, Meta(min_length=1)]
    incarnation: Annotated[str, Meta(min_length=1)]
    cluster: str | None = None
    parted: Literal["left", "removed"] | None = None
    agreed: tuple[Member, ...] | None = None
    withdrawn: bool = False
    raft: Annotated[str, Meta(pattern=r"^raft(-[0-9a-f-]+)?$")] = "raft"

    @property
    def member(self) -> MemberId:
        """The id as a member of the cluster."""
        return MemberId(f"{self.name}/{self.incarnation}")


class _Stored(Identity, frozen=True, kw_only=True):
    format: int = FORMAT


class _Header(Struct):
    format: int


class DataDir:
    """A node's folder, which is ours. `identity` is on disk."""

    def __init__(self, path: Path, identity: Identity, new_incarnation: Callable[[], str]) -> None:
        """Use a folder that is locked and holds `identity`."""
        self.path = path
        self.identity = identity
        self._new_incarnation = new_incarnation

    @property
    def raft(self) -> Path:
        """The folder of consensus, which is another one since the cluster was recovered."""
        return self.path / self.identity.raft

    def recover_cluster(self, cluster: str, raft: str) -> None:
        """Belong to another cluster from now on, whose consensus is in that folder; if this raises, to the old one."""
        identity = replace(self.identity, cluster=cluster, raft=raft, parted=None)
        _write(self.path, identity)
        self.identity = identity

    def found_cluster(self, cluster: str) -> None:
        """Remember the cluster, on disk when this returns. Blocking.

        Raises UnavailableError, or FatalError if its log can't be begun, and if the node belongs to another one
        already, or has agreed to found another one (F1): from then on it belongs to this one for good, and only an
        empty folder can join another.
        """
        agreed = self.identity.agreed
        bound_to = self.identity.cluster if agreed is None else cluster_of(agreed)
        if bound_to not in (None, cluster):
            raise _foreign(self.path, f"it belongs to cluster {bound_to}, not {cluster}")
        try:
            make_folder(self.raft, 0o700)
        except OSError as exc:
            raise refused(self.path, exc) from exc
        begin_log(self.raft, cluster, self.identity.member)  # before it is written that there is one, see _read
        self._become(replace(self.identity, cluster=cluster, agreed=None, withdrawn=False))

    def agree(self, members: tuple[Member, ...]) -> None:
        """Agree to found a cluster with these, on disk when this returns. Blocking; once for each incarnation (F1)."""
        if self.identity.cluster is not None or self.identity.agreed is not None:
            raise _foreign(self.path, "it belongs to a cluster, or has agreed to found one")
        if self.identity.member not in [each.id for each in members]:
            raise _foreign(self.path, "it is not one of those who are to found a cluster")
        self._become(replace(self.identity, agreed=members))

    def withdraw(self) -> None:
        """Withdraw from what was agreed to. Blocking."""
        self._become(replace(self.identity, withdrawn=True))

    def resume(self) -> None:
        """Take back that this node has withdrawn. Blocking."""
        self._become(replace(self.identity, withdrawn=False))

    def renew(self) -> None:
        """Become somebody new who belongs to no cluster, as in an empty folder. Blocking."""
        self._become(Identity(name=self.identity.name, incarnation=self._new_incarnation()))

    def _become(self, identity: Identity) -> None:
        _write(self.path, identity)
        self.identity = identity

    def leave_cluster(self, parted: Literal["left", "removed"]) -> None:
        """Remember that the node is no member of its cluster any more, on disk when this returns. Blocking."""
        identity = replace(self.identity, parted=parted)
        _write(self.path, identity)
        self.identity = identity

    def gone(self) -> FatalError:
        """Say that the node is no member of its cluster any more."""
        how = "has left" if self.identity.parted == "left" else "was removed from"
        message = (
            f"the node {self.identity.name} {how} the cluster {self.identity.cluster}, and can't come back as it is"
        )
        hint = f"to let it join as somebody new, empty its data folder {self.path} and start it with --join"
        return FatalError("node.removed", message, hint=hint)


def _random() -> str:
    return str(uuid.uuid4())


@contextmanager
def data_dir(path: Path, name: str, new_incarnation: Callable[[], str] = _random) -> Iterator[DataDir]:
    """Make the folder if it is not there, keep every other process out of it, and give it to the node of that name.

    Only its owner may read a folder that is made here. Blocking. Raises UnavailableError (`node.data_in_use`,
    `node.data_refused`), and FatalError (`node.data_foreign`, `node.data_version`, `node.data_damaged`).
    """
    with _locked(path):
        identity = _read(path)
        if identity is None:
            for left in path.glob("raft*"):
                raise _damaged(f"there is no {path / _FILE}, which says whose {left} is", _ANEW)
            identity = Identity(name=name, incarnation=new_incarnation())
            _write(path, identity)
        elif identity.name != name:
            raise _foreign(path, f"it belongs to the node {identity.name}, not {name}")
        yield DataDir(path, identity, new_incarnation)


@contextmanager
def data_dir_of_a_node(path: Path) -> Iterator[DataDir]:
    """Keep every other process out of the folder of a node, whichever it is. Blocking. Raises as `data_dir` does."""
    if not (path / _FILE).exists():
        message = f"there is no node's data folder {path}"
        raise UnavailableError("node.data_refused", message, hint="name the folder with --data-dir")
    with _locked(path):
        identity = _read(path)
        if identity is None:
            raise _foreign(path, "it belongs to nobody")
        yield DataDir(path, identity, _random)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        make_folder(path, 0o700)
        descriptor = lock_folder(path)
    except HeldError as exc:
        message = f"the data folder {path} is in use by another node (process {exc.holder})"
        hint = "end that process, or give each node a folder of its own with --data-dir"
        raise UnavailableError("node.data_in_use", message, hint=hint) from exc
    except OSError as exc:
        raise refused(path, exc) from exc
    try:
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> Identity | None:
    """Return who the folder belongs to, None if it is nobody's."""
    try:
        text = (path / _FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise refused(path, exc) from exc
    try:
        version = msgspec.json.decode(text, type=_Header).format
        if version > FORMAT:
            message = f"the data folder {path} was written by a newer version of Wire (format {version})"
            hint = "run that version or a newer one: an older one would not understand all of it"
            raise FatalError("node.data_version", message, hint=hint)
        stored = msgspec.json.decode(text, type=_Stored)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise _damaged(f"{path / _FILE} is damaged: {exc}", _ANEW) from exc
    identity = Identity(**{name: getattr(stored, name) for name in Identity.__struct_fields__})
    try:
        lost = identity.cluster is not None and identity.parted is None and not has_log(path / identity.raft)
    except OSError as exc:
        raise refused(path, exc) from exc
    if lost:
        message = f"the log in {path / identity.raft} is gone, and with it what the node knew of its cluster"
        hint = (
            f"restore it from a copy; or `wire cluster remove {identity.name}`, empty {path} and start it with --join"
        )
        raise _damaged(message, hint)  # with nothing in its log it would vote against what it has confirmed
    return identity


def _write(path: Path, identity: Identity) -> None:
    """Have it on disk, whole: before or after, never in between."""
    stored = _Stored(**asdict(identity))
    try:
        files = DiskFiles(path)
        file = files.create(_NEW)
        try:
            file.append(msgspec.json.format(msgspec.json.encode(stored), indent=2) + b"\n")
            file.sync()
        finally:
            file.close()
        files.rename(_NEW, _FILE)
        files.sync()
    except OSError as exc:
        raise refused(path, exc) from exc


def _damaged(message: str, hint: str) -> FatalError:
    return FatalError("node.data_damaged", message, hint=hint)


def _foreign(path: Path, why: str) -> FatalError:
    hint = "check --node-id and --data-dir; a node that is to be somebody else needs an empty folder"
    return FatalError("node.data_foreign", f"the data folder {path} is another's: {why}", hint=hint)


def refused(path: Path, exc: OSError) -> UnavailableError:
    """Say that the operating system refuses a node's folder."""
    message = f"the data folder {path} can't be used: {(exc.strerror or str(exc)).lower()}"
    return UnavailableError("node.data_refused", message, hint="check the path, its permissions and the disk")

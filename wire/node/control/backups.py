"""Backups, as `wire.api.ports.Backups`: the state as a file, and back into a cluster without pipelines."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator

import structlog

from wire.api import views
from wire.api.ports import By
from wire.cluster import backup, snapshot
from wire.cluster.commands import Done
from wire.cluster.state import JobId, PipelineKey, State
from wire.core.errors import RefusedError, WireError
from wire.core.uuids import Uuids
from wire.node.control.asking import Asking
from wire.raft.threads import in_thread

log = structlog.get_logger()


class BackupService:
    """Makes backups of what this node knows, and has the cluster carry out what puts one back."""

    def __init__(self, asking: Asking, uuids: Uuids, cluster_id: str, release: str) -> None:
        """Be ready."""
        self._asking = asking
        self._uuids = uuids
        self._cluster_id = cluster_id
        self._release = release

    async def take(self) -> AsyncIterator[bytes]:  # noqa: D102 (contract in the port)
        state = await self._asking.state("linearizable")
        header = backup.Header(
            cluster=self._cluster_id,
            index=self._asking.node.status().applied,
            taken_ms=self._asking.now_ms(),
            release=self._release,
        )
        return _in_threads(backup.chunks(header, snapshot.chunks(state)))  # as of now, whatever is applied meanwhile

    async def restore(self, data: bytes, by: By) -> views.Restored:  # noqa: D102 (contract in the port)
        _require_empty(await self._asking.state("linearizable"))
        header, restoring = await in_thread(self._read, data, by.actor)
        try:
            for number, command in enumerate(restoring.staged):
                await self._asking.carry_out(command, _numbered(by.request_id, number), Done)
            await self._asking.carry_out(restoring.final, by.request_id, Done)
        except WireError:
            await self._clear((each.key for each in restoring.final.pipelines), by)
            raise
        log.info("backup_restored", cluster=header.cluster, index=header.index)
        return views.Restored(
            cluster_id=header.cluster,
            index=header.index,
            taken_at=datetime.datetime.fromtimestamp(header.taken_ms / 1000, datetime.UTC),
            pipelines=len(restoring.final.pipelines),
            checkpoints=restoring.checkpoints,
        )

    def _read(self, data: bytes, actor: str) -> tuple[backup.Header, backup.Restoring]:
        header, state = backup.read(data)
        version = self._asking.known.command_version
        return header, backup.restoring(
            state, version, at_ms=self._asking.now_ms(), actor=actor, new_job=lambda: JobId(str(self._uuids.next()))
        )

    async def _clear(self, keys: Iterable[PipelineKey], by: By) -> None:
        """Forget checkpoints of pipelines that were not made: a namesake that somebody makes would go on from them.

        Those that were made, though it was not known, keep theirs: for them it is refused.
        """
        for command in backup.clearing(keys, at_ms=self._asking.now_ms(), actor=by.actor):
            try:
                await self._asking.carry_out(command, b"", Done)
            except RefusedError:
                continue  # it was made
            except WireError as exc:
                pipeline, hint = "/".join(command.key), "restore again, or delete it once somebody has made it"
                log.warning("checkpoints_left", pipeline=pipeline, code=exc.code, reason=exc.message, hint=hint)


async def _in_threads(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield parts that are made in another thread, so that nobody waits for it."""
    while (part := await in_thread(next, parts, None)) is not None:
        yield part


def _numbered(request_id: bytes, number: int) -> bytes:
    return hashlib.blake2b(request_id + number.to_bytes(4, "big"), digest_size=16).digest()


def _require_empty(state: State) -> None:
    """Refuse at once what would be refused at the end."""
    if state.pipelines:
        message = f"a backup is restored into a cluster without pipelines only: there are {len(state.pipelines)}"
        hint = "restore it into a new cluster, or delete the pipelines first"
        raise RefusedError("cluster.not_empty", message, hint=hint)

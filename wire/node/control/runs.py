"""What becomes of pipelines, as `wire.api.ports.Runs`."""

from __future__ import annotations

from wire.api import views
from wire.api.ports import Consistency, Name, Part
from wire.cluster.state import JobId, Pipeline, PipelineKey, PipelineVersion
from wire.core.errors import RefusedError
from wire.node.control import describing
from wire.node.control.asking import Asking
from wire.node.control.differences import differences
from wire.node.control.lists import part_of
from wire.node.control.pipelines import require


class RunService:
    """Tells what the state holds."""

    def __init__(self, asking: Asking) -> None:
        """Be ready."""
        self._asking = asking

    async def status(self, name: Name, consistency: Consistency) -> views.PipelineStatus:  # noqa: D102
        state = await self._asking.state(consistency)
        return describing.status(state, require(state, name))

    async def versions(self, name: Name, part: Part) -> views.Page[views.Version]:  # noqa: D102
        found = require(await self._asking.state(part.consistency), name)
        return part_of(
            found.versions, part, lambda each: -each.number, int, lambda each: describing.version(found, each)
        )

    async def version(self, name: Name, number: int, consistency: Consistency) -> views.VersionSpec:  # noqa: D102
        found = require(await self._asking.state(consistency), name)
        return describing.version_spec(found, _version(found, number))

    async def diff(self, name: Name, before: int, after: int, consistency: Consistency) -> views.Diff:  # noqa: D102
        found = require(await self._asking.state(consistency), name)
        changed = differences(_version(found, before).spec, _version(found, after).spec)
        return views.Diff(before=before, after=after, differences=changed)

    async def tasks(self, name: Name, part: Part) -> views.Page[views.Task]:  # noqa: D102
        state = await self._asking.state(part.consistency)
        tasks = describing.tasks_of(state, require(state, name).key)
        return part_of(tasks, part, lambda each: each.key, tuple[str, int], describing.task)

    async def checkpoints(self, name: Name, part: Part) -> views.Page[views.Checkpoint]:  # noqa: D102
        state = await self._asking.state(part.consistency)
        key = PipelineKey(name.namespace, name.name)
        if key not in state.checkpoints:
            require(state, name)
        rows = state.checkpoints.get(key, {}).items()
        return part_of(rows, part, lambda row: row[0], tuple[str, str], describing.checkpoint)

    async def kept(self, namespace: str, part: Part) -> views.Page[views.KeptCheckpoints]:  # noqa: D102
        state = await self._asking.state(part.consistency)
        left = (key for key in state.checkpoints if key.namespace == namespace and key not in state.pipelines)
        return part_of(left, part, lambda key: key.name, str, lambda key: describing.kept_checkpoints(state, key))

    async def jobs(self, name: Name | None, part: Part) -> views.Page[views.Job]:  # noqa: D102
        state = await self._asking.state(part.consistency)
        jobs = state.jobs.values() if name is None else state.jobs.of(require(state, name).key)
        return part_of(
            jobs,
            part,
            key=lambda each: (-each.started_ms, each.id),
            kind=tuple[int, str],
            view=lambda each: describing.job(state, each),
        )

    async def job(self, id_: str, consistency: Consistency) -> views.Job:  # noqa: D102
        state = await self._asking.state(consistency)
        found = state.jobs.get(JobId(id_))
        if found is None:
            hint = "of each pipeline the last jobs are kept: GET /api/v1/jobs lists them"
            raise RefusedError("cluster.unknown_job", f"there is no job {id_}", hint=hint)
        return describing.job(state, found)


def _version(found: Pipeline, number: int) -> PipelineVersion:
    version = found.version(number)
    if version is None:
        hint = f"kept are versions {', '.join(str(each.number) for each in found.versions)}"
        raise RefusedError("cluster.unknown_version", f"{'/'.join(found.key)} has no version {number}", hint=hint)
    return version

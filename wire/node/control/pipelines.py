"""Definitions of pipelines, as `wire.api.ports.Pipelines`."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from msgspec import Raw
from msgspec.structs import asdict, replace

from wire.api import views
from wire.api.ports import By, Consistency, Guard, Name, Part, Submission
from wire.cluster.commands import (
    Applied,
    ApplyFilePipeline,
    ApplyPipeline,
    DeletePipeline,
    Done,
    ForgetCheckpoints,
    OperatorCommand,
    ResetPositions,
    RestartPipeline,
    RollBack,
    SetDesired,
)
from wire.cluster.encoding import not_enabled
from wire.cluster.state import HOMES, Desired, JobId, Pipeline, PipelineKey, State
from wire.core.clock import Clock
from wire.core.errors import ConfigError, Finding, RefusedError
from wire.core.uuids import Uuids
from wire.node.control import describing
from wire.node.control.asking import Asking
from wire.node.control.differences import differences
from wire.node.control.lists import part_of
from wire.node.control.submissions import Checked, SourceIdentity, Submissions

T = TypeVar("T")

_DECIDE_AGAIN: Final = "look at what it is now, and decide again"
_RACED: Final = ("cluster.pipeline_exists", "cluster.revision_changed")


class PipelineService:
    """Checks what is asked for, proposes it, and tells what the pipeline is like then."""

    def __init__(self, asking: Asking, submissions: Submissions, uuids: Uuids, clock: Clock) -> None:
        """Be ready."""
        self._asking = asking
        self._submissions = submissions
        self._uuids = uuids
        self._clock = clock

    async def page(self, namespace: str, part: Part) -> views.Page[views.Pipeline]:  # noqa: D102 (contract in the port)
        state = await self._asking.state(part.consistency)
        return part_of(
            (each for key, each in state.pipelines.items() if key.namespace == namespace),
            part,
            key=lambda each: each.key.name,
            kind=str,
            view=lambda each: describing.pipeline(state, each),
            size=lambda each: len(each.current_version.spec),
        )

    async def get(self, name: Name, consistency: Consistency) -> views.Pipeline:  # noqa: D102 (contract in the port)
        state = await self._asking.state(consistency)
        return describing.pipeline(state, require(state, name))

    async def create(self, namespace: str, submission: Submission, guard: Guard, by: By) -> views.Applied:  # noqa: D102
        checked = await self._submissions.check(submission.text, namespace, None)
        name = Name(namespace, checked.name)
        _check(guard, None, name)
        command = self._command(name, checked, submission, by, if_revision=0, keeps_positions=True)
        answer = await self._asking.carry_out(command, by.request_id, Applied)
        return self._applied(name, answer, checked)

    async def apply(self, name: Name, submission: Submission, guard: Guard, by: By) -> views.Applied:  # noqa: D102
        checked = await self._submissions.check(submission.text, name.namespace, name.name)

        async def attempt(now: Pipeline | None, revision: int, request_id: bytes) -> Applied:
            keeps = await self._keeps_positions(now, checked, submission.start)
            command = self._command(name, checked, submission, by, if_revision=revision, keeps_positions=keeps)
            return await self._asking.carry_out(command, request_id, Applied)

        return self._applied(name, await self._guarded(name, guard, by, attempt), checked)

    async def plan(self, namespace: str, name: str | None, submission: Submission, guard: Guard) -> views.Plan:  # noqa: D102
        checked = await self._submissions.check(submission.text, namespace, name)
        key = PipelineKey(namespace, checked.name)
        state = await self._asking.state("linearizable")
        now = state.pipelines.get(key)
        _check(guard, now, Name(*key))
        if name is None and now is not None:
            raise RefusedError("cluster.pipeline_exists", f"there is a pipeline {'/'.join(key)} already")
        before = now.current_version.spec if now is not None else b"{}"
        changed = before != checked.spec
        number = now.versions[-1].number + 1 if now is not None and changed else now.current if now is not None else 1
        return views.Plan(
            name=checked.name,
            namespace=namespace,
            version=number,
            created=now is None,
            changed=changed,
            keeps_positions=await self._keeps_positions(now, checked, submission.start),
            spec=Raw(checked.spec),
            differences=differences(before, checked.spec) if now is not None else (),
            warnings=checked.warnings,
        )

    async def roll_back(self, name: Name, to: int, start: str | None, guard: Guard, by: By) -> views.Pipeline:  # noqa: D102
        async def attempt(now: Pipeline | None, revision: int, request_id: bytes) -> Applied:
            if now is None:
                raise _unknown(name)
            version = now.version(to)
            keeps = True
            if version is not None:  # what it reaches for may not be allowed any more
                checked = await self._submissions.check(version.spec.decode(), name.namespace, name.name)
                keeps = await self._keeps_positions(now, checked, start)
            command = RollBack(
                at_ms=self._asking.now_ms(),
                actor=by.actor,
                key=_key(name),
                to=to,
                job=self._job(),
                if_revision=revision,
                keeps_positions=keeps,
            )
            return await self._asking.carry_out(command, request_id, Applied)

        answer = await self._guarded(name, guard, by, attempt)
        return self._answered(name, answer)

    async def set_desired(self, name: Name, desired: Desired, by: By) -> views.Pipeline:  # noqa: D102
        at_ms, job = self._asking.now_ms(), self._job()
        return await self._changed(
            name, SetDesired(at_ms=at_ms, actor=by.actor, key=_key(name), desired=desired, job=job), by
        )

    async def restart(self, name: Name, by: By) -> views.Pipeline:  # noqa: D102
        at_ms, job = self._asking.now_ms(), self._job()
        return await self._changed(name, RestartPipeline(at_ms=at_ms, actor=by.actor, key=_key(name), job=job), by)

    async def reset_positions(self, name: Name, by: By) -> views.Pipeline | None:  # noqa: D102
        at_ms, key = self._asking.now_ms(), _key(name)
        reset = ResetPositions(at_ms=at_ms, actor=by.actor, key=key)
        forget = ForgetCheckpoints(at_ms=at_ms, actor=by.actor, key=key)
        try:
            answer = await self._asking.carry_out(reset, by.request_id, Applied)
        except RefusedError as exc:
            known = self._asking.known
            left_nothing = not_enabled(known, forget) is not None and key not in known.checkpoints
            if exc.code != "cluster.unknown_pipeline" or left_nothing:
                raise
        else:
            return self._answered(name, answer)
        await self._asking.carry_out(forget, by.request_id + b"gone", Done)  # one id, one answer: this is another one
        return None

    async def delete(self, name: Name, guard: Guard, by: By, *, keep_checkpoints: bool) -> None:  # noqa: D102
        if guard.exists is False:
            raise RefusedError("cluster.revision_changed", "what is not to be there can't be deleted")

        async def attempt(_: Pipeline | None, revision: int, request_id: bytes) -> Done:
            command = DeletePipeline(
                at_ms=self._asking.now_ms(),
                actor=by.actor,
                key=_key(name),
                if_revision=revision or None,
                keep_checkpoints=keep_checkpoints,
            )
            return await self._asking.carry_out(command, request_id, Done)

        await self._guarded(name, guard, by, attempt)

    async def _changed(self, name: Name, command: OperatorCommand, by: By) -> views.Pipeline:
        return self._answered(name, await self._asking.carry_out(command, by.request_id, Applied))

    async def _guarded(
        self, name: Name, guard: Guard, by: By, attempt: Callable[[Pipeline | None, int, bytes], Awaitable[T]]
    ) -> T:
        """Attempt a change of the pipeline as it is now, again while others get ahead with changes of theirs.

        What a guard says of revisions is for the state machine to decide: if this is a request that was carried out
        before, it answers what came of it, whatever the revision is by now.
        """
        deadline = self._clock.monotonic() + self._asking.timeout_s
        number = 0
        while True:
            state = await self._asking.state("linearizable")
            now = state.pipelines.get(_key(name))
            revision = _revision(guard, now, name)
            try:
                return await attempt(now, revision, by.request_id + number.to_bytes(4))
            except RefusedError as exc:
                if exc.code not in _RACED:
                    raise
                if guard.revisions is not None or guard.exists is False or self._clock.monotonic() >= deadline:
                    raise RefusedError("cluster.revision_changed", exc.message, hint=_DECIDE_AGAIN) from exc
            number += 1

    async def _keeps_positions(self, now: Pipeline | None, checked: Checked, start: str | None) -> bool:
        """Say whether the checkpoints are of use to the new version. Raises ConfigError where nobody has said."""
        _check_start(start, checked.sources)
        if now is None or start == "keep":
            return True
        if start is not None:
            return False
        before = now.current_version.spec
        other = await self._submissions.not_read_any_more(before, now.key.namespace, checked.sources)
        if not other:
            return True
        finding = Finding(
            code="cluster.start_not_said",
            path="query.start",
            message=f"{', '.join(other)} is not what the version before read: where is this one to start?",
            hint="?start=configured begins where the sources' configuration says, ?start=keep goes on from the "
            "checkpoints all the same",
        )
        raise ConfigError([finding])

    def _command(
        self, name: Name, checked: Checked, submission: Submission, by: By, *, if_revision: int, keeps_positions: bool
    ) -> ApplyPipeline:
        # while not all nodes know of homes, as in a rolling upgrade, such a pipeline has none until it is applied anew
        homely = checked.keeps_files and self._asking.known.command_version >= HOMES
        kind = ApplyFilePipeline if homely else ApplyPipeline
        return kind(
            at_ms=self._asking.now_ms(),
            actor=by.actor,
            key=_key(name),
            spec=checked.spec,
            job=self._job(),
            if_revision=if_revision,
            keeps_positions=keeps_positions,
            parallelism=checked.parallelism,
            weight=checked.weight,
            node_selector=dict(checked.node_selector),
            note=submission.note,
        )

    def _job(self) -> JobId:
        return JobId(str(self._uuids.next()))

    def _applied(self, name: Name, answer: Applied, checked: Checked) -> views.Applied:
        fields = {**asdict(self._answered(name, answer)), "spec": Raw(checked.spec)}
        return views.Applied(**fields, created=answer.created, changed=answer.changed, warnings=checked.warnings)

    def _answered(self, name: Name, answer: Applied) -> views.Pipeline:
        """Return a pipeline as a command has left it; others may have changed it since."""
        state = self._asking.known
        found = describing.pipeline(state, require(state, name))
        return replace(
            found, revision=answer.revision, version=answer.version, desired=answer.desired, job_id=answer.job
        )


def require(state: State, name: Name) -> Pipeline:
    """Return a pipeline. Raises RefusedError if there is none."""
    found = state.pipelines.get(_key(name))
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: Name) -> RefusedError:
    hint = f"GET /api/v1/namespaces/{name.namespace}/pipelines lists those there are"
    return RefusedError("cluster.unknown_pipeline", f"there is no pipeline {name.namespace}/{name.name}", hint=hint)


def _key(name: Name) -> PipelineKey:
    return PipelineKey(name.namespace, name.name)


def _check(guard: Guard, now: Pipeline | None, name: Name) -> None:
    """Raise RefusedError unless the pipeline is as the guard says."""
    revision = now.revision if now is not None else None
    if guard.exists is False and now is not None:
        problem = f"there is a pipeline {name.namespace}/{name.name}"
    elif now is None and (guard.exists is True or guard.revisions is not None):
        problem = f"there is no pipeline {name.namespace}/{name.name}"
    elif guard.revisions is not None and revision not in guard.revisions:
        problem = f"{name.namespace}/{name.name} is at revision {revision}"
    else:
        return
    raise RefusedError("cluster.revision_changed", problem, hint=_DECIDE_AGAIN)


def _revision(guard: Guard, now: Pipeline | None, name: Name) -> int:
    """Return which revision is to be changed, 0 where there is to be none. Raises RefusedError if none can be."""
    current = now.revision if now is not None else 0
    if guard.exists is False:
        return 0
    if guard.revisions:
        return current if current in guard.revisions else min(guard.revisions)
    _check(guard, now, name)
    return current


def _check_start(start: str | None, sources: Mapping[str, SourceIdentity]) -> None:
    """Raise ConfigError for a start that is none, or that a source's configuration contradicts."""
    if start in (None, "keep", "configured"):
        return
    if start not in ("earliest", "latest") and _moment(start) is None:
        hint = "expected keep, configured, earliest, latest, or a time such as 2024-05-01T00:00:00Z"
        raise ConfigError([Finding(code="api.invalid", path="query.start", message="this is no start", hint=hint)])
    for name, source in sources.items():
        if source.start != start and source.start != _moment(start):
            found = "does not say where to start" if source.start is None else f"says start: {source.start}"
            message = f"the configuration of the source `{name}` {found}"
            hint = f"write start: {start} there, where the source knows it, or ask for ?start=configured"
            raise ConfigError([Finding(code="api.invalid", path="query.start", message=message, hint=hint)])


def _moment(start: str | None) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(start or "")
    except ValueError:
        return None

"""A spec as it is sent, checked before anything is proposed: what lint finds, and what only a cluster minds.

Checking runs in a thread of its own, one spec after the other: none holds the node's event loop up, and however many
are sent, heartbeats are sent on time.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from wire.core.config import fields_of
from wire.core.errors import ConfigError, Finding, RetryableError, UnavailableError, WireError
from wire.core.paths import ROOT, child
from wire.core.permissions import Permissions
from wire.pipelines.building import build_source
from wire.pipelines.lint import LintResult, compile_here, lint
from wire.pipelines.lint.secrets import scalars
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.spec import PipelineSpec

_MOST_WAITING_BYTES: Final = 64 << 20
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_FIELDS: Final = tuple(field.encode_name for field in fields_of(PipelineSpec))
_READS_FILES: Final = ("lookup", "pii", "python", "validate")
"""Transforms that read a file when they are compiled, which is for a worker to do."""

Start = str | datetime.datetime | None


class SourceIdentity(Struct, frozen=True):
    """What a source reads: how it was written and, where that could be told, its fingerprint.

    `start` is where its configuration says to begin.
    """

    written: bytes
    fingerprint: bytes | None
    start: Start = None

    def same(self, other: SourceIdentity) -> bool:
        """Say whether both read the same, as far as can be told."""
        return self.written == other.written or (self.fingerprint is not None and self.fingerprint == other.fingerprint)


class Checked(Struct, frozen=True, kw_only=True):
    """A spec without mistakes. `spec` is canonical JSON, its references unresolved (I9)."""

    name: str
    spec: bytes
    sources: Mapping[str, SourceIdentity]
    parallelism: int | None
    weight: int
    node_selector: Mapping[str, str]
    keeps_files: bool = False
    warnings: tuple[Finding, ...] = ()


class Submissions:
    """Checks specs under the node's permissions. `async with` it."""

    def __init__(self, permissions: Permissions, environ: Mapping[str, str]) -> None:
        """Allow what `permissions` say; look references up in `environ`."""
        self._permissions = permissions
        self._environ = environ
        self._pool = ThreadPoolExecutor(1, "lint")
        self._waiting_bytes = 0
        self._open = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def check(self, text: str, namespace: str, name: str | None) -> Checked:
        """Return the spec in `text`, for a pipeline of that name, or of whatever name it says.

        Raises ConfigError with every mistake, RetryableError while too much waits to be checked, UnavailableError once
        the node stops.
        """
        if not self._open:
            raise _stopped()
        if self._waiting_bytes + len(text) > _MOST_WAITING_BYTES:  # I8
            raise RetryableError("cluster.busy", "too many specs wait to be checked", after_s=1, hint="try again")
        self._waiting_bytes += len(text)
        try:
            loop = asyncio.get_running_loop()
            checked = loop.run_in_executor(self._pool, self._check, text, namespace, name)
            try:
                await asyncio.wait([checked])
            finally:
                checked.cancel()
            if checked.cancelled():
                raise _stopped()
            return checked.result()
        finally:
            self._waiting_bytes -= len(text)

    async def not_read_any_more(self, before: bytes, namespace: str, now: Mapping[str, SourceIdentity]) -> list[str]:
        """Return which sources of a stored spec are gone from `now`, or read something else there."""
        sources: Mapping[str, SourceIdentity] = _written(msgspec.json.decode(before))
        if all(name in now and now[name].same(source) for name, source in sources.items()):
            return []
        with contextlib.suppress(ConfigError):  # if it can't be built here any more, what was written decides
            sources = (await self.check(before.decode(), namespace, None)).sources
        return [name for name, source in sources.items() if name not in now or not now[name].same(source)]

    def _check(self, text: str, namespace: str, name: str | None) -> Checked:
        result = lint(text, environ=self._environ, permissions=self._permissions)
        result = _in_one_task(_for_a_cluster(result, namespace, name))
        pipeline = result.pipeline
        if pipeline is not None and all(each.type not in _READS_FILES for each in pipeline.transforms):
            result = compile_here(result)
        loaded = result.require()
        result = _with_warnings(result, loaded)
        tree: dict[str, Any] = result.document.tree if result.document is not None else {}
        return Checked(
            name=loaded.spec.name,
            spec=canonical(tree, namespace),
            sources=_identities(loaded, tree),
            parallelism=_parallelism(loaded),
            weight=loaded.spec.weight,
            node_selector=loaded.spec.node_selector,
            keeps_files=any(each.plugin.keeps_files(each.config) for each in _sinks(loaded)),
            warnings=result.findings,
        )


def _stopped() -> UnavailableError:
    return UnavailableError("raft.stopped", "this node stops")


def canonical(tree: dict[str, Any], namespace: str) -> bytes:
    """Return a spec as JSON: its fields in the order of their declaration, everything else as it was written."""
    whole = {**tree, "namespace": namespace}
    return msgspec.json.encode({field: whole[field] for field in _FIELDS if field in whole})


def _for_a_cluster(result: LintResult, namespace: str, name: str | None) -> LintResult:
    """Add what a cluster does not take, each at its place in the text."""
    tree = result.document.tree if result.document is not None else None
    if not isinstance(tree, dict):
        return result
    found = [*_misnamed(tree, namespace, name), *_unstorable(tree)]
    added = result.placed(ConfigError(found)) if found else ()
    findings = tuple(_as_refused(finding) for finding in (*result.findings, *added))
    refused = any(finding.severity == "error" for finding in findings)
    return LintResult(
        findings, None if refused else result.pipeline, result.lines, result.shown, result.document
    )  # fmt: skip


def _with_warnings(result: LintResult, pipeline: LoadedPipeline) -> LintResult:
    """Tell of a pipeline that could run anywhere, but for its dead letters."""
    letters = pipeline.dead_letter
    if letters is None or not letters.plugin.keeps_files(letters.config):
        return result
    if any(sink.plugin.keeps_files(sink.config) for sink in pipeline.sinks):
        return result
    message = "the file of the dead letters binds the pipeline to the node that writes it: when that is away, it waits"
    hint = "send them to Kafka or Elasticsearch, or say `shared: true` where all nodes find the same files"
    finding = Finding(code="config.bound_to_node", path=letters.path, message=message, hint=hint, severity="warning")
    found = (*result.findings, *result.placed(ConfigError([finding])))
    return LintResult(found, result.pipeline, result.lines, result.shown, result.document)


def _in_one_task(result: LintResult) -> LintResult:
    """Refuse several tasks where a sink takes one: what others wrote behind its checkpoint would be cut off (I2)."""
    pipeline = result.pipeline
    if pipeline is None or pipeline.spec.parallelism in ("auto", 1) or not (alone := _alone(pipeline)):
        return result
    message = f"the sink `{alone[0]}` is written to by one task, not by {pipeline.spec.parallelism}"
    hint = "leave `parallelism` out, or set it to 1; several tasks can write to Kafka, Elasticsearch and MongoDB"
    finding = Finding(code="config.conflict", path=child(ROOT, "parallelism"), message=message, hint=hint)
    findings = (*result.findings, *result.placed(ConfigError([finding])))
    return LintResult(findings, None, result.lines, result.shown, result.document)


def _alone(pipeline: LoadedPipeline) -> list[str]:
    """Return the sinks to which only one task may write."""
    return [each.name for each in _sinks(pipeline) if each.plugin.one_task]


def _sinks(pipeline: LoadedPipeline) -> list[Component]:
    return [*pipeline.sinks, *([pipeline.dead_letter] if pipeline.dead_letter else [])]


def _parallelism(pipeline: LoadedPipeline) -> int | None:
    """Return how many tasks there are to be; None for as many as there are workers for."""
    given = pipeline.spec.parallelism
    if given != "auto":
        return given
    return 1 if _alone(pipeline) else None


def _as_refused(finding: Finding) -> Finding:
    if finding.code != "config.literal_secret":
        return finding
    message = "a secret is written out here: a cluster stores and shows its pipelines"
    hint = "use ${env:NAME} or ${file:PATH}; the operator allows them by --allow-env and --allow-paths"
    return msgspec.structs.replace(finding, message=message, hint=hint, severity="error")


def _misnamed(tree: dict[str, Any], namespace: str, name: str | None) -> list[Finding]:
    found = []
    if not _NAMESPACE.fullmatch(namespace):
        message = f"`{namespace}` can't name a namespace"
        hint = "lower-case letters, digits and hyphens, at most 63"
        found.append(Finding(code="config.invalid", path=child(ROOT, "namespace"), message=message, hint=hint))
    elif tree.get("namespace", namespace) != namespace:
        message = f"the address says namespace `{namespace}`"
        hint = f"remove `namespace`, or send it to /api/v1/namespaces/{tree['namespace']}/pipelines"
        found.append(Finding(code="config.conflict", path=child(ROOT, "namespace"), message=message, hint=hint))
    if name is not None and tree.get("name", name) != name:
        message = f"the address says `{name}`"
        hint = "a pipeline keeps its name: create one of the new name, and delete this one"
        found.append(Finding(code="config.conflict", path=child(ROOT, "name"), message=message, hint=hint))
    return found


def _unstorable(tree: dict[str, Any]) -> list[Finding]:
    """Return what JSON can't hold, or not so that everybody reads the same."""
    found = []
    for path, value in scalars(tree, ROOT):
        if isinstance(value, float) and value - value != 0:
            message = "a number that is not finite can't be stored"
        elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            message = "a number of more than 64 bits can't be stored"
        elif isinstance(value, str) and not _encodable(value):
            message = "half a character (a lone surrogate) can't be stored"
        else:
            continue
        found.append(Finding(code="config.invalid", path=path, message=message, hint="put it in quotes if it is text"))
    return found


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identities(pipeline: LoadedPipeline, tree: dict[str, Any]) -> dict[str, SourceIdentity]:
    written = _written(tree)
    found = {}
    for source in pipeline.sources:
        try:
            fingerprint = bytes(build_source(source, pipeline).fingerprint())
        except WireError:  # its library is not installed here: what was written decides
            fingerprint = None
        start = getattr(source.config, "start", None)
        found[source.name] = SourceIdentity(written[source.name].written, fingerprint, start)
    return found


def _written(tree: dict[str, Any]) -> dict[str, SourceIdentity]:
    sources = tree["sources"] if "sources" in tree else [tree["source"]]
    return {
        source.get("name") or source["type"]: SourceIdentity(
            msgspec.json.encode([source["type"], source.get("config", {})], order="deterministic"), None
        )
        for source in sources
    }

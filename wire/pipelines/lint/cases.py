"""What can be wrong with a test of a pipeline: it names sinks, lookups or records that are not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from wire.core.config import suggest
from wire.core.paths import child
from wire.pipelines.lint.findings import Findings
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.spec import TestCase

_LOOKING: Final = ("lookup", "enrich")
_NAMING: Final = ("file", "url", "collection")


def check_case(case: TestCase, path: str, pipeline: LoadedPipeline, findings: Findings) -> None:
    """Add what is wrong with a case that stands at `path` of the findings' document."""
    _check_output(case, child(path, "output"), [sink.name for sink in pipeline.sinks], findings)
    _check_lookups(case, child(path, "lookups"), pipeline, findings)
    if isinstance(case.input, list) and len(case.keys) > len(case.input):
        message = f"there are {len(case.keys)} keys for {len(case.input)} records"
        findings.add("config.invalid", child(path, "keys"), message, "give each record at most one key")
    if isinstance(case.failures, list) and isinstance(case.input, list):
        for i, failure in enumerate(case.failures):
            if failure.record >= len(case.input):
                where = child(child(child(path, "failures"), i), "record")
                message = f"`input` has no record {failure.record}"
                findings.add("config.invalid", where, message, "records are counted from 0")


def lookups_of(pipeline: LoadedPipeline) -> Mapping[str, Sequence[Component]]:
    """Return the transforms that look something up, by every name a test may call them."""
    found: dict[str, list[Component]] = {}
    looking = [transform for transform in pipeline.transforms if transform.type in _LOOKING]
    types = [transform.type for transform in looking]
    for transform in looking:
        place = transform.path.removeprefix("$.").removesuffix(f".{transform.type}")
        named = [getattr(transform.config, field, None) for field in _NAMING]
        alone = [transform.type] if types.count(transform.type) == 1 else []
        for name in (place, *alone, *(name for name in named if isinstance(name, str))):
            found.setdefault(name, []).append(transform)
    return found


def _check_output(case: TestCase, path: str, sinks: Sequence[str], findings: Findings) -> None:
    if not isinstance(case.output, dict):
        if len(sinks) > 1 and case.output:
            hint = f"as in output: {{{sinks[0]}: […], {sinks[1]}: […]}}"
            findings.add("config.invalid", path, "with several sinks, say what is expected at which", hint)
        return
    for name in case.output:
        if name not in sinks:
            hint = suggest(name, sinks) or f"the sinks are: {', '.join(sinks)}"
            findings.add("config.invalid", child(path, name), f"no sink is called `{name}`", hint)


def _check_lookups(case: TestCase, path: str, pipeline: LoadedPipeline, findings: Findings) -> None:
    known = lookups_of(pipeline) if case.lookups else {}
    for name in case.lookups:
        if name not in known:
            hint = suggest(name, known) or (f"known here: {', '.join(known)}" if known else "remove `lookups`")
            findings.add("config.invalid", child(path, name), f"no transform looks up `{name}`", hint)

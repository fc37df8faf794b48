"""Runs the `tests:` of a pipeline: records in front of its transforms, what must come out behind them."""

from __future__ import annotations

import asyncio
import difflib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from wire.cli.report import print_findings
from wire.core.clock import SystemClock
from wire.core.errors import Finding, WireError
from wire.pipelines.building import build_source, build_transforms, plan_output
from wire.pipelines.lint import lint_file
from wire.pipelines.loaded import LoadedPipeline
from wire.pipelines.plan import ValuesResult, compile_values_stage
from wire.pipelines.spec import TestCase


class CaseResult(Struct, frozen=True):
    """One case: `problems` says what is not as expected, nothing if it passed."""

    name: str
    problems: list[str]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.problems


class FileResult(Struct, frozen=True):
    """The tests of one file. `findings` holds what kept them from running; `exit_code` is what the file calls for."""

    file: str
    cases: list[CaseResult]
    findings: list[Finding]
    exit_code: int


def run_file(path: Path, assignments: Sequence[str]) -> FileResult:
    """Run the cases of a file; what keeps them from running is printed on standard error and in the result."""
    linted = lint_file(path, assignments=assignments)
    if linted.pipeline is None:
        print_findings(linted.errors, str(path), linted.lines, sys.stderr)
        return FileResult(str(path), [], list(linted.errors), 2)
    try:
        cases = run_cases(linted.pipeline)
    except WireError as exc:
        findings = linted.placed(exc)
        print_findings(findings, str(path), linted.lines, sys.stderr)
        return FileResult(str(path), [], list(findings), exc.exit_code)
    return FileResult(str(path), cases, [], 0 if all(case.passed for case in cases) else 1)


def run_cases(pipeline: LoadedPipeline) -> list[CaseResult]:
    """Run all cases of a pipeline, in order.

    Records are read as the (first) source's format would give them. Blocking: transforms read the files they name and
    import the code they name. Raises ConfigError or UnavailableError where these are at fault.
    """
    form = build_source(pipeline.sources[0], pipeline).format
    outputs = [plan_output(sink, form) for sink in pipeline.sinks]
    stage = compile_values_stage(form, build_transforms(pipeline), outputs, SystemClock())
    names = [sink.name for sink in pipeline.sinks]
    return [
        CaseResult(case.name or f"case {number}", list(_problems(case, asyncio.run(stage.run(case.input)), names)))
        for number, case in enumerate(pipeline.spec.tests, 1)
    ]


def _problems(case: TestCase, result: ValuesResult, sinks: Sequence[str]) -> Iterator[str]:
    if len(result.failures) != case.failures:
        if case.failures:
            yield f"expected {case.failures} records to fail, {len(result.failures)} did"
        for index, error in result.failures:
            yield f"input[{index}] failed: {error}"
    if isinstance(case.output, dict):
        for name, actual in zip(sinks, result.outputs, strict=True):
            yield from _differences(f"output.{name}", case.output.get(name, []), actual)
    else:
        yield from _differences("output", case.output, result.outputs[0])


def _differences(path: str, expected: Sequence[Any], actual: Sequence[Any]) -> Iterator[str]:
    """Align two lists of records and yield a line for each difference."""
    left, right = ([json.dumps(row, sort_keys=True) for row in side] for side in (expected, actual))
    aligned = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
    for what, start, end, other_start, other_end in aligned.get_opcodes():
        if what == "equal":
            continue
        paired = min(end - start, other_end - other_start)
        for i in range(paired):
            yield from _record_differences(f"{path}[{start + i}]", expected[start + i], actual[other_start + i])
        for i in range(start + paired, end):
            yield f"{path}[{i}] is missing: {_shown(expected[i])}"
        for i in range(other_start + paired, other_end):
            yield f"{path}[{i}] was not expected: {_shown(actual[i])}"


def _record_differences(path: str, expected: Any, actual: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            where = f"{path}.{key}"
            if key not in actual:
                yield f"{where}: expected {_shown(expected[key])}, the field is missing"
            elif key not in expected:
                yield f"{where}: not expected, found {_shown(actual[key])}"
            else:
                yield from _record_differences(where, expected[key], actual[key])
    elif not _same(expected, actual):
        yield f"{path}: expected {_shown(expected)}, found {_shown(actual)}"


def _same(expected: Any, actual: Any) -> bool:
    """Compare as JSON does: 1 is 1.0, but neither is true."""
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(_same, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(_same(expected[key], actual[key]) for key in expected)
    return bool(expected == actual) and isinstance(expected, bool) == isinstance(actual, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"

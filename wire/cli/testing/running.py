"""Runs cases."""

from __future__ import annotations

import asyncio
import fnmatch
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from wire.cli.report import print_error, print_findings
from wire.cli.testing.cases import Case, CaseFileError, blaming, collect
from wire.cli.testing.differences import Failure, Problem, differences, failure_problems, failures_of
from wire.cli.testing.stubs import StoppedClock, build_for
from wire.cli.testing.tables import as_cells, read_rows
from wire.core.errors import Finding, WireError
from wire.core.formats import CsvFormat, Format
from wire.core.paths import child
from wire.pipelines.building import build_source, plan_output
from wire.pipelines.lint import LintResult, lint_file
from wire.pipelines.loaded import LoadedPipeline
from wire.pipelines.plan import ValuesResult, ValuesStage, compile_values_stage


class CaseResult(Struct, frozen=True):
    """One case: `problems` says what is not as expected, nothing if it passed; `output` is what came out, by sink.

    `updated` says that the case was rewritten to expect just that.
    """

    name: str
    file: str
    path: str
    passed: bool
    problems: list[Problem]
    output: dict[str, list[Any]]
    failures: list[Failure]
    filtered: int
    updated: bool = False


class FileResult(Struct, frozen=True):
    """The tests of one file. `findings` holds what kept them from running; `exit_code` is what the file calls for.

    `left_out` is how many cases were not asked for.
    """

    file: str
    cases: list[CaseResult]
    findings: list[Finding]
    exit_code: int
    left_out: int = 0


def run_file(path: Path, assignments: Sequence[str], pattern: str | None = None) -> tuple[FileResult, list[Case]]:
    """Run the cases of a file whose names match; what keeps them from running is printed on standard error, too.

    The cases are those of the result, in order.
    """
    linted = lint_file(path, assignments=assignments)
    if linted.pipeline is None:
        print_findings(linted.errors, str(path), linted.lines, sys.stderr)
        return FileResult(str(path), [], list(linted.errors), 2), []
    try:
        known = collect(path, linted.pipeline)
        cases = [case for case in known if _is_meant(case, pattern)]
        results = [run_case(case, linted.pipeline) for case in cases]
    except WireError as exc:
        return FileResult(str(path), [], _reported(exc, path, linted), exc.exit_code), []
    code = 0 if all(result.passed for result in results) else 1
    return FileResult(str(path), results, [], code, len(known) - len(cases)), cases


def run_case(case: Case, pipeline: LoadedPipeline) -> CaseResult:
    """Run a case.

    Records are read as the (first) source's format would give them. Blocking: transforms read the files they name and
    import the code they name. Raises ConfigError or UnavailableError where these are at fault, CaseFileError for what
    the case itself names.
    """
    form = build_source(pipeline.sources[0], pipeline).format
    clock = StoppedClock(case.spec.now)
    names = [sink.name for sink in pipeline.sinks]
    with tempfile.TemporaryDirectory(prefix="wire-test-") as scratch:
        with blaming(case):
            rows, expected = _rows(case, form), _expected(case, names)
        transforms = build_for(case, pipeline, clock, Path(scratch))
        stage = compile_values_stage(form, transforms, [plan_output(sink, form) for sink in pipeline.sinks], clock)
        result = asyncio.run(_run(stage, rows, case.spec.keys))
    output, failures = dict(zip(names, result.outputs, strict=True)), failures_of(result.failures)
    problems = [*failure_problems(case.spec.failures, failures), *_output_problems(case, expected, output)]
    return CaseResult(
        case.name, str(case.file), case.path, not problems, problems, output, failures, result.filtered
    )  # fmt: skip


async def _run(stage: ValuesStage, rows: Sequence[Any], keys: Sequence[str | None]) -> ValuesResult:
    try:
        return await stage.run(rows, keys)
    finally:
        await stage.close()


def _is_meant(case: Case, pattern: str | None) -> bool:
    if pattern is None:
        return True
    name, pattern = case.name.lower(), pattern.lower()
    return pattern in name or fnmatch.fnmatchcase(name, pattern)


def _rows(case: Case, form: Format) -> list[Any]:
    if isinstance(case.spec.input, list):
        return case.spec.input
    nulls = form.nulls if isinstance(form, CsvFormat) else ("",)
    return read_rows(case.beside(case.spec.input), child(case.path, "input"), nulls)


def _expected(case: Case, sinks: Sequence[str]) -> dict[str, list[Any]]:
    """Return the records expected, by sink."""
    output, path = case.spec.output, child(case.path, "output")
    given = output if isinstance(output, dict) else {sinks[0]: output}  # with several sinks it is empty
    where = {name: child(path, name) if isinstance(output, dict) else path for name in given}
    read = {
        name: read_rows(case.beside(rows), where[name]) if isinstance(rows, str) else rows
        for name, rows in given.items()
    }
    return {name: read.get(name, []) for name in sinks}


def _output_problems(
    case: Case, expected: Mapping[str, Sequence[Any]], output: Mapping[str, Sequence[Any]]
) -> Iterator[Problem]:
    given = case.spec.output
    for name, actual in output.items():
        wanted = given.get(name) if isinstance(given, dict) else given
        found = list(map(as_cells, actual)) if isinstance(wanted, str) and wanted.endswith(".csv") else actual
        path = "output" if len(output) == 1 and not isinstance(given, dict) else f"output.{name}"
        yield from differences(path, expected[name], found)


def _reported(exc: WireError, file: Path, linted: LintResult) -> list[Finding]:
    if isinstance(exc, CaseFileError):
        print_error(exc, str(exc.file), exc.lines)
        return list(exc.findings)
    findings = linted.placed(exc)
    print_findings(findings, str(file), linted.lines, sys.stderr)
    return list(findings)

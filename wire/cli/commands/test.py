"""`wire test`: the tests that pipelines carry with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from wire.cli.cases import CaseResult, run_cases
from wire.cli.loading import Assignments
from wire.cli.output import Output, OutputFormat, print_data
from wire.cli.report import print_findings
from wire.cli.terminal import Style
from wire.core.errors import Finding, WireError
from wire.pipelines.lint import lint_file

app = typer.Typer(add_completion=False)


class FileResult(Struct, frozen=True):
    """The tests of one file. `findings` holds what kept them from running; `exit_code` is what the file calls for."""

    file: str
    cases: list[CaseResult]
    findings: list[Finding]
    exit_code: int


@app.command()
def run_tests(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pipelines, in YAML or JSON.")],
    assignments: Assignments = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run the `tests:` of pipelines. Exits with 1 if one fails, with 2 if a pipeline is not valid."""
    results = [_test(path, assignments or []) for path in files]
    if output is OutputFormat.TABLE:
        _print(results)
    else:
        print_data(results, output)
    raise typer.Exit(max(result.exit_code for result in results))


def _test(path: Path, assignments: list[str]) -> FileResult:
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


def _print(results: list[FileResult]) -> None:
    style = Style(sys.stdout)
    for result in results:
        if not result.cases and not result.findings:
            print(f"{result.file}: no tests")
        for case in result.cases:
            verdict = style.green("ok  ") if case.passed else style.red("FAIL")
            print(f"{verdict} {result.file}: {case.name}")
            for problem in case.problems:
                print(f"       {problem}")
    cases = [case for result in results for case in result.cases]
    failed = sum(not case.passed for case in cases)
    broken = sum(bool(result.findings) for result in results)
    text = f"{len(cases) - failed} passed, {failed} failed"
    print(f"{text}, {broken} not run" if broken else text)

"""`wire test`: the tests that pipelines carry with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wire.cli.loading import Assignments
from wire.cli.output import Output, OutputFormat, print_data
from wire.cli.terminal import Style

if TYPE_CHECKING:
    from wire.cli.cases import FileResult

app = typer.Typer(add_completion=False)


@app.command()
def run_tests(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pipelines, in YAML or JSON.")],
    assignments: Assignments = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run the `tests:` of pipelines. Exits with 1 if one fails, with 2 if a pipeline is not valid."""
    from wire.cli.cases import run_file

    results = [run_file(path, assignments or []) for path in files]
    if output is OutputFormat.TABLE:
        _print(results)
    else:
        print_data(results, output)
    raise typer.Exit(max(result.exit_code for result in results))


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

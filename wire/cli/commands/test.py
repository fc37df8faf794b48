"""`wire test`: the tests that pipelines carry with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from wire.cli.loading import Assignments
from wire.cli.output import Output, OutputFormat, print_data
from wire.cli.report import print_error
from wire.core.errors import FatalError

if TYPE_CHECKING:
    from wire.cli.testing.cases import Case
    from wire.cli.testing.running import FileResult

app = typer.Typer(add_completion=False)

Filter = Annotated[
    str | None,
    typer.Option(
        "--filter", metavar="TEXT", help="Only cases whose name contains this; `*` and `?` stand for anything."
    ),
]
Update = Annotated[
    bool, typer.Option("--update", help="Let cases that fail expect what came out, in the files they are written in.")
]


@app.command()
def run_tests(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pipelines, in YAML or JSON.")],
    assignments: Assignments = None,
    name: Filter = None,
    update: Update = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run the `tests:` of pipelines. Exits with 1 if one fails, with 2 if a pipeline is not valid."""
    from wire.cli.logs import log_to_stderr
    from wire.cli.testing.running import run_file
    from wire.cli.testing.showing import print_results

    log_to_stderr()
    ran = [run_file(path, assignments or [], name) for path in files]
    results = [_updated(result, cases) for result, cases in ran] if update else [result for result, _ in ran]
    if output is OutputFormat.TABLE:
        print_results(results, sys.stdout)
    else:
        print_data(results, output)
    code = max(result.exit_code for result in results)
    if name is not None and not code and not any(result.cases for result in results):
        print(f"no case has a name with {name!r} in it", file=sys.stderr)
        code = 2
    raise typer.Exit(code)


def _updated(result: FileResult, cases: list[Case]) -> FileResult:
    """Rewrite the cases that failed; those that can't be are reported and stay failed."""
    from wire.cli.testing.rewriting import update

    if result.findings:
        return result
    outcomes = []
    for case, outcome in zip(cases, result.cases, strict=True):
        try:
            outcomes.append(outcome if outcome.passed else update(case, outcome))
        except FatalError as exc:
            print_error(exc)
            outcomes.append(outcome)
    settled = all(outcome.passed or outcome.updated for outcome in outcomes)
    return msgspec.structs.replace(result, cases=outcomes, exit_code=0 if settled else max(result.exit_code, 1))

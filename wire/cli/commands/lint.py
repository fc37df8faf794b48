"""`wire lint`: every mistake in pipelines, without running them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wire.cli.loading import Assignments
from wire.cli.output import Output, OutputFormat, print_data
from wire.cli.report import print_findings
from wire.cli.terminal import Style

if TYPE_CHECKING:
    from wire.pipelines.lint import LintResult

app = typer.Typer(add_completion=False)


@app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pipelines, in YAML or JSON.")],
    assignments: Assignments = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Find every mistake in pipelines, without running them. Exits with 2 if there is one."""
    from wire.pipelines.lint import compile_here, lint_file

    results = {str(path): compile_here(lint_file(path, assignments=assignments or ())) for path in files}
    if output is OutputFormat.TABLE:
        _print(results)
    else:
        print_data([_as_data(name, result) for name, result in results.items()], output)
    if any(result.pipeline is None for result in results.values()):
        raise typer.Exit(2)


def _as_data(name: str, result: LintResult) -> dict[str, Any]:
    return {
        "file": name,
        "ok": result.pipeline is not None,
        "findings": list(result.findings),
        "spec": result.shown,
    }


def _print(results: dict[str, LintResult]) -> None:
    style = Style(sys.stdout)
    for name, result in results.items():
        print_findings(result.findings, name, result.lines, sys.stdout)
        if not result.findings:
            print(f"{name}: {style.green('ok')}")
    errors = sum(len(result.errors) for result in results.values())
    warnings = sum(len(result.findings) for result in results.values()) - errors
    if errors or warnings:
        counts = [_count(errors, "error"), _count(warnings, "warning")]
        print(f"{' and '.join(filter(None, counts))} in {_count(len(results), 'file')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""

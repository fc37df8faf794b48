"""From a file's name on the command line to a pipeline that can run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wire.pipelines.lint import LintResult

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a value on top of the file, such as batch.max_records=10."),
]


def load(path: Path, assignments: Sequence[str] | None) -> LintResult:
    """Lint a pipeline and report on standard error; exits with 2 if it can't run."""
    from wire.cli.report import print_findings
    from wire.pipelines.lint import lint_file

    result = lint_file(path, assignments=assignments or ())
    print_findings(result.findings, str(path), result.lines, sys.stderr)
    if result.pipeline is None:
        raise typer.Exit(2)
    return result

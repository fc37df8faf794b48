"""Every mistake in a pipeline, found before anything runs: where it is, what it is, and what to do about it.

`lint` takes a text to a `LintResult`: all findings at once, in the order of the text, and the `LoadedPipeline` where
none of them is an error. It reads references (`${env:…}`, `${file:…}`) and builds components, which does no I/O; it
never connects to anything.

Nothing it returns shows a secret: not messages, not excerpts of the text, not the specification (I9).
"""

from wire.pipelines.lint.compiling import compile_here
from wire.pipelines.lint.linter import LintResult, lint, lint_file

__all__ = ["LintResult", "compile_here", "lint", "lint_file"]

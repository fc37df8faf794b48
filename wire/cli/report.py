"""Errors and findings as people read them: what, where, the line in question with a caret, what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from wire.cli.terminal import Style, width_of
from wire.core.errors import ConfigError, Finding, WireError

_SHOWN_COLUMNS: Final = 110


def print_error(exc: WireError, file: str | None = None, lines: Sequence[str] = ()) -> None:
    """Print an error on standard error; `file` and `lines` are the text its findings point into, if there is one."""
    findings: Sequence[Finding] = [Finding(code=exc.code, path=exc.path or "", message=exc.message, hint=exc.hint)]
    if isinstance(exc, ConfigError):
        findings = exc.findings
    print_findings(findings, file, lines, sys.stderr)
    style = Style(sys.stderr)
    for note in getattr(exc, "__notes__", ()):
        print(f" {style.cyan('= note:')} {note}", file=sys.stderr)


def print_findings(findings: Iterable[Finding], file: str | None, lines: Sequence[str], stream: TextIO) -> None:
    """Print findings one after the other, each with the line it points to."""
    style = Style(stream)
    for finding in findings:
        print("\n".join(_describe(finding, file, lines, style)), file=stream)


def _describe(finding: Finding, file: str | None, lines: Sequence[str], style: Style) -> list[str]:
    colour = style.yellow if finding.severity == "warning" else style.red
    text = [f"{colour(f'{finding.severity}[{finding.code}]')}: {style.bold(finding.message)}"]
    margin = " " * len(str(finding.line or ""))
    where = _where(finding, file)
    if where:
        text.append(f"{margin} {style.cyan('-->')} {where}")
    if finding.line is not None and finding.column is not None and finding.line <= len(lines):
        line, caret = _excerpt(lines[finding.line - 1], finding.column)
        bar = style.cyan("|")
        text += [f"{margin} {bar}", f"{style.cyan(str(finding.line))} {bar} {line}", f"{margin} {bar} {colour(caret)}"]
    if finding.hint:
        text.append(f"{margin} {style.cyan('= hint:')} {finding.hint}")
    return text


def _where(finding: Finding, file: str | None) -> str:
    place = file or ""
    if file and finding.line is not None:
        place = f"{file}:{finding.line}:{finding.column}"
    path = finding.path if finding.path not in ("$", "") else ""
    return "  ".join(filter(None, (place, path)))


def _excerpt(line: str, column: int) -> tuple[str, str]:
    """Return the part of a line around a column, and a caret below that column."""
    start = max(0, column - _SHOWN_COLUMNS // 2) if len(line) > _SHOWN_COLUMNS else 0
    shown = "".join(" " if c.isspace() or not c.isprintable() else c for c in line[start : start + _SHOWN_COLUMNS])
    before, after = "…" if start else "", "…" if start + _SHOWN_COLUMNS < len(line) else ""
    return f"{before}{shown}{after}".rstrip(), " " * width_of(before + shown[: column - 1 - start]) + "^"

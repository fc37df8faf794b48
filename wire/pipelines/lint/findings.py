"""Collects findings and gives each its place in the text."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from wire.core.errors import ConfigError, Finding, WireError
from wire.core.paths import ROOT, child, parent
from wire.pipelines.document import Document
from wire.pipelines.expressions.errors import ExpressionError


class Findings:
    """All findings about one document. At most one per place: the first is the one that knows most."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[str, Finding] = {}

    def add(self, code: str, path: str, message: str, hint: str | None = None) -> None:
        """Add an error."""
        self.put(Finding(code=code, path=path, message=message, hint=hint))

    def warn(self, code: str, path: str, message: str, hint: str | None = None) -> None:
        """Add something that is allowed but probably not meant."""
        self.put(Finding(code=code, path=path, message=message, hint=hint, severity="warning"))

    def put(self, finding: Finding) -> None:
        """Add a finding that has no place yet; one at the same path stays, unless it is a lesser warning."""
        known = self._found.get(finding.path)
        if known is None or (known.severity == "warning" and finding.severity == "error"):
            self._found[finding.path] = self._placed(finding)

    def put_all(self, findings: Iterable[Finding]) -> None:
        """Add several."""
        for finding in findings:
            self.put(finding)

    def put_at_key(self, finding: Finding) -> None:
        """Add a finding about the name of a field rather than its value."""
        line, column = self._document.key_position(finding.path) or (None, None)
        self._found.setdefault(finding.path, msgspec.structs.replace(finding, line=line, column=column))

    def put_error(self, exc: WireError, base: str) -> None:
        """Add what an error says; its paths are whole, or relative to the part of the document at `base`."""
        found = exc.findings if isinstance(exc, ConfigError) else [_as_finding(exc)]
        for finding in found:
            path = finding.path if finding.path.startswith(base) else base + finding.path.removeprefix(ROOT)
            self.put(msgspec.structs.replace(finding, path=path))

    def any_under(self, path: str) -> bool:
        """Say whether there is an error at `path` or below it."""
        below = (f"{path}.", f"{path}[")
        return any(
            finding.severity == "error" and (finding.path == path or finding.path.startswith(below))
            for finding in self._found.values()
        )

    def sorted(self) -> tuple[Finding, ...]:
        """Return all findings in the order of the text."""
        return tuple(sorted(self._found.values(), key=lambda f: (f.line or 0, f.column or 0, f.path)))

    def _placed(self, finding: Finding) -> Finding:
        document, path = self._document, finding.path
        message, hint = finding.message, finding.hint
        if finding.line is not None and finding.column is not None:  # so far within the text of an expression
            mark = document.inside(path, finding.line, finding.column)
            mark = mark or document.inside(child(path, "expr"), finding.line, finding.column)
            if mark is None:
                message = f"{message} (line {finding.line}, column {finding.column} of the expression)"
                mark = document.position(path)
        elif finding.code == "config.unknown_key":
            mark = document.key_position(path)
        elif finding.code == "config.missing":
            mark = document.key_position(parent(path) or ROOT)
        else:
            mark = document.position(path)
        line, column = mark or (None, None)
        return msgspec.structs.replace(finding, message=message, hint=hint, line=line, column=column)


def _as_finding(exc: WireError) -> Finding:
    line, column = (exc.line, exc.column) if isinstance(exc, ExpressionError) else (None, None)
    return Finding(
        code=exc.code, path=exc.path or ROOT, message=exc.message, hint=exc.hint, line=line, column=column
    )  # fmt: skip

"""`lint`: from text to findings and, if there are no errors, a pipeline that can run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from wire.core.config import Expression, parse
from wire.core.errors import ConfigError, Finding, WireError
from wire.core.paths import ROOT, child
from wire.core.permissions import EVERYTHING, Permissions
from wire.core.plugins import Kind
from wire.pipelines.document import Document
from wire.pipelines.document import parse as parse_document
from wire.pipelines.document import read as read_document
from wire.pipelines.lint import rules
from wire.pipelines.lint.components import Components
from wire.pipelines.lint.findings import Findings
from wire.pipelines.lint.secrets import MASK, masked, masked_line
from wire.pipelines.loaded import Component, LoadedPipeline, SinkComponent
from wire.pipelines.spec import PipelineSpec

_SHORTEST_SECRET: Final = 4


@dataclass(frozen=True, slots=True)
class LintResult:
    """What lint found. `pipeline` is None where any finding is an error.

    `lines` is the text with its secrets masked, for showing where a finding is; `shown` is the plain specification with
    its secrets masked, None where the text could not be read. `document` is what was read, secrets and all.
    """

    findings: tuple[Finding, ...]
    pipeline: LoadedPipeline | None = None
    lines: Sequence[str] = ()
    shown: Any = field(default=None, repr=False)
    document: Document | None = field(default=None, repr=False)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the pipeline from running."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def placed(self, exc: WireError) -> tuple[Finding, ...]:
        """Return what an error that a later step raised says, with its places in the text."""
        if not isinstance(exc, ConfigError) and exc.path is None:
            return (Finding(code=exc.code, path="", message=exc.message, hint=exc.hint),)
        findings = Findings(self.document or Document("", None))
        findings.put_error(exc, ROOT)
        return findings.sorted()

    def require(self) -> LoadedPipeline:
        """Return the pipeline. Raises ConfigError with all errors if there are any."""
        if self.pipeline is None:
            raise ConfigError(self.errors)
        return self.pipeline


def lint_file(path: Path, *, environ: Mapping[str, str] | None = None, assignments: Sequence[str] = ()) -> LintResult:
    """Lint a file, as `lint`; a file that can't be read is a finding too."""
    try:
        document = read_document(path)
    except ConfigError as exc:
        return LintResult(exc.findings, lines=_readable_lines(path, exc))
    return lint(document, environ=environ, assignments=assignments)


def lint(
    source: str | Document,
    *,
    environ: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
    permissions: Permissions = EVERYTHING,
) -> LintResult:
    """Find every mistake in a pipeline's text. Never raises for what is in it.

    `environ` is where `${env:NAME}` is looked up, the process's environment unless given; `assignments` are values
    set on top of the text, such as `batch.max_records=10`. What reaches for more on this machine than `permissions`
    allow is a mistake, and neither looked up nor built (I10).
    """
    try:
        document = parse_document(source) if isinstance(source, str) else source
        document = document.with_values(assignments)
    except ConfigError as exc:
        lines = source.splitlines() if isinstance(source, str) else source.lines
        return LintResult(exc.findings, lines=[masked_line(line) for line in lines])
    return _Linter(document, os.environ if environ is None else environ, permissions).result()


def _readable_lines(path: Path, exc: ConfigError) -> list[str]:
    if exc.findings[0].line is None:
        return []
    try:
        return [masked_line(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return []


class _Linter:
    def __init__(self, document: Document, environ: Mapping[str, str], permissions: Permissions) -> None:
        self._document = document
        self._permissions = permissions
        self._findings = Findings(document)
        self._components = Components(self._findings, environ, permissions)

    def result(self) -> LintResult:
        tree = self._document.tree
        pipeline = None
        if isinstance(tree, dict):
            pipeline = self._pipeline(tree)
        else:
            self._not_a_mapping(tree)
        findings = tuple(self._without_hidden(finding) for finding in self._findings.sorted())
        if any(finding.severity == "error" for finding in findings):
            pipeline = None
        secrets = frozenset(self._components.secrets)
        return LintResult(findings, pipeline, self._document.masked(secrets), masked(tree, secrets), self._document)

    def _not_a_mapping(self, tree: Any) -> None:
        if tree is None:
            hint = "`wire new` writes a pipeline to start from"
            self._findings.add("config.missing", ROOT, "there is nothing in this file", hint)
        elif isinstance(tree, str) and ":" in tree:
            hint = "put a space after each colon: `name: my-pipeline`"
            self._findings.add("config.invalid", ROOT, "expected fields, found only text", hint)
        else:
            hint = "start with `name: my-pipeline`; `wire new` writes an example"
            self._findings.add("config.invalid", ROOT, "expected a mapping of fields: name, source, sink, …", hint)

    def _pipeline(self, tree: dict[str, Any]) -> LoadedPipeline | None:
        rules.check_document(tree, self._findings)
        sources = self._endpoints("source", tree)
        transforms = self._transforms(tree.get("transforms"))
        sinks = [_with_when(sink, raw) for sink, raw in self._endpoints("sink", tree)]
        dead_letter = self._dead_letter(tree.get("on_error"))
        found: list[Finding] = []
        spec: PipelineSpec | None = parse(PipelineSpec, tree, ROOT, found)
        self._findings.put_all(found)  # what the checks above said of the same place is more to the point
        pipeline = LoadedPipeline(
            spec=spec or PipelineSpec(name="unnamed"),  # its parts are looked at whatever is wrong elsewhere
            sources=tuple(source for source, _ in sources),
            transforms=tuple(transforms),
            sinks=tuple(sinks),
            dead_letter=dead_letter,
            permissions=self._permissions,
        )
        rules.check_components(pipeline, self._findings)
        if self._findings.any_under(ROOT):
            return None
        rules.check_pipeline(pipeline, self._findings)
        return pipeline

    def _endpoints(self, kind: Kind, tree: dict[str, Any]) -> list[tuple[Component, dict[str, Any]]]:
        """Return the sources or sinks that are right, each with what was written."""
        several = f"{kind}s"
        if isinstance(tree.get(several), list):
            items = {child(child(ROOT, several), i): raw for i, raw in enumerate(tree[several])}
        else:
            items = {child(ROOT, kind): tree[kind]} if kind in tree else {}
        read = [(self._components.endpoint(kind, raw, path), raw) for path, raw in items.items()]
        found = [(component, raw) for component, raw in read if component]
        rules.check_names([component for component, _ in found], self._findings)
        return found

    def _transforms(self, raw: Any) -> list[Component]:
        if not isinstance(raw, list):
            return []
        read = [self._components.transform(item, child("$.transforms", i)) for i, item in enumerate(raw)]
        return [component for component in read if component]

    def _dead_letter(self, on_error: Any) -> Component | None:
        if not isinstance(on_error, dict) or on_error.get("sink") is None:
            return None
        return self._components.endpoint("sink", on_error["sink"], "$.on_error.sink")

    def _without_hidden(self, finding: Finding) -> Finding:
        """I9: a connector's own message may quote a value; where that came from a secret, it is taken out again."""
        message, hint = finding.message, finding.hint
        for text in self._components.hidden:
            if len(text) >= _SHORTEST_SECRET:
                message, hint = message.replace(text, MASK), hint and hint.replace(text, MASK)
        return msgspec.structs.replace(finding, message=message, hint=hint)


def _with_when(component: Component, raw: dict[str, Any]) -> SinkComponent:
    when = raw.get("when")
    condition = Expression(when) if isinstance(when, str) else None
    return SinkComponent(
        component.name, component.type, component.plugin, component.config, component.path, condition
    )  # fmt: skip

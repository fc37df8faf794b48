"""From the `tests:` of a pipeline, and the files it names there, to cases."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wire.core.config import parse
from wire.core.errors import ConfigError, Finding
from wire.core.paths import ROOT, child
from wire.pipelines.document import read as read_document
from wire.pipelines.lint.cases import check_case
from wire.pipelines.lint.findings import Findings
from wire.pipelines.loaded import LoadedPipeline
from wire.pipelines.spec import TestCase


@dataclass(frozen=True, slots=True)
class Case:
    """A test. `file` is what it was written in, `path` its place there; files it names are relative to that file."""

    name: str
    file: Path
    path: str
    spec: TestCase

    @property
    def apart(self) -> bool:
        """Whether it is in a file of its own, not in the pipeline's."""
        return not self.path.startswith("$.tests")

    def beside(self, name: str) -> Path:
        """Return the path of a file that the case names."""
        return self.file.parent / name


class CaseFileError(ConfigError):
    """A file of cases is wrong; `file` is which, `lines` its text."""

    def __init__(self, findings: Sequence[Finding], file: Path, lines: Sequence[str]) -> None:
        """Make an error from at least one finding."""
        super().__init__(findings)
        self.file = file
        self.lines = lines


def collect(file: Path, pipeline: LoadedPipeline) -> list[Case]:
    """Return the cases of a pipeline that was read from `file`, in order; those in a folder by their file's name.

    Raises ConfigError for a pattern that matches nothing, CaseFileError for what is wrong in a file of cases.
    """
    tests = pipeline.spec.tests
    cases: list[Case] = []
    items = [(ROOT + ".tests", tests)] if isinstance(tests, str) else _placed(child(ROOT, "tests"), tests)
    for path, item in items:
        if isinstance(item, TestCase):
            cases.append(Case(item.name or f"case {len(cases) + 1}", file, path, item))
        else:
            cases += [case for found in _matching(file, item, path) for case in _read(found, pipeline)]
    return cases


@contextlib.contextmanager
def blaming(case: Case) -> Iterator[None]:
    """Let a ConfigError about what a case says, or names, point into the file of cases it is in, if it is in one."""
    try:
        yield
    except ConfigError as exc:
        if not case.apart:
            raise
        document = read_document(case.file)
        findings = Findings(document)
        findings.put_all(exc.findings)
        raise CaseFileError(findings.sorted(), case.file, document.lines) from exc


def _placed(path: str, items: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(child(path, i), item) for i, item in enumerate(items)]


def _matching(file: Path, pattern: str, path: str) -> list[Path]:
    folder = file.parent
    # from the file's folder, whose own name is not part of the pattern
    found = sorted(name for name in glob.glob(pattern, root_dir=folder, recursive=True) if (folder / name).is_file())
    if not found:
        hint = "the pattern is relative to the pipeline's file"
        raise ConfigError([_finding("config.unreadable", path, f"no file of tests matches {pattern}", hint)])
    return [folder / name for name in found]


def _read(file: Path, pipeline: LoadedPipeline) -> Iterator[Case]:
    try:
        document = read_document(file)
    except ConfigError as exc:
        raise CaseFileError(exc.findings, file, _lines(file)) from exc
    findings = Findings(document)
    several = isinstance(document.tree, list)
    for number, (path, raw) in enumerate(_placed(ROOT, document.tree) if several else [(ROOT, document.tree)], 1):
        found: list[Finding] = []
        spec: TestCase | None = parse(TestCase, raw, path, found)
        findings.put_all(found)
        if spec is not None:
            check_case(spec, path, pipeline, findings)
            yield Case(spec.name or (f"{file.stem} {number}" if several else file.stem), file, path, spec)
    if findings.sorted():
        raise CaseFileError(findings.sorted(), file, document.lines)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _finding(code: str, path: str, message: str, hint: str) -> Finding:
    return Finding(code=code, path=path, message=message, hint=hint)

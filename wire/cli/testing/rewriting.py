"""`--update`: lets cases that failed expect what came out. Everything else in their files stays as it was written."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wire.cli.testing.cases import Case
from wire.cli.testing.differences import Failure
from wire.cli.testing.running import CaseResult
from wire.cli.testing.tables import read_rows, write_rows
from wire.cli.testing.yaml_edits import NotEditableError, put
from wire.core.errors import ConfigError, FatalError
from wire.core.paths import steps
from wire.pipelines.document import parse as parse_document
from wire.pipelines.spec import ExpectedFailure

Edit = tuple[list[str | int], Any]


def update(case: Case, result: CaseResult) -> CaseResult:
    """Rewrite a case to expect what came out, in its own file or the files it names, and return it as updated.

    A file is replaced as a whole or not at all. Raises FatalError for one that can't be rewritten.
    """
    for path, rows in _tables(case, result):
        try:
            write_rows(path, rows, read_rows(path, case.path))
        except (OSError, ValueError, KeyError) as exc:
            raise _refused(path, str(exc)) from exc
    edits = list(_edits(case, result))
    if edits:
        _rewrite(case.file, edits)
    return msgspec.structs.replace(result, updated=True)


def _tables(case: Case, result: CaseResult) -> Iterator[tuple[Path, list[Any]]]:
    """Yield the files of expected records, with what they are to hold."""
    output = case.spec.output
    given = output if isinstance(output, dict) else dict.fromkeys(result.output, output)
    changed = _changed(result)
    for name, rows in given.items():
        if isinstance(rows, str) and name in changed:
            yield case.beside(rows), result.output[name]


def _edits(case: Case, result: CaseResult) -> Iterator[Edit]:
    """Yield what is to change in the case itself."""
    keys, output, changed = steps(case.path), case.spec.output, _changed(result)
    if changed and not output and len(result.output) > 1:
        yield [*keys, "output"], {name: rows for name, rows in result.output.items() if rows}
    elif isinstance(output, dict):
        for name, rows in result.output.items():
            if name in changed and not isinstance(output.get(name), str):
                yield [*keys, "output", name], rows
    elif isinstance(output, list) and changed:
        yield [*keys, "output"], next(iter(result.output.values()))
    if any(problem.path.startswith(("input[", "failures")) for problem in result.problems):
        yield [*keys, "failures"], _failures(case.spec.failures, result.failures)


def _changed(result: CaseResult) -> set[str]:
    """Return the sinks at which something else came out than expected."""
    paths = [problem.path for problem in result.problems if problem.path.startswith("output")]
    return {
        name
        for name in result.output
        if any(path.startswith(("output[", f"output.{name}[")) for path in paths)
    }  # fmt: skip


def _failures(expected: int | Sequence[ExpectedFailure], found: Sequence[Failure]) -> Any:
    if isinstance(expected, int) and expected:
        return len(found)
    return [
        {"record": failure.record, "code": failure.code} | ({"path": failure.path} if failure.path else {})
        for failure in found
    ]


def _rewrite(file: Path, edits: Sequence[Edit]) -> None:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            old = stream.read()
        new = _edited(old, edits)
        _replace(file, new)
    except (NotEditableError, ConfigError, UnicodeDecodeError, OSError) as exc:
        raise _refused(file, str(exc)) from exc


def _edited(text: str, edits: Sequence[Edit]) -> str:
    """Return the text with values put in, having read it again: nothing else may mean something else than before."""
    wanted = copy.deepcopy(parse_document(text).tree)
    new = text.replace("\r\n", "\n")
    for keys, value in edits:
        new = put(new, keys, value)
        _set(wanted, keys, value)
    if "\r\n" in text:
        new = new.replace("\n", "\r\n")
    try:
        found = parse_document(new).tree
    except ConfigError as exc:
        raise NotEditableError("it would not be well-formed any more") from exc
    if json.dumps(found) != json.dumps(wanted):
        raise NotEditableError("other parts of it depend on what is expected there")
    return new


def _set(tree: Any, keys: Sequence[str | int], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree[key]
    tree[keys[-1]] = value


def _replace(file: Path, text: str) -> None:
    """Put a text in the place of a file, at once."""
    target = file.resolve()
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        Path(temporary).chmod(target.stat().st_mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _refused(file: Path, reason: str) -> FatalError:
    hint = "change it by hand; `-o yaml` shows what came out"
    return FatalError("test.not_updated", f"{file} can't be rewritten: {reason}", hint=hint)

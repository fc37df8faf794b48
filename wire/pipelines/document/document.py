"""`Document`: the plain tree of a pipeline's text, and the way back from a JSON path to a line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wire.core.config import closest
from wire.core.errors import ConfigError, Finding
from wire.core.paths import ROOT, child, parent
from wire.pipelines.document import scalars
from wire.pipelines.document.json_reader import read_json
from wire.pipelines.document.node import Mapping, Mark, Node, Scalar, syntax_error
from wire.pipelines.document.node import Sequence as SequenceNode
from wire.pipelines.document.yaml_faults import LINE_BREAK
from wire.pipelines.document.yaml_reader import read_yaml

MAX_BYTES: Final = 1 << 20
MAX_NODES: Final = 100_000
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_SHOWN_FILES: Final = 5


@dataclass(frozen=True, slots=True)
class _Place:
    key: Mark | None
    node: Node


class Document:
    """A text that was read. `tree` is plain data; `lines` is the text as written.

    Positions count from 1. A path that was set by `--set` has none.
    """

    def __init__(self, text: str, root: Node | None) -> None:
        """Build the tree. Raises ConfigError for keys given twice and for anchors that expand without end."""
        self.lines = LINE_BREAK.split(text)
        self._places: dict[str, _Place] = {}
        self._assigned: set[str] = set()
        self._findings: list[Finding] = []
        self.tree: Any = None if root is None else self._build(ROOT, None, root)
        if self._findings:
            raise ConfigError(self._findings)

    def _build(self, path: str, key: Mark | None, node: Node) -> Any:
        if len(self._places) >= MAX_NODES:
            raise syntax_error(
                f"this document holds more than {MAX_NODES:,} values", node.start, "is this a data file?"
            )
        self._places[path] = _Place(key, node)
        if isinstance(node, Scalar):
            return node.value
        if isinstance(node, SequenceNode):
            return [self._build(child(path, i), None, item) for i, item in enumerate(node.items)]
        return self._build_mapping(path, node)

    def _build_mapping(self, path: str, node: Mapping) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        merged = [value for key, value in node.items if _is_merge(key)]
        for key, value in node.items:
            if _is_merge(key):
                continue
            if key.text in tree:
                self._duplicate(path, key)
            tree[key.text] = self._build(child(path, key.text), key.start, value)
        for mapping in merged:
            for key, value in self._merge_pairs(mapping):
                if key.text not in tree:
                    tree[key.text] = self._build(child(path, key.text), key.start, value)
        return tree

    def _merge_pairs(self, node: Node) -> list[tuple[Scalar, Node]]:
        if isinstance(node, SequenceNode):
            return [pair for item in node.items for pair in self._merge_pairs(item)]
        if not isinstance(node, Mapping):
            raise syntax_error("`<<` takes a mapping, or a list of mappings", node.start, "as in <<: *anchor")
        nested = [pair for key, value in node.items if _is_merge(key) for pair in self._merge_pairs(value)]
        return [pair for pair in node.items if not _is_merge(pair[0])] + nested

    def _duplicate(self, path: str, key: Scalar) -> None:
        self._findings.append(
            Finding(
                code="config.duplicate_key",
                path=child(path, key.text),
                message=f"`{key.text}` is given twice",
                hint="keep one of the two",
                line=key.start.line,
                column=key.start.column,
            )
        )

    def position(self, path: str) -> Mark | None:
        """Return where the value at `path` stands, or else the nearest thing around it."""
        around: str | None = path
        while around is not None and around not in self._places and around not in self._assigned:
            around = parent(around)
        if around is None or around in self._assigned:
            return None
        place = self._places[around]
        if place.key is not None and (around != path or place.node.start.line > place.key.line):
            return place.key
        return place.node.start

    def key_position(self, path: str) -> Mark | None:
        """Return where the name of the field at `path` stands, or else what `position` gives."""
        place = self._places.get(path)
        return place.key if place is not None and place.key is not None else self.position(path)

    def inside(self, path: str, line: int, column: int) -> Mark | None:
        """Return where a character of the text at `path` stands, given its line and column within that text.

        None where that can't be told, as in folded text.
        """
        place = self._places.get(path)
        if place is None or not isinstance(place.node, Scalar):
            return None
        return scalars.place_of(place.node, self.lines, line, column)

    def with_values(self, assignments: Iterable[str]) -> Document:
        """Return a copy with values set as by `--set batch.max_records=10`; values are read as YAML.

        Raises ConfigError for an assignment that can't be read or that leads through something without fields.
        """
        copy = Document.__new__(Document)
        copy.tree, copy.lines, copy._findings = self.tree, self.lines, []
        copy._places, copy._assigned = dict(self._places), set(self._assigned)
        for assignment in assignments:
            copy._assign(assignment)
        return copy

    def _assign(self, assignment: str) -> None:
        name, equals, text = assignment.partition("=")
        keys = re.split(r"\]?[.\[]", name.strip().removesuffix("]"))
        if not equals or not all(keys):
            raise _bad_assignment(assignment, "expected key=value", "as in --set batch.max_records=10")
        try:
            value = parse(text).tree
        except ConfigError as exc:
            raise _bad_assignment(assignment, f"the value can't be read: {exc.message}", exc.hint) from None
        path, self.tree = _set(self.tree, keys, value, ROOT, assignment)
        self._assigned.add(path)
        for known in [p for p in self._places if p == path or p.startswith((f"{path}.", f"{path}["))]:
            del self._places[known]

    def masked(self, paths: Iterable[str]) -> list[str]:
        """Return `lines` with the scalars at these paths replaced by stars, columns unchanged (I9)."""
        lines = list(self.lines)
        for path in paths:
            place = self._places.get(path)
            if place is not None and isinstance(place.node, Scalar):
                scalars.mask(place.node, lines)
        return lines


def _is_merge(key: Scalar) -> bool:
    return key.text == "<<" and not key.style


def _set(tree: Any, keys: Sequence[str], value: Any, path: str, assignment: str) -> tuple[str, Any]:
    """Return the path that was set and a copy of `tree` with the value there."""
    key, rest = keys[0], keys[1:]
    if isinstance(tree, list):
        if not key.isdecimal() or int(key) >= len(tree):
            raise _bad_assignment(assignment, f"{path} is a list of {len(tree)}", "name an item by its number, from 0")
        index: Any = int(key)
        changed: Any = list(tree)
    elif isinstance(tree, dict) or tree is None:
        index, changed = key, dict(tree or {})
    else:
        raise _bad_assignment(
            assignment, f"{path} is a single value and has no `{key}`", "set the value itself, or one beside it"
        )
    path = child(path, index)
    if rest:
        below = changed.get(index) if isinstance(changed, dict) else changed[index]
        path, value = _set(below, rest, value, path, assignment)
    changed[index] = value
    return path, changed


def _bad_assignment(assignment: str, message: str, hint: str | None) -> ConfigError:
    name = assignment.partition("=")[0]  # I9: the value may be a secret
    return ConfigError(
        [Finding(code="config.bad_assignment", path=ROOT, message=f"--set {name}: {message}", hint=hint)]
    )


def parse(text: str) -> Document:
    """Read YAML or JSON. Raises ConfigError (`config.syntax`, `config.duplicate_key`) with line and column."""
    text = text.removeprefix("\ufeff")
    if not text.lstrip().startswith(("{", "[")):
        return Document(text, read_yaml(text))
    if re.match(r'\s*[{\[][\s{\[]*"', text):
        return Document(text, read_json(text))
    try:
        return Document(text, read_json(text))
    except ConfigError:
        return Document(text, read_yaml(text))  # YAML's own braces: `{name: x}`


def read(path: Path) -> Document:
    """Read a file. Raises ConfigError (`config.unreadable` for the file, else as `parse`)."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise _unreadable(f"{path} is a directory", "name the pipeline's file in it") from None
    except OSError as exc:
        hint = _instead_of(path) if isinstance(exc, FileNotFoundError) else "check the path and its permissions"
        raise _unreadable(f"{path} can't be read: {(exc.strerror or 'unknown error').lower()}", hint) from exc
    if len(content) > MAX_BYTES:
        raise _unreadable(f"{path} is larger than 1 MiB", "a pipeline is a short text; is this a data file?")
    try:
        return parse(_decode(content))
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        hint = "save it as UTF-8; if it is a data file, name the pipeline's YAML file instead"
        raise syntax_error("this is not UTF-8 text", Mark(line, 1), hint) from None


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.decode()


def _instead_of(path: Path) -> str:
    """Say which file may have been meant by one that is not there."""
    try:
        there = sorted(file.name for file in path.parent.iterdir() if file.suffix in _SUFFIXES)
    except OSError:
        return f"there is no folder {path.parent} either"
    close = closest(path.stem, [Path(name).stem for name in there])
    meant = next((name for name in there if Path(name).stem == close), None)
    if meant is not None:
        return f"did you mean {path.with_name(meant)}?"
    known = ", ".join(there[:_SHOWN_FILES]) + (", …" if len(there) > _SHOWN_FILES else "")
    return f"found there: {known}" if there else "`wire new` writes a pipeline to start from"


def _unreadable(message: str, hint: str) -> ConfigError:
    return ConfigError([Finding(code="config.unreadable", path=ROOT, message=message, hint=hint)])

"""Reads a node's configuration from flags, variables and a file, and says of every mistake where it was made."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from wire.core.config import MisfitError, Secret, fields_of, parse, suggest
from wire.core.errors import ConfigError, Finding
from wire.core.paths import ROOT, child, steps
from wire.node.config import NodeConfig
from wire.pipelines.document import Document, read

CONFIG_FLAG: Final = "--config"
CONFIG_VARIABLE: Final = "WIRE_CONFIG"
_HINT: Final = f"check the path, which is that of {CONFIG_FLAG} or {CONFIG_VARIABLE}, and its permissions"
_ALIKE: Final = 0.9

Given = str | Sequence[str] | bool
"""What a flag gives: its text, the texts of one that was repeated, or whether it is there."""


class Loaded(Struct, frozen=True):
    """A configuration, and the file it came from, if there was one."""

    config: NodeConfig
    file: Path | None


class NodeConfigError(ConfigError):
    """The configuration is wrong. `file` and `lines` are what the findings with a line point into."""

    def __init__(self, findings: Sequence[Finding], file: Path | None, lines: Sequence[str]) -> None:
        """Make an error from at least one finding."""
        super().__init__(findings)
        self.file = file
        self.lines = lines


def flag(name: str) -> str:
    """Return how a field is called on the command line."""
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    """Return how a field is called in the environment."""
    return f"WIRE_{name.upper()}"


def load(flags: Mapping[str, Given | None], environ: Mapping[str, str]) -> Loaded:
    """Return the configuration. `flags` are by field, None where one is absent, and `config` names the file.

    Raises NodeConfigError with every mistake that was found; what is in the file counts even where it is overridden.
    """
    findings: list[Finding] = []
    file = _file(flags, environ)
    document = _document(file, findings)
    values, places = _from_file(document, findings)
    for name, kind in _kinds():
        for place, given in ((variable(name), environ.get(variable(name))), (flag(name), flags.get(name))):
            if given:
                values[name], places[name] = _from_text(kind, given, place, findings), place
    findings += _misspelt(environ)
    config = None if findings else _together(values, places, findings)
    if config is not None:
        _check_name(config, findings)
    if findings or config is None:
        raise NodeConfigError(
            [_located(finding, document) for finding in findings], file, document.lines if document else ()
        )
    return Loaded(config, file)


def _file(flags: Mapping[str, Given | None], environ: Mapping[str, str]) -> Path | None:
    name = flags.get("config") or environ.get(CONFIG_VARIABLE)
    return Path(name) if isinstance(name, str) and name else None


def _document(file: Path | None, findings: list[Finding]) -> Document | None:
    if file is None:
        return None
    try:
        return read(file)
    except ConfigError as exc:
        for finding in exc.findings:
            unreadable = finding.code == "config.unreadable"
            findings.append(msgspec.structs.replace(finding, path=CONFIG_FLAG, hint=_HINT) if unreadable else finding)
        return None


def _from_file(document: Document | None, findings: list[Finding]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the file says, field by field, and where: mistakes in one field do not hide those in another."""
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    if document is None or document.tree is None:
        return values, places
    if not isinstance(document.tree, dict):
        message = "expected a mapping: one `name: value` per line"
        findings.append(Finding(code="config.invalid", path=ROOT, message=message))
        return values, places
    kinds = dict(_kinds())
    for name, data in document.tree.items():
        if name not in kinds:
            hint = suggest(name, kinds) or f"known here: {', '.join(sorted(kinds))}"
            if name == "config":
                hint = "the file can't name another one"
            message = f"unknown field `{name}`"
            findings.append(Finding(code="config.unknown_key", path=child(ROOT, name), message=message, hint=hint))
            continue
        places[name] = child(ROOT, name)
        values[name] = parse(kinds[name], data, places[name], findings)
    return values, places


def _from_text(kind: Any, given: Given, place: str, findings: list[Finding]) -> Any:
    """Return what a flag or variable says. Lists and mappings are separated by commas, or the flag is repeated."""
    if isinstance(given, bool):
        return given
    inner = _inner(kind)
    texts = [given] if isinstance(given, str) else list(given)
    if get_origin(inner) is list:
        items = [item.strip() for text in texts for item in text.split(",") if item.strip()]
        return parse(kind, items, place, findings)
    if get_origin(inner) is dict:
        return _mapping(
            kind, [item.strip() for text in texts for item in text.split(",") if item.strip()], place, findings
        )
    data: Any = _PLAIN.get(inner, str)(texts[-1].strip())
    return parse(kind, data, place, findings)


def _mapping(kind: Any, items: Sequence[str], place: str, findings: list[Finding]) -> Any:
    pairs = [item.partition("=") for item in items]
    wrong = next((item for item, (name, equals, _) in zip(items, pairs, strict=True) if not (name and equals)), None)
    if wrong is None:
        return parse(kind, {name: value for name, _, value in pairs}, place, findings)
    findings.append(
        Finding(
            code="config.invalid",
            path=place,
            message=f"expected name=value, found `{wrong}`",
            hint="as in zone=a,disk=ssd",
        )
    )
    return None


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _truth(text: str) -> bool | str:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)


_PLAIN: Final[dict[Any, Callable[[str], Any]]] = {int: _number, bool: _truth}


def _together(values: Mapping[str, Any], places: Mapping[str, str], findings: list[Finding]) -> NodeConfig | None:
    try:
        return NodeConfig(**values)
    except MisfitError as exc:
        name = str(exc)[1:].partition("`")[0]
        place = places.get(name) or next((places[each] for each in places if f"`{each}`" in str(exc)), ROOT)
        findings.append(Finding(code="config.conflict", path=place, message=str(exc), hint=exc.hint))
        return None


def _check_name(config: NodeConfig, findings: list[Finding]) -> None:
    try:
        _ = config.name
    except ValueError as exc:
        hint = "give the node a name with --node-id"
        findings.append(Finding(code="config.missing", path=flag("node_id"), message=str(exc), hint=hint))


def _misspelt(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Find variables that are nearly ours. Not all that begin with WIRE_ are: orchestrators name services like that."""
    known = [*(variable(name) for name, _ in _kinds()), CONFIG_VARIABLE]
    for name in environ:
        if name.startswith("WIRE_") and name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
            if close:
                message, hint = f"the variable {name} is not known", f"did you mean {close[0]}?"
                yield Finding(code="config.unknown_key", path=name, message=message, hint=hint)


def _located(finding: Finding, document: Document | None) -> Finding:
    if document is None or not finding.path.startswith(ROOT) or finding.line is not None:
        return finding
    if steps(finding.path)[:1] in [[name] for name, kind in _kinds() if _inner(kind) is Secret]:
        return finding  # I9: the line would be shown
    find = document.key_position if finding.code == "config.unknown_key" else document.position
    mark = find(finding.path) if steps(finding.path) else None
    return finding if mark is None else msgspec.structs.replace(finding, line=mark.line, column=mark.column)


def _kinds() -> Iterator[tuple[str, Any]]:
    for field in fields_of(NodeConfig):
        yield field.name, field.type


def _inner(kind: Any) -> Any:
    """Return a field's type without its notes, and without None."""
    if get_origin(kind) is Annotated:
        return _inner(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        (only,) = (member for member in get_args(kind) if member is not type(None))
        return _inner(only)
    return kind


def takes_several(kind: Any) -> bool:
    """Say whether a flag of this type may be repeated."""
    return get_origin(_inner(kind)) in (list, dict)


def is_switch(kind: Any) -> bool:
    """Say whether a flag of this type has no value."""
    return _inner(kind) is bool

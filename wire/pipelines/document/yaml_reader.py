"""YAML text to nodes, from libyaml's events: nothing is constructed, nothing can recurse deeper than `MAX_DEPTH`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from wire.pipelines.document.node import Mapping, Mark, Node, Scalar, Sequence, syntax_error
from wire.pipelines.document.yaml_faults import explain

MAX_DEPTH: Final = 64

_Loader: type[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # PyYAML may be built without libyaml

_STANDARD_TAGS: Final = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGERS: Final[tuple[tuple[re.Pattern[str], Callable[[str], int]], ...]] = (
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read_yaml(text: str) -> Node | None:
    """Return the only document in `text`, None if it is empty. Raises ConfigError (`config.syntax`)."""
    try:
        reader = _Reader(_Loader(text))
        return reader.document()
    except yaml.YAMLError as exc:
        raise explain(exc, text) from None
    except UnicodeEncodeError:
        raise syntax_error(
            "the text holds half a character (a lone surrogate)", Mark(1, 1), "save it as UTF-8"
        ) from None


class _Reader:
    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        self._loader.get_event()  # the stream's start
        if self._loader.check_event(StreamEndEvent):
            return None
        self._loader.get_event()  # the document's start
        node = self._node(0)
        self._loader.get_event()  # the document's end
        if self._loader.check_event(DocumentStartEvent):
            second = _mark(self._loader.get_event().start_mark)
            raise syntax_error("a second document starts here", second, "one file holds one pipeline: remove the `---`")
        return node

    def _node(self, depth: int) -> Node:
        event = self._loader.get_event()
        start = _mark(event.start_mark)
        if depth > MAX_DEPTH:
            raise syntax_error(
                f"nested deeper than {MAX_DEPTH} levels", start, "no pipeline needs that: is this a data file?"
            )
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                hint = "a value that starts with `*` must be in quotes"
                raise syntax_error(f"`*{event.anchor}` refers to an anchor that is not defined above", start, hint)
            return self._anchors[event.anchor]
        if event.tag not in (None, "!") and event.tag not in _STANDARD_TAGS:
            hint = "a value that starts with `!` must be in quotes"
            raise syntax_error(f"tags such as `{event.tag}` are not allowed", start, hint)
        node = self._read(event, start, depth)
        if event.anchor:
            self._anchors[event.anchor] = node  # only now: an alias inside its own anchor stays unknown
        return node

    def _read(self, event: Any, start: Mark, depth: int) -> Node:
        if isinstance(event, SequenceStartEvent):
            items = []
            while not self._loader.check_event(SequenceEndEvent):
                items.append(self._node(depth + 1))
            self._loader.get_event()
            return Sequence(items, start)
        if isinstance(event, MappingStartEvent):
            pairs = []
            while not self._loader.check_event(MappingEndEvent):
                pairs.append((self._key(depth + 1), self._node(depth + 1)))
            self._loader.get_event()
            return Mapping(pairs, start)
        return _scalar(event, start)

    def _key(self, depth: int) -> Scalar:
        key = self._node(depth)
        if isinstance(key, Scalar):
            return key
        raise syntax_error("a key must be text", key.start, "text that contains `{` or `[` must be in quotes")


def _scalar(event: ScalarEvent, start: Mark) -> Scalar:
    style = event.style if event.style in ("'", '"', "|", ">") else ""
    plain = event.implicit[0] or event.tag in _STANDARD_TAGS - {"tag:yaml.org,2002:str"}
    value = _value(event.value, start) if plain else event.value
    return Scalar(value, event.value, style, start, _mark(event.end_mark))


def _value(text: str, start: Mark) -> Any:
    """Return what a plain scalar means in YAML 1.2's core schema."""
    if _NULL.fullmatch(text):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    try:
        for pattern, convert in _INTEGERS:
            if pattern.fullmatch(text):
                return convert(text)
    except ValueError:  # Python refuses numbers of more than 4,300 digits
        raise syntax_error("this number is too long", start, "put it in quotes if it is text") from None
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "", 1)) if _SPECIAL_FLOAT.fullmatch(text) else text


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)

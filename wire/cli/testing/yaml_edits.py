"""Puts values into YAML and JSON text, leaving alone how everything around them was written, comments included."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import yaml

from wire.core.errors import ConfigError
from wire.pipelines.document import parse as parse_document

_WIDTH: Final = 120
_INDENT: Final = 2
_PLAIN = re.compile(r"(?:[^\W\d]|/)[\w ./@+-]*(?<! )")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_Loader: Final[type[Any]] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # PyYAML may be built without libyaml


class NotEditableError(Exception):
    """The text is written in a way that can't be changed in place."""


def put(text: str, keys: Sequence[str | int], value: Any) -> str:
    """Return a YAML or JSON text with a value at the place that `keys` lead to; the last one may be a new field.

    Lines end with a line feed. Items of a list that stay the same stay as they are written. Raises NotEditableError.
    """
    writer = _Writer(text)
    node: Any = yaml.compose(text, Loader=_Loader)
    for key in keys[:-1]:
        node = _below(node, key)
        if node is None:
            raise NotEditableError(f"`{key}` is not written there")
    return writer.put(node, keys[-1], value)


def _below(node: Any, key: str | int) -> Any:
    """Return the value of a field or the item of a list, None where there is none. Refuses one written elsewhere."""
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        found, start = node.value[key], node.start_mark.index
    elif isinstance(node, yaml.MappingNode):
        pair = next((pair for pair in node.value if pair[0].value == key), None)
        if pair is None:
            return None
        found, start = pair[1], pair[0].end_mark.index
    else:
        raise NotEditableError(f"`{key}` is not written in a mapping")
    if found.start_mark.index < start:
        raise NotEditableError(f"`{key}` is an alias of something else")
    return found


class _Writer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._json = _is_json(text)

    def put(self, parent: Any, key: str | int, value: Any) -> str:
        if not isinstance(parent, yaml.MappingNode) or not isinstance(key, str):
            raise NotEditableError(f"`{key}` is not written in a mapping")
        old = _below(parent, key)
        if old is None:
            return self._insert(parent, key, value)
        if isinstance(old, yaml.SequenceNode) and not old.flow_style and isinstance(value, list) and value:
            return self._items(old, value)
        written = next(pair[0] for pair in parent.value if pair[0].value == key)
        start, end = self._text.index(":", written.end_mark.index) + 1, self._end(old)
        room = _WIDTH - (start - self._line_start(start))
        return self._text[:start] + self._value(parent, old, value, room) + self._text[end:]

    def _insert(self, parent: Any, key: str, value: Any) -> str:
        name = self._scalar(key)
        if parent.flow_style:
            at = parent.end_mark.index - 1
            before = self._text[:at].rstrip()
            comma = "" if before.endswith(("{", ",")) else ","
            space = "" if before.endswith("{") else " "
            return f"{before}{comma}{space}{name}: {self._flow(value)}{self._text[len(before) :]}"
        at = self._line_end(self._end(parent))
        column = self._column(parent)
        return f"{self._text[:at]}\n{' ' * column}{name}:{self._value(parent, None, value, 0)}{self._text[at:]}"

    def _value(self, parent: Any, old: Any, value: Any, room: int) -> str:
        """Return what is to stand behind a colon: written as it was, on one line if that has room for it."""
        flow = self._flow(value)
        if not isinstance(value, list | dict) or not value:
            return f" {flow}"
        was_flow = bool(getattr(old, "flow_style", False))
        was_spread = was_flow and old.start_mark.line < old.end_mark.line
        if was_flow and not was_spread and len(flow) < room:
            return f" {flow}"
        if parent.flow_style or was_spread:
            return f" {self._spread(value, self._column(parent))}"
        return "\n" + "\n".join(self._block(value, self._column(parent) + _INDENT))

    def _spread(self, value: Any, indent: int) -> str:
        """Return a list or mapping in brackets, with a line for each item."""
        inner, items = " " * (indent + _INDENT), self._parts(value)
        opening, closing = "[]" if isinstance(value, list) else "{}"
        return f"{opening}\n{inner}" + f",\n{inner}".join(items) + f"\n{' ' * indent}{closing}"

    def _items(self, old: Any, value: Sequence[Any]) -> str:
        """Write the items of a list that has them on lines of their own, as they were where they were there before."""
        column = old.start_mark.column
        start, known = self._line_start(old.start_mark.index), self._known(old)
        flows = [bool(getattr(item, "flow_style", True)) for item in old.value]
        lines = []
        for i, item in enumerate(value):
            same = known.get(json.dumps(item, sort_keys=True))
            lines.append(
                same.pop(0)
                if same
                else self._comments(old, i) + self._item(item, column, flows[min(i, len(flows) - 1)])
            )
        return self._text[:start] + "\n".join(lines) + self._text[self._line_end(self._end(old)) :]

    def _comments(self, old: Any, index: int) -> str:
        """Return the lines above the item of a list that is to be replaced."""
        if not 0 < index < len(old.value):
            return ""
        start = self._line_end(self._end(old.value[index - 1])) + 1
        lines = self._text[start : self._line_start(old.value[index].start_mark.index)].splitlines(keepends=True)
        return "".join(line for line in lines if line.lstrip()[:1] in ("", "#"))

    def _known(self, old: Any) -> dict[str, list[str]]:
        """Return how the items of a list are written, comments above them included, by what they are."""
        known: dict[str, list[str]] = {}
        start = self._line_start(old.start_mark.index)
        for item in old.value:
            end = self._line_end(self._end(item))
            lines = self._text[start:end]
            try:
                (value,) = parse_document(lines).tree
            except (ConfigError, TypeError, ValueError):
                continue  # it refers to something elsewhere
            finally:
                start = end + 1
            known.setdefault(json.dumps(value, sort_keys=True), []).append(lines)
        return known

    def _item(self, value: Any, column: int, flow: bool) -> str:
        text = self._flow(value)
        if not isinstance(value, list | dict) or not value or (flow and column + 2 + len(text) <= _WIDTH):
            return f"{' ' * column}- {text}"
        lines = self._block(value, column + 2)
        return f"{' ' * column}- {lines[0].lstrip()}" + "".join(f"\n{line}" for line in lines[1:])

    def _block(self, value: Any, column: int) -> list[str]:
        """Return the lines of a list or mapping, with a line for each item."""
        if isinstance(value, list):
            flow = all(column + 2 + len(self._flow(item)) <= _WIDTH for item in value)
            return [line for item in value for line in self._item(item, column, flow).split("\n")]
        lines = []
        for key, item in value.items():
            text = self._flow(item)
            name = f"{' ' * column}{self._scalar(key)}:"
            if not isinstance(item, list | dict) or not item or len(name) + 1 + len(text) <= _WIDTH:
                lines.append(f"{name} {text}")
            else:
                lines += [name, *self._block(item, column + _INDENT)]
        return lines

    def _flow(self, value: Any) -> str:
        if isinstance(value, list):
            return f"[{', '.join(self._parts(value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(self._parts(value))}}}"
        return self._scalar(value)

    def _parts(self, value: Any) -> list[str]:
        if isinstance(value, dict):
            return [f"{self._scalar(key)}: {self._flow(item)}" for key, item in value.items()]
        return [self._flow(item) for item in value]

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str) and not self._json and _is_plain(value):
            return value
        text = json.dumps(value, ensure_ascii=False)
        return _UNPRINTABLE.sub(lambda match: _escaped(match[0]), text)

    # places

    def _column(self, mapping: Any) -> int:
        if mapping.value and not mapping.flow_style:
            return int(mapping.value[0][0].start_mark.column)
        return self._line_indent(mapping.start_mark.index)

    def _line_start(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        end = self._text.find("\n", index)
        return len(self._text) if end < 0 else end

    def _line_indent(self, index: int) -> int:
        start = self._line_start(index)
        return len(self._text[start:index]) - len(self._text[start:index].lstrip(" "))

    def _end(self, node: Any) -> int:
        """Return where a value ends; for YAML, a block ends where the next thing begins, behind all comments."""
        if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
            written = self._text[node.start_mark.index : node.end_mark.index]
            return int(node.start_mark.index) + len(written.rstrip())
        last = node.value[-1]
        if isinstance(last, tuple):
            key, last = last
            return max(self._text.index(":", key.end_mark.index) + 1, self._end(last))
        return max(int(node.start_mark.index), self._end(last))


def _is_plain(text: str) -> bool:
    """Say whether text needs no quotes."""
    if not _PLAIN.fullmatch(text):
        return False
    read = parse_document(f"x: {text}").tree["x"]
    return isinstance(read, str) and read == text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

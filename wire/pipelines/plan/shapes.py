"""The builder's picture of the record: which fields there are and where their values are.

A value is Python source that is cheap and may be evaluated repeatedly: a local variable or a literal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any


class Everything:
    """The decoded record with changes: fields that were never mentioned are still there.

    Changes are only noted. `changes` are the statements that make them, in order, on the dict `row`, for when the whole
    record is needed; until then a field that was read or set is in a local variable.
    """

    def __init__(self, load: Callable[[str], str], constant: Callable[[Any], str]) -> None:
        """`load` writes the source that reads a decoded field into a local, and returns the local."""
        self.changes: list[str] = []
        self._load = load
        self._constant = constant
        self._known: dict[str, str] = {}
        self._decoded_as: dict[str, str | None] = {}  # where a name no longer means the decoded field of that name

    def field(self, name: str) -> str:
        """Return the value of a field, `None` where the record has none."""
        if name not in self._known:
            decoded = self._decoded_as.get(name, name)
            self._known[name] = "None" if decoded is None else self._load(decoded)
        return self._known[name]

    def assign(self, name: str, value: str) -> None:
        """Set a field, new or not."""
        self._known[name] = value
        self.changes.append(f"row[{name!a}] = {value}")

    def replace(self, name: str, value: str) -> None:
        """Set a field where the record has it. `value` must be NULL where it has not."""
        self._known[name] = value
        self.changes.append(f"if {name!a} in row: row[{name!a}] = {value}")

    def remove(self, name: str) -> None:
        """Take a field away."""
        self._known.pop(name, None)
        self._decoded_as[name] = None
        self.changes.append(f"row.pop({name!a}, None)")

    def rename(self, names: Mapping[str, str]) -> None:
        """Give fields new names, all at once; what had a new name before is gone."""
        known = {new: self._known[old] for old, new in names.items() if old in self._known}
        decoded_as = {new: self._decoded_as.get(old, old) for old, new in names.items()}
        for name in {*names, *names.values()}:
            self._known.pop(name, None)
            self._decoded_as[name] = None
        self._known |= known
        self._decoded_as |= decoded_as
        self.changes.append(f"{self._constant(_rename)}(row, {self._constant(dict(names))})")

    def typed(self, decoded: Collection[str], may_be: Callable[[str], bool]) -> list[str]:
        """Return the fields that may be of types JSON lacks: those `decoded` so, and those set to what `may_be`."""
        names = sorted({*decoded, *self._known, *self._decoded_as})
        return [
            name
            for name in names
            if (may_be(self._known[name]) if name in self._known else self._decoded_as.get(name, name) in decoded)
        ]


class Only:
    """Exactly these fields, in this order."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        """`fields` maps names to values."""
        self.fields = dict(fields)

    def field(self, name: str) -> str:
        """Return the value of a field, `None` where the record has none."""
        return self.fields.get(name, "None")

    def assign(self, name: str, value: str) -> None:
        """Set a field, new or not."""
        self.fields[name] = value

    def replace(self, name: str, value: str) -> None:
        """Set a field where the record has it."""
        if name in self.fields:
            self.fields[name] = value

    def remove(self, name: str) -> None:
        """Take a field away."""
        self.fields.pop(name, None)

    def rename(self, names: Mapping[str, str]) -> None:
        """Give fields new names, all at once; what had a new name before is gone."""
        taken = set(names.values()) - set(names)
        self.fields = {names.get(name, name): value for name, value in self.fields.items() if name not in taken}


Shape = Everything | Only


def _rename(row: dict[str, Any], names: Mapping[str, str]) -> None:
    moved = [(new, row.pop(old)) for old, new in names.items() if old in row]
    for new in names.values():
        row.pop(new, None)
    row.update(moved)

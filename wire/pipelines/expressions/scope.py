"""What the code generator asks of the function it writes into."""

from __future__ import annotations

from typing import Any, Protocol


class Scope(Protocol):
    """The function an expression becomes part of. All answers are Python source.

    Everything given out is a name or a simple expression that may be evaluated in any order, any number of times.
    """

    def field(self, name: str) -> str:
        """Return source that reads a top-level field of the record, None where there is none (I10: quote the name)."""
        ...

    def meta(self, name: str) -> str:
        """Return source that reads what is not in the record's value.

        `key` gives bytes or None, `timestamp_ms` and `offset` an int, `partition` a str, `headers` the record's tuple
        of (name, bytes or None); `now_ms` is the wall time in UTC milliseconds, best read once per batch.
        """
        ...

    def constant(self, value: Any) -> str:
        """Bind a value into the function's globals and return its name."""
        ...

    def local(self) -> str:
        """Return the name of a local variable that nothing else in the function uses."""
        ...


class FunctionScope:
    """The usual scope: fields of a dict in a local variable, metadata in locals of their own name.

    `constants` is what the function's globals must hold. A planner overrides `field` to read local variables instead.
    """

    def __init__(self, record: str = "d") -> None:
        """Make a scope whose record is the dict in the variable `record`."""
        self.record = record
        self.constants: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._locals = 0

    def field(self, name: str) -> str:  # noqa: D102 (contract in Scope)
        return f"{self.record}.get({name!a})"

    def meta(self, name: str) -> str:  # noqa: D102 (contract in Scope)
        return name

    def constant(self, value: Any) -> str:  # noqa: D102 (contract in Scope)
        # By identity: equal is not enough (1, True and 1.0 are equal). `constants` keeps every value alive.
        known = self._names.get(id(value))
        if known is None:
            known = self._names[id(value)] = f"c{len(self.constants)}_"
            self.constants[known] = value
        return known

    def local(self) -> str:  # noqa: D102 (contract in Scope)
        self._locals += 1
        return f"t{self._locals}_"

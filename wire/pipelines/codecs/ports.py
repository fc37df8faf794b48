"""What the planner asks of a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Names(Protocol):
    """The function that source is written for."""

    def constant(self, value: Any) -> str:
        """Bind a value into the function's globals and return its name."""
        ...

    def local(self) -> str:
        """Return the name of a local variable that nothing else in the function uses."""
        ...

    def may_be_typed(self, source: str) -> bool:
        """Say whether the value of source may be, or hold, one of a type that JSON does not have."""
        ...


def dict_source(fields: Mapping[str, str]) -> str:
    """Return source of a dict: name → source of its value (I10: names are quoted)."""
    return "{" + ", ".join(f"{name!a}: {value}" for name, value in fields.items()) + "}"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Source that takes a record apart.

    `per_batch` are statements before the loop, which may read `records`; `per_record` are statements inside it, which
    may read `raw` (the record's bytes) and `i` (its index). After them `load(name)` is an expression for one field,
    None where the record has none of that name; and where everything was asked for, the variable `row` is a new dict.
    """

    per_record: Sequence[str]
    load: Callable[[str], str]
    per_batch: Sequence[str] = ()


class Decoder(Protocol):
    """Writes source that decodes. At run time a bad record raises RecordError, UnicodeDecodeError or DecodeError.

    `typed` names the fields whose values may be of types that JSON does not have; None if any may.
    """

    @property
    def typed(self) -> frozenset[str] | None: ...  # noqa: D102 (see above)

    def fields(self, wanted: Sequence[str], names: Names) -> Decoded:
        """Decode these fields, no two of the same name, and as little else as possible."""
        ...

    def whole(self, names: Names) -> Decoded:
        """Decode everything into the variable `row`."""
        ...


class Encoder(Protocol):
    """Writes source that encodes: statements that leave bytes in the variable `into`.

    At run time a record that does not fit the format raises RecordError.
    """

    def fields(self, fields: Mapping[str, str], names: Names, into: str) -> list[str]:
        """Encode a record of exactly these fields: name → the local or literal that is its value."""
        ...

    def whole(self, typed: Sequence[str] | None, names: Names, into: str) -> list[str]:
        """Encode the dict in the variable `row`, which may be changed. `typed` is as in Decoder."""
        ...

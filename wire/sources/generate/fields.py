"""The kinds of made-up values, and the columns of them that a block of records has."""

from __future__ import annotations

import json
import random
import string
from typing import Annotated, Any, Final

from msgspec import Meta

from wire.core.config import Config, MisfitError, doc

_LETTERS: Final = bytes(ord(string.ascii_lowercase[i % 26]) for i in range(256))


class SequenceField(Config, frozen=True, kw_only=True, tag="sequence", tag_field="type"):
    """Whole numbers, each `step` more than the one before."""

    start: Annotated[int, doc("The first record's number.")] = 0
    step: Annotated[int, doc("How much the number rises with each record.")] = 1


class IntegerField(Config, frozen=True, kw_only=True, tag="integer", tag_field="type"):
    """Whole numbers from `min` to `max`, evenly spread."""

    min: Annotated[int, doc("The least number.")] = 0
    max: Annotated[int, doc("The greatest number.")] = 100

    def __post_init__(self) -> None:
        _check_range(self.min, self.max)


class NumberField(Config, frozen=True, kw_only=True, tag="number", tag_field="type"):
    """Numbers between `min` and `max`, evenly spread."""

    min: Annotated[float, doc("The least number.")] = 0.0
    max: Annotated[float, doc("The greatest number.")] = 1.0
    decimals: Annotated[int, Meta(ge=0, le=15, description="Digits after the point.")] = 3

    def __post_init__(self) -> None:
        _check_range(self.min, self.max)


class BooleanField(Config, frozen=True, kw_only=True, tag="boolean", tag_field="type"):
    """True or false."""

    probability: Annotated[float, Meta(ge=0, le=1, description="How often it is true.")] = 0.5


class ChoiceField(Config, frozen=True, kw_only=True, tag="choice", tag_field="type"):
    """One of a list of values."""

    values: Annotated[list[Any], doc("What to choose from.")]
    weights: Annotated[list[float] | None, doc("How often each is chosen, beside the others; evenly if absent.")] = None

    def __post_init__(self) -> None:
        if not self.values:
            raise MisfitError("`values` must hold at least one value", "as in values: [red, green]")
        if self.weights is not None and (len(self.weights) != len(self.values) or min(self.weights) < 0):
            raise MisfitError(
                "`weights` must hold one number, 0 or more, for each of `values`",
                f"there are {len(self.values)} values and {len(self.weights)} weights",
            )
        if self.weights is not None and not sum(self.weights):
            raise MisfitError("`weights` must not all be 0", "leave them out to choose evenly")
        _check_json("values", self.values)


class TextField(Config, frozen=True, kw_only=True, tag="text", tag_field="type"):
    """Lower-case letters."""

    length: Annotated[int, Meta(ge=0, le=1 << 20, description="How many.")] = 16


class UuidField(Config, frozen=True, kw_only=True, tag="uuid", tag_field="type"):
    """Random UUIDs (version 4)."""


class NowField(Config, frozen=True, kw_only=True, tag="now", tag_field="type"):
    """When the record was made, in milliseconds since 1970; with a `rate`, when it was due."""


class ConstantField(Config, frozen=True, kw_only=True, tag="constant", tag_field="type"):
    """The same value in every record."""

    value: Annotated[Any, doc("The value.")]

    def __post_init__(self) -> None:
        _check_json("value", self.value)


MadeField = (
    SequenceField | IntegerField | NumberField | BooleanField | ChoiceField | TextField | UuidField | ConstantField
)
"""What follows from the seed and a record's number."""

FieldSpec = MadeField | NowField


def _check_range(least: float, greatest: float) -> None:
    if least > greatest:
        raise MisfitError("`min` must not be greater than `max`", "set both: each has a default")


def _check_json(name: str, value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise MisfitError(f"`{name}`: JSON can't hold NaN or infinity", "put it in quotes, or write null") from None


def values(spec: MadeField, rng: random.Random, first: int, count: int) -> list[Any]:
    """Return the values of `count` records from number `first` on, each a thing whose text is JSON."""
    match spec:
        case SequenceField(start=start, step=step):
            return list(range(start + first * step, start + (first + count) * step, step)) if step else [start] * count
        case IntegerField(min=least, max=greatest):
            return _integers(rng, least, greatest - least + 1, count)
        case NumberField(min=low, max=high, decimals=decimals):
            return [round(low + rng.random() * (high - low), decimals) for _ in range(count)]
        case BooleanField(probability=probability):
            return ["true" if rng.random() < probability else "false" for _ in range(count)]
        case ChoiceField(values=choices, weights=weights):
            return rng.choices([json.dumps(value) for value in choices], weights, k=count)
        case TextField(length=length):
            letters = rng.randbytes(length * count).translate(_LETTERS).decode()
            return [f'"{letters[i * length : (i + 1) * length]}"' for i in range(count)]
        case UuidField():
            return [_uuid(rng.randbytes(16).hex()) for _ in range(count)]
        case ConstantField(value=value):
            return [json.dumps(value)] * count


def _integers(rng: random.Random, least: int, span: int, count: int) -> list[int]:
    if span > 1 << 50:  # more than the digits of a float
        return [least + rng.randrange(span) for _ in range(count)]
    return [least + int(rng.random() * span) for _ in range(count)]


def _uuid(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f'"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"'

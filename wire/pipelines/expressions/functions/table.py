"""Every function, by name."""

from __future__ import annotations

from typing import Final

from wire.pipelines.expressions.functions import (
    encodings,
    general,
    lists,
    numbers,
    patterns,
    strings,
    structs,
    times,
)
from wire.pipelines.expressions.tree import Function

SECTIONS: Final[dict[str, tuple[Function, ...]]] = {
    "Text": strings.FUNCTIONS,
    "Patterns": patterns.FUNCTIONS,
    "Numbers": numbers.FUNCTIONS,
    "Dates and times": times.FUNCTIONS,
    "Lists": lists.FUNCTIONS,
    "Structs and JSON": structs.FUNCTIONS,
    "Hashes and encodings": encodings.FUNCTIONS,
    "Any type": general.FUNCTIONS,
    "The record": general.RECORD,
}
FUNCTIONS: Final[dict[str, Function]] = {
    name: function
    for section in SECTIONS.values()
    for function in section
    for name in (function.name, *function.aliases)
}

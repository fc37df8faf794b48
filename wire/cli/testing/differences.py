"""What is not as expected, found so that as little as possible is."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from wire.core.errors import WireError
from wire.pipelines.spec import ExpectedFailure

_SHOWN: Final = 200
_LEAD: Final = 40
_PAIRED_AT_MOST: Final = 10_000
"""Pairs of records that are compared field by field; beyond that the n-th goes with the n-th."""


class Problem(Struct, frozen=True, omit_defaults=True):
    """One difference. `path` is a place in the case; `expected` or `found` is absent where there is no such thing.

    `message` says it all in one line.
    """

    path: str
    message: str
    expected: Any | UnsetType = UNSET
    found: Any | UnsetType = UNSET


class Failure(Struct, frozen=True):
    """A record of the input that could not be processed, and why."""

    record: int
    code: str
    path: str | None
    message: str


def failures_of(found: Sequence[tuple[int, WireError]]) -> list[Failure]:
    """Return the failures of a run."""
    return [Failure(index, error.code, error.path, f"{error.message}{_hint(error)}") for index, error in found]


def failure_problems(expected: int | Sequence[ExpectedFailure], found: Sequence[Failure]) -> Iterator[Problem]:
    """Compare the records that failed with those that should: by their number, or one by one."""
    if isinstance(expected, int):
        if len(found) != expected:
            if expected:
                yield _problem(
                    "failures", f": expected {expected} records to fail, {len(found)} did", expected, len(found)
                )
            yield from map(_unexpected, found)
        return
    wanted = {failure.record: failure for failure in expected}
    actual = {failure.record: failure for failure in found}
    for record in sorted(wanted.keys() | actual.keys()):
        if record not in wanted:
            yield _unexpected(actual[record])
        elif record not in actual:
            code = wanted[record].code
            yield _problem(f"input[{record}]", f": expected to fail with {code}, but did not", code)
        elif not _is_as(actual[record], wanted[record]):
            yield _other(wanted[record], actual[record])


def differences(path: str, expected: Sequence[Any], actual: Sequence[Any]) -> Iterator[Problem]:
    """Align two lists of records and yield what differs."""
    left, right = ([json.dumps(row, sort_keys=True) for row in side] for side in (expected, actual))
    same_before = _common(left, right)
    left, right = left[same_before:], right[same_before:]
    same_after = _common(left[::-1], right[::-1])
    aligned = difflib.SequenceMatcher(
        a=left[: len(left) - same_after], b=right[: len(right) - same_after], autojunk=False
    )
    for what, *bounds in aligned.get_opcodes():
        start, end, other_start, other_end = (bound + same_before for bound in bounds)
        if what != "equal":
            for i, j in _pairs(expected[start:end], actual[other_start:other_end]):
                here, there = None if i is None else start + i, None if j is None else other_start + j
                yield from _pair_differences(path, expected, actual, here, there)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Return how many items two lists have in common at the start."""
    return next(
        (i for i, (one, two) in enumerate(zip(left, right, strict=False)) if one != two), min(len(left), len(right))
    )


def same(expected: Any, actual: Any) -> bool:
    """Compare as JSON does: 1 is 1.0, but neither is true."""
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same(expected[key], actual[key]) for key in expected)
    return bool(expected == actual) and isinstance(expected, bool) == isinstance(actual, bool)


def shown(value: Any, other: Any = UNSET) -> str:
    """Return a value in one line; of a long one the part where it differs from `other`."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _SHOWN:
        return text
    against = "" if other is UNSET else json.dumps(other, ensure_ascii=False)
    equal = next((i for i, (one, two) in enumerate(zip(text, against, strict=False)) if one != two), 0)
    start = max(0, equal - _LEAD)
    part = text[start : start + _SHOWN]
    return f"{'…' if start else ''}{part}{'…' if start + _SHOWN < len(text) else ''}"


def _pair_differences(
    path: str, expected: Sequence[Any], actual: Sequence[Any], i: int | None, j: int | None
) -> Iterator[Problem]:
    if i is not None and j is not None:
        yield from _record_differences(f"{path}[{i}]", expected[i], actual[j])
    elif i is not None:
        yield _problem(f"{path}[{i}]", f" is missing: {shown(expected[i])}", expected=expected[i])
    elif j is not None:
        yield _problem(f"{path}[{j}]", f" was not expected: {shown(actual[j])}", found=actual[j])


def _record_differences(path: str, expected: Any, actual: Any) -> Iterator[Problem]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            where = f"{path}.{key}"
            if key not in actual:
                message = f": expected {shown(expected[key])}, the field is missing"
                yield _problem(where, message, expected=expected[key])
            elif key not in expected:
                yield _problem(where, f": not expected, found {shown(actual[key])}", found=actual[key])
            else:
                yield from _record_differences(where, expected[key], actual[key])
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for i, (one, two) in enumerate(zip(expected, actual, strict=True)):
            yield from _record_differences(f"{path}[{i}]", one, two)
    elif not same(expected, actual):
        message = f": expected {shown(expected, actual)}, found {shown(actual, expected)}"
        yield _problem(path, message, expected, actual)


def _pairs(expected: Sequence[Any], actual: Sequence[Any]) -> list[tuple[int | None, int | None]]:
    """Pair records in order so that as many fields as possible are equal; None for those without a partner."""
    if len(expected) == len(actual) or len(expected) * len(actual) > _PAIRED_AT_MOST:
        paired = min(len(expected), len(actual))
        rest: list[tuple[int | None, int | None]] = [(i, None) for i in range(paired, len(expected))]
        return [*((i, i) for i in range(paired)), *rest, *((None, j) for j in range(paired, len(actual)))]
    best = _scores(expected, actual)
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(expected) and j < len(actual):
        if best[i][j] == best[i + 1][j + 1] + _likeness(expected[i], actual[j]):
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    return [*pairs, *((k, None) for k in range(i, len(expected))), *((None, k) for k in range(j, len(actual)))]


def _scores(expected: Sequence[Any], actual: Sequence[Any]) -> list[list[int]]:
    """Return, for each start in both lists, how alike the best pairing from there on is."""
    best = [[0] * (len(actual) + 1) for _ in range(len(expected) + 1)]
    for i in reversed(range(len(expected))):
        for j in reversed(range(len(actual))):
            paired = best[i + 1][j + 1] + _likeness(expected[i], actual[j])
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    return best


def _likeness(expected: Any, actual: Any) -> int:
    """Return how much two records have in common: 1 for being a pair, 2 more for each field."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return 1 + 2 * sum(key in actual and same(value, actual[key]) for key, value in expected.items())
    return 1


def _is_as(found: Failure, wanted: ExpectedFailure) -> bool:
    return found.code == wanted.code and wanted.path in (None, found.path)


def _unexpected(found: Failure) -> Problem:
    return _problem(f"input[{found.record}]", f" failed: {_told(found)}", found=_told(found))


def _other(wanted: ExpectedFailure, found: Failure) -> Problem:
    expected = f"{wanted.code} at {wanted.path}" if wanted.path else wanted.code
    message = f": expected to fail with {expected}, failed with {_told(found)}"
    return _problem(f"input[{found.record}]", message, expected, _told(found))


def _told(failure: Failure) -> str:
    where = f" at {failure.path}" if failure.path else ""
    return f"{failure.code}{where}: {failure.message}"


def _problem(
    path: str, text: str, expected: Any | UnsetType = UNSET, found: Any | UnsetType = UNSET
) -> Problem:  # fmt: skip
    return Problem(path, f"{path}{text}", expected, found)


def _hint(error: WireError) -> str:
    return f" (hint: {error.hint})" if error.hint else ""

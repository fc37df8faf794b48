"""What the checks of sources and of sinks have in common."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Final

_WORDS: Final = (
    "plain",
    "naïve café",
    "a,b;c",
    'say "so"',
    "back\\slash",
    "tab\tbed",
    "日本語 🙂",
    "' OR 1=1",
    "{}",
    "",
)


def expect(holds: bool, what: str) -> None:
    """Fail the check with `what` was expected, unless it holds."""
    if not holds:
        raise AssertionError(what)


def brief(values: Sequence[bytes | None]) -> str:
    """Show the first of some values, as much of it as helps."""
    first = values[0] if values else None
    return "none" if not values else repr(first if first is None or len(first) < 100 else first[:100] + b"...")


def seeded(seed: int) -> random.Random:
    """Return randomness that can be repeated; whoever uses it names the seed when something fails."""
    return random.Random(seed)  # noqa: S311 (repeatable is the point)


def document(partition: str, number: int, rng: random.Random) -> bytes:
    """Return a JSON object that no other `partition` and `number` gives: 30 bytes to some KiB, without line breaks."""
    word = rng.choice(_WORDS) * rng.choice((1, 1, 1, 3, 300))
    return json.dumps({"partition": partition, "n": number, "word": word}, ensure_ascii=False).encode()


def documents(partition: str, count: int, rng: random.Random) -> list[bytes]:
    """Return the first `count` documents of a partition."""
    return [document(partition, number, rng) for number in range(count)]

"""What a transform is told when it is built."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wire.core.clock import Clock, SystemClock
from wire.core.errors import ConfigError, Finding
from wire.core.paths import child
from wire.pipelines.expressions import Parsed, SelectItem
from wire.pipelines.plan.parsing import parse_at, parse_select_at


@dataclass(frozen=True, slots=True)
class TransformContext:
    """Where the transform's configuration was written (`$.transforms[0].filter`), and what it needs to run.

    `ask` is there under `wire test` alone: it answers in place of a service outside, given the key that the service
    would be asked for, with None where nothing is found. It raises FatalError where the test gives no answers.
    """

    path: str
    clock: Clock = field(default_factory=SystemClock)
    ask: Callable[[Any], Any] | None = None

    def parse(self, text: str, *keys: str | int) -> Parsed:
        """Parse an expression of the configuration; `keys` lead to it from the top. Raises ConfigError."""
        return parse_at(text, self.path_of(*keys))

    def parse_select(self, text: str, *keys: str | int) -> Sequence[SelectItem]:
        """Parse a select list of the configuration, as `parse`."""
        return parse_select_at(text, self.path_of(*keys))

    def mistake(self, message: str, hint: str, *keys: str | int) -> ConfigError:
        """Return the error for a configuration that can't work."""
        finding = Finding(code="config.invalid", path=self.path_of(*keys), message=message, hint=hint)
        return ConfigError([finding])

    def path_of(self, *keys: str | int) -> str:
        """Return the path of a part of the configuration."""
        return functools.reduce(child, keys, self.path)

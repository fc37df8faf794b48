"""What a transform is told when it is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wire.core.clock import Clock, SystemClock
from wire.core.errors import ConfigError, Finding
from wire.pipelines.expressions import Parsed, SelectItem
from wire.pipelines.plan.parsing import parse_at, parse_select_at


@dataclass(frozen=True, slots=True)
class TransformContext:
    """Where the transform's configuration was written (`$.transforms[0].filter`), and what it needs to run."""

    path: str
    clock: Clock = field(default_factory=SystemClock)

    def parse(self, text: str, field: str = "") -> Parsed:
        """Parse an expression of the configuration, in a field of it if it is a mapping. Raises ConfigError."""
        return parse_at(text, f"{self.path}{field and '.'}{field}")

    def parse_select(self, text: str, field: str = "") -> Sequence[SelectItem]:
        """Parse a select list of the configuration, as `parse`."""
        return parse_select_at(text, f"{self.path}{field and '.'}{field}")

    def mistake(self, message: str, hint: str, field: str = "") -> ConfigError:
        """Return the error for a configuration that can't work."""
        path = f"{self.path}{field and '.'}{field}"
        return ConfigError([Finding(code="config.invalid", path=path, message=message, hint=hint)])

"""What a transform is to the planner."""

from __future__ import annotations

from typing import Protocol

from wire.pipelines.plan.builder import Builder


class PlanNode(Protocol):
    """One transform, ready to be made part of a compiled stage."""

    def emit(self, builder: Builder) -> None:
        """Write what happens to one record, in terms of the record's picture as the builder has it now.

        May read files and import code that the transform names, and raises ConfigError or UnavailableError where these
        are at fault. Called once per compiled stage.
        """
        ...

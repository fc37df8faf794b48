"""Commands typed in this process."""

from __future__ import annotations

from tests.unit.cli.remote.typed import typed

__all__ = ["typed"]

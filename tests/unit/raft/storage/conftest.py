"""A snapshot that arrives."""

from __future__ import annotations

import pytest

from tests.unit.raft.storage.snapshot_support import as_sent
from wire.raft.storage.ports import SnapshotInfo


@pytest.fixture
def sample() -> tuple[SnapshotInfo, bytes]:
    """Return a snapshot as another member sends it."""
    return as_sent(9)

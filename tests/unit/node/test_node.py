from __future__ import annotations

import math

from wire.node.config import NodeConfig
from wire.node.leases import LEASE_MS
from wire.node.loading import Loaded
from wire.node.node import worker_settings
from wire.node.renewing import EVERY_S
from wire.worker.worker import PULSE_S


def test_the_workers_of_a_node_that_stands_still_end_before_its_lease_does() -> None:
    pulses = math.ceil(worker_settings(Loaded(NodeConfig(), None)).orphaned_after.s / PULSE_S)
    assert EVERY_S + pulses * PULSE_S < LEASE_MS / 1000


def test_there_is_a_worker_for_each_core_that_workers_may_use() -> None:
    settings = worker_settings(Loaded(NodeConfig(worker_cpus=1), None))
    assert settings.cores is not None
    assert (len(settings.cores), settings.count) == (1, 1)

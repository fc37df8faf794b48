"""Joins the services of a node into what the API needs."""

from __future__ import annotations

from wire.api.ports import Metrics, Services, Taps
from wire.core.clock import Clock
from wire.core.uuids import Uuids
from wire.node.control.asking import Asking
from wire.node.control.health import HealthService
from wire.node.control.members import ClusterService
from wire.node.control.pipelines import PipelineService
from wire.node.control.runs import RunService
from wire.node.control.submissions import Submissions


def services(
    asking: Asking,
    submissions: Submissions,
    uuids: Uuids,
    clock: Clock,
    *,
    cluster_id: str,
    release: str,
    metrics: Metrics,
    taps: Taps,
) -> Services:
    """Return the services of a node that is at work."""
    return Services(
        pipelines=PipelineService(asking, submissions, uuids, clock),
        runs=RunService(asking),
        cluster=ClusterService(asking, cluster_id, release),
        health=HealthService(asking.node),
        metrics=metrics,
        taps=taps,
    )

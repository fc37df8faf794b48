"""Joins the services of a node into what the API needs."""

from __future__ import annotations

from msgspec import Struct

from wire.api.ports import Figures, Metrics, Services, Taps
from wire.core.clock import Clock
from wire.core.uuids import Uuids
from wire.node.calls import ADD, LEAVE, REMOVE, TRANSFER
from wire.node.control.asking import Asking
from wire.node.control.backups import BackupService
from wire.node.control.changing import Changing
from wire.node.control.forwarding import Dial, Forwarding
from wire.node.control.health import HealthService
from wire.node.control.members import ClusterService
from wire.node.control.pipelines import PipelineService
from wire.node.control.runs import RunService
from wire.node.control.submissions import Submissions
from wire.node.control.tokens import TokenService


class About(Struct, frozen=True):
    """What the services of a node say of it: its cluster, and the release of Wire that it runs."""

    cluster_id: str
    release: str


class Sights(Struct, frozen=True):
    """What shows how the work goes: what this node counts, and what all that run tasks see pass and have counted."""

    metrics: Metrics
    taps: Taps
    figures: Figures


def leader(asking: Asking, dial: Dial, clock: Clock, cluster_id: str) -> Forwarding:
    """Return the way to have done what only the leader can do."""
    forwarding, changing = Forwarding(asking, dial, clock), Changing(asking, dial, cluster_id)
    forwarding.carry_out(ADD, changing.add)
    forwarding.carry_out(REMOVE, changing.remove)
    forwarding.carry_out(LEAVE, changing.leave)
    forwarding.carry_out(TRANSFER, changing.transfer_leadership)
    return forwarding


def services(
    asking: Asking,
    forwarding: Forwarding,
    submissions: Submissions,
    uuids: Uuids,
    clock: Clock,
    about: About,
    sights: Sights,
) -> Services:
    """Return the services of a node that is at work."""
    return Services(
        pipelines=PipelineService(asking, submissions, uuids, clock),
        runs=RunService(asking),
        cluster=ClusterService(asking, forwarding, about.cluster_id, about.release),
        backups=BackupService(asking, uuids, about.cluster_id, about.release),
        health=HealthService(asking.node),
        metrics=sights.metrics,
        tokens=TokenService(asking),
        taps=sights.taps,
        figures=sights.figures,
    )

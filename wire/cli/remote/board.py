"""What `wire top` shows: a cluster's nodes and pipelines, which node runs how many tasks, and how fast records go."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from wire.api import views
from wire.cli.remote import rates, showing
from wire.cli.remote.client import Client
from wire.cli.remote.leading import cluster
from wire.cli.remote.rates import Meter, Rate
from wire.cli.terminal import Style, table

_MOST: Final = 30
_STALE: Final = {"consistency": "stale"}


class Row(Struct, frozen=True):
    """One pipeline: how it is, and who runs how many of its tasks."""

    status: views.PipelineStatus
    nodes: Mapping[str, int]


class Board(Struct, frozen=True):
    """One moment of a cluster. `pipelines` are no more than there is room for, `metrics` and `rates` are of all.

    A rate is not there while it is not known, by the pipeline's name.
    """

    cluster: views.Cluster
    pipelines: Sequence[Row]
    metrics: Sequence[views.PipelineFigures]
    rates: Mapping[str, Rate]


def look(client: Client, namespace: str | None, meter: Meter) -> Board:
    """Ask for everything, as the node that answers knows it: without a leader, too."""
    found = cluster(client).to(views.Cluster)
    names = [each.name for each in client.items(*client.pipelines(namespace), **_STALE).to(list[_Named])]
    rows = [_row(client, namespace, name) for name in names[:_MOST]]
    metrics = client.items(*client.within(namespace, "metrics"), **_STALE).to(list[views.PipelineFigures])
    return Board(found, rows, metrics, meter.rates(metrics))


class _Named(Struct, frozen=True):
    name: str


def _row(client: Client, namespace: str | None, name: str) -> Row:
    found = client.get(*client.pipelines(namespace, name, "status"), **_STALE)
    tasks = client.items(*client.pipelines(namespace, name, "tasks"), **_STALE).to(list[views.Task])
    nodes = Counter(each.node for each in tasks if each.node is not None and each.slot >= 0)
    return Row(found.to(views.PipelineStatus), nodes)


def lines(board: Board) -> list[str]:
    """Return it line by line."""
    style = Style(sys.stdout)
    tasks = Counter[str]()
    for row in board.pipelines:
        tasks.update(row.nodes)
    nodes = [
        [each.name, each.role, showing.state_of(each), str(tasks[each.name]),
         "" if each.workers is None else str(each.workers), each.address]
        for each in board.cluster.members
    ]  # fmt: skip
    found = [*showing.cluster_lines(board.cluster), ""]
    found += [*table(["NODE", "ROLE", "STATE", "TASKS", "WORKERS", "ADDRESS"], nodes, style), ""]
    headings = ["PIPELINE", "STATE", "VERSION", "TASKS", "NODES", "IN", "OUT", "LAG", "ERROR"]
    metrics = {each.name: each for each in board.metrics}
    rows = [_cells(row, metrics.get(row.status.name), board.rates.get(row.status.name)) for row in board.pipelines]
    found += table(headings, rows, style)
    more = len(metrics) - len(rows)
    found += [f"and {more} more"] if more > 0 else []
    if missing := rates.unanswered(board.metrics):
        found += ["", style.yellow(f"no answer from {', '.join(missing)}, whose part of IN, OUT and LAG is missing")]
    return found


def _cells(row: Row, metrics: views.PipelineFigures | None, rate: Rate | None) -> list[str]:
    status = row.status
    nodes = ", ".join(f"{node} {number}" for node, number in sorted(row.nodes.items()))
    down = "" if metrics is None or not metrics.sinks_down else f"down: {', '.join(metrics.sinks_down)}"
    error = down if status.error is None else f"{status.error.code}: {status.error.message}"
    tasks, lag = showing.tasks_in_words(status.tasks), rates.lag([] if metrics is None else [metrics]) or "-"
    return [status.name, status.state, str(status.version), tasks, nodes, *rates.in_and_out(rate), lag, error]


def line(board: Board) -> str:
    """Return it in one line."""
    states = Counter(row.status.state for row in board.pipelines)
    live = sum(each.state == "live" for each in board.cluster.members)
    leader = showing.name_of(board.cluster.leader) if board.cluster.leader else "none"
    tasks = sum(row.status.tasks.running for row in board.pipelines)
    received, sent = rates.in_and_out(rates.added_up(board.rates.values()) if board.rates else None)
    missing = rates.unanswered(board.metrics)
    parts = [
        f"leader {leader}",
        f"nodes {live} of {len(board.cluster.members)}",
        f"tasks {tasks} running",
        f"pipelines {', '.join(f'{n} {state}' for state, n in states.items()) or 'none'}",
        f"in {received}",
        f"out {sent}",
        f"lag {rates.lag(board.metrics) or '-'}",
    ]
    return "  ".join([*parts, f"no answer from {', '.join(missing)}"] if missing else parts)

"""What `wire top` shows: a cluster's nodes and pipelines, and which node runs how many tasks."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from wire.api import views
from wire.cli.remote import showing
from wire.cli.remote.client import Client
from wire.cli.remote.leading import cluster
from wire.cli.terminal import Style, table

_MOST: Final = 30
_STALE: Final = {"consistency": "stale"}


class Row(Struct, frozen=True):
    """One pipeline: how it is, and who runs how many of its tasks."""

    status: views.PipelineStatus
    nodes: Mapping[str, int]


class Board(Struct, frozen=True):
    """One moment of a cluster; `more` counts the pipelines there was no room for."""

    cluster: views.Cluster
    rows: Sequence[Row]
    more: int


def look(client: Client, namespace: str | None) -> Board:
    """Ask for everything, as the node that answers knows it: without a leader, too."""
    found = cluster(client).to(views.Cluster)
    names = [each.name for each in client.items(*client.pipelines(namespace), **_STALE).to(list[_Named])]
    return Board(found, [_row(client, namespace, name) for name in names[:_MOST]], max(0, len(names) - _MOST))


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
    for row in board.rows:
        tasks.update(row.nodes)
    nodes = [
        [each.name, each.role, showing.state_of(each), str(tasks[each.name]),
         "" if each.workers is None else str(each.workers), each.address]
        for each in board.cluster.members
    ]  # fmt: skip
    found = [*showing.cluster_lines(board.cluster), ""]
    found += [*table(["NODE", "ROLE", "STATE", "TASKS", "WORKERS", "ADDRESS"], nodes, style), ""]
    headings = ["PIPELINE", "STATE", "VERSION", "TASKS", "NODES", "ERROR"]
    found += table(headings, [_cells(row) for row in board.rows], style)
    return [*found, f"and {board.more} more"] if board.more else found


def _cells(row: Row) -> list[str]:
    status = row.status
    nodes = ", ".join(f"{node} {number}" for node, number in sorted(row.nodes.items()))
    error = "" if status.error is None else f"{status.error.code}: {status.error.message}"
    return [status.name, status.state, str(status.version), showing.tasks_in_words(status.tasks), nodes, error]


def line(board: Board) -> str:
    """Return it in one line."""
    states = Counter(row.status.state for row in board.rows)
    live = sum(each.state != "silent" for each in board.cluster.members)
    leader = showing.name_of(board.cluster.leader) if board.cluster.leader else "none"
    tasks = sum(row.status.tasks.running for row in board.rows)
    parts = [f"leader {leader}", f"nodes {live} of {len(board.cluster.members)}", f"tasks {tasks} running"]
    return "  ".join([*parts, f"pipelines {', '.join(f'{n} {state}' for state, n in states.items()) or 'none'}"])

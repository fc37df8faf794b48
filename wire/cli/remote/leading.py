"""The cluster as the node that leads knows it: only that one knows of all others whether they live."""

from __future__ import annotations

from typing import Final

from wire.api import views
from wire.cli.remote.client import Client, Found
from wire.cli.remote.showing import name_of

CLUSTER: Final = ("api", "v1", "cluster")


def cluster(client: Client) -> Found:
    """Return what the node that leads says of the cluster, or another one if that can't be asked."""
    return client.get_of(_leads, *CLUSTER)


def led_cluster(client: Client) -> Found:
    """Return it once somebody leads, for which there is the patience that was given; or as it is then."""
    return client.look_until(lambda: cluster(client), _is_led, "nobody leads")


def _is_led(found: Found) -> bool:
    return found.to(views.Cluster).leader is not None


def _leads(found: Found) -> bool:
    """Say whether a node says of itself that it leads."""
    leader = found.to(views.Cluster).leader
    return leader is not None and name_of(leader) == found.answer.headers.get("x-wire-served-by")

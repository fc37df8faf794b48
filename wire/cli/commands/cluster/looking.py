"""`wire cluster status` and `members`: the cluster as the node that answers knows it."""

from __future__ import annotations

from wire.api import views
from wire.cli.output import Output, OutputFormat, print_data
from wire.cli.remote import showing
from wire.cli.remote.client import Client
from wire.cli.remote.leading import led_cluster


def status(client: Client, output: Output = OutputFormat.TABLE) -> None:
    """Show the cluster: who leads, and who is in it."""
    showing.show(led_cluster(client), views.Cluster, output, showing.cluster)


def members(client: Client, output: Output = OutputFormat.TABLE) -> None:
    """List the nodes of the cluster."""
    found = led_cluster(client)
    if output is OutputFormat.TABLE:
        showing.members(found.to(views.Cluster).members)
    else:
        print_data(found.plain()["members"], output)

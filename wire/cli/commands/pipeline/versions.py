"""`wire pipeline history`, `diff` and `rollback`: the versions of a pipeline."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from wire.api import views
from wire.cli.commands.pipeline.applying import Start
from wire.cli.commands.pipeline.looking import Name
from wire.cli.output import Output, OutputFormat
from wire.cli.remote import showing
from wire.cli.remote.client import Client
from wire.cli.remote.options import Namespace, Wait
from wire.cli.remote.waiting import until_it_runs
from wire.core.errors import RefusedError


class _Diff(Struct, frozen=True, kw_only=True):
    """What was changed from one version to another."""

    before: int
    after: int
    differences: tuple[showing.Difference, ...]


def history(client: Client, name: Name, namespace: Namespace = None, output: Output = OutputFormat.TABLE) -> None:
    """List the versions that are kept, the newest first."""
    found = client.items(*client.pipelines(namespace, name, "versions"))
    showing.show(found, list[views.Version], output, showing.versions)


def diff(
    client: Client,
    name: Name,
    before: Annotated[
        int | None, typer.Argument(min=1, help="The older version; the one before NEWER unless given.")
    ] = None,
    after: Annotated[
        int | None, typer.Argument(min=1, metavar="NEWER", help="The newer one; the current one unless given.")
    ] = None,
    namespace: Namespace = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show what was changed from one version to another."""
    if after is None:
        after = client.get(*client.pipelines(namespace, name)).to(views.Pipeline).version
    before = before or _version_before(client, name, namespace, after)
    found = client.get(*client.pipelines(namespace, name, "versions", str(after), "diff"), before=str(before))
    showing.show(found, _Diff, output, _tell)


def _version_before(client: Client, name: str, namespace: str | None, version: int) -> int:
    kept = client.items(*client.pipelines(namespace, name, "versions")).to(list[views.Version])
    older = [each.version for each in kept if each.version < version]
    if not older:
        hint = "name two versions; `wire pipeline history NAME` lists those that are kept"
        raise RefusedError("cluster.unknown_version", f"{name} has no version before {version}", hint=hint)
    return max(older)


def _tell(found: _Diff) -> None:
    print(f"from version {found.before} to version {found.after}")
    print("\n".join(showing.differences(found.differences) or ["  no difference"]))


def rollback(
    client: Client,
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="Which version is to be the current one again.")],
    namespace: Namespace = None,
    start: Start = None,
    wait: Wait = False,
) -> None:
    """Make an older version the current one, as a new version."""
    path = client.pipelines(namespace, name)
    body = msgspec.json.encode({"version": version})
    headers = {"content-type": "application/json"}
    found = client.change("POST", *path, "rollback", body=body, headers=headers, start=start).to(views.Pipeline)
    print(f"{found.name}: version {found.version}, which is version {version} again", flush=True)
    if wait:
        until_it_runs(client, path, found.version)

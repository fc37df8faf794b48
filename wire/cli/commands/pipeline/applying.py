"""`wire pipeline apply`: makes pipelines of files, or gives them new versions."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from wire.api import views
from wire.cli.loading import Assignments
from wire.cli.remote import showing
from wire.cli.remote.client import Client
from wire.cli.remote.options import Namespace, Wait
from wire.cli.remote.waiting import until_it_runs
from wire.cli.report import print_error, print_findings
from wire.core.errors import ConfigError, Finding, RefusedError

if TYPE_CHECKING:
    from wire.pipelines.document import Document

_YAML: Final = {"content-type": "application/yaml"}

Start = Annotated[
    str | None,
    typer.Option(
        help="Needed where a new version reads something else: `keep` goes on from the checkpoints all the same, "
        "`configured` starts where the sources say.",
        metavar="WHERE",
    ),
]


class _Plan(Struct, frozen=True, kw_only=True):
    """What applying would do."""

    name: str
    version: int
    created: bool
    changed: bool
    keeps_positions: bool
    differences: tuple[showing.Difference, ...] = ()
    warnings: tuple[Finding, ...] = ()


class _Sent(Struct, frozen=True):
    """A file as it is sent: as it was written, or where values were set on top of it what comes of that."""

    path: Path
    document: Document
    body: bytes
    assigned: bool

    @property
    def name(self) -> str | None:
        """What it calls itself."""
        return self._text("name")

    @property
    def namespace(self) -> str | None:
        """Which namespace it says it belongs to."""
        return self._text("namespace")

    def _text(self, field: str) -> str | None:
        found = self.document.tree.get(field) if isinstance(self.document.tree, dict) else None
        return found if isinstance(found, str) and found else None


def apply(  # noqa: PLR0913 (each is a flag)
    client: Client,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Pipelines, in YAML or JSON.")],
    *,
    namespace: Namespace = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    start: Start = None,
    note: Annotated[str | None, typer.Option(help="Why, for the history.")] = None,
    if_version: Annotated[
        int | None, typer.Option(min=0, help="Only if this is its version by now; 0: if there is no such pipeline.")
    ] = None,
    assignments: Assignments = None,
    wait: Wait = False,
) -> None:
    """Make pipelines of files, or give them new versions. These take over where the ones before had come to."""
    codes = set()
    for file in files:
        try:
            sent = _read(file, assignments or ())
        except ConfigError as exc:
            print_error(exc, str(file), _lines_of(file))
            codes.add(exc.exit_code)
            continue
        try:
            _apply(
                client, sent, namespace, if_version, dry_run=dry_run, wait=wait, query={"start": start, "note": note}
            )
        except (ConfigError, RefusedError) as exc:
            _report(sent, exc)
            codes.add(exc.exit_code)
    if codes:
        raise typer.Exit(max(codes))


def _read(file: Path, assignments: Sequence[str]) -> _Sent:
    from wire.pipelines.document import read

    document = read(file).with_values(assignments)
    body = msgspec.json.encode(document.tree) if assignments else "\n".join(document.lines).encode()
    return _Sent(file, document, body, bool(assignments))


def _apply(
    client: Client,
    sent: _Sent,
    namespace: str | None,
    if_version: int | None,
    *,
    dry_run: bool,
    wait: bool,
    query: Mapping[str, str | None],
) -> None:
    namespace = namespace or sent.namespace
    if sent.name is None:  # the node says what is wrong with it, and with all the rest
        client.change("POST", *client.pipelines(namespace), body=sent.body, headers=_YAML, dry_run="true")
        return
    path = client.pipelines(namespace, sent.name)
    guard = {} if if_version is None else _guard(client, path, if_version)
    asked = {**query, "dry_run": "true" if dry_run else None}
    found = client.change("PUT", *path, body=sent.body, headers=_YAML | guard, **asked)
    if dry_run:
        _tell_plan(sent, found.to(_Plan))
        return
    applied = found.to(views.Applied)
    _warn(sent, applied.warnings)
    print(f"{applied.name}: {_what(applied)}, version {applied.version}", flush=True)
    if wait:
        until_it_runs(client, path, applied.version)


def _guard(client: Client, path: Sequence[str], version: int) -> dict[str, str]:
    """Return the header that holds a pipeline to what it is at this version. Raises RefusedError if it is not."""
    if version == 0:
        return {"if-none-match": "*"}
    now = client.get(*path).to(views.Pipeline)
    if now.version != version:
        message = f"{now.name} is at version {now.version} by now"
        hint = f"`wire pipeline diff {now.name} {version} {now.version}` shows what was changed"
        if version > now.version:
            message = f"{now.name} is at version {now.version}, and never was at {version}"
            hint = f"`wire pipeline history {now.name}` lists its versions"
        raise RefusedError("cluster.revision_changed", message, hint=hint)
    return {"if-match": f'"{now.revision}"'}


def _what(applied: views.Applied) -> str:
    if applied.created:
        return "created"
    return "changed" if applied.changed else "unchanged"


def _tell_plan(sent: _Sent, plan: _Plan) -> None:
    _warn(sent, plan.warnings)
    if plan.created:
        print(f"{plan.name}: would be created")
    elif not plan.changed:
        print(f"{plan.name}: would stay as it is, at version {plan.version}")
    else:
        where = "goes on from the checkpoints" if plan.keeps_positions else "starts anew"
        print(f"{plan.name}: would be changed into version {plan.version}, which {where}")
        print("\n".join(showing.differences(plan.differences)))


def _warn(sent: _Sent, warnings: Sequence[Finding]) -> None:
    print_findings(_placed(sent, warnings), str(sent.path), _lines(sent), sys.stderr)


def _report(sent: _Sent, exc: ConfigError | RefusedError) -> None:
    """Print what the node found wrong, with the lines of the file that it points to."""
    if isinstance(exc, ConfigError):
        exc.findings = tuple(_placed(sent, exc.findings))
    print_error(exc, str(sent.path), _lines(sent))


def _placed(sent: _Sent, findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with their place in the file, which is not what was sent where values were set on top of it."""
    if not sent.assigned:
        return list(findings)
    return [_at_its_place(sent.document, finding) for finding in findings]


def _at_its_place(document: Document, finding: Finding) -> Finding:
    find = document.key_position if finding.code == "config.unknown_key" else document.position
    line, column = find(finding.path) or (None, None)
    return replace(finding, line=line, column=column)


def _lines_of(file: Path) -> Sequence[str]:
    """Return the lines of a file that could not be read as a pipeline, as far as there are some."""
    from wire.pipelines.lint import lint_file

    return lint_file(file).lines


def _lines(sent: _Sent) -> list[str]:
    """Return the file's lines with what may be secret in them masked (I9)."""
    from wire.pipelines.lint.secrets import masked_line

    return [masked_line(line) for line in sent.document.lines]

"""`wire dlq list` and `show`: the dead letters of a pipeline."""

from __future__ import annotations

import asyncio
import base64
import datetime
import os
import sys
from collections import deque
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from msgspec import Struct

from wire.api import views
from wire.cli.loading import Assignments, load
from wire.cli.output import Output, OutputFormat, print_data, print_table
from wire.cli.remote.client import Client
from wire.cli.remote.options import Namespace, with_client
from wire.cli.report import print_findings

if TYPE_CHECKING:
    from wire.core.letters import Letter
    from wire.pipelines.loaded import LoadedPipeline

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at a pipeline's dead letters.")

_WIDEST: Final = 60
_FILES: Final = (".yaml", ".yml", ".json")

Which = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE",
        help="A pipeline's file, or the name of one in a cluster. Either way its letters are read from here.",
    ),
]
Code = Annotated[
    str | None, typer.Option("--code", metavar="PATTERN", help="Only errors of this code; `*` stands for anything.")
]
Count = Annotated[int, typer.Option("--count", min=1, help="How many to show, the newest.")]


class Group(Struct, kw_only=True):
    """Dead letters of one code: how many, from when to when (the records' own time), and the newest error."""

    code: str
    letters: int
    oldest: str
    newest: str
    path: str
    message: str


def list_letters(
    client: Client,
    which: Which,
    code: Code = None,
    namespace: Namespace = None,
    assignments: Assignments = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Count a pipeline's dead letters by error code."""
    pipeline = _pipeline(client, which, namespace, assignments)
    groups: dict[str, Group] = {}
    for letter in asyncio.run(_letters(pipeline, code, None)):
        at = _moment(letter)
        group = groups.get(letter.code)
        if group is None:
            group = groups[letter.code] = Group(code=letter.code, letters=0, oldest=at, newest=at, path="", message="")
        group.letters += 1
        group.newest, group.path, group.message = at, letter.path, letter.message
    found = sorted(groups.values(), key=lambda group: -group.letters)
    if output is not OutputFormat.TABLE:
        print_data(found, output)
    elif found:
        rows = [[g.code, str(g.letters), g.oldest, g.newest, g.path, _short(g.message)] for g in found]
        print_table(["CODE", "LETTERS", "OLDEST", "NEWEST", "PATH", "NEWEST ERROR"], rows)
    else:
        print("no dead letters", file=sys.stderr)


def show_letters(
    client: Client,
    which: Which,
    code: Code = None,
    count: Count = 10,
    namespace: Namespace = None,
    assignments: Assignments = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show a pipeline's newest dead letters: the records as they were, and what was wrong."""
    found = asyncio.run(_letters(_pipeline(client, which, namespace, assignments), code, count))
    if output is not OutputFormat.TABLE:
        print_data([_data(letter) for letter in found], output)
    elif found:
        for letter in found:
            tried = f"  after {letter.attempts} attempts" if letter.attempts > 1 else ""
            print(f"{_moment(letter)}  {letter.source}{tried}")
            print(f"  {letter.code}{f' at {letter.path}' if letter.path else ''}: {letter.message}")
            print(f"  {_text(letter.record.value)}")
    else:
        print("no dead letters", file=sys.stderr)


def _pipeline(client: Client, which: str, namespace: str | None, assignments: Sequence[str] | None) -> LoadedPipeline:
    """Return what is in a file, or what a cluster runs. Exits with 2 where that can't be used here."""
    if which.endswith(_FILES) or os.path.isfile(which):
        return load(Path(which), assignments).require()
    spec = client.get(*client.pipelines(namespace, which)).to(views.Pipeline).spec
    from wire.pipelines.lint import lint

    result = lint(bytes(spec).decode(), assignments=assignments or ())
    print_findings(result.findings, which, result.lines, sys.stderr)
    if result.pipeline is None:
        raise typer.Exit(2)
    return result.pipeline


async def _letters(pipeline: LoadedPipeline, code: str | None, newest: int | None) -> list[Letter]:
    """Return the letters of a code in order of their records' time, only so many of the newest."""
    from wire.cli.logs import log_to_stderr
    from wire.pipelines.letters import dead_letters

    log_to_stderr()
    found = [each async for each in dead_letters(pipeline) if code is None or fnmatchcase(each.code, code)]
    found.sort(key=lambda letter: letter.record.ts_ms)
    return found if newest is None else list(deque(found, newest))


def _moment(letter: Letter) -> str:
    at = datetime.datetime.fromtimestamp(letter.record.ts_ms / 1000, datetime.UTC)
    return at.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _text(value: bytes | None) -> str:
    return "(no value)" if value is None else value.decode(errors="backslashreplace")


def _data(letter: Letter) -> dict[str, Any]:
    """Return a letter for programs: the value as text where it is that, else in base64."""
    value: dict[str, Any] = {"value": None}
    if letter.record.value is not None:
        try:
            value = {"value": letter.record.value.decode()}
        except UnicodeDecodeError:
            value = {"value_base64": base64.b64encode(letter.record.value).decode()}
    about = {name: getattr(letter, name) for name in ("code", "message", "path", "source", "attempts", "pipeline")}
    return {**about, "version": letter.version, "at": _moment(letter), **value}


app.command("list")(with_client(list_letters))
app.command("show")(with_client(show_letters))

"""`wire doctor`: is everything here that a pipeline needs?"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from msgspec import Struct

from wire.cli.loading import Assignments
from wire.cli.numbers import size
from wire.cli.output import Output, OutputFormat, print_data, print_table
from wire.core.errors import WireError
from wire.core.plugins import ComponentContext

if TYPE_CHECKING:
    from wire.pipelines.loaded import Component, LoadedPipeline

app = typer.Typer(add_completion=False)

_DISTRIBUTION: Final = "wire-cluster"
_OLDEST_PYTHON: Final = (3, 11)
_PATIENCE_S: Final = 10.0
_LITTLE_SPACE: Final = 1 << 30
_NOT_FOR_RUNNING: Final = ("test", "dev", "all")


class Check(Struct, frozen=True):
    """One thing that was looked at. `missing` is worse than `optional`, which only says what could be had."""

    check: str
    status: Literal["ok", "optional", "missing"]
    detail: str


@app.command()
def doctor(
    file: Annotated[
        Path | None, typer.Argument(metavar="PIPELINE", help="Also look whether this pipeline can reach its ends.")
    ] = None,
    state_dir: Annotated[Path, typer.Option(help="The folder where progress is to be kept.")] = Path("wire-data"),
    assignments: Assignments = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Look whether everything that is needed is here. Exits with 3 if something is missing."""
    checks = [_python(), *_packages(), _folder(state_dir)]
    if file is not None:
        checks += _pipeline(file, assignments or [])
    if output is OutputFormat.TABLE:
        print_table(["CHECK", "STATUS", "DETAIL"], [[check.check, check.status, check.detail] for check in checks])
    else:
        print_data(checks, output)
    if any(check.status == "missing" for check in checks):
        raise typer.Exit(3)


def _python() -> Check:
    detail = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", "missing", f"{detail}; Wire needs 3.11 or newer")
    return Check("python", "ok", detail)


def _packages() -> Iterator[Check]:
    """Check every package Wire names, those of its extras as optional."""
    for line in importlib.metadata.requires(_DISTRIBUTION) or []:
        name, extra = re.match(r"[\w.-]+", line), re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name is None or name[0] == _DISTRIBUTION or (extra and extra[1] in _NOT_FOR_RUNNING):
            continue
        yield _package(name[0], extra[1] if extra else None)


def _package(name: str, extra: str | None) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        if extra:
            return Check(name, "optional", f"not installed; pip install '{_DISTRIBUTION}[{extra}]' if you need {extra}")
        if name == "uvloop":
            return Check(name, "optional", f"not installed; pip install {name} makes pipelines faster")
        return Check(name, "missing", f"not installed; pip install {name}")


def _folder(path: Path) -> Check:
    """Look whether progress can be kept, without making the folder."""
    existing = next(folder for folder in [path.absolute(), *path.absolute().parents] if folder.exists())
    if not existing.is_dir():
        return Check("state folder", "missing", f"{existing} is not a folder; choose another with --state-dir")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check("state folder", "missing", f"{existing} is not writable; choose another with --state-dir")
    free = shutil.disk_usage(existing).free
    detail = f"{path}, {size(free)} free"
    return Check("state folder", "optional" if free < _LITTLE_SPACE else "ok", detail)


def _pipeline(path: Path, assignments: list[str]) -> list[Check]:
    from wire.pipelines.lint import lint_file

    result = lint_file(path, assignments=assignments)
    if result.pipeline is None:
        detail = f"{len(result.errors)} mistakes; `wire lint {path}` shows them"
        return [Check(str(path), "missing", detail)]
    return [Check(str(path), "ok", "valid"), *asyncio.run(_reach(result.pipeline))]


async def _reach(pipeline: LoadedPipeline) -> list[Check]:
    checks = [await _source(source, pipeline.spec.name) for source in pipeline.sources]
    ends: list[tuple[str, Component]] = [(f"sink {sink.name}", sink) for sink in pipeline.sinks]
    if pipeline.dead_letter:
        ends.append(("dead letters", pipeline.dead_letter))
    return [*checks, *[await _broker(name, address) for name, sink in ends for address in _addresses(sink)]]


async def _source(component: Component, pipeline: str) -> Check:
    """Ask a source for its partitions, as the first thing a run would do."""
    name = f"source {component.name}"
    try:
        source = component.plugin.build(component.config, ComponentContext(pipeline=pipeline, name=component.name))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await source.partitions()
        finally:
            await source.close()
    except WireError as exc:
        return Check(name, "missing", f"{exc.message}{f' ({exc.hint})' if exc.hint else ''}")
    except TimeoutError:
        return Check(name, "missing", f"no answer within {_PATIENCE_S:g} s")
    return Check(name, "ok", f"reachable, {len(found)} partition{'' if len(found) == 1 else 's'}")


def _addresses(component: Component) -> list[str]:
    servers = getattr(component.config, "bootstrap_servers", [])
    return servers.split(",") if isinstance(servers, str) else list(servers)


async def _broker(name: str, address: str) -> Check:
    host, _, port = address.strip().rpartition(":")
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except TimeoutError:
        return Check(name, "missing", f"{address} did not answer within {_PATIENCE_S:g} s")
    except (OSError, ValueError) as exc:  # a ValueError is about the port
        reason = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else str(exc)
        return Check(name, "missing", f"{address} can't be reached: {reason.lower()}")
    writer.close()
    return Check(name, "ok", f"{address} answers")

"""`wire doctor`: is everything here that a pipeline needs?"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from wire.cli.checks import Check, folder
from wire.cli.loading import Assignments
from wire.cli.output import Output, OutputFormat, print_data, print_table
from wire.core.errors import FatalError, Finding
from wire.core.plugins import missing_dependency

app = typer.Typer(add_completion=False)

_DISTRIBUTION: Final = "wire-cluster"
_FEW_DAYS: Final = 14
_OLDEST_PYTHON: Final = (3, 11)
_NOT_FOR_RUNNING: Final = ("test", "dev", "all")


@app.command()
def doctor(
    file: Annotated[
        Path | None, typer.Argument(metavar="PIPELINE", help="Also look whether this pipeline can reach its ends.")
    ] = None,
    state_dir: Annotated[Path, typer.Option(help="The folder where progress is to be kept.")] = Path("wire-data"),
    certs: Annotated[
        list[Path] | None, typer.Option("--cert", help="Also look how long this certificate is good; may be repeated.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Also look at this configuration of a node, and at the certificates it names.")
    ] = None,
    assignments: Assignments = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Look whether everything that is needed is here. Exits with 3 if something is missing."""
    checks = [_python(), *_packages(), folder("state folder", state_dir, "choose another with --state-dir")]
    checks += [_certificate(path) for path in certs or ()]
    if config is not None:
        checks += _node(config)
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


def _certificate(path: Path) -> Check:
    """Look how long a certificate is good. One that expires soon is worth renewing: nodes notice it by themselves."""
    try:
        from wire.node.certificates import validity_of
    except ModuleNotFoundError as exc:
        raise missing_dependency("wire doctor --cert", "cluster", exc) from exc
    try:
        validity = validity_of(path.read_bytes())
    except OSError as exc:
        return Check(str(path), "missing", f"it can't be read: {(exc.strerror or str(exc)).lower()}")
    except FatalError as exc:
        return Check(str(path), "missing", exc.message)
    days = validity.days_left(datetime.now(UTC))
    detail = f"good until {validity.ends:%Y-%m-%d}"
    if days <= 0:
        return Check(str(path), "missing", f"it has expired: {detail}; renew it with `wire certs issue … --replace`")
    if days < _FEW_DAYS:
        return Check(
            str(path), "optional", f"{detail}, {days:.0f} more days; renew it with `wire certs issue … --replace`"
        )
    return Check(str(path), "ok", detail)


def _node(path: Path) -> list[Check]:
    """Look at a node's configuration: whether a node would start with it, and how long its certificates are good."""
    try:
        from wire.node.credentials import load_contexts
        from wire.node.loading import NodeConfigError, load
    except ModuleNotFoundError as exc:
        raise missing_dependency("wire doctor --config", "cluster", exc) from exc
    try:
        config = load({"config": str(path)}, os.environ).config
    except NodeConfigError as exc:
        return [Check(str(path), "missing", f"{_first(exc.findings)}; `wire serve --config {path}` says what to do")]
    tls = config.tls
    if tls is None:
        return [Check(str(path), "ok", "valid, without certificates")]
    certificates = [_certificate(tls.ca), _certificate(tls.cert)]
    try:
        load_contexts(tls, config.name)
    except FatalError as exc:
        return [Check(str(path), "missing", f"{exc.message}; {exc.hint}"), *certificates]
    return [Check(str(path), "ok", "valid"), *certificates]


def _first(findings: Sequence[Finding]) -> str:
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    return f"{findings[0].message}{more}"


def _pipeline(path: Path, assignments: list[str]) -> list[Check]:
    from wire.cli.reach import ends
    from wire.pipelines.lint import lint_file

    result = lint_file(path, assignments=assignments)
    if result.pipeline is None:
        detail = f"{_first(result.errors)}; `wire lint {path}` says what to do"
        return [Check(str(path), "missing", detail)]
    return [Check(str(path), "ok", "valid"), *asyncio.run(ends(result.pipeline))]

"""What a cluster answered, as tables and in words."""

from __future__ import annotations

import base64
import datetime
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct

from wire.api import views
from wire.cli.numbers import count
from wire.cli.output import OutputFormat, print_data, print_table
from wire.cli.terminal import Style

if TYPE_CHECKING:
    from wire.cli.remote.client import Found

T = TypeVar("T")

_LONGEST: Final = 60
_PARTITIONS: Final = 4


def show(found: Found, kind: type[T], output: OutputFormat, tell: Callable[[T], None]) -> None:
    """Print what was found: for people as `tell` does, else all of it as data."""
    if output is OutputFormat.TABLE:
        tell(found.to(kind))
    else:
        print_data(found.plain(), output)


def moment(at: datetime.datetime | None) -> str:
    """Return a time in UTC, nothing where there is none."""
    return "" if at is None else f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%SZ}"


def pipelines(found: Sequence[views.Pipeline]) -> None:
    """Print pipelines."""
    rows = [
        [each.name, str(each.version), each.state, each.desired, moment(each.updated_at), _error(each.error)]
        for each in found
    ]
    print_table(["NAME", "VERSION", "STATE", "DESIRED", "CHANGED", "ERROR"], rows)


def pipeline(found: views.Pipeline) -> None:
    """Print a pipeline with its spec."""
    import yaml

    print(f"# {found.name}: {found.state}, version {found.version}, revision {found.revision}")
    print(f"# made {moment(found.created_at)}, changed {moment(found.updated_at)}")
    for line in _trouble(found.version, found.error, found.fell_back_from):
        print(f"# {line}")
    print(yaml.safe_dump(msgspec.json.decode(found.spec), sort_keys=False, allow_unicode=True), end="")


def status(found: views.PipelineStatus, counted: Sequence[tuple[str, str]]) -> list[str]:
    """Return how a pipeline is, line by line, with what was counted of its records."""
    style = Style(sys.stdout)
    paint = {"running": style.green, "done": style.green, "failed": style.red}.get(found.state, style.yellow)
    rows = [("version", str(found.version))]
    if found.job is not None:
        rows.append(("job", f"{found.job.id}, since {moment(found.job.started_at)}"))
    rows += [
        ("tasks", tasks_in_words(found.tasks)),
        ("nodes", ", ".join(found.nodes) or "none"),
        *([("files on", _home(found, found.home))] if found.home else []),
        *counted,
        ("checkpoints", count(found.checkpoints)),
    ]
    lines = [f"{style.bold(found.name)}: {paint(found.state)}", *(f"  {name:<13}{text}" for name, text in rows)]
    return [*lines, *(f"  {style.red(line)}" for line in _trouble(found.version, found.error, found.fell_back_from))]


def _home(found: views.PipelineStatus, home: str) -> str:
    waits = found.tasks.waiting and not found.tasks.running
    return f"{home}, which it waits for: it is away, or drains" if waits else home


def status_line(found: views.PipelineStatus) -> str:
    """Return how a pipeline is, in one line."""
    return "  ".join([work_line(found), *_trouble(found.version, found.error, found.fell_back_from)])


def work_line(found: views.PipelineStatus) -> str:
    """Return what a pipeline does, in one line, without what went wrong."""
    parts = [found.state, f"version {found.version}", f"tasks {tasks_in_words(found.tasks)}"]
    return "  ".join([*parts, f"nodes {', '.join(found.nodes)}"] if found.nodes else parts)


def state_of(found: views.Member) -> str:
    """Return how a node is: `live, drains`."""
    parting = "leaves" if found.leaving else "drains" if found.draining else ""
    return f"{found.state}, {parting}" if parting else found.state


def tasks_in_words(found: views.TaskCounts) -> str:
    """Return how many tasks do what: `2 running, 1 waiting`."""
    counts = {"running": found.running, "waiting": found.waiting, "moving": found.moving, "ended": found.ended}
    return ", ".join(f"{number} {state}" for state, number in counts.items() if number) or "none"


def versions(found: Sequence[views.Version]) -> None:
    """Print the versions of a pipeline."""
    rows = [[str(each.version), moment(each.created_at), each.author, _marks(each), each.note] for each in found]
    print_table(["VERSION", "MADE", "BY", "", "NOTE"], rows)


def _marks(version: views.Version) -> str:
    return ", ".join(name for name in ("current", "proven") if getattr(version, name))


class Difference(Struct, frozen=True):
    """One place in which two specs differ; None is nothing there."""

    path: str
    before: Any = None
    after: Any = None


def differences(found: Sequence[Difference]) -> list[str]:
    """Return in which places two specs differ, line by line."""
    style = Style(sys.stdout)
    lines = []
    for each in found:
        lines.append(f"  {each.path}")
        lines += [style.red(f"  - {line}") for line in _value(each.before)]
        lines += [style.green(f"  + {line}") for line in _value(each.after)]
    return lines


def _value(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str) and "\n" in value:
        return value.splitlines()
    return [msgspec.json.encode(value).decode()]


def tasks(found: Sequence[views.Task]) -> None:
    """Print tasks."""
    rows = [
        [each.job_id, _slot(each.slot), each.state, each.node or "", _target(each), str(each.epoch), _share(each)]
        for each in found
    ]
    print_table(["JOB", "TASK", "STATE", "NODE", "MOVES TO", "EPOCH", "PARTITIONS"], rows)


def _slot(slot: int) -> str:
    return "discovery" if slot < 0 else str(slot)


def _target(task: views.Task) -> str:
    return task.target if task.target is not None and task.target != task.node else ""


def _share(task: views.Task) -> str:
    named = [f"{each.source}/{each.partition}" for each in task.partitions]
    more = len(named) - _PARTITIONS
    return ", ".join(named[:_PARTITIONS]) + (f" and {more} more" if more > 0 else "")


def checkpoints(found: Sequence[views.Checkpoint]) -> None:
    """Print checkpoints."""
    rows = [
        [each.source, each.partition, str(each.generation), str(each.seq), _position(each.position)] for each in found
    ]
    print_table(["SOURCE", "PARTITION", "GENERATION", "SEQ", "POSITION"], rows)


def kept(found: Sequence[views.KeptCheckpoints]) -> None:
    """Print which pipelines have left checkpoints."""
    rows = [[each.name, count(each.checkpoints), moment(each.deleted_at), each.deleted_by] for each in found]
    print_table(["NAME", "CHECKPOINTS", "DELETED", "BY"], rows)


def _position(position: bytes) -> str:
    """Return a position as it is where that can be read, else in base64."""
    text = position.decode(errors="replace")
    shown = text if text.isprintable() and "\ufffd" not in text else base64.b64encode(position).decode()
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def cluster(found: views.Cluster) -> None:
    """Print the cluster and who is in it."""
    print("\n".join([*cluster_lines(found), ""]))
    members(found.members)


def cluster_lines(found: views.Cluster) -> Iterator[str]:
    """Give what holds for the cluster as a whole."""
    style = Style(sys.stdout)
    voters = sum(each.role != "nonvoter" for each in found.members)
    leader = name_of(found.leader) if found.leader else style.red("none now: most nodes must be up to agree on one")
    yield f"cluster  {found.cluster_id}"
    yield f"leader   {leader}, term {found.term}"
    yield f"nodes    {len(found.members)}, of which {voters} vote"


def name_of(id_: str) -> str:
    """Return a node's name: what its id begins with."""
    return id_.partition("/")[0]


def members(found: Sequence[views.Member]) -> None:
    """Print nodes."""
    print_table(["NODE", "ROLE", "STATE", "ADDRESS", "WORKERS", "RELEASE", "LABELS"], [_member(each) for each in found])


def _member(found: views.Member) -> list[str]:
    return [
        found.name,
        found.role,
        state_of(found),
        found.address,
        "" if found.workers is None else str(found.workers),
        found.release or "",
        ",".join(f"{key}={value}" for key, value in (found.labels or {}).items()),
    ]


def _error(error: views.ErrorView | None) -> str:
    return "" if error is None else f"{error.code}: {error.message}"


def _trouble(version: int, error: views.ErrorView | None, fell_back_from: int | None) -> Iterator[str]:
    """Say what went wrong, and what became of it."""
    if fell_back_from is not None:
        yield f"version {fell_back_from} failed, and version {version} took over again"
    if error is not None:
        where = f" at {error.path}" if error.path else ""
        yield f"error[{error.code}]{where}: {error.message}"
        if error.hint:
            yield f"hint: {error.hint}"

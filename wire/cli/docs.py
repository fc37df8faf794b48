"""Writes the reference pages from what the code says of itself: `python -m wire.cli.docs docs/reference`.

Only components that come with Wire are written; `wire describe` knows those of other packages too.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from wire.cli import main
from wire.core import plugins
from wire.core.codes import CODES
from wire.node.config import NodeConfig
from wire.node.metrics.declarations import ALL as METRICS
from wire.pipelines.describe import FieldDoc, describe, example
from wire.pipelines.expressions.reference import reference
from wire.pipelines.spec import PipelineSpec

_NOTE: Final = "<!-- Written by `make docs` from the code. Change it there. -->"
_KINDS: Final[tuple[plugins.Kind, ...]] = ("source", "sink", "transform")
_HELP_COLUMNS: Final = 100

_SPEC: Final = """\
A pipeline is one YAML or JSON document. `wire lint` finds every mistake in it, `wire schema` prints its JSON Schema for
editors, `wire new` writes one to start from.

```yaml
name: delayed-flights
source:
  type: kafka
  config: {bootstrap_servers: [localhost:9092], topic: flights}
transforms:
  - filter: "dep_delay > 15"
  - select: "*, dep_delay * 60 AS delay_s, upper(carrier) AS carrier"
sink:
  type: file
  config: {path: out/delayed.jsonl}
on_error:
  policy: dead_letter
  sink: {type: file, config: {path: out/dead.jsonl}}
tests:
  - input: [{dep_delay: 20, carrier: ua}]
    output: [{dep_delay: 20, carrier: UA, delay_s: 1200}]
```

- `sources:` and `sinks:` are lists of what `source:` and `sink:` take, where several are needed, each with a `name`.
- Durations (`5ms`, `30s`, `1h30m`) and sizes (`64KiB`, `10MB`) have units.
- `${env:NAME}` and `${file:PATH}` are replaced where the pipeline runs, in the configuration of sources, transforms and
  sinks. What they stand for is never stored or shown. An expression can't hold one.
- Scalars follow YAML 1.2: `yes`, `no`, `on` and `off` are text, as are dates. No key may be given twice, and tags are
  refused.
- `--set key=value` on the command line sets a value on top of the file: `--set source.config.topic=test`.
"""

_NODE: Final = """\
Every field can be given in three ways, which go by one name: `data_dir` in the file, `WIRE_DATA_DIR` in the
environment, `--data-dir` on the command line. A flag is worth more than a variable, that more than the file, and that
more than the default. The file is named by `--config` or `WIRE_CONFIG`.

```yaml
node_id: node-1
listen: 10.0.0.5:4001
join: [10.0.0.6:4001, 10.0.0.7:4001]
bootstrap_expect: 3
ca: certs/ca.pem
cert: certs/node-1.pem
key: certs/node-1.key
labels: {zone: a}
```

- On the command line and in the environment, lists are separated by commas (`--join 10.0.0.6:4001,10.0.0.7:4001`),
  mappings too (`--labels zone=a,disk=ssd`); a flag of a list may also be repeated.
- In the environment, `WIRE_INSECURE` is `true` or `false`. An empty variable is as good as none.
- `wire schema node` prints the JSON Schema of the file, for editors.

## Getting into a cluster

A node belongs to a cluster from the first time on; what follows is for one whose data folder is empty.

- **Alone.** Without `join` and `bootstrap_expect` it founds a cluster of its own.
- **Together.** With `bootstrap_expect: 3` and the addresses of all three in `join` (its own may be among them), the
  same on each, they found one cluster as soon as all three are there and blank. Where one of them belongs to a
  cluster already the others join that: so the flags can stay as they are for ever, and a node that lost its disk
  comes back. It founds nothing while it does not reach all the others. If all of them lose their disks at once they
  found a new cluster, also while nodes live that joined the old one later.
- **Joining.** With `join` alone it asks these nodes, one after the other and again, until one lets it in.

While it waits, `/readyz` says what for, in lines that begin with `[-]`, and so does the log.

A node shows a certificate of the cluster's authority, which is enough unless the members say `join_requires: token`.
A token is no substitute for one, and is always looked at where it is given. `POST /api/v1/cluster/tokens` makes one:
for an hour and one node, unless it says otherwise (`{"expires": "10m", "uses": 3}`). The newcomer is given it as
`WIRE_JOIN_TOKEN`, which other users of the machine don't see, as they do a flag. With `insecure` and without tokens,
whoever reaches the port can join.
Nodes that found a cluster together have no cluster yet that could know a token: they go by their certificates. One
that lost its disk joins like any other, and is asked for a token where the others are.
"""


def pages() -> dict[str, str]:
    """Return all pages by their path below the reference's folder."""
    found = {"pipeline.md": _pipeline(), "node.md": _node(), "codes.md": _codes(), "cli.md": _cli()}
    found["expressions.md"] = reference()
    found["metrics.md"] = _metrics()
    components = {kind: _components(kind) for kind in _KINDS}
    for kind, named in components.items():
        found.update({f"{kind}s/{name}.md": _component(name, plugin) for name, plugin in named.items()})
    return {"README.md": _index(components), **found}


def _components(kind: plugins.Kind) -> dict[str, plugins.Plugin]:
    loaded = {name: plugins.load(kind, name) for name in plugins.names(kind)}
    return {name: plugin for name, plugin in loaded.items() if plugin.build.__module__.startswith("wire.")}


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _NOTE, *(part.strip("\n") for part in parts if part)]) + "\n"


def _index(components: Mapping[plugins.Kind, Mapping[str, plugins.Plugin]]) -> str:
    links = [
        "- [The pipeline specification](pipeline.md)",
        "- [The expression language](expressions.md)",
        "- [The configuration of a node](node.md)",
        "- [The command line](cli.md)",
        "- [Error codes](codes.md)",
        "- [Metrics](metrics.md)",
    ]
    parts = ["\n".join(links)]
    for kind, named in components.items():
        rows = [[f"[{name}]({kind}s/{name}.md)", plugin.summary] for name, plugin in named.items()]
        parts.append(f"## {kind.capitalize()}s\n\n{_table([kind, 'what it does'], rows)}")
    return _page("Reference", *parts)


def _pipeline() -> str:
    return _page("The pipeline specification", _SPEC, "## Fields", _fields(describe(PipelineSpec)))


def _node() -> str:
    return _page("The configuration of a node", _NODE, "## Fields", _fields(describe(NodeConfig)))


def _codes() -> str:
    areas = sorted({code.partition(".")[0] for code in CODES})
    intro = "Every error has a code. Codes are part of Wire's interface: they are added, never renamed or reused."
    parts = [intro]
    for area in areas:
        rows = [[f"`{code}`", meaning] for code, meaning in sorted(CODES.items()) if code.startswith(f"{area}.")]
        parts.append(f"## {area}\n\n{_table(['code', 'meaning'], rows)}")
    return _page("Error codes", *parts)


def _metrics() -> str:
    intro = (
        "What a node answers at `/metrics`, besides what the system says of its process (`process_*`). "
        "[Observability](../observability.md) says how to scrape it and what to look at."
    )
    rows = [[f"`{m.name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels), m.help] for m in METRICS]
    return _page("Metrics", intro, _table(["metric", "kind", "labels", "what it says"], rows))


def _cli() -> str:
    intro = (
        "Data goes to standard output, everything else to standard error. Exit codes: 0 fine, 1 failed at run time, "
        "2 invalid input, 3 something around it is missing (a server, a library, a right).\n\n"
        "`pipeline`, `cluster` and `top` ask a cluster, at `http://127.0.0.1:4001` unless something else is said: by "
        "`--server` or `--context`, by the variables `WIRE_SERVER` or `WIRE_CONTEXT`, or by the context that is in use."
    )
    first, *helps = _helps(typer.main.get_command(main.app), main.PROGRAM, None)
    return _page("The command line", intro, first[1], *(f"## {path}\n\n{text}" for path, text in helps))


def _helps(command: Any, name: str, above: Any) -> Iterator[tuple[str, str]]:
    """Give what `--help` of a command and of those below it prints, in plain text whatever this runs on."""
    width = {"terminal_width": _HELP_COLUMNS} if above is None else {}
    context = command.context_class(command, info_name=name, parent=above, **width, **command.context_settings)
    command.rich_markup_mode = None
    lines = (line.rstrip() for line in command.get_help(context).strip("\n").splitlines())
    yield context.command_path, "```text\n" + "\n".join(lines) + "\n```"
    if hasattr(command, "list_commands"):
        for below in command.list_commands(context):
            yield from _helps(command.get_command(context, below), below, context)


def _component(name: str, plugin: plugins.Plugin) -> str:
    parts = [plugin.summary]
    if plugin.extra:
        parts.append(f"Needs `pip install 'wire-cluster[{plugin.extra}]'`.")
    parts += [f"```yaml\n{example(name, plugin)}```", _prose(plugin)]
    fields = describe(plugin.config)
    if fields and not fields[0].name:
        parts.append(f"Configuration: {fields[0].type}. {fields[0].description}".strip())
        fields = fields[1:]
    if fields:
        parts += ["## Fields", _fields(fields)]
    return _page(f"{name} ({plugin.kind})", *parts)


def _prose(plugin: plugins.Plugin) -> str:
    """Return what the component's author wrote: of a transform its module says it, of others its configuration."""
    if plugin.kind == "transform":
        module = sys.modules[plugin.build.__module__]
        return inspect.cleandoc(module.__doc__ or "").partition("\n\n")[2]
    return inspect.cleandoc(plugin.config.__doc__ or "")


def _fields(fields: Sequence[FieldDoc]) -> str:
    rows = [[f"`{field.name}`", field.type, _default(field), field.description] for field in fields]
    return _table(["field", "type", "default", "description"], rows)


def _default(field: FieldDoc) -> str:
    if field.required:
        return "required"
    return f"`{field.default}`" if field.default else ""


def _table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")


def write(folder: Path) -> None:
    """Write all pages, and remove those of components that are gone."""
    written = pages()
    for kind in _KINDS:
        for page in (folder / f"{kind}s").glob("*.md"):
            if f"{kind}s/{page.name}" not in written:
                page.unlink()
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))

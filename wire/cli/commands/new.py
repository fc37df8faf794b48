"""`wire new`: a pipeline to start from, written out with comments."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from wire.core import plugins
from wire.core.config import fields_of, parse, suggest
from wire.core.errors import ConfigError, Finding
from wire.core.formats import CsvFormat, Format

app = typer.Typer(add_completion=False)

_TEMPLATE: Final = """\
# {source} → {sink}: check it with `wire lint`, test it with `wire test`, run it with `wire run`.
name: {name_text}

{source_text}
{transforms}
{sink_text}
# Records that can't be processed are kept here, with the reason.
on_error:
  policy: dead_letter
  sink: {{type: file, config: {{path: dead-letters/{name}.jsonl}}}}
{tests}"""

_TRANSFORMS: Final = """\
# What happens to the records in between; `wire list transforms` shows what there is.
# transforms:
#   - filter: "amount > 100"
#   - select: "*, upper(country) AS country"
"""

_TRANSFORMS_OF: Final = {
    ("mongodb", "elasticsearch"): _TRANSFORMS.replace(
        "# transforms:\n", "transforms:\n  - drop: [_id] # Elasticsearch keeps the id beside the document, not in it\n"
    )
}
"""By source and sink: the transforms without which no record would get through."""

_WITHOUT_KEYS: Final = ("file", "generate", "http", "stdin")
_KEY_AS_ID: Final = "    id: meta_key()\n"
_ID: Final = "    # id: \"country || '/' || number\" # without one, every record is a document of its own\n"

_TESTS: Final = """
# tests:
#   - input: [{amount: 120, country: de}]
#     output: [{amount: 120, country: DE}]
"""


def _sources() -> list[str]:
    return list(plugins.names("source"))


def _sinks() -> list[str]:
    return list(plugins.names("sink"))


@app.command()
def new(
    source: Annotated[
        str, typer.Argument(help="A source such as kafka, or both as in kafka-to-file.", autocompletion=_sources)
    ],
    sink: Annotated[str | None, typer.Argument(help="A sink such as file.", autocompletion=_sinks)] = None,
    sample: Annotated[
        Path | None, typer.Option(help="A file to read; the types of its columns are proposed from its rows.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The pipeline's name.", show_default="SOURCE-to-SINK")] = None,
) -> None:
    """Print a pipeline to start from. As in `wire new kafka file > pipeline.yaml`."""
    source, sink = _pair(source, sink)
    called = f"{source}-to-{sink}" if name is None else _name(name)
    texts = {
        "transforms": _TRANSFORMS_OF.get((source, sink), _TRANSFORMS),
        "tests": _TESTS,
        "source_text": _example("source", source),
    }
    texts |= {"name": called, "name_text": _text(called), "sink_text": _example("sink", sink)}
    if source in _WITHOUT_KEYS:
        texts["sink_text"] = texts["sink_text"].replace(_KEY_AS_ID, _ID)
    if sample is not None:
        texts.update(_from_sample(source, sample))
    print(_TEMPLATE.format(source=source, sink=sink, **texts), end="")


def _pair(source: str, sink: str | None) -> tuple[str, str]:
    if sink is None:
        source, _, sink = source.partition("-to-")
    if not sink:
        raise _mistake("expected a source and a sink", "as in `wire new kafka file` or `wire new kafka-to-file`")
    for kind, name, known in (("source", source, _sources()), ("sink", sink, _sinks())):
        if name not in known:
            raise _mistake(f"no {kind} is called `{name}`", suggest(name, known) or f"installed: {', '.join(known)}")
    return source, sink


def _name(name: str) -> str:
    from wire.pipelines.spec import PipelineSpec

    findings: list[Finding] = []
    (kind,) = (field.type for field in fields_of(PipelineSpec) if field.name == "name")
    if parse(kind, name, "--name", findings) is None:
        raise ConfigError(findings)
    return name


def _mistake(message: str, hint: str) -> ConfigError:
    return ConfigError([Finding(code="config.unknown_component", path="$", message=message, hint=hint)])


def _example(kind: plugins.Kind, name: str) -> str:
    from wire.pipelines.describe import example

    return example(name, plugins.load(kind, name))


def _from_sample(source: str, path: Path) -> dict[str, str]:
    from wire.cli.sample import look_at

    if source != "file":
        raise _mistake(f"--sample goes with the source `file`, not `{source}`", "wire new file SINK --sample FILE")
    sample = look_at(path)
    lines = [
        "source:",
        "  type: file",
        "  config:",
        f"    path: {_text(str(path))}",
        *_format(sample.format, sample.rows),
    ]
    texts = {"source_text": "\n".join([*lines, ""])}
    if sample.first:
        record = _flow(sample.first)
        texts["tests"] = f"\ntests:\n  - name: a record passes through\n    input:\n      - {record}\n"
        texts["tests"] += f"    output:\n      - {record}\n"
    return texts


def _format(form: Format, rows: int) -> list[str]:
    kind = form.__struct_config__.tag
    if not isinstance(form, CsvFormat):
        return [f"    format: {kind}"]
    lines = ["    format:", "      type: csv"]
    if form.delimiter != ",":
        lines.append(f"      delimiter: {json.dumps(form.delimiter)}")
    if form.types:
        lines.append(f"      types: # proposed from the first {rows:,} rows; a column not named here is text")
        lines += [f"        {_text(column)}: {kind}" for column, kind in form.types.items()]
    if form.nulls != [""]:
        lines.append(f"      nulls: {_flow(form.nulls)} # cells that mean NULL")
    return lines


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(key)}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """Write text in YAML, without quotes where it can't be taken for anything else."""
    plain = re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./-]*", text) and text.lower() not in ("true", "false", "null")
    return text if plain else json.dumps(text, ensure_ascii=False)

"""The command line as its users meet it: what it prints, where, and what it exits with."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.e2e.command import GOOD, wire
from wire.core import plugins
from wire.pipelines.schema import pipeline_schema


async def test_help_names_every_command(tmp_path: Path) -> None:
    for words in (["--help"], ["-h"]):
        result = await wire(*words, cwd=tmp_path)
        assert result.code == 0
        for command in (
            "run",
            "lint",
            "test",
            "list",
            "describe",
            "schema",
            "new",
            "serve",
            "pipeline",
            "cluster",
            "top",
            "context",
            "certs",
            "doctor",
            "completion",
            "version",
        ):
            assert f"  {command} " in result.out


async def test_tests_of_a_pipeline(write: Callable[..., Path]) -> None:
    path = write(GOOD + "transforms: [{select: 'a + 1 AS b'}]\ntests:\n"
                 "  - {name: right, input: [{a: 1}], output: [{b: 2}]}\n"
                 "  - {name: wrong, input: [{a: 1}], output: [{b: 3}]}\n")  # fmt: skip
    result = await wire("test", path, cwd=path.parent)
    assert result.code == 1
    assert result.out == (
        f"ok   {path}: right\nFAIL {path}: wrong\n     where        expected  found\n"
        "     output[0].b  3         2\n1 passed, 1 failed\n"
    )
    only = await wire("test", path, "--filter", "RIGHT", "-o", "json", cwd=path.parent)
    assert only.code == 0
    (file,) = json.loads(only.out)
    assert (file["left_out"], [case["output"] for case in file["cases"]]) == (1, [{"stdout": [{"b": 2}]}])
    nobody = await wire("test", path, "--filter", "nobody", cwd=path.parent)
    assert (nobody.code, nobody.err) == (2, "no case has a name with 'nobody' in it\n")
    result = await wire("test", path, "--set", "tests.1.output.0.b=2", cwd=path.parent)
    assert (result.code, result.out.splitlines()[-1]) == (0, "2 passed, 0 failed")
    none = await wire("test", write(GOOD, "none.yaml"), cwd=path.parent)
    assert (none.code, none.out) == (0, f"{path.parent}/none.yaml: no tests\n0 passed, 0 failed\n")


async def test_tests_that_fail_can_be_updated(write: Callable[..., Path]) -> None:
    text = (
        GOOD
        + "transforms: [{select: 'a + 1 AS b'}]\ntests:\n  - {name: wrong, input: [{a: 1}], output: [{b: 3}]} # why\n"
    )
    path = write(text)
    updated = await wire("test", path, "--update", cwd=path.parent)
    assert (updated.code, updated.out.splitlines()[-1]) == (0, "0 passed, 0 failed, 1 updated")
    assert path.read_text() == text.replace("{b: 3}", "{b: 2}")
    broken = write(text + "  - {name: \n", "broken.yaml")
    refused = await wire("test", broken, "--update", cwd=path.parent)
    assert refused.code == 2
    assert broken.read_text() == text + "  - {name: \n"


async def test_what_is_installed(tmp_path: Path) -> None:
    table = await wire("list", cwd=tmp_path)
    assert table.code == 0
    assert len(table.out.splitlines()) == 1 + sum(len(plugins.names(kind)) for kind in ("source", "sink", "transform"))
    data = json.loads((await wire("list", "sources", "-o", "json", cwd=tmp_path)).out)
    assert [row["name"] for row in data] == list(plugins.names("source"))
    assert {row["kind"] for row in data} == {"source"}


async def test_describe(tmp_path: Path) -> None:
    text = (await wire("describe", "kafka", "--kind", "source", cwd=tmp_path)).out
    assert "bootstrap_servers" in text
    assert "Example" in text
    data = yaml.safe_load((await wire("describe", "file", "-o", "yaml", cwd=tmp_path)).out)
    assert [entry["kind"] for entry in data] == ["source", "sink"]
    assert {"name", "type", "required", "default", "description"} == set(data[0]["fields"][0])


async def test_schema(tmp_path: Path) -> None:
    result = await wire("schema", cwd=tmp_path)
    schema = json.loads(result.out)
    assert schema == json.loads(json.dumps(pipeline_schema()))
    jsonschema.Draft7Validator.check_schema(schema)


async def test_versions(tmp_path: Path) -> None:
    assert (await wire("--version", cwd=tmp_path)).out.startswith("wire ")
    assert set(json.loads((await wire("version", "-o", "json", cwd=tmp_path)).out)) == {"wire", "python"}


async def test_data_goes_to_standard_output_and_the_rest_does_not(write: Callable[[str], Path]) -> None:
    path = write(GOOD)
    result = await wire("run", path, "--set", "source.config.count=5", "--set", "name=other", cwd=path.parent)
    assert result.code == 0, result.err
    assert [json.loads(line)["id"] for line in result.out.splitlines()] == [0, 1, 2, 3, 4]
    assert result.err.startswith("other: done in ")
    assert (path.parent / "wire-data" / "run" / "other").is_dir()


async def test_the_state_folder_can_be_chosen(write: Callable[[str], Path]) -> None:
    path = write(GOOD)
    assert (await wire("run", path, "--state-dir", "here", cwd=path.parent)).code == 0
    assert (path.parent / "here").is_dir()
    assert not (path.parent / "wire-data").exists()
    again = await wire("run", path, "--state-dir", "here", "--reset", cwd=path.parent)
    assert len(again.out.splitlines()) == 3


async def test_a_warning_does_not_keep_a_pipeline_from_running(write: Callable[[str], Path]) -> None:
    path = write(
        GOOD.replace("config: {count: 3}", "config: {count: 1, fields: {a: {type: constant, value: '${HOME}'}}}")
    )
    result = await wire("run", path, cwd=path.parent)
    assert result.code == 0
    assert result.out == '{"a":"${HOME}"}\n'
    assert "warning[config.suspicious_reference]" in result.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_scripts(tmp_path: Path, shell: str) -> None:
    result = await wire("completion", shell, cwd=tmp_path)
    assert result.code == 0
    assert "_WIRE_COMPLETE" in result.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [("wire li", {"lint", "list"}), ("wire describe kaf", {"kafka"}), ("wire new gen", {"generate"})],
)
async def test_completion_of_commands_and_components(tmp_path: Path, words: str, expected: set[str]) -> None:
    environ = {"_WIRE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert set((await wire(cwd=tmp_path, environ=environ)).out.split()) == expected


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], {"rich", "sqlglot", "aiokafka", "yaml", "wire.pipelines", "wire.node"}),
        (["pipeline", "--help"], {"rich", "httpx", "ssl", "http.client", "yaml", "wire.pipelines", "wire.node"}),
        (["version"], {"rich", "sqlglot", "aiokafka", "yaml", "wire.pipelines", "wire.node"}),
        (["context", "list"], {"rich", "httpx", "ssl", "http.client", "yaml", "wire.pipelines", "wire.node"}),
        (["list"], {"sqlglot.dialects", "yaml", "wire.node"}),
        (["run", "p.yaml"], {"aiokafka", "rich.live", "rich.progress", "zstandard", "wire.sources.kafka"}),
    ],
)
async def test_a_command_imports_only_what_it_needs(
    write: Callable[[str], Path], words: list[str], unwanted: set[str]
) -> None:
    path = write(GOOD)
    program = f"import sys\nfrom wire.cli.main import main\ntry: main({words!r})\nfinally: "
    program += "print(*sys.modules, file=sys.stderr)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=path.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )  # fmt: skip
    _, err = await process.communicate()
    assert process.returncode == 0, err
    assert not unwanted & set(err.decode().splitlines()[-1].split())


async def test_a_template_takes_no_key_from_a_source_that_gives_none(tmp_path: Path) -> None:
    keyed = await wire("new", "kafka", "elasticsearch", cwd=tmp_path)
    keyless = await wire("new", "file", "elasticsearch", cwd=tmp_path)
    assert "id: meta_key()" in keyed.out
    assert "meta_key()" not in keyless.out

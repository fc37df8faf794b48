"""The command line as its users meet it: what it prints, where, and what it exits with."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.e2e.command import WIRE, wire
from wire.cli import docs
from wire.core import plugins
from wire.pipelines.schema import pipeline_schema

ROOT = Path(__file__).parents[2]
PIPELINES = sorted([*ROOT.glob("configs/*.yaml"), *ROOT.glob("configs/*/*.yaml")])
GOOD = "name: good\nsource: {type: generate, config: {count: 3}}\nsink: {type: stdout}\n"
BAD = "name: bad\nsorce: {type: generate}\nsink: {type: stdot}\ntransforms:\n  - filter: 'a >'\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str, name: str = "p.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


# the examples


async def test_every_example_passes_lint_and_its_tests() -> None:
    assert len(PIPELINES) >= 6
    linted = await wire("lint", *PIPELINES, "-o", "json", cwd=ROOT)
    assert linted.code == 0, linted.out
    assert all(entry["findings"] == [] for entry in json.loads(linted.out))
    tested = await wire("test", *PIPELINES, "-o", "json", cwd=ROOT)
    assert tested.code == 0, tested.out
    assert all(entry["cases"] for entry in json.loads(tested.out)), "each example has tests"


async def test_the_quickstart_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs" / "quickstart", tmp_path / "configs" / "quickstart")
    first = await wire("run", "configs/quickstart/flights.yaml", cwd=tmp_path)
    assert first.code == 0, first.err
    assert first.out == ""
    for piece in ("delayed-flights: done in", "27,004", "22,086", "4,918", "to file out/delayed-flights.jsonl"):
        assert piece in first.err
    rows = [json.loads(line) for line in (tmp_path / "out" / "delayed-flights.jsonl").read_text().splitlines()]
    assert len(rows) == 4918
    assert rows[0]["airline"] == "ExpressJet Airlines Inc."
    again = await wire("run", "configs/quickstart/flights.yaml", cwd=tmp_path)
    assert again.code == 0
    assert "nothing new since the last run; --reset starts anew" in again.err


def test_the_reference_pages_are_current() -> None:
    folder = ROOT / "docs" / "reference"
    written = docs.pages()
    stale = [name for name, text in written.items() if (folder / name).read_text(encoding="utf-8") != text]
    assert not stale, "run `make docs`"
    kept = {str(path.relative_to(folder)) for path in folder.rglob("*.md")}
    assert kept == set(written)


# lint


async def test_lint_shows_every_mistake_with_its_line(write: Callable[[str], Path]) -> None:
    path = write(BAD)
    result = await wire("lint", path, cwd=path.parent)
    assert result.code == 2
    assert result.err == ""
    assert result.out == (
        f"""\
error[config.unknown_key]: unknown field `sorce`
  --> {path}:2:1  $.sorce
  |
2 | sorce: {{type: generate}}
  | ^
  = hint: did you mean `source`?
error[config.unknown_component]: no sink is called `stdot`
  --> {path}:3:14  $.sink.type
  |
3 | sink: {{type: stdot}}
  |              ^
  = hint: did you mean `stdout`?
error[expression.syntax]: the expression ends too early
  --> {path}:5:17  $.transforms[0].filter
  |
5 |   - filter: 'a >'
  |                 ^
  = hint: write what comes after `>`, or take it away
3 errors in 1 file
"""
    )


async def test_lint_of_several_files(write: Callable[[str], Path], tmp_path: Path) -> None:
    good, bad = write(GOOD, "good.yaml"), write(BAD, "bad.yaml")
    result = await wire("lint", good, bad, tmp_path / "none.yaml", tmp_path, cwd=tmp_path)
    assert result.code == 2
    assert f"{good}: ok" in result.out
    assert "no such file or directory" in result.out
    assert "is a directory" in result.out
    assert result.out.endswith("5 errors in 4 files\n")


async def test_lint_for_programs(write: Callable[[str], Path]) -> None:
    security = "{tls: {}, sasl: {mechanism: PLAIN, username: u, password: hunter2}}"
    kafka = f"{{type: kafka, config: {{bootstrap_servers: [x:1], topic: t, security: {security}}}}}"
    path = write(f"{GOOD}on_error: {{policy: dead_letter, sink: {kafka}}}\n")
    for output, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        result = await wire("lint", path, "-o", output, cwd=path.parent)
        assert result.code == 0
        (entry,) = read(result.out)
        assert (entry["file"], entry["ok"]) == (str(path), True)
        assert [(f["code"], f["severity"], f["line"]) for f in entry["findings"]] == [
            ("config.literal_secret", "warning", 4)
        ]
        assert entry["spec"]["on_error"]["sink"]["config"]["security"]["sasl"]["password"] == "***"
        assert "hunter2" not in result.out
    assert "hunter2" not in (await wire("lint", path, cwd=path.parent)).out


BAD_FILES = {
    "empty": (b"", "there is nothing in this file"),
    "tabs": (b"name: x\nsource:\n\ttype: file\n", "a tab can't be used to indent"),
    "quote": (b"name: 'x\nsource: {}\n", "the quote that opens here is never closed"),
    "list": (b"- name: x\n", "expected a mapping of fields"),
    "binary": (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "this is not UTF-8 text"),
    "zeros": (b"\x00" * 1000, "there is a control character (U+0000) here"),
    "huge": (b"name: x\n" * (100 << 17), "is larger than 1 MiB"),
    "nested": (b"{" * 100_000, None),
    "star": (b"name: x\ntransforms:\n  - select: *, a\n", "a value can't start with `*` here"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["lint", "run", "test"])
async def test_files_that_are_no_pipelines(tmp_path: Path, name: str, command: str) -> None:
    content, message = BAD_FILES[name]
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    result = await wire(command, path, cwd=tmp_path)
    assert result.code == 2
    said = result.out + result.err
    assert "error[config." in said
    assert message is None or message in said
    assert "Traceback" not in said
    assert len(said) < 2000


# errors in general


async def test_a_run_that_can_not_start_says_so_on_standard_error(write: Callable[[str], Path]) -> None:
    path = write(BAD)
    result = await wire("run", path, cwd=path.parent)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("error[") == 3
    assert not (path.parent / "wire-data").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["rnu"], 2, "Did you mean 'run'?"),
        (["lint"], 2, "Missing argument"),
        (["lint", "--ouput", "json", "x"], 2, "--output"),
        (["list", "sorces"], 2, "sources"),
        (["describe", "kafak"], 2, "did you mean `kafka`?"),
        (["describe", "filter", "--kind", "sink"], 2, "no source, sink or transform is called `filter`"),
        (["new", "kafka"], 2, "expected a source and a sink"),
        (["new", "file", "kafak"], 2, "did you mean `kafka`?"),
        (["new", "kafka", "file", "--sample", "x"], 2, "--sample goes with the source `file`"),
        (["new", "file", "file", "--sample", "/nowhere"], 2, "/nowhere can't be read"),
        (["run", "/nowhere.yaml"], 2, "no such file"),
        (["completion", "tcsh"], 2, "bash"),
    ],
)
async def test_a_user_s_mistake_never_shows_a_stack_trace(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    result = await wire(*words, cwd=tmp_path)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("ask", ["nothing", "option", "variable"])
async def test_an_unexpected_error_is_called_a_bug(tmp_path: Path, ask: str) -> None:
    """A transform whose module fails in a way nobody foresaw, to stand in for a bug."""
    (tmp_path / "sitecustomize.py").write_text(
        "import wire.pipelines.schema as s\ndef broken(): raise ZeroDivisionError('nobody foresaw this')\n"
        "s.pipeline_schema = broken\n"
    )
    environ = {"PYTHONPATH": str(tmp_path)} | ({"WIRE_DEBUG": "1"} if ask == "variable" else {})
    words = ["schema", "--debug"] if ask == "option" else ["schema"]
    result = await wire(*words, cwd=tmp_path, environ=environ)
    assert result.code == 1
    assert "error[internal]: ZeroDivisionError: nobody foresaw this" in result.err
    assert "This is a bug in Wire" in result.err
    assert ("Traceback" in result.err) == (ask != "nothing")
    assert ("--debug" in result.err) == (ask == "nothing")


async def test_a_full_disk_behind_the_output(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_shell(
        f"{WIRE} list > /dev/full", cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 3
    assert err.decode().startswith("error[system.refused]: no space left on device\n = hint:")


async def test_an_output_that_is_closed(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_shell(f"{WIRE} list >&-", cwd=tmp_path, stdout=PIPE, stderr=PIPE)
    _, err = await process.communicate()
    assert process.returncode == 3
    assert err.decode().startswith("error[system.refused]: bad file descriptor\n = hint:")


@pytest.mark.parametrize(
    ("stream", "code", "words"),
    [("<&-", 3, "source.stdin.unreadable"), (">&-", 1, "sink.stdout.write_failed"), ("2>&-", 0, "")],
)
async def test_streams_that_the_caller_has_closed(tmp_path: Path, stream: str, code: int, words: str) -> None:
    spec = {"name": "closed", "source": {"type": "stdin", "config": {"format": "text"}}, "sink": {"type": "stdout"}}
    (tmp_path / "pipeline.json").write_text(json.dumps(spec))
    process = await asyncio.create_subprocess_shell(
        f"echo a | {WIRE} run pipeline.json {stream}", cwd=tmp_path, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    assert words in err.decode()
    assert "Traceback" not in err.decode()
    assert (process.returncode, out.decode()) == (code, "" if words else '{"value":"a"}\n')


async def test_a_reader_that_leaves_early(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_shell(
        f"{WIRE} schema | head -1", cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert await process.communicate() == (b"{\n", b"")


async def test_a_terminal_that_only_knows_ascii(write: Callable[[str], Path]) -> None:
    path = write(BAD.replace("'a >'", "'ä >'"))
    result = await wire("lint", path, cwd=path.parent, environ={"PYTHONIOENCODING": "ascii"})
    assert result.code == 2
    assert "'? >'" in result.out


async def test_help_names_every_command(tmp_path: Path) -> None:
    for words in (["--help"], ["-h"]):
        result = await wire(*words, cwd=tmp_path)
        assert result.code == 0
        for command in ("run", "lint", "test", "list", "describe", "schema", "new", "doctor", "completion", "version"):
            assert f"  {command} " in result.out


# reading


async def test_tests_of_a_pipeline(write: Callable[[str], Path]) -> None:
    path = write(GOOD + "transforms: [{select: 'a + 1 AS b'}]\ntests:\n"
                 "  - {name: right, input: [{a: 1}], output: [{b: 2}]}\n"
                 "  - {name: wrong, input: [{a: 1}], output: [{b: 3}]}\n")  # fmt: skip
    result = await wire("test", path, cwd=path.parent)
    assert result.code == 1
    assert result.out == (
        f"ok   {path}: right\nFAIL {path}: wrong\n       output[0].b: expected 3, found 2\n1 passed, 1 failed\n"
    )
    result = await wire("test", path, "--set", "tests.1.output.0.b=2", cwd=path.parent)
    assert (result.code, result.out.splitlines()[-1]) == (0, "2 passed, 0 failed")
    none = await wire("test", write(GOOD, "none.yaml"), cwd=path.parent)
    assert (none.code, none.out) == (0, f"{path.parent}/none.yaml: no tests\n0 passed, 0 failed\n")


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


# new


@pytest.mark.parametrize("source", plugins.names("source"))
async def test_what_new_writes_passes_lint(tmp_path: Path, source: str) -> None:
    paths = []
    for sink in plugins.names("sink"):
        written = await wire("new", f"{source}-to-{sink}", cwd=tmp_path)
        assert written.code == 0, written.err
        paths.append(tmp_path / f"{sink}.yaml")
        paths[-1].write_text(written.out)
    linted = await wire("lint", *paths, cwd=tmp_path)
    assert linted.code == 0, linted.out


async def test_new_from_a_sample_runs_and_its_test_passes(tmp_path: Path) -> None:
    shutil.copy(ROOT / "configs/quickstart/flights-2013-01.csv.gz", tmp_path / "f.csv.gz")
    written = await wire("new", "file", "stdout", "--sample", "f.csv.gz", "--name", "mine", cwd=tmp_path)
    (tmp_path / "p.yaml").write_text(written.out)
    spec = yaml.safe_load(written.out)
    assert spec["name"] == "mine"
    types = spec["source"]["config"]["format"]["types"]
    assert (types["dep_delay"], types["time_hour"], types.get("tailnum")) == ("bigint", "timestamp", None)
    assert (await wire("test", "p.yaml", cwd=tmp_path)).code == 0
    result = await wire("run", "p.yaml", cwd=tmp_path)
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 27004


# run


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


# doctor


async def test_doctor(tmp_path: Path, write: Callable[[str], Path]) -> None:
    well = await wire("doctor", "-o", "json", cwd=tmp_path)
    assert well.code == 0, well.out
    checks = {check["check"]: check["status"] for check in json.loads(well.out)}
    assert {"python", "msgspec", "aiokafka", "state folder"} <= set(checks)
    unreachable = write(
        GOOD.replace("{type: stdout}", "{type: kafka, config: {bootstrap_servers: ['127.0.0.1:1'], topic: t}}")
    )
    ill = await wire("doctor", unreachable, cwd=tmp_path)
    assert ill.code == 3
    assert "127.0.0.1:1 can't be reached: connection refused" in ill.out
    assert "source generate" in ill.out
    invalid = await wire("doctor", write(BAD, "bad.yaml"), cwd=tmp_path)
    assert invalid.code == 3
    assert "3 mistakes; `wire lint" in invalid.out


async def test_doctor_and_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = await wire("doctor", "--state-dir", tmp_path / "file" / "state", cwd=tmp_path)
    assert result.code == 3
    assert "is not a folder" in result.out


# completion


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


# start-up


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["--help"], {"rich", "sqlglot", "aiokafka", "yaml", "wire.pipelines", "wire.node"}),
        (["version"], {"rich", "sqlglot", "aiokafka", "yaml", "wire.pipelines", "wire.node"}),
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


# on a terminal


async def terminal(*words: str, cwd: Path, environ: dict[str, str]) -> str:
    """Return what a command shows on a terminal."""
    leader, follower = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        WIRE,
        *words,
        cwd=cwd,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"} | environ,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = bytearray()

    def drain() -> None:
        try:
            while piece := os.read(leader, 65536):
                shown.extend(piece)
        except OSError:
            pass  # the other end is closed

    async with asyncio.timeout(60):
        await asyncio.to_thread(drain)
        await process.wait()
    os.close(leader)
    return shown.decode()


async def test_colours_on_a_terminal_unless_unwanted(write: Callable[[str], Path]) -> None:
    path = write(BAD)
    assert "\x1b[1;31merror" in await terminal("lint", str(path), cwd=path.parent, environ={})
    assert "\x1b[" not in await terminal("lint", str(path), cwd=path.parent, environ={"NO_COLOR": "1"})


async def test_the_live_view_on_a_terminal(write: Callable[[str], Path]) -> None:
    path = write(GOOD.replace("{type: stdout}", "{type: drop}").replace("count: 3", "count: 500, rate: 1000"))
    shown = await terminal("run", str(path), cwd=path.parent, environ={})
    assert "running" in shown
    assert "filtered" in shown
    assert "\x1b[?25h" in shown, "the cursor is back"
    assert "good\x1b[0m: \x1b[32mdone" in shown

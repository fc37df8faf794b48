"""What users are told when something is wrong with the command line, the pipeline, or Wire itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.command import BAD, wire


async def test_a_run_that_can_not_start_says_so_on_standard_error(write: Callable[[str], Path]) -> None:
    path = write(BAD)
    result = await wire("run", path, cwd=path.parent)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("error[") == 3
    assert not (path.parent / "wire-data").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["rnu"], 2, "error[cli.usage]: no such command 'rnu'. Did you mean 'run'?"),
        (["lint"], 2, "error[cli.usage]: missing argument"),
        (["lint", "--ouput", "json", "x"], 2, "--output"),
        (["list", "sorces"], 2, "sources"),
        (["describe", "kafak"], 2, "did you mean `kafka`?"),
        (["describe", "filter", "--kind", "sink"], 2, "no sink is called `filter`"),
        (["describe", "filter", "--kind", "sink"], 2, "= hint: it is a transform"),
        (["describe", "nothing"], 2, "no source, sink or transform is called `nothing`"),
        (["new", "kafka", "file", "--name", "a b"], 2, "expected lower-case letters, digits and hyphens"),
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

"""`wire lint`, and what every command says of files that are no pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.e2e.command import BAD, GOOD, wire


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

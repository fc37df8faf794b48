"""Output that goes to terminals of all kinds, to full disks, to readers that leave, to nowhere."""

from __future__ import annotations

import asyncio
import json
import os
import pty
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.command import BAD, GOOD, WIRE, wire


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

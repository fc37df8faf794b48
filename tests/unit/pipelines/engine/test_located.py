"""Errors of a component say where the pipeline names it: when it is opened, while it runs, and in dead letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipelines.engine.kit import Engine, spec, values
from wire.core.errors import FatalError, RecordError, UnavailableError, WireError
from wire.pipelines.located import located
from wire.testing.faults import Raise
from wire.testing.memory import MemorySink, MemorySource


def gone(path: str | None = None) -> UnavailableError:
    return UnavailableError("memory.scripted", path=path)


def refused(path: str | None = None) -> RecordError:
    return RecordError("memory.scripted", path=path)


async def path_of_what_stops(engine: Engine) -> str | None:
    with pytest.raises(FatalError) as caught:
        await engine.run()
    return caught.value.path


async def test_a_sink_that_does_not_open(tmp_path: Path) -> None:
    sinks = [MemorySink(), MemorySink(on_open=[Raise(gone())])]
    engine = Engine(tmp_path, MemorySource({"p": values(1)}), *sinks)
    assert await path_of_what_stops(engine) == "$.sinks[1]"


async def test_a_write_that_fails_for_good(tmp_path: Path) -> None:
    sinks = [MemorySink(), MemorySink(script=[Raise(FatalError("memory.scripted"))])]
    engine = Engine(tmp_path, MemorySource({"p": values(1)}), *sinks)
    assert await path_of_what_stops(engine) == "$.sinks[1]"


async def test_a_record_that_a_sink_refuses(tmp_path: Path) -> None:
    engine = Engine(tmp_path, MemorySource({"p": values(1)}), MemorySink(refuse=lambda _: refused()))
    assert await path_of_what_stops(engine) == "$.sinks[0]"


async def test_a_read_that_fails_for_good(tmp_path: Path) -> None:
    engine = Engine(tmp_path, MemorySource({"p": [FatalError("memory.scripted")]}), MemorySink())
    assert await path_of_what_stops(engine) == "$.source"


async def test_a_dead_letter_names_the_sink_that_refused_it(tmp_path: Path) -> None:
    source, sink, dead = MemorySource({"p": values(1)}), MemorySink(refuse=lambda _: refused()), MemorySink()
    await Engine(tmp_path, source, sink, pipeline=spec("dead_letter"), dead_letter=dead).run()
    (letter,) = dead.records()
    assert dict(letter.headers)["wire-error-path"] == b"$.sinks[0]"


def test_an_error_that_knows_better_keeps_its_path() -> None:
    with pytest.raises(WireError) as caught, located("$.sink"):
        raise gone("$.sink.config.path")
    assert caught.value.path == "$.sink.config.path"

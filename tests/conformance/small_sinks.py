"""Harnesses of the sinks without a system behind them: `stdout` and `drop`."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Sequence
from typing import ClassVar

import pytest

from wire.core.formats import Format, JsonFormat, TextFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import Sink
from wire.sinks.drop import DropConfig, DropSink
from wire.sinks.stdout import StdoutConfig, StdoutSink
from wire.testing.harness import SinkHarness


class Stdout(SinkHarness):
    """A pipe with a reader at its other end."""

    format: ClassVar[Format] = JsonFormat()

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self.read_end, False)
        request.addfinalizer(lambda: os.close(self.read_end))
        request.addfinalizer(lambda: os.close(self.write_end))
        self.output = b""

    def sink(self) -> Sink:
        config = StdoutConfig(format=self.format)
        return StdoutSink(config, ComponentContext("conformance", "stdout"), descriptor=self.write_end)

    async def read_back(self) -> Sequence[bytes]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.output += os.read(self.read_end, 1 << 20)
        return self.output.splitlines()


class StdoutText(Stdout):
    format = TextFormat()


class Drop(SinkHarness):
    keeps = False

    def __init__(self, request: pytest.FixtureRequest) -> None:
        pass

    def sink(self) -> Sink:
        return DropSink(DropConfig(), ComponentContext("conformance", "drop"))

    async def read_back(self) -> Sequence[bytes]:
        return []

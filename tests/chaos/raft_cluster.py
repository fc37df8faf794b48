"""Three members as processes on this machine, mutual TLS between them, and whoever is asked for something."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from tests.chaos.raft_member import CLUSTER, Answer, Ask, Change, Request, Who
from tests.services.consensus import Seat, found, seats
from tests.services.hosts import Hosts
from tests.services.ports import free_ports
from tests.sim.raft.machine import Ledger
from wire.raft import Member, MemberId

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """One member. What it was asked and has not answered when it is killed is answered with nothing known.

    One that ends by itself fails the test: whoever asks it raises AssertionError.
    """

    def __init__(self, seat: Seat, prefix: Sequence[str] = ()) -> None:
        self.member = seat.member
        self.folder = Path(seat.folder)
        self._seat = seat
        self._prefix = prefix
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = itertools.count()
        self._ended = False
        self._listener: asyncio.Task[None] | None = None
        self.log = Path(seat.folder + ".log")

    @property
    def running(self) -> bool:
        return self._process is not None

    async def start(self) -> None:
        process, lines = await self._spawn()
        async with asyncio.timeout(90):
            while (line := await lines.readline()).strip() != b"ready":
                assert line, f"a member did not start: {self.log.read_text()[-3000:]}"
        self._process, self._ended = process, False
        self._listener = asyncio.get_running_loop().create_task(self._listen(lines))

    async def refusal(self) -> str:
        """Start it though it can't, and return what it says before it ends."""
        said = self.log.stat().st_size
        process, lines = await self._spawn()
        async with asyncio.timeout(90):
            while line := await lines.readline():
                assert line.strip() != b"ready", f"{self.member.id} started"
            assert await process.wait() != 0
        return self.log.read_bytes()[said:].decode()

    async def _spawn(self) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
        arguments = [
            *self._prefix,
            sys.executable,
            "-m",
            "tests.chaos.raft_member",
            msgspec.json.encode(self._seat).decode(),
        ]
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *arguments, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                limit=1 << 24,
            )  # fmt: skip
        assert process.stdout is not None
        return process, process.stdout

    async def _listen(self, lines: asyncio.StreamReader) -> None:
        try:
            while line := await lines.readline():
                if line.startswith(b"{") and line.endswith(b"\n"):  # who is killed has written a part of the last one
                    self._answered(msgspec.json.decode(line, type=Answer))
        finally:  # nobody waits for ever, whatever was said
            self._ended = True
            for number in list(self._waiting):
                self._answered(Answer(number))

    def _answered(self, answer: Answer) -> None:
        future = self._waiting.pop(answer.number)
        if not future.done():  # whoever asked may have been cancelled
            future.set_result(answer)

    async def ask(self, value: str | None, timeout_s: float = 3.0) -> Answer:
        return await self._put(Ask(next(self._numbers), value, timeout_s))

    async def change(self, what: Literal["add", "promote", "remove"], member: Member) -> bool:
        """Have the members changed, and return whether they are; only who leads can do it."""
        return (await self._put(Change(next(self._numbers), what, member))).taken

    async def leads_in(self) -> int | None:
        """Return in which term it leads, None if it does not, as far as it knows."""
        return (await self._put(Who(next(self._numbers)))).leads_in

    async def _put(self, request: Request) -> Answer:
        process = self._process
        if process is None or process.stdin is None:
            return Answer(request.number)
        assert not self._ended, f"{self.member.id} ended by itself: {self.log.read_text()[-3000:]}"
        future = self._waiting[request.number] = asyncio.get_running_loop().create_future()
        process.stdin.write(msgspec.json.encode(request) + b"\n")
        return await future

    def blank(self) -> Process:
        """Return the same machine with an empty disk: another incarnation."""
        incarnation = int(self.member.id.rpartition("/")[2]) + 1
        member = Member(MemberId(f"{self.member.name}/{incarnation}"), self.member.address)
        folder = str(self.folder.with_name(f"{self.member.name}-{incarnation}"))
        return Process(msgspec.structs.replace(self._seat, member=member, folder=folder), self._prefix)

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if self._listener is not None:
                await self._listener


class Processes:
    """The members by name, founded and not yet started."""

    def __init__(self, folder: Path, names: str, hosts: Hosts | None = None) -> None:
        """Use this machine's own address, or put each member on a host of its own."""
        if hosts is None:
            addresses = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)), strict=True)}
        else:
            addresses = {name: f"{hosts.addresses[name]}:4001" for name in names}
        taken = seats(folder, CLUSTER, addresses)
        found(taken, Ledger)
        self.members = [Process(seat, hosts.prefix(seat.member.name) if hosts is not None else ()) for seat in taken]

    async def start_anew(self, old: Process) -> None:
        """Put an empty disk in the place of a member's, who joins as somebody new and gets the vote of who it was."""
        new = old.blank()
        await self._change("remove", old.member)
        await self._change("add", new.member)
        self.members[self.members.index(old)] = new
        await new.start()
        await self._change("promote", new.member)

    async def _change(self, what: Literal["add", "promote", "remove"], member: Member) -> None:
        async with asyncio.timeout(180):
            while not any([await process.change(what, member) for process in self.members]):
                await asyncio.sleep(0.05)

    async def start(self) -> None:
        for process in self.members:
            if not process.running:
                await process.start()

    async def stop(self) -> None:
        for process in self.members:
            process.send(signal.SIGCONT)
            await process.kill()

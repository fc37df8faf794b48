"""A member as a process: `python -m tests.chaos.raft_member JSON` answers, line by line, what it is asked on stdin."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from tests.services.consensus import Seat, at_work
from tests.sim.raft.machine import Ledger
from wire.raft import RaftNode, RaftSettings

SETTINGS = RaftSettings(
    heartbeat_s=0.1, election_min_s=0.5, election_max_s=1.0, snapshot_entries=200, trailing_entries=50
)
CLUSTER = "chaos"


class Ask(msgspec.Struct):
    """A value to be proposed; without one, all values as of now."""

    number: int
    value: str | None = None
    timeout_s: float = 3.0


class Answer(msgspec.Struct):
    """`place` is None where nothing is known of the value; `values` answers a read that was confirmed."""

    number: int
    place: int | None = None
    values: list[str] | None = None


async def answer(node: RaftNode, machine: Ledger, ask: Ask) -> Answer:
    if ask.value is None:
        confirmed = await node.read_barrier(ask.timeout_s)
        return Answer(ask.number, values=[value.decode() for value in machine.values] if confirmed else None)
    outcome = await node.propose(ask.value.encode(), ask.value.encode(), ask.timeout_s)
    return Answer(ask.number, int(outcome) if isinstance(outcome, bytes) else None)


async def serve(seat: Seat) -> None:
    machine = Ledger()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def reply(ask: Ask) -> None:
        print(msgspec.json.encode(await answer(node, machine, ask)).decode(), flush=True)

    async with at_work(seat, machine, SETTINGS) as node, asyncio.TaskGroup() as answers:
        print("ready", flush=True)
        while line := await lines.readline():
            answers.create_task(reply(msgspec.json.decode(line, type=Ask)))


if __name__ == "__main__":
    asyncio.run(serve(msgspec.json.decode(sys.argv[1], type=Seat)))

"""A member as a process: `python -m tests.chaos.raft_member JSON` answers, line by line, what it is asked on stdin."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Literal, TypeAlias, assert_never

import msgspec

from tests.services.consensus import Seat, at_work
from tests.sim.raft.machine import Ledger
from wire.raft import Member, RaftNode, RaftSettings, Rejected, Role

SETTINGS = RaftSettings(
    heartbeat_s=0.1,
    election_min_s=0.5,
    election_max_s=1.0,
    snapshot_entries=200,
    trailing_entries=50,
    segment_bytes=4096,
)
CLUSTER = "chaos"


class Ask(msgspec.Struct, tag=True):
    """A value to be proposed; without one, all values as of now."""

    number: int
    value: str | None = None
    timeout_s: float = 3.0


class Change(msgspec.Struct, tag=True):
    """A change of the members, to be taken by whoever leads."""

    number: int
    what: Literal["add", "promote", "remove"]
    member: Member


class Who(msgspec.Struct, tag=True):
    """Whether this member leads, as far as it knows, and in which term."""

    number: int


Request: TypeAlias = Ask | Change | Who


class Answer(msgspec.Struct):
    """`place` is None where nothing is known of the value; `values` answers a read that was confirmed.

    `taken` says that a change of the members is in force; `leads_in` is the term of a member that leads.
    """

    number: int
    place: int | None = None
    values: list[str] | None = None
    taken: bool = False
    leads_in: int | None = None


async def changed(node: RaftNode, change: Change) -> bool:
    match change.what:
        case "add":
            return await node.add_member(change.member) == b""
        case "promote":
            return await node.promote(change.member.id) == b""
        case "remove":
            outcome = await node.remove_member(change.member.id)
            return outcome == b"" or (isinstance(outcome, Rejected) and outcome.code == "raft.unknown_member")


async def answer(node: RaftNode, machine: Ledger, request: Request) -> Answer:
    match request:
        case Who(number):
            status = node.status()
            return Answer(number, leads_in=status.term if status.role is Role.LEADER else None)
        case Change(number):
            return Answer(number, taken=await changed(node, request))
        case Ask():
            return await asked(node, machine, request)
        case _:
            assert_never(request)


async def asked(node: RaftNode, machine: Ledger, ask: Ask) -> Answer:
    if ask.value is None:
        confirmed = await node.read_barrier(ask.timeout_s)
        return Answer(ask.number, values=[value.decode() for value in machine.values] if confirmed else None)
    outcome = await node.propose(ask.value.encode(), ask.value.encode(), ask.timeout_s)
    return Answer(ask.number, int(outcome) if isinstance(outcome, bytes) else None)


def say(line: bytes) -> None:
    """Write a line, whole: a process that is stopped meanwhile writes a part, and `print` may leave it at that."""
    left = line + b"\n"
    while left:
        left = left[os.write(sys.stdout.fileno(), left) :]


async def serve(seat: Seat) -> None:
    machine = Ledger()
    lines, requests = asyncio.StreamReader(), msgspec.json.Decoder(Request)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def reply(request: Request) -> None:
        say(msgspec.json.encode(await answer(node, machine, request)))

    async with at_work(seat, machine, SETTINGS) as node, asyncio.TaskGroup() as answers:
        say(b"ready")
        while line := await lines.readline():
            answers.create_task(reply(requests.decode(line)))


if __name__ == "__main__":
    asyncio.run(serve(msgspec.json.decode(sys.argv[1], type=Seat)))

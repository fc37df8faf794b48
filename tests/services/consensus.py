"""Members of a consensus as processes need them: who they are, with certificates and folders, and one at work."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.services.certificates import Authority
from wire.raft import Configuration, Member, MemberId, RaftNode, RaftSettings, StateMachine, found_cluster
from wire.raft.transport.listener import listening
from wire.raft.transport.tls import TlsFiles, client_context, server_context


class Seat(msgspec.Struct, frozen=True):
    """Who to be, in which cluster, and where the folder and the certificates are."""

    cluster: str
    member: Member
    folder: str
    ca: str
    cert: str

    @property
    def tls(self) -> TlsFiles:
        """The certificates, for both sides of a connection."""
        return TlsFiles(Path(self.ca), Path(self.cert))

    @property
    def address(self) -> tuple[str, int]:
        """Where it is reached."""
        host, _, port = self.member.address.rpartition(":")
        return host, int(port)


def seats(folder: Path, cluster: str, addresses: Mapping[str, str]) -> list[Seat]:
    """Return a seat for each name, with certificates of one new authority; nothing is founded yet."""
    authority = Authority()
    ca = folder / "ca.pem"
    ca.write_bytes(authority.pem)
    made = []
    for name, address in addresses.items():
        cert = folder / f"{name}.pem"
        authority.issue(name).write(cert)
        made.append(Seat(cluster, Member(MemberId(f"{name}/1"), address), str(folder / name), str(ca), str(cert)))
    return made


def found(voters: Sequence[Seat], machine: Callable[[], StateMachine], learners: Sequence[Seat] = ()) -> None:
    """Found the cluster of these voters, and of learners that get the log without a vote."""
    configuration = Configuration(_members(voters), _members(learners))
    for seat in voters:
        found_cluster(Path(seat.folder), seat.cluster, configuration, machine())


@asynccontextmanager
async def at_work(seat: Seat, machine: StateMachine, settings: RaftSettings) -> AsyncIterator[RaftNode]:
    """Run a member until the block ends."""
    tls = client_context(seat.tls)
    folder, rng = Path(seat.folder), random.Random()
    node = RaftNode(seat.member, seat.cluster, folder, machine, tls=tls, rng=rng, settings=settings)
    async with node, listening(node.transport, *seat.address, server_context(seat.tls)):
        yield node


def _members(of: Sequence[Seat]) -> tuple[Member, ...]:
    return tuple(sorted(seat.member for seat in of))

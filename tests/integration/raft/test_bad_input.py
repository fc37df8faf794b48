"""A cluster at work, and whatever bad may come to one of its members: refused in clear words, counted, and no harm."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs
from xxhash import xxh3_64_intdigest

from tests.integration.raft.cluster_kit import CLUSTER, QUICK, Cluster, Host, cluster
from tests.integration.raft.transport_kit import Pki, hello, stranger
from tests.sim.raft.machine import Ledger
from tests.waiting import until
from wire.raft import Configuration, RaftNode, found_cluster
from wire.raft.storage.errors import StorageError
from wire.raft.transport.framing import framed
from wire.raft.transport.handshake import Refusal, Welcome
from wire.raft.transport.ports import TransportSettings
from wire.raft.transport.tls import TlsFiles, client_context

TOO_LONG = (TransportSettings().max_frame_bytes + 1).to_bytes(4, "big")


@pytest.fixture
async def its(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Three members that confirm, at the end still as at the beginning."""
    async with cluster(tmp_path, "a", "b", "c") as its:
        await its.leader()
        await confirms(its)
        yield its
        await its.leader()
        assert len(its.hosts) == 3
        assert all(host.running for host in its.hosts.values())
        await confirms(its)


async def confirms(its: Cluster) -> None:
    for host in its.hosts.values():
        assert isinstance(await host.node.propose(b"v"), bytes)
        assert await host.node.read_barrier()


async def everybody_counts(its: Cluster, code: str) -> None:
    for host in its.hosts.values():
        await until(lambda host=host: host.node.status().transport.refused.get(code, 0) > 0)  # type: ignore[misc]


# whoever is refused before it can say anything


@pytest.mark.parametrize(
    ("files", "reason"),
    [(Pki.foreign, "unable to get local issuer certificate"), (Pki.expired, "certificate has expired")],
    ids=["another authority's", "expired"],
)
async def test_a_certificate_that_proves_nothing(
    its: Cluster, files: Callable[[Pki, str], TlsFiles], reason: str
) -> None:
    with capture_logs() as logs:
        for host in its.hosts.values():
            try:
                async with stranger(host, client_context(files(its.pki, "b"))) as guest:
                    await guest.say(greeting(host))
                    await guest.ended()
            except OSError:
                pass
        await everybody_counts(its, "raft.tls")
    assert {line["reason"] for line in logs if line["event"] == "raft_connection_refused"} == {reason}


class Case(NamedTuple):
    """What somebody with a certificate of `holder` says instead of b's greeting, and what comes of it."""

    holder: str
    fields: dict[str, Any]
    code: str
    message: str


@pytest.mark.parametrize(
    "case",
    [
        Case("x", {}, "raft.wrong_certificate", "the certificate of b/a is one for localhost, x"),
        Case("b", {"cluster": "another"}, "raft.wrong_cluster", "this is cluster test, not another"),
        Case("b", {"oldest": 2, "newest": 3}, "raft.incompatible_protocol", "protocol 2 to 3 is offered"),
        Case("b", {"receiver": "z/a"}, "raft.wrong_member", "not z/a"),
        Case("x", {"sender": "x/a"}, "raft.unknown_member", "knows no member x/a"),
    ],
    ids=lambda case: case.code,
)
async def test_a_greeting_that_does_not_fit(its: Cluster, case: Case) -> None:
    context = client_context(its.pki.good(case.holder))
    for host in its.hosts.values():
        async with stranger(host, context) as guest:
            await guest.say(greeting(host, **case.fields))
            answer = await guest.answer()
            assert isinstance(answer, Refusal)
            assert answer.code == case.code
            assert case.message in answer.message
            await guest.ended()
    await everybody_counts(its, case.code)


async def test_a_member_that_was_removed(its: Cluster) -> None:
    leader = await its.leader()
    gone = its.host("d")
    del its.hosts["d"]
    assert await leader.node.add_member(gone.member) == b""
    assert await leader.node.remove_member(gone.member.id) == b""
    await confirms(its)
    context = client_context(its.pki.good("d"))
    for host in its.hosts.values():
        async with stranger(host, context) as guest:
            await guest.say(greeting(host, sender="d/a"))
            assert await guest.answer() == Refusal("raft.removed_member", "d/a was removed from the cluster")
            await guest.ended()
    await everybody_counts(its, "raft.removed_member")


@pytest.mark.parametrize("data", [b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", framed(b"\x93\x01"), TOO_LONG], ids=repr)
async def test_garbage_and_a_frame_that_is_too_long_before_the_greeting_and_after_it(its: Cluster, data: bytes) -> None:
    leader = await its.leader()
    known = its.host("d")  # a learner that does not run: nobody is disturbed by its connections
    del its.hosts["d"]
    assert await leader.node.add_member(known.member) == b""
    await confirms(its)
    context = client_context(its.pki.good("d"))
    for host in its.hosts.values():
        async with stranger(host, context) as early:
            await early.say(data)
            await early.ended()
        async with stranger(host, context) as late:
            await late.say(greeting(host, sender="d/a"))
            assert await late.answer() == Welcome(1)
            await late.say(data)
            await late.ended()
        await until(lambda host=host: host.node.status().transport.refused == {"raft.protocol_fault": 2})  # type: ignore[misc]
        assert host.node.status().transport.protocol_faults == 2


def greeting(host: Host, **fields: Any) -> bytes:
    good = {"cluster": CLUSTER, "sender": "b/a", "receiver": host.member.id}
    return framed(hello(**{**good, **fields}))


# a member that is not what it should be


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (lambda pki, name: pki.foreign(name), "raft.tls"),
        (lambda pki, name: pki.expired(name), "raft.tls"),
        (lambda pki, _: pki.good("x"), "raft.wrong_certificate"),
    ],
    ids=["another authority's", "expired", "another name's"],
)
async def test_a_member_with_a_bad_certificate_is_neither_heard_nor_talked_to_until_it_has_a_good_one(
    its: Cluster, files: Callable[[Pki, str], TlsFiles], code: str
) -> None:
    one = await a_follower(its)
    good, one.tls = one.tls, files(its.pki, one.member.name)
    await one.stop()
    await one.start()
    others = [host for host in its.hosts.values() if host is not one]
    for host in others:
        await until(lambda host=host: host.node.status().transport.refused.get(code, 0) > 1)  # type: ignore[misc]
        assert isinstance(await host.node.propose(b"v"), bytes)
    assert one.node.status().leader is None
    assert one.machine.values == []
    await one.stop()
    one.tls = good
    await one.start()
    await until(lambda: one.machine.values == others[0].machine.values)


async def test_the_data_folder_of_another_member(its: Cluster) -> None:
    one = await a_follower(its)
    other = its.host("d")
    del its.hosts["d"]
    await one.stop()
    moved = Host(other.member, one.folder, other.tls, QUICK)
    with pytest.raises(StorageError, match=r"\.wal was written by 'test/./a', not by 'test/d/a'") as caught:
        await moved.start()
    assert caught.value.code == "raft.storage.foreign"
    await one.start()


async def test_the_data_folder_of_another_cluster(its: Cluster, tmp_path: Path) -> None:
    one = await a_follower(its)
    await one.stop()
    folder = tmp_path / "other"
    found_cluster(folder, "other", Configuration((one.member,)), Ledger())
    foreign = Host(one.member, folder, one.tls, QUICK)
    with pytest.raises(StorageError, match="belongs to another cluster: to b'other', not to b'test'") as caught:
        await foreign.start()
    assert caught.value.code == "raft.storage.foreign"
    async with RaftNode(one.member, "other", folder, Ledger(), tls=None, rng=random.Random(1)) as founder:
        assert await founder.propose(b"v") == b"0"
    with pytest.raises(StorageError, match=r"was written by 'other/./a', not by 'test/./a'") as caught:
        await foreign.start()
    assert caught.value.code == "raft.storage.foreign"
    await one.start()


@pytest.mark.parametrize("kind", ["log", "snapshots"])
async def test_a_data_folder_in_the_format_of_another_version(its: Cluster, kind: str) -> None:
    one = await a_follower(its)
    await one.node.snapshot()
    await one.stop()
    newest = max((one.folder / kind).iterdir())
    content = newest.read_bytes()
    newest.write_bytes(of_version_7(content, kind))
    with pytest.raises(StorageError, match=rf"{newest}.*7.* version") as caught:
        await one.start()
    assert caught.value.code == "raft.storage.version"
    assert "version of Wire" in str(caught.value.hint)
    newest.write_bytes(content)
    await one.start()


def of_version_7(content: bytes, kind: str) -> bytes:
    """Return a segment or a snapshot as a later version of Wire may write it."""
    changed = content[:8] + struct.pack("<I", 7) + content[12:]
    if kind == "log":
        return changed
    (length,) = struct.unpack_from("<I", content, 12)
    end = 16 + length
    return changed[:end] + struct.pack("<Q", xxh3_64_intdigest(changed[:end])) + content[end + 8 :]


async def a_follower(its: Cluster) -> Host:
    leader = await its.leader()
    return next(host for host in its.hosts.values() if host is not leader)

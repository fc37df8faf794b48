"""A member on another release of the library than the one that is repaired: it does not start, and says why."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pysyncobj import SyncObj

from tests.integration.raft.cluster_kit import CLUSTER, QUICK
from tests.sim.raft.machine import Ledger
from wire.core.errors import UnavailableError
from wire.raft import Configuration, Member, MemberId, RaftNode, found_cluster
from wire.raft.replica import library

ME = Member(MemberId("a/1"), "127.0.0.1:1")
_construct: Callable[..., None] = SyncObj.__init__


def another_version(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(library, "VERSION", "0.3.18")
    another_constructor(patch)


def another_constructor(patch: pytest.MonkeyPatch) -> None:
    def construct(self: SyncObj, *, cluster: object) -> None:
        raise AssertionError

    patch.setattr(SyncObj, "__init__", construct)


def a_method_less(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(SyncObj, "_SyncObj__setCurrentTerm")


def an_attribute_less(patch: pytest.MonkeyPatch) -> None:
    def construct(
        self: SyncObj,
        selfNode: Any,  # noqa: N803 (the library's names)
        otherNodes: Any,  # noqa: N803
        conf: Any = None,
        consumers: Any = None,
        nodeClass: Any = None,  # noqa: N803
        transport: Any = None,
        transportClass: Any = None,  # noqa: N803
    ) -> None:
        _construct(self, selfNode, otherNodes, conf, consumers, nodeClass, transport)
        del self._SyncObj__noopIDx

    patch.setattr(SyncObj, "__init__", construct)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (another_version, r"pysyncobj is 0\.3\.18, and 0\.3\.17 is what is repaired"),
        (another_constructor, r"pysyncobj 0\.3\.17 lacks __init__"),
        (a_method_less, r"pysyncobj 0\.3\.17 lacks _SyncObj__setCurrentTerm"),
        (an_attribute_less, r"pysyncobj 0\.3\.17 lacks _SyncObj__noopIDx"),
    ],
)
async def test_a_member_on_another_library_says_which_one_it_needs_and_starts_on_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: Callable[[pytest.MonkeyPatch], None], message: str
) -> None:
    found_cluster(tmp_path, CLUSTER, Configuration(voters=(ME,)), Ledger())

    def member() -> RaftNode:
        return RaftNode(ME, CLUSTER, tmp_path, Ledger(), tls=None, rng=random.Random(1), settings=QUICK)

    with monkeypatch.context() as patch:
        changed(patch)
        with pytest.raises(UnavailableError, match=message) as caught:
            async with member():
                pass
    assert (caught.value.code, caught.value.hint) == ("raft.library", "install pysyncobj==0.3.17, exactly")
    async with member() as node:
        assert await node.propose(b"v") == b"0"

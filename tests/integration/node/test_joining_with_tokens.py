"""What a leader makes of the tokens that newcomers show."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.api.api_kit import CLUSTER, Served, serving
from tests.waiting import until
from wire.api.ports import By
from wire.cluster import commands as c
from wire.core.clock import SystemClock
from wire.core.errors import FatalError, RefusedError
from wire.core.units import Duration
from wire.node.calls import Joined, Joining
from wire.node.control.asking import Asking
from wire.node.control.tokens import TokenService
from wire.node.membership.entering import let_in
from wire.raft import Member, MemberId, Role

HOUR = Duration.parse("1h")
N2, N3 = (Member(MemberId(f"{name}/i"), "127.0.0.1:9") for name in ("n2", "n3"))


class Leader:
    """The leader of a cluster of one, and its tokens."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.tokens = TokenService(Asking(served.node, served.machine, SystemClock()))
        self._made = 0

    async def token(self, uses: int | None = 1) -> str:
        self._made += 1
        return (await self.tokens.create(HOUR, uses, By("ada", b"%d" % self._made))).token

    async def let_in(self, newcomer: Member, token: str | None) -> Joined:
        return await let_in(self.served.node, CLUSTER, newcomer, lambda: self.tokens.use(token, newcomer))

    def uses_left(self, token: str) -> int | None:
        return self.served.machine.state.tokens[token.partition(".")[0]].uses_left

    @property
    def learners(self) -> tuple[Member, ...]:
        return self.served.node.members().learners


@contextlib.asynccontextmanager
async def leading(folder: Path) -> AsyncIterator[Leader]:
    async with serving(folder) as served:
        await until(lambda: served.node.status().role is Role.LEADER)
        yield Leader(served)


async def test_a_token_lets_as_many_in_as_it_may_however_often_each_asks(tmp_path: Path) -> None:
    async with leading(tmp_path) as leader:
        token = await leader.token(uses=2)
        for newcomer, left in ((N2, 1), (N2, 1), (N3, 0), (N3, 0)):
            assert await leader.let_in(newcomer, token) == Joined(cluster=CLUSTER)
            assert leader.uses_left(token) == left
        with pytest.raises(RefusedError) as refused:
            await leader.let_in(Member(MemberId("n4/i"), "127.0.0.1:9"), token)
        assert refused.value.code == "cluster.token_used_up"
        assert leader.learners == (N2, N3)


async def test_one_whose_joining_broke_off_after_the_token_was_used_up_needs_no_other_one(tmp_path: Path) -> None:
    async with leading(tmp_path) as leader:
        token = await leader.token()
        await leader.tokens.use(token, N2)
        with pytest.raises(RefusedError):
            await leader.let_in(N3, token)
        assert await leader.let_in(N2, token) == Joined(cluster=CLUSTER)


async def test_who_shows_none_is_told_how_to_get_one(tmp_path: Path) -> None:
    async with leading(tmp_path) as leader:
        with pytest.raises(FatalError) as refused:
            await leader.let_in(N2, None)
        assert refused.value.code == "cluster.token_required"
        assert "WIRE_JOIN_TOKEN" in str(refused.value.hint)
        assert leader.learners == ()


async def test_another_secret_another_cluster_and_a_revoked_one_are_unknown(tmp_path: Path) -> None:
    async with leading(tmp_path / "a") as leader, leading(tmp_path / "b") as elsewhere:
        revoked, good, foreign = await leader.token(), await leader.token(), await elsewhere.token()
        await leader.tokens.revoke(revoked.partition(".")[0], By("ada", b"r"))
        guessed = good[:-1] + ("A" if good[-1] != "A" else "B")
        for token in (revoked, foreign, guessed, "", "x" * 10_000):
            with pytest.raises(FatalError) as refused:
                await leader.let_in(N2, token)
            assert refused.value.code == "cluster.unknown_token"
            assert token == "" or token not in str(refused.value)
        assert leader.uses_left(good) == 1
        assert leader.learners == ()


async def test_one_that_has_expired_lets_nobody_in(tmp_path: Path) -> None:
    async with leading(tmp_path) as leader:
        token = await leader.token()
        later = leader.served.machine.state.now_ms + round(HOUR.ms) + 1
        await leader.served.propose(c.RevokeToken(at_ms=later, id="none"))
        with pytest.raises(RefusedError) as refused:
            await leader.let_in(N2, token)
        assert refused.value.code == "cluster.token_expired"


def test_a_request_does_not_show_its_token() -> None:
    assert "hidden" not in repr(Joining(N2, "0123456789abcdef.hidden"))

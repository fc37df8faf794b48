"""Tokens to join with, and the trail of what was changed."""

from __future__ import annotations

from tests.unit.cluster.world_kit import P, World
from wire.cluster import commands as c
from wire.cluster.commands import Done
from wire.cluster.state import JobId
from wire.cluster.tokens import MAX_TOKENS
from wire.cluster.trail import MAX_CHANGES


def create(id_: str, at_ms: int = 1000, expires_ms: int = 2000, uses: int | None = 1) -> c.CreateToken:
    return c.CreateToken(at_ms=at_ms, actor="ada", id=id_, salt=b"s", digest=b"d", expires_ms=expires_ms, uses=uses)


def use(id_: str, at_ms: int = 1000) -> c.UseToken:
    return c.UseToken(at_ms=at_ms, actor="newcomer", id=id_)


def test_a_token_is_used_as_often_as_it_may() -> None:
    world = World()
    world.do(create("once"))
    world.do(create("often", uses=None))
    token = world.state.tokens["once"]
    assert (token.salt, token.digest, token.created_by, token.uses_left) == (b"s", b"d", "ada", 1)
    assert world.do(use("once")) == Done()
    assert world.refusal(use("once")) == "cluster.token_used_up"
    for _ in range(5):
        assert world.do(use("often")) == Done()
    assert world.refusal(use("unknown")) == "cluster.unknown_token"


def test_a_token_expires_also_for_a_clock_that_is_behind() -> None:
    world = World()
    world.do(create("t"))
    assert world.refusal(use("t", at_ms=2000)) == "cluster.token_expired"
    assert world.refusal(use("t", at_ms=1000)) == "cluster.token_expired"
    assert world.state.now_ms == 2000


def test_a_token_that_is_revoked_is_gone() -> None:
    world = World()
    world.do(create("t"))
    for _ in range(2):
        assert world.do(c.RevokeToken(at_ms=1, actor="ada", id="t")) == Done()
    assert world.refusal(use("t")) == "cluster.unknown_token"
    assert [change.action for change in world.state.changes] == ["create_token", "revoke_token"]


def test_no_token_takes_the_place_of_another() -> None:
    world = World()
    world.do(create("t"))
    assert world.refusal(create("t")) == "cluster.duplicate_token"


def test_of_many_tokens_those_that_are_no_good_are_dropped_first() -> None:
    world = World()
    for n in range(MAX_TOKENS - 2):
        world.do(create(f"t{n}", expires_ms=9000))
    world.do(create("expires", expires_ms=1500))
    world.do(create("used"))
    world.do(use("used"))
    assert world.do(create("new", at_ms=1600, expires_ms=9000)) == Done()
    assert not {"expires", "used"} & world.state.tokens.keys()
    assert world.do(create("last", at_ms=1600)) == Done()
    assert world.refusal(create("too many", at_ms=1600)) == "cluster.too_many_tokens"
    assert len(world.state.tokens) == MAX_TOKENS


def test_the_trail_says_who_changed_what_and_when() -> None:
    world = World()
    world.node("a")
    world.apply("1", "j")
    world.desire("paused")
    world.desire("paused")
    world.refusal(world.applying("2", "k", if_revision=1))
    first, second = world.state.changes
    assert (first.index, first.actor, first.action, first.subject, first.detail) == (
        2, "ada", "apply_pipeline", "default/p", "version 1"
    )  # fmt: skip
    assert (second.at_ms, second.action, second.detail) == (1002, "set_desired", "paused")


def test_each_change_of_a_pipeline_is_in_the_trail() -> None:
    world = World()
    world.apply("1", "j")
    world.apply("2", "k")
    world.do(c.RollBack(at_ms=1, key=P, to=1, job=JobId("l")))
    world.do(c.RestartPipeline(at_ms=1, key=P, job=JobId("m")))
    world.desire("stopped")
    world.do(c.ResetPositions(at_ms=1, key=P))
    world.delete(keep=True)
    world.apply("1", "n")
    world.delete()
    assert [(change.action, change.detail) for change in world.state.changes] == [
        ("apply_pipeline", "version 1"),
        ("apply_pipeline", "version 2"),
        ("roll_back", "version 3"),
        ("restart_pipeline", ""),
        ("set_desired", "stopped"),
        ("reset_positions", "generation 1"),
        ("delete_pipeline", "its checkpoints are kept"),
        ("apply_pipeline", "version 1"),
        ("delete_pipeline", ""),
    ]
    assert {change.subject for change in world.state.changes} == {"default/p"}


def test_the_trail_is_bounded() -> None:
    world = World()
    world.apply("1", "j")
    for n in range(MAX_CHANGES + 5):
        world.desire("paused" if n % 2 == 0 else "running")
    assert len(world.state.changes) == MAX_CHANGES
    assert world.state.changes[-1].index == world.index

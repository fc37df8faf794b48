"""Nodes come, are drained, go, and understand commands up to some version."""

from __future__ import annotations

import pytest

from tests.unit.cluster.world_kit import World
from wire.cluster import commands as c
from wire.cluster.commands import Done, Refused
from wire.cluster.state import DISCOVERY, NodeName


def drain(world: World, name: str, draining: bool = True) -> c.DrainNode:
    return c.DrainNode(at_ms=world.at_ms, actor="ada", name=NodeName(name), draining=draining)


def leave(world: World, name: str) -> c.LeaveNode:
    return c.LeaveNode(at_ms=world.at_ms, actor="ada", name=NodeName(name))


def remove(world: World, name: str) -> c.RemoveNode:
    return c.RemoveNode(at_ms=world.at_ms, actor="ada", name=NodeName(name))


def enable(world: World, version: int) -> c.EnableCommands:
    return c.EnableCommands(at_ms=world.at_ms, actor="ada", version=version)


def test_a_node_is_as_it_says() -> None:
    world = World()
    assert world.node("a", labels={"zone": "x"}) == Done()
    node = world.state.nodes[NodeName("a")]
    assert (node.name, node.incarnation, node.address, node.labels) == ("a", "i", "a:1", {"zone": "x"})
    assert (node.workers, node.release, node.newest_command, node.joined_ms) == (2, "1.0", 1, world.state.now_ms)


def test_a_node_that_tells_again_stays_what_it_was_else() -> None:
    world = World()
    world.node("a")
    joined = world.state.now_ms
    world.do(drain(world, "a"))
    world.node("a", labels={"zone": "y"})
    node = world.state.nodes[NodeName("a")]
    assert (node.draining, node.joined_ms, node.labels) == (True, joined, {"zone": "y"})


def test_another_incarnation_begins_anew() -> None:
    world = World()
    world.node("a")
    world.apply("1", "j")
    epoch = world.run("j", DISCOVERY, "a")
    world.do(drain(world, "a"))
    world.node("a", incarnation="other")
    node = world.state.nodes[NodeName("a")]
    assert (node.draining, node.joined_ms) == (False, world.state.now_ms)
    assert world.task("j", DISCOVERY).owner is None
    assert world.start("j", DISCOVERY, "a", "i") is None
    assert world.start("j", DISCOVERY, "a", "other") == epoch + 1


def test_draining_is_begun_and_ended_and_said_once() -> None:
    world = World()
    world.node("a")
    for _ in range(2):
        assert world.do(drain(world, "a")) == Done()
    assert world.state.nodes[NodeName("a")].draining
    world.do(drain(world, "a", draining=False))
    assert not world.state.nodes[NodeName("a")].draining
    assert [(change.action, change.detail) for change in world.state.changes] == [
        ("drain_node", "begun"),
        ("drain_node", "ended"),
    ]


def test_a_node_that_leaves_is_drained_for_good_and_said_once() -> None:
    world = World()
    assert world.refusal(leave(world, "a")) == "cluster.unknown_node"
    world.node("a")
    for _ in range(2):
        assert world.do(leave(world, "a")) == Done()
    node = world.state.nodes[NodeName("a")]
    assert (node.leaving, node.draining) == (True, True)
    assert world.refusal(drain(world, "a", draining=False)) == "cluster.node_leaving"
    assert world.do(drain(world, "a")) == Done()
    assert [change.action for change in world.state.changes] == ["leave_node"]


def test_a_node_that_is_started_again_goes_on_leaving_and_another_incarnation_does_not() -> None:
    world = World()
    world.node("a")
    world.do(leave(world, "a"))
    world.node("a")
    assert world.state.nodes[NodeName("a")].leaving
    world.node("a", incarnation="other")
    node = world.state.nodes[NodeName("a")]
    assert (node.leaving, node.draining) == (False, False)


def test_a_draining_node_may_start_what_was_not_given_to_others_yet() -> None:
    world = World()
    world.node("a")
    world.apply("1", "j")
    world.assign("j", DISCOVERY, "a")
    world.do(drain(world, "a"))
    assert world.start("j", DISCOVERY, "a") is not None


def test_who_is_not_there_is_not_drained_and_may_be_removed() -> None:
    world = World()
    assert world.refusal(drain(world, "a")) == "cluster.unknown_node"
    assert world.do(remove(world, "a")) == Done()
    assert not world.state.changes


def test_a_node_that_is_removed_owns_nothing_and_is_no_target() -> None:
    world = World()
    world.node("b")
    world.apply("1", "j")
    world.spread("j", "x", "y", "z")
    world.run("j", 0, "a")
    world.assign("j", 0, "b")
    world.run("j", 1, "b")
    world.assign("j", 1, "a")
    world.run("j", 2, "a")
    world.do(remove(world, "a"))
    assert NodeName("a") not in world.state.nodes
    assert [(world.task("j", slot).owner, world.task("j", slot).target) for slot in range(3)] == [
        (None, "b"),
        ("b", None),
        (None, None),
    ]
    assert world.state.changes[-1].subject == "a"


def test_commands_are_enabled_when_all_nodes_understand_them() -> None:
    world = World()
    assert world.refusal(enable(world, 2)) == "cluster.node_too_old", "nobody is there to say so"
    world.node("a", newest=2)
    world.node("b", newest=1)
    refused = world.the(Refused, enable(world, 2))
    assert "b" in refused.message.split(": ")[-1]
    world.node("b", newest=3)
    assert world.do(enable(world, 2)) == Done()
    assert world.state.command_version == 2
    for version in (2, 1):
        assert world.do(enable(world, version)) == Done()
    assert world.state.command_version == 2
    assert [change.detail for change in world.state.changes] == ["version 2"]


@pytest.mark.parametrize("known", [True, False])
def test_a_node_that_does_not_understand_what_is_enabled_is_refused(known: bool) -> None:
    world = World()
    world.node("a", newest=2)
    if known:
        world.node("b", newest=2)
    world.do(enable(world, 2))
    before = dict(world.state.nodes)
    answer = world.node("b", newest=1)
    assert isinstance(answer, Refused)
    assert answer.code == "cluster.node_too_old"
    assert world.state.nodes == before

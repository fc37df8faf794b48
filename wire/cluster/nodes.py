"""Nodes: who can be given work, and which commands all of them understand."""

from __future__ import annotations

from msgspec.structs import replace

from wire.cluster import tasks, trail
from wire.cluster.commands import Done, DrainNode, EnableCommands, LeaveNode, Refused, RegisterNode, RemoveNode
from wire.cluster.state import Node, NodeName, State


def register(state: State, command: RegisterNode) -> Done | Refused:
    """Take a node in, or what it tells anew."""
    if command.newest_command < state.command_version:
        return Refused(
            code="cluster.node_too_old",
            message=f"version {state.command_version} of the commands is enabled, and this node understands them up to"
            f" {command.newest_command}",
            hint="upgrade this node",
        )
    known = state.nodes.get(command.name)
    if known is not None and known.incarnation != command.incarnation:
        tasks.revoke_all(state, command.name)
        known = None
    state.nodes[command.name] = Node(
        name=command.name,
        incarnation=command.incarnation,
        address=command.address,
        workers=command.workers,
        labels=command.labels,
        release=command.release,
        newest_command=command.newest_command,
        draining=known is not None and known.draining,
        joined_ms=known.joined_ms if known is not None else state.now_ms,
        leaving=known is not None and known.leaving,
    )
    return Done()


def drain(state: State, index: int, command: DrainNode) -> Done | Refused:
    """Mark a node: to move its tasks is the scheduler's work."""
    node = state.nodes.get(command.name)
    if node is None:
        return _unknown(command.name)
    if node.leaving and not command.draining:
        return Refused(
            code="cluster.node_leaving",
            message=f"{command.name} is leaving the cluster",
            hint="that is not taken back: let it join anew once it has left, with an empty data folder",
        )
    if node.draining != command.draining:
        state.nodes[command.name] = replace(node, draining=command.draining)
        trail.record(state, index, command, command.name, "begun" if command.draining else "ended")
    return Done()


def leave(state: State, index: int, command: LeaveNode) -> Done | Refused:
    """Mark a node: to move its tasks is the scheduler's work, to remove it then the leader's."""
    node = state.nodes.get(command.name)
    if node is None:
        return _unknown(command.name)
    if not node.leaving:
        state.nodes[command.name] = replace(node, draining=True, leaving=True)
        _forget_home(state, command.name)
        trail.record(state, index, command, command.name)
    return Done()


def remove(state: State, index: int, command: RemoveNode) -> Done:
    """Forget a node and what it had."""
    if state.nodes.pop(command.name, None) is not None:
        tasks.revoke_all(state, command.name)
        tasks.clear_targets(state, command.name)
        _forget_home(state, command.name)
        trail.record(state, index, command, command.name)
    return Done()


def _forget_home(state: State, name: NodeName) -> None:
    """Let pipelines whose files are on a node that goes for good begin other files elsewhere."""
    for key, pipeline in list(state.pipelines.items()):
        if pipeline.home == name:
            state.pipelines[key] = replace(pipeline, home=None)
    for key, kept in state.kept.items():
        if kept.home == name:
            state.kept[key] = replace(kept, home=None)


def enable_commands(state: State, index: int, command: EnableCommands) -> Done | Refused:
    """Raise the version of commands that may be proposed, if all nodes say that they understand it."""
    if command.version <= state.command_version:
        return Done()
    behind = sorted(name for name, node in state.nodes.items() if node.newest_command < command.version)
    if behind or not state.nodes:
        return Refused(
            code="cluster.node_too_old",
            message=f"not every node understands version {command.version} of the commands"
            + (f": {', '.join(behind[:10])}" if behind else ""),
            hint="upgrade these nodes, or remove those that will not come back",
        )
    state.command_version = command.version
    trail.record(state, index, command, "cluster", f"version {command.version}")
    return Done()


def _unknown(name: NodeName) -> Refused:
    return Refused(code="cluster.unknown_node", message=f"there is no node {name}")

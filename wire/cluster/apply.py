"""The one way in which the state changes. Pure: the same log gives the same state everywhere (I6)."""

from __future__ import annotations

from typing import assert_never

from wire.cluster import commands as c
from wire.cluster import committing, jobs, nodes, pipelines, restoring, tasks, tokens
from wire.cluster.commands import Answer, AnyCommand, NodeCommand, OperatorCommand
from wire.cluster.state import State


def apply(state: State, index: int, command: AnyCommand) -> Answer:
    """Carry out the command at this index of the log, and return its answer. Never raises.

    Time goes on with every command, refused ones too; it does not go back where a proposer's clock is behind.
    """
    state.now_ms = max(state.now_ms, command.at_ms)
    if isinstance(command, NodeCommand):
        return _from_nodes(state, index, command)
    return _from_operators(state, index, command)


def _from_operators(state: State, index: int, command: OperatorCommand) -> Answer:
    match command:
        case c.DrainNode():
            return nodes.drain(state, index, command)
        case c.LeaveNode():
            return nodes.leave(state, index, command)
        case c.RemoveNode():
            return nodes.remove(state, index, command)
        case c.EnableCommands():
            return nodes.enable_commands(state, index, command)
        case c.ApplyPipeline():
            return pipelines.apply(state, index, command)
        case c.RollBack():
            return pipelines.roll_back(state, index, command)
        case c.SetDesired():
            return pipelines.set_desired(state, index, command)
        case c.RestartPipeline():
            return pipelines.restart(state, index, command)
        case c.DeletePipeline():
            return pipelines.delete(state, index, command)
        case c.ResetPositions() | c.ForgetCheckpoints():
            return _about_positions(state, index, command)
        case c.RestoreCheckpoints() | c.RestorePipelines():
            return _from_backups(state, index, command)
        case c.CreateToken() | c.UseToken() | c.RevokeToken():
            return _about_tokens(state, index, command)
        case _:
            assert_never(command)


def _about_positions(state: State, index: int, command: c.ResetPositions | c.ForgetCheckpoints) -> Answer:
    match command:
        case c.ResetPositions():
            return pipelines.reset_positions(state, index, command)
        case c.ForgetCheckpoints():
            return pipelines.forget_checkpoints(state, index, command)
        case _:
            assert_never(command)


def _from_backups(state: State, index: int, command: c.RestoreCheckpoints | c.RestorePipelines) -> Answer:
    match command:
        case c.RestoreCheckpoints():
            return restoring.put_checkpoints(state, command)
        case c.RestorePipelines():
            return restoring.make_pipelines(state, index, command)
        case _:
            assert_never(command)


def _about_tokens(state: State, index: int, command: c.CreateToken | c.UseToken | c.RevokeToken) -> Answer:
    match command:
        case c.CreateToken():
            return tokens.create(state, index, command)
        case c.UseToken():
            return tokens.use(state, index, command)
        case c.RevokeToken():
            return tokens.revoke(state, index, command)
        case _:
            assert_never(command)


def _from_nodes(state: State, index: int, command: NodeCommand) -> Answer:
    match command:
        case c.CommitCheckpoints():
            return committing.commit(state, command)
        case c.StartTasks():
            return tasks.start(state, command)
        case c.ReleaseTasks():
            return tasks.release(state, command)
        case c.ReportPartitions():
            return tasks.report(state, command)
        case c.DealShares():
            return tasks.deal(state, command)
        case c.AssignTasks():
            return tasks.assign(state, command)
        case c.EndTasks():
            return tasks.end(state, command)
        case c.FailTask():
            return tasks.fail(state, index, command)
        case c.RevokeNode():
            return tasks.revoke(state, command)
        case c.RegisterNode():
            return nodes.register(state, command)
        case c.Prove():
            return jobs.prove(state, command)
        case _:
            assert_never(command)

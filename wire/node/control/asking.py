"""Commands to the log and reads from the state, with what can go wrong said as errors."""

from __future__ import annotations

from typing import Final, TypeVar

from wire.api.ports import Consistency
from wire.cluster.commands import Answer, AnyCommand, Done, Refused
from wire.cluster.encoding import decode_answer, encode, not_enabled
from wire.cluster.machine import ClusterMachine
from wire.cluster.state import State
from wire.core.clock import Clock
from wire.core.errors import FatalError, RefusedError, RetryableError, WireError
from wire.raft import RaftNode, Rejected, Unknown

A = TypeVar("A")

_RETRY_S: Final = 1.0
_PASSING: Final = ("raft.busy", "raft.no_leader", "raft.not_leader", "raft.stopped", "raft.storage.full")
_FULL_HINT: Final = "free space on this node's disk: it goes on by itself once there is room; or ask another node"
_STALE_HINT: Final = "try again; ?consistency=stale answers with what this node knows"


class Asking:
    """Consensus as the services of a node use it."""

    def __init__(self, node: RaftNode, machine: ClusterMachine, clock: Clock, timeout_s: float = 10.0) -> None:
        """Ask `node`, whose state machine is `machine`; wait so long for an answer, at most."""
        self.node = node
        self._machine = machine
        self._clock = clock
        self.timeout_s = timeout_s

    @property
    def known(self) -> State:
        """What this node knows by now. To be asked for anew after each `await`."""
        return self._machine.state

    def now_ms(self) -> int:
        """Return the time that a command is given."""
        return self._clock.now_ms()

    async def state(self, consistency: Consistency) -> State:
        """Return the state, at least as new as is asked for (I7). Raises RetryableError where that is not to be had."""
        if consistency == "linearizable" and not await self.node.read_barrier(self.timeout_s):
            raise self._not_confirmed()
        return self._machine.state

    def _not_confirmed(self) -> WireError:
        if self.node.trouble is not None:
            return error_of(Rejected(self.node.trouble.code, self.node.trouble.message))
        if self.node.status().leader is None:
            return RetryableError("raft.no_leader", after_s=_RETRY_S, hint=_STALE_HINT)
        message = f"within {self.timeout_s:g} s this node could not make sure that it knows everything"
        return RetryableError("cluster.read_not_confirmed", message, after_s=_RETRY_S, hint=_STALE_HINT)

    async def carry_out(self, command: AnyCommand, request_id: bytes, kind: type[A]) -> A:
        """Have a command carried out, once however often it is asked for under one id, and return what it answers.

        Raises RefusedError where it is not carried out, RetryableError where that may change; with the code
        `cluster.outcome_unknown` it may have been carried out.
        """
        self._require_enabled(command)
        return _answer(await self.node.propose(encode(command), request_id, self.timeout_s), kind)

    async def carry_out_as_leader(self, term: int, command: AnyCommand) -> None:
        """Have a command carried out that this node has decided on as the leader of a term; nobody else is asked to.

        Raises as `carry_out` does.
        """
        self._require_enabled(command)
        _answer(await self.node.propose_as_leader(term, encode(command), self.timeout_s), Done)

    def _require_enabled(self, command: AnyCommand) -> None:
        refusal = not_enabled(self._machine.state, command)
        if refusal is not None:
            raise _refused(refusal)


def _answer(outcome: bytes | Rejected | Unknown, kind: type[A]) -> A:
    """Return what a command answered. Raises where it answered nothing, or something else."""
    if isinstance(outcome, Unknown):
        message = f"whether this was carried out is not known: {outcome.message}"
        hint = "look whether it was, or ask again with the same Idempotency-Key"
        raise RetryableError("cluster.outcome_unknown", message, after_s=_RETRY_S, hint=hint)
    if isinstance(outcome, Rejected):
        raise error_of(outcome)
    answer: Answer = decode_answer(outcome)
    if isinstance(answer, Refused):
        raise _refused(answer)
    if not isinstance(answer, kind):
        raise FatalError("cluster.unknown_answer", f"a command answered {type(answer).__name__}")
    return answer


def error_of(rejected: Rejected) -> WireError:
    """Return what consensus refused as an error."""
    if rejected.code in _PASSING:
        hint = _FULL_HINT if rejected.code == "raft.storage.full" else "try again, or ask another node"
        return RetryableError(rejected.code, rejected.message, after_s=_RETRY_S, hint=hint)
    return RefusedError(rejected.code, rejected.message)


def _refused(refusal: Refused) -> RefusedError:
    return RefusedError(refusal.code, refusal.message, hint=refusal.hint)

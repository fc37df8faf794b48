"""Tokens by which nodes join."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wire.cluster import trail
from wire.cluster.commands import CreateToken, Done, Refused, RevokeToken, UseToken
from wire.cluster.state import JoinToken, State

MAX_TOKENS: Final = 1000
"""Far more than anybody hands out at a time. What is no good any more is forgotten first, when there are so many."""


def create(state: State, index: int, command: CreateToken) -> Done | Refused:
    """Keep a token, in the place of those that are no good any more if need be."""
    if command.id in state.tokens:
        return Refused(code="cluster.duplicate_token", message=f"there is a token {command.id} already")
    if len(state.tokens) >= MAX_TOKENS:
        for token in [each for each in state.tokens.values() if _trouble(state, each) is not None]:
            del state.tokens[token.id]
    if len(state.tokens) >= MAX_TOKENS:
        return Refused(
            code="cluster.too_many_tokens",
            message=f"there are {MAX_TOKENS} tokens that have not expired",
            hint="revoke some of them",
        )
    state.tokens[command.id] = JoinToken(
        id=command.id,
        salt=command.salt,
        digest=command.digest,
        expires_ms=command.expires_ms,
        uses_left=command.uses,
        created_by=command.actor,
    )
    trail.record(state, index, command, command.id)
    return Done()


def use(state: State, index: int, command: UseToken) -> Done | Refused:
    """Count one use."""
    token = state.tokens.get(command.id)
    if token is None:
        return Refused(code="cluster.unknown_token", message=f"there is no token {command.id}", hint=_HINT)
    trouble = _trouble(state, token)
    if trouble is not None:
        return trouble
    if token.uses_left is not None:
        state.tokens[command.id] = replace(token, uses_left=token.uses_left - 1)
    trail.record(state, index, command, command.id)
    return Done()


def revoke(state: State, index: int, command: RevokeToken) -> Done:
    """Forget a token."""
    if state.tokens.pop(command.id, None) is not None:
        trail.record(state, index, command, command.id)
    return Done()


_HINT: Final = "have a new token made"


def _trouble(state: State, token: JoinToken) -> Refused | None:
    if state.now_ms >= token.expires_ms:
        return Refused(code="cluster.token_expired", message=f"token {token.id} has expired", hint=_HINT)
    if token.uses_left is not None and token.uses_left <= 0:
        return Refused(code="cluster.token_used_up", message=f"token {token.id} is used up", hint=_HINT)
    return None

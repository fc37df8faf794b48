"""Tokens by which nodes join, as `wire.api.ports.Tokens`; and how one is checked.

A token is `<id>.<secret>`. The secret is 256 random bits, told once; what the cluster keeps is a salted hash (I9). One
made to be slow would gain nothing: there are too many secrets to try.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from wire.api import views
from wire.api.ports import By, Part
from wire.cluster.commands import CreateToken, Done, RevokeToken, UseToken
from wire.cluster.state import JoinToken
from wire.core.errors import FatalError, RefusedError
from wire.core.units import Duration
from wire.node.control.asking import Asking
from wire.node.control.describing import moment
from wire.node.control.lists import part_of
from wire.raft import Member

_ID_BYTES: Final = 8
_SALT_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_HINT: Final = "have one made by POST /api/v1/cluster/tokens on a node of the cluster"


class TokenService:
    """Makes, lists, revokes and takes tokens."""

    def __init__(self, asking: Asking) -> None:
        """Be ready."""
        self._asking = asking

    async def create(self, expires: Duration, uses: int | None, by: By) -> views.NewToken:  # noqa: D102
        id_, salt = secrets.token_hex(_ID_BYTES), secrets.token_bytes(_SALT_BYTES)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now_ms = self._asking.now_ms()
        expires_ms, digest = now_ms + round(expires.ms), _digest(salt, secret)
        command = CreateToken(
            at_ms=now_ms, actor=by.actor, id=id_, salt=salt, digest=digest, expires_ms=expires_ms, uses=uses
        )
        await self._asking.carry_out(command, by.request_id, Done)
        if id_ not in self._asking.known.tokens:  # what was carried out is the same request as it was made before
            hint = "revoke that one if its secret is lost, and have another one made under another Idempotency-Key"
            raise RefusedError("cluster.token_made_before", hint=hint)
        return views.NewToken(id=id_, token=f"{id_}.{secret}", expires_at=moment(expires_ms), uses=uses)

    async def page(self, part: Part) -> views.Page[views.Token]:  # noqa: D102
        state = await self._asking.state(part.consistency)
        return part_of(state.tokens.values(), part, lambda each: each.id, str, _view)

    async def revoke(self, id_: str, by: By) -> None:  # noqa: D102
        state = await self._asking.state("linearizable")
        if id_ not in state.tokens:
            raise RefusedError("cluster.unknown_token", f"there is no token {id_}", hint="GET .../tokens lists them")
        command = RevokeToken(at_ms=self._asking.now_ms(), actor=by.actor, id=id_)
        await self._asking.carry_out(command, by.request_id, Done)

    async def use(self, token: str | None, newcomer: Member) -> None:
        """Use a token up for a node that wants to join; once, however often that incarnation asks.

        Raises FatalError and RefusedError where it is no good, RetryableError where that is not known.
        """
        if token is None:
            message = f"the cluster lets nobody in without a token, and {newcomer.name} has shown none"
            raise FatalError("cluster.token_required", message, hint=f"{_HINT}, and give it as WIRE_JOIN_TOKEN")
        id_, _, secret = token.partition(".")
        known = (await self._asking.state("linearizable")).tokens.get(id_)
        if known is None or not hmac.compare_digest(_digest(known.salt, secret), known.digest):
            message = f"there is no token {id_[:64]} here: it was revoked or forgotten, or is another cluster's"
            raise FatalError("cluster.unknown_token", message, hint=_HINT)
        request_id = hashlib.blake2b(f"join\n{id_}\n{newcomer.id}".encode(), digest_size=16).digest()
        command = UseToken(at_ms=self._asking.now_ms(), actor=newcomer.name, id=id_)
        await self._asking.carry_out(command, request_id, Done)


def _digest(salt: bytes, secret: str) -> bytes:
    return hashlib.sha256(salt + secret.encode()).digest()


def _view(token: JoinToken) -> views.Token:
    return views.Token(
        id=token.id,
        expires_at=moment(token.expires_ms),
        uses_left=token.uses_left,
        created_by=token.created_by,
    )

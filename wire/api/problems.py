"""Errors as problem documents (RFC 9457): a code, where the mistake is, what to do, and which request it was."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Final

import msgspec
from fastapi import Response
from msgspec import Struct

from wire.core.codes import CODES
from wire.core.errors import ConfigError, RefusedError, RetryableError, WireError

MEDIA_TYPE: Final = "application/problem+json"


class Mistake(Struct, frozen=True, kw_only=True):
    """One mistake in what was sent. `path` is a JSON path into the document; `line` and `column` count from 1."""

    code: str
    path: str
    message: str
    hint: str | None = None
    line: int | None = None
    column: int | None = None


class Problem(Struct, frozen=True, kw_only=True):
    """Why a request was not answered as it was meant.

    `code` is stable and listed in the reference, `type` is made of it; `detail` says what went wrong here, `hint` what
    to do, always. `errors` holds every mistake found in what was sent.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    path: str | None = None
    hint: str
    request_id: str
    errors: tuple[Mistake, ...] = ()


STATUS: Final[dict[str, int]] = {
    "api.body_too_large": 413,
    "api.body_too_slow": 408,
    "api.cross_site": 403,
    "api.failed": 500,
    "api.invalid": 422,
    "api.media_type": 415,
    "api.method_not_allowed": 405,
    "api.no_such_address": 404,
    "api.not_authenticated": 401,
    "api.too_many_taps": 429,
    "api.unknown_host": 421,
    "api.unknown_key": 404,
    "cluster.busy": 503,
    "cluster.damaged_backup": 422,
    "cluster.duplicate_job": 409,
    "cluster.name_taken": 409,
    "cluster.has_cluster": 409,
    "cluster.last_node": 409,
    "cluster.nobody_waits": 422,
    "cluster.node_leaving": 409,
    "cluster.node_too_old": 409,
    "cluster.not_empty": 409,
    "cluster.outcome_unknown": 503,
    "cluster.pipeline_exists": 409,
    "cluster.pipeline_not_stopped": 409,
    "cluster.quorum_at_risk": 409,
    "cluster.read_not_confirmed": 504,
    "cluster.revision_changed": 412,
    "cluster.start_not_said": 422,
    "cluster.token_made_before": 409,
    "cluster.too_many_tokens": 409,
    "cluster.unknown_job": 404,
    "cluster.unknown_node": 404,
    "cluster.unknown_pipeline": 404,
    "cluster.unknown_token": 404,
    "cluster.unknown_snapshot": 422,
    "cluster.unknown_version": 404,
    "cluster.version_not_enabled": 409,
    "raft.change_refused": 409,
    "raft.change_under_way": 409,
    "raft.no_leader": 503,
    "raft.no_such_voter": 404,
    "raft.not_leader": 421,
    "raft.removed_member": 409,
    "raft.stopped": 503,
    "raft.too_large": 413,
    "raft.unknown_member": 404,
}
"""By code; `status_of` says what holds for the others."""

_HINTS: Final[dict[str, str]] = {
    "cluster.pipeline_exists": "choose another name, or change that one: PUT /api/v1/pipelines/NAME",
    "cluster.unknown_node": "GET /nodes?nonvoters lists them; one that has just joined is known within seconds",
    "cluster.unknown_pipeline": "GET .../pipelines lists those there are",
    "raft.change_refused": "GET /api/v1/cluster says who the members are now",
    "raft.no_such_voter": "only another node that votes can lead: GET /nodes lists them",
    "raft.not_leader": "ask again: another node leads by now",
    "raft.removed_member": "empty its data folder, and let it join as somebody new",
    "raft.too_large": "send less at once",
}
"""By code: what to do where the error does not say it. What the log has refused can't: all nodes keep it as it was."""


def status_of(error: WireError) -> int:
    """Return the HTTP status of an error: the code's own, or what its kind suggests."""
    if error.code in STATUS:
        return STATUS[error.code]
    if isinstance(error, ConfigError):
        return 422
    return 503 if isinstance(error, RetryableError) else 500


def problem(error: WireError, request_id: str) -> Response:
    """Return the response for an error; with `Retry-After` where trying again may help."""
    status = status_of(error)
    document = Problem(
        type=f"urn:wire:{error.code}",
        title=CODES.get(error.code, HTTPStatus(status).phrase),
        status=status,
        detail=error.message,
        code=error.code,
        path=error.path,
        hint=error.hint or _hint(error),
        request_id=request_id,
        errors=_mistakes(error),
    )
    headers = {}
    if isinstance(error, RetryableError) or status == HTTPStatus.SERVICE_UNAVAILABLE:
        after_s = error.after_s if isinstance(error, RetryableError) else 0.0
        headers["retry-after"] = str(max(1, math.ceil(after_s)))
    return Response(msgspec.json.encode(document), status, headers, MEDIA_TYPE)


def _hint(error: WireError) -> str:
    if isinstance(error, ConfigError):
        return "/docs describes what is sent here, the reference what a pipeline is made of"
    if isinstance(error, RefusedError):
        return _HINTS.get(error.code, "/docs describes what can be asked for")
    return "ask again later; the node's log says more"


def _mistakes(error: WireError) -> tuple[Mistake, ...]:
    if not isinstance(error, ConfigError):
        return ()
    return tuple(
        Mistake(
            code=each.code,
            path=each.path,
            message=each.message,
            hint=each.hint,
            line=each.line,
            column=each.column,
        )
        for each in error.findings
    )

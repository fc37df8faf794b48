"""What a node refused, as Wire's errors: its code, its place, its hint, and which request it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wire import __version__
from wire.cli.remote.connection import Answer
from wire.core.errors import (
    ConfigError,
    FatalError,
    Finding,
    RefusedError,
    RetryableError,
    UnavailableError,
    WireError,
)

_PASSING: Final = frozenset({408, 421, 425, 429, 502, 503, 504})
_NO_RIGHT: Final = frozenset({401, 403})
_LONGEST_WAIT_S: Final = 60.0
_ADDRESS_CODES: Final = ("api.no_such_address", "api.method_not_allowed")
_LEADERLESS: Final = "most nodes must be up to agree on a leader: `wire cluster members`, and start those that are not"
_MEMBERS: Final = "`wire cluster members` lists those there are"
_DECIDE: Final = "look at it with `wire pipeline get`, and decide again"
_ADDRESS_HINT: Final = "check the address: something else answers there"
_HINTS: Final = {
    "api.not_authenticated": "show a client's certificate: `wire certs issue NAME --client` makes one, "
    "`wire context set CONTEXT --cert FILE --key FILE` has it shown",
    "cluster.pipeline_exists": _DECIDE,
    "cluster.pipeline_not_stopped": "`wire pipeline stop NAME --wait` stops it",
    "cluster.read_not_confirmed": _LEADERLESS,
    "cluster.revision_changed": _DECIDE,
    "cluster.start_not_said": "--start configured begins where the sources' configuration says, --start keep goes on "
    "from the checkpoints all the same",
    "cluster.unknown_node": _MEMBERS,
    "cluster.unknown_pipeline": "`wire pipeline list` lists those there are",
    "cluster.unknown_token": "`wire cluster token list` lists those there are",
    "cluster.unknown_version": "`wire pipeline history NAME` lists those that are kept",
    "raft.no_leader": _LEADERLESS,
    "raft.no_such_voter": "only another node that votes can lead: `wire cluster members` shows which do",
    "raft.unknown_member": _MEMBERS,
}
"""By code: what to do here, where the node's own hint is for users of the REST API."""


class _Problem(Struct, frozen=True, kw_only=True):
    """A problem document, as far as it is needed here."""

    code: str
    detail: str
    path: str | None = None
    hint: str | None = None
    request_id: str = ""
    errors: tuple[Finding, ...] = ()


def error_of(answer: Answer, body: bytes) -> WireError:
    """Return the error that an answer with a status of 400 or more stands for."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return _not_wire(answer, body)
    error = _as_error(answer.status, answer.headers, problem)
    if problem.request_id and not isinstance(error, ConfigError):  # what the user wrote is the user's to look at
        error.add_note(f"request {problem.request_id}, answered by {_who(answer)}")
    return error


def not_understood(answer: Answer, exc: Exception) -> FatalError:
    """Return the error for an answer that is not what was asked for."""
    release = answer.headers.get("x-wire-version")
    if release is None:
        return FatalError("client.not_understood", f"{answer.place} is no node of Wire", hint=_ADDRESS_HINT)
    message = f"the answer of {_who(answer)} can't be read: {exc}"
    return FatalError("client.not_understood", message, hint=_releases(release))


def _as_error(status: int, headers: Mapping[str, str], problem: _Problem) -> WireError:
    code, message, path, hint = problem.code, problem.detail, problem.path, _HINTS.get(problem.code, problem.hint)
    if problem.errors:
        return ConfigError([_as_flag(finding) for finding in problem.errors])
    if code in _ADDRESS_CODES:
        return RefusedError(code, message, path=path, hint=_releases(headers.get("x-wire-version", "")))
    if status in _PASSING:
        return RetryableError(code, message, after_s=_after_s(headers), path=path, hint=hint)
    if status in _NO_RIGHT:
        return UnavailableError(code, message, path=path, hint=hint)
    kind = FatalError if status >= 500 else RefusedError
    return kind(code, message, path=path, hint=hint)


def _as_flag(finding: Finding) -> Finding:
    """Return a finding as the command line calls things: its flags are the parameters of the API."""
    hint = _HINTS.get(finding.code, finding.hint)
    path = finding.path.replace("query.", "--", 1) if finding.path.startswith("query.") else finding.path
    return replace(finding, path=path, hint=hint)


def _not_wire(answer: Answer, body: bytes) -> WireError:
    text = " ".join(body[:400].decode(errors="replace").split())[:120]
    message = f"{answer.place} answered {answer.status}{f': {text}' if text else ''}"
    if answer.status in _PASSING:
        return RetryableError("client.not_understood", message, after_s=_after_s(answer.headers), hint=_ADDRESS_HINT)
    return FatalError("client.not_understood", message, hint=_ADDRESS_HINT)


def _after_s(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "")
    return min(float(text[:9]), _LONGEST_WAIT_S) if text.isdecimal() else 0.0


def _who(answer: Answer) -> str:
    return answer.headers.get("x-wire-served-by") or answer.place


def _releases(release: str) -> str:
    if release == __version__:
        return "this node can't do that; its /docs list what it can"
    return f"the node runs release {release or 'unknown'}, this command is of {__version__}: use the same one"

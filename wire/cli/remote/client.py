"""Asks a cluster: whichever of its nodes answers, again while that may help."""

from __future__ import annotations

import contextlib
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from wire.cli.remote.addresses import Address
from wire.core.errors import ConfigError, Finding, RetryableError, UnavailableError, WireError

if TYPE_CHECKING:
    from wire.cli.remote.connection import Answer, Connection, Request
    from wire.clients.tls import Tls

T = TypeVar("T")

_SILENCE_S: Final = 60.0
"""The longest a node may say nothing: it gives up on consensus long before that."""

_FILE_SILENCE_S: Final = 600.0
"""The same where it has a file to read first."""

_PATIENCE_S: Final = 15.0
_NOBODY_THERE_S: Final = 3.0
_PAUSE_S: Final = 0.2
_UNKNOWN: Final = "cluster.outcome_unknown"
_PAGE: Final = 1000
NO_ANSWER: Final = "client.no_answer"
_TLS: Final = "client.tls"
_NOT_ASKED: Final = ("client.unreachable", _TLS)


class Found(Struct, frozen=True):
    """What a node answered, in JSON."""

    answer: Any
    body: bytes

    def to(self, kind: type[T]) -> T:
        """Return it as one of `wire.api.views`. Raises FatalError where it is none."""
        from wire.cli.remote.problems import not_understood

        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.MsgspecError as exc:
            raise not_understood(self.answer, exc) from exc

    def plain(self) -> Any:
        """Return it as plain data, with all the node says."""
        return self.to(object)


class _Page(Struct, frozen=True):
    items: list[msgspec.Raw]
    next: str | None


class Client:
    """Asks the nodes of one cluster, one after the other, the one first that answered last. Close it after use.

    What may pass, such as the time without a leader, is waited for: `patience_s` where it is given, else some seconds,
    and fewer where nobody listens at all. What changes something carries a key, so that it is done once however often
    it is asked for.
    """

    def __init__(
        self, addresses: Sequence[Address], tls: Tls, patience_s: float | None = None, namespace: str = "default"
    ) -> None:
        """Ask these nodes; `namespace` is the one that is meant unless another is named. Nothing is opened yet.

        Entering it raises UnavailableError for files of `tls` that can't be used.
        """
        self._addresses = addresses
        self._namespace = namespace
        self._tls = tls
        self._patience_s = patience_s
        self._connections: list[Connection] = []

    def __enter__(self) -> Self:
        from wire.cli.remote.connection import Connection
        from wire.clients.tls import tls_context

        secure = any(each.secure for each in self._addresses)
        context = tls_context(self._tls, _TLS, "context") if secure else None
        self._connections = [Connection(each, context) for each in self._addresses]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()

    def within(self, namespace: str | None, *below: str) -> tuple[str, ...]:
        """Return the path of what is in a namespace."""
        return ("api", "v1", "namespaces", namespace or self._namespace, *below)

    def pipelines(self, namespace: str | None, *below: str) -> tuple[str, ...]:
        """Return the path of a namespace's pipelines, or of what is below it."""
        return self.within(namespace, "pipelines", *below)

    def get(self, *path: str, **query: str | None) -> Found:
        """Look something up. Raises WireErrors."""
        return self._persist(_request("GET", path, query), _found)

    def get_of(self, knows: Callable[[Found], bool], *path: str) -> Found:
        """Look something up that not all nodes know alike: the answer of one that `knows`, or else of any."""
        found = self.get(*path)
        if knows(found):
            return found
        request = _request("GET", path, {})
        for connection in self._connections[1:]:
            with contextlib.suppress(RetryableError, UnavailableError):
                other = _found(_good(connection.ask(request)))
                if knows(other):
                    self._prefer(connection)
                    return other
        return found

    def look_until(self, look: Callable[[], Found], holds: Callable[[Found], bool], lacking: str) -> Found:
        """Look until it `holds`, as long as `patience_s` was given, or once; `lacking` says what is waited for."""
        until_s = time.monotonic() + (self._patience_s or 0)
        told = False
        while not holds(found := look()) and time.monotonic() + _PAUSE_S < until_s:
            if not told:
                print(f"waiting: {lacking}", file=sys.stderr, flush=True)
                told = True
            time.sleep(_PAUSE_S)
        return found

    def items(self, *path: str, **query: str | None) -> Found:
        """Look up a list: all of it, part by part."""
        items: list[msgspec.Raw] = []
        cursor: str | None = None
        while True:
            found = self.get(*path, **query, limit=str(_PAGE), cursor=cursor)
            page = found.to(_Page)
            items += page.items
            cursor = page.next
            if cursor is None:
                return Found(found.answer, msgspec.json.encode(items))

    def change(
        self,
        method: str,
        *path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **query: str | None,
    ) -> Found:
        """Change something, once: where the answer is lost it is asked for again under the same key."""
        keyed = {"idempotency-key": str(uuid.uuid4()), **(headers or {})}
        return self._persist(_request(method, path, query, keyed, body), _found)

    def attempt(
        self, method: str, *path: str, body: bytes | Path | None = None, headers: Mapping[str, str] | None = None
    ) -> Found:
        """Do what the cluster knows no key for. Where the answer is lost nobody knows what came of it.

        Raises RetryableError (`cluster.outcome_unknown`) then.
        """
        try:
            return self._persist(_request(method, path, {}, headers or {}, body), _found, _surely_not_done)
        except RetryableError as exc:
            if _surely_not_done(exc):
                raise
            hint = "look whether it was done before you ask again"
            message = f"whether this was done is not known: {exc.message}"
            raise RetryableError(_UNKNOWN, message, hint=hint) from exc

    @contextlib.contextmanager
    def stream(self, *path: str, silence_s: float = _SILENCE_S, **query: str | None) -> Iterator[Answer]:
        """Look something up whose answer is read piece by piece, within this. Between them it may be silent so long."""
        request = _request("GET", path, query, {"accept": "*/*"}, silence_s=silence_s)
        yield self._persist(request, lambda answer: answer)

    def _persist(
        self, request: Request, take: Callable[[Answer], T], may_pass: Callable[[WireError], bool] | None = None
    ) -> T:
        """Ask until a node answers, something can't pass, or patience is at an end."""
        begun = time.monotonic()
        told = False
        while True:
            taken, error = self._round(request, take, may_pass or _may_pass)
            if error is None:
                return cast("T", taken)
            wait_s = max(_PAUSE_S, getattr(error, "after_s", 0.0))
            if time.monotonic() + wait_s - begun > self._patience(error):
                raise error
            if not told and isinstance(error, RetryableError):
                print(f"waiting: {error.message}", file=sys.stderr, flush=True)
                told = True
            time.sleep(wait_s)

    def _round(
        self, request: Request, take: Callable[[Answer], T], may_pass: Callable[[WireError], bool]
    ) -> tuple[T | None, WireError | None]:
        """Ask each node until one answers. Returns what was taken, or why there is nothing. Raises what can't pass."""
        errors = []
        for connection in self._connections:
            try:
                taken = take(_good(connection.ask(request)))
            except (RetryableError, UnavailableError) as exc:
                if not may_pass(exc):
                    raise
                errors.append(exc)
            else:
                self._prefer(connection)
                return taken, None
        return None, _worst(errors)

    def _prefer(self, connection: Connection) -> None:
        """Ask this one first from now on."""
        self._connections = [connection, *(each for each in self._connections if each is not connection)]

    def _patience(self, error: WireError) -> float:
        if error.code == _TLS:
            return 0.0
        if self._patience_s is not None:
            return self._patience_s
        return _NOBODY_THERE_S if isinstance(error, UnavailableError) else _PATIENCE_S


def _request(
    method: str,
    path: Sequence[str],
    query: Mapping[str, str | None],
    headers: Mapping[str, str] | None = None,
    body: bytes | Path | None = None,
    silence_s: float = _SILENCE_S,
) -> Request:
    from wire.cli.remote.connection import Request

    if "" in path:  # what is above it would be asked instead
        raise ConfigError([Finding(code="config.invalid", path="NAME", message="a name is empty", hint="give a name")])
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    target = "/" + "/".join(quote(part, safe="") for part in path) + (f"?{asked}" if asked else "")
    sent = {"accept": "application/json", **(headers or {})}
    if isinstance(body, Path):
        sent["content-length"] = str(body.stat().st_size)
        silence_s = _FILE_SILENCE_S
    return Request(method, target, sent, body, silence_s)


def _good(answer: Answer) -> Answer:
    """Return the answer of a node that did as it was asked. Raises what it says otherwise."""
    from wire.cli.remote.problems import error_of

    if answer.status >= 400:
        raise error_of(answer, answer.body())
    return answer


def _found(answer: Answer) -> Found:
    return Found(answer, answer.body())


def _may_pass(error: WireError) -> bool:
    """Say whether another node, or the same one later, may answer otherwise."""
    return isinstance(error, RetryableError) or error.code in _NOT_ASKED


def _surely_not_done(error: WireError) -> bool:
    """Say whether it may pass, and what was asked for has not been done."""
    return _may_pass(error) and error.code not in (NO_ANSWER, _UNKNOWN)


def _worst(errors: Sequence[RetryableError | UnavailableError]) -> RetryableError | UnavailableError:
    """Return the error that says most: of a node that answered, else one that names all that did not."""
    for error in errors:
        if isinstance(error, RetryableError):
            return error
    first = errors[0]
    if len(errors) == 1:
        return first
    message = f"none of {len(errors)} nodes can be asked: {'; '.join(error.message for error in errors)}"
    return UnavailableError(first.code, message, hint=first.hint)

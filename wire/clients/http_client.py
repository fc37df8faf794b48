"""Requests to HTTP services: bounded in time and size, their failures as Wire's errors."""

from __future__ import annotations

import asyncio
import email.utils
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from wire.clients.http import HttpAuth, HttpConnection, is_url, place_of
from wire.clients.tls import tls_context
from wire.core.errors import RecordError, RetryableError, UnavailableError, WireError

CONNECT_TIMEOUT_S: Final = 10.0
_CLOSE_TIMEOUT_S: Final = 3.0
_LONGEST_WAIT_S: Final = 3600.0
_PASSING: Final = frozenset({408, 425, 429})


class Codes(NamedTuple):
    """The codes under which one component reports what can go wrong with a service."""

    invalid_request: str
    tls: str
    unreachable: str


class Answer(NamedTuple):
    """What a server answered. `body` is decompressed; it is `cut` where it was longer than allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool

    @property
    def good(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered otherwise later: RFC 9110 15.5.9, 15.6; RFC 8470; RFC 6585."""
        return self.status in _PASSING or self.status >= 500

    def after_s(self, now_ms: int) -> float:
        """Return how long the server asks to wait, 0 if it does not; an hour at most."""
        text = self.headers.get("retry-after", "")
        if text.isdecimal():
            return min(float(text[:9]), _LONGEST_WAIT_S)
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        return min(max(0.0, moment.timestamp() - now_ms / 1000), _LONGEST_WAIT_S)

    def summary(self) -> str:
        """Return the status and the beginning of the body, for people."""
        text = " ".join(self.body[:600].decode(errors="replace").split())
        return f"{self.status}{': ' if text else ''}{text[:200]}"


class HttpClient:
    """Makes requests over connections that are kept. Bound to the event loop it is first used in."""

    def __init__(self, connection: HttpConnection, codes: Codes, *, connections: int, max_answer: int) -> None:
        """Make as many requests at once as `connections`; of an answer, `max_answer` bytes are read."""
        self._connection = connection
        self._codes = codes
        self._limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._max_answer = max_answer
        self._opening = asyncio.Lock()
        self._client: httpx.AsyncClient | None = None

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        """Return what the server answers, whatever its status. Redirects are answers like any other.

        Raises RetryableError when none comes in time, UnavailableError when the server can't be trusted, RecordError
        for a URL that can't be asked.
        """
        if not is_url(url):
            raise RecordError(self._codes.invalid_request, "what is to be asked is no http or https URL")
        client = self._client or await self._open()
        try:
            async with (
                asyncio.timeout(self._connection.timeout.s),
                client.stream(method, url, headers=headers, content=content) as response,
            ):
                return await self._read(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as exc:
            message = f"the request can't be made: {_short(exc)}"
            raise RecordError(self._codes.invalid_request, message) from exc
        except (httpx.HTTPError, httpx.StreamError, OSError, TimeoutError) as exc:
            raise problem(exc, url, self._codes) from exc

    async def close(self) -> None:
        """Close all connections, within seconds. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await client.aclose()
            except (httpx.HTTPError, OSError, TimeoutError):
                pass  # the other side is away: there is nothing left to say goodbye to

    async def _open(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                context = await asyncio.to_thread(tls_context, self._connection.tls, self._codes.tls)
                self._client = httpx.AsyncClient(
                    headers={"user-agent": "wire", **self._connection.headers, **_auth_headers(self._connection.auth)},
                    auth=_basic_auth(self._connection.auth),
                    verify=context,
                    limits=self._limits,
                    timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
                    trust_env=False,  # the configuration says it all: no proxy, no .netrc
                )
            return self._client

    async def _read(self, response: httpx.Response) -> Answer:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._max_answer:
                return Answer(response.status_code, response.headers, bytes(body[: self._max_answer]), cut=True)
        return Answer(response.status_code, response.headers, bytes(body), cut=False)


async def reach(url: str, connection: HttpConnection, codes: Codes) -> None:
    """See that somebody listens at the host and port of a URL, without asking anything. Raises UnavailableError."""
    parts = urlsplit(url)
    encrypted = parts.scheme == "https"
    try:
        context = await asyncio.to_thread(tls_context, connection.tls, codes.tls) if encrypted else None
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                parts.hostname, parts.port or (443 if encrypted else 80), ssl=context
            )
        writer.close()
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await writer.wait_closed()
    except (OSError, TimeoutError) as exc:
        found = problem(exc, url, codes)
        raise UnavailableError(found.code, found.message, hint=found.hint) from exc


def problem(exc: BaseException, url: str, codes: Codes) -> WireError:
    """Say what it means that a request was not answered."""
    place = place_of(url)
    untrusted = _find(exc, ssl.SSLCertVerificationError)
    if untrusted is not None:
        hint = "set `tls.ca` to the authority that signed it, or use the name the certificate is for"
        why = getattr(untrusted, "verify_message", "") or "verification failed"
        return UnavailableError(codes.tls, f"the certificate of {place} is not trusted ({why})", hint=hint)
    if _find(exc, ssl.SSLError) is not None:
        hint = "check that the URL's port speaks TLS, and whether it asks for a client certificate (`tls.cert`)"
        return RetryableError(codes.tls, f"the TLS connection to {place} failed", hint=hint)
    if isinstance(exc, TimeoutError | httpx.TimeoutException):
        return RetryableError(codes.unreachable, f"{place} did not answer in time", hint="check the URL and `timeout`")
    hint = "check the URL, and that the service is up"
    return RetryableError(codes.unreachable, f"{place} does not answer: {_short(exc)}", hint=hint)


def _find(exc: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    while exc is not None and not isinstance(exc, kind):
        exc = exc.__cause__ or exc.__context__
    return exc


def _short(exc: BaseException) -> str:
    return str(exc)[:200] or type(exc).__name__


def _auth_headers(auth: HttpAuth | None) -> dict[str, str]:
    if auth is not None and auth.bearer is not None:
        return {"authorization": f"Bearer {auth.bearer.reveal()}"}
    if auth is not None and auth.header is not None and auth.value is not None:
        return {auth.header: auth.value.reveal()}
    return {}


def _basic_auth(auth: HttpAuth | None) -> httpx.BasicAuth | None:
    if auth is None or auth.username is None or auth.password is None:
        return None
    return httpx.BasicAuth(auth.username, auth.password.reveal())

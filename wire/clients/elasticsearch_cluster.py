"""A connection to an Elasticsearch cluster: opened in bounded time with a clear error, and asked in raw bytes."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any, Final, NamedTuple

import msgspec
from elasticsearch import AsyncElasticsearch, TransportError
from elasticsearch.serializer import Serializer

from wire.clients.elasticsearch import ElasticsearchConnection
from wire.clients.elasticsearch_errors import Codes, problem_of, translate_status, translate_transport
from wire.clients.tls import tls_context
from wire.core.errors import FatalError, UnavailableError, WireError

CONNECT_TIMEOUT_S: Final = 8.0
_GRACE_S: Final = 5.0
_LARGE: Final = 1 << 20
_MAJORS: Final = (8, 9)
_COMPATIBLE: Final = "application/vnd.elasticsearch+json; compatible-with=8"
_COMPATIBLE_LINES: Final = "application/vnd.elasticsearch+x-ndjson; compatible-with=8"

# What goes wrong reaches the user as an error with a code; the library would log it as well, with stack traces. Where
# it finds a handler it also turns every body into text, at whatever level, which costs more than sending it.
for _name in ("elasticsearch", "elastic_transport", "elastic_transport.node"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_name).propagate = False


class Answer(NamedTuple):
    """What the cluster answered: HTTP status and body as it came."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request as a whole succeeded."""
        return 200 <= self.status < 300


class _Untouched(Serializer):
    """Bodies are bytes on the way in, and bytes or a file of them on the way out."""

    def dumps(self, data: Any) -> Any:
        return data

    def loads(self, data: bytes) -> bytes:
        return data


class _Pieces(io.BytesIO):
    """A body that is sent piece by piece, so that the loop is not held up."""

    def decode(self, *_: object) -> str:
        """Show itself in a log of the library's."""
        return f"{self.getbuffer().nbytes} bytes"


class _VersionInfo(msgspec.Struct, frozen=True):
    number: str = ""
    distribution: str = ""


class _Root(msgspec.Struct):
    version: _VersionInfo = _VersionInfo()


class _Node(msgspec.Struct):
    version: str = ""


class _Nodes(msgspec.Struct):
    nodes: dict[str, _Node] = {}


class ElasticsearchCluster:
    """Asks a cluster things; for any number of tasks at once. `version` is its (major, minor), None if it is secret."""

    def __init__(self, client: AsyncElasticsearch, connection: ElasticsearchConnection, codes: Codes) -> None:
        """Ask through `client`; `codes` are used for what goes wrong."""
        self._client = client
        self._headers = connection.headers()
        self._timeout_s = connection.timeout.s
        self.codes = codes
        self.version: tuple[int, int] | None = None

    async def request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        *,
        doing: str,
        lines: bool = False,
        encoding: str | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        `target` is the path with its query, already quoted. `lines` says that `body` is newline-delimited JSON,
        `encoding` how it is compressed. Raises RetryableError when there is no answer, UnavailableError for TLS.
        """
        headers = self._headers | {"accept": _COMPATIBLE}
        if body is not None:
            headers["content-type"] = _COMPATIBLE_LINES if lines else _COMPATIBLE
        if encoding is not None:
            headers["content-encoding"] = encoding
        return (await self._send(method, target, body, headers, doing, timeout_s or self._timeout_s))[0]

    async def ask(
        self, method: str, target: str, body: bytes | None = None, *, doing: str, timeout_s: float | None = None
    ) -> bytes:
        """Send a request and return the body of a good answer. Raises what `translate_status` makes of any other."""
        answer = await self.request(method, target, body, doing=doing, timeout_s=timeout_s)
        if not answer.ok:
            raise translate_status(answer.status, problem_of(answer.body), self.codes, doing)
        return answer.body

    async def check(self) -> None:
        """See that this is Elasticsearch 8 or 9. Raises UnavailableError if not, or if it can't be reached."""
        doing = "connecting to Elasticsearch"
        # without the header that asks for the API of version 8, which older servers refuse without saying who they are
        answer, headers = await self._send("GET", "/", None, self._headers, doing, CONNECT_TIMEOUT_S)
        if answer.status == 401 or answer.status >= 500 or answer.status == 429:
            raise translate_status(answer.status, problem_of(answer.body), self.codes, doing)
        if answer.ok:
            found = _decoded(answer.body, _Root).version
            if headers.get("x-elastic-product") != "Elasticsearch" or found.distribution:
                raise self._unsupported(found)
            self._accept(found)
        elif headers.get("x-elastic-product") != "Elasticsearch":
            raise self._unsupported(_VersionInfo())
        else:
            await self._check_nodes(doing)

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._client.close()

    async def _check_nodes(self, doing: str) -> None:
        """Ask for the version in another way, where `GET /` is not allowed or not there."""
        target = "/_nodes/_local?filter_path=nodes.*.version"
        answer, _ = await self._send("GET", target, None, self._headers, doing, CONNECT_TIMEOUT_S)
        nodes = list(_decoded(answer.body, _Nodes).nodes.values()) if answer.ok else []
        if nodes:
            self._accept(_VersionInfo(number=nodes[0].version))

    def _accept(self, found: _VersionInfo) -> None:
        major, _, rest = found.number.partition(".")
        if not major.isdecimal() or int(major) not in _MAJORS:
            raise self._unsupported(found)
        minor = rest.partition(".")[0]
        self.version = int(major), int(minor) if minor.isdecimal() else 0

    def _unsupported(self, found: _VersionInfo) -> UnavailableError:
        name = {"": "Elasticsearch", "opensearch": "OpenSearch"}.get(found.distribution, found.distribution)
        what = f"{name} {found.number}".strip() if found.number else "something that is not Elasticsearch"
        return UnavailableError(
            self.codes.unsupported,
            f"the server at this address is {what}",
            hint="Wire writes to and reads from Elasticsearch 8 and 9: upgrade it, or check the address",
        )

    async def _send(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], doing: str, timeout_s: float
    ) -> tuple[Answer, Any]:
        options: dict[str, Any] = {"headers": headers, "request_timeout": timeout_s}
        large = body is not None and len(body) > _LARGE
        if large:  # can be sent only once
            options["max_retries"] = 0
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                meta, answer = await self._client.transport.perform_request(
                    method, target, body=_Pieces(body or b"") if large else body, **options
                )
        except (TransportError, OSError, TimeoutError) as exc:
            raise translate_transport(exc, self.codes, doing) from exc
        return Answer(meta.status, answer or b""), meta.headers


async def connect(connection: ElasticsearchConnection, codes: Codes, *, connections: int = 4) -> ElasticsearchCluster:
    """Connect, and see that it is Elasticsearch 8 or 9. Raises UnavailableError that names the reason, within seconds.

    `connections` is how many requests may be under way at once, per node.
    """
    cluster = ElasticsearchCluster(_client(connection, codes, connections), connection, codes)
    try:
        await cluster.check()
    except FatalError:
        await cluster.close()
        raise
    except WireError as exc:  # what passes is still a reason not to start
        await cluster.close()
        raise UnavailableError(exc.code, exc.message, hint=exc.hint) from exc
    except BaseException:
        await cluster.close()
        raise
    return cluster


def _client(connection: ElasticsearchConnection, codes: Codes, connections: int) -> AsyncElasticsearch:
    untouched = _Untouched()
    types = ("application/json", "application/x-ndjson", "text/plain", "text/html")
    vendor = ("application/vnd.elasticsearch+json", "application/vnd.elasticsearch+x-ndjson")
    options: dict[str, Any] = {
        "connections_per_node": connections,
        "max_retries": len(connection.urls) and len(connection.urls) - 1,  # each node once; the engine does the rest
        "retry_on_status": (),
        "request_timeout": connection.timeout.s,
        "serializers": dict.fromkeys((*types, *vendor), untouched),
    }
    try:
        if connection.cloud_id is not None:
            context = tls_context(connection.tls, codes.tls)
            return AsyncElasticsearch(cloud_id=connection.cloud_id, ssl_context=context, **options)
        if any(url.startswith("https:") for url in connection.urls):
            options |= {"ssl_context": tls_context(connection.tls, codes.tls)}
        return AsyncElasticsearch(connection.urls, **options)
    except ValueError as exc:
        hint = "check `cloud_id`, or `url`: the addresses are all http, or all https"
        raise UnavailableError(codes.unreachable, "the address can't be used", hint=hint) from exc


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        return kind()

"""A connection to a Kafka cluster: opening it in bounded time with a clear error, and asking it things."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka import errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from wire.clients.kafka import KafkaConnection
from wire.clients.kafka_errors import Codes, missing_topic, reason, translate, translate_refusal
from wire.clients.kafka_metadata import MetadataRequest, Topic, brokers_of, topics_of
from wire.clients.tls import Tls, tls_context
from wire.core.errors import RetryableError, UnavailableError, WireError

CONNECT_TIMEOUT_S: Final = 5.0
REQUEST_TIMEOUT_MS: Final = 15_000
_CLOSE_TIMEOUT_S: Final = 2.0
_METADATA_MAX_AGE_MS: Final = 300_000
_CONN_KEYS: Final = (
    "client_id",
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
)

# What goes wrong reaches the user as an error with a code; the library would log it as well, with stack traces.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)


def client_options(connection: KafkaConnection, codes: Codes) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka client takes. Raises UnavailableError for a bad TLS file."""
    security = connection.security
    options: dict[str, Any] = {
        "bootstrap_servers": connection.servers,
        "client_id": connection.client_id,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "metadata_max_age_ms": _METADATA_MAX_AGE_MS,
        "security_protocol": security.protocol or _protocol(security.encrypted, security.sasl is not None),
    }
    if security.encrypted:
        options["ssl_context"] = tls_context(security.tls or Tls(), codes.tls, "security.tls")
    if security.sasl is not None:
        options["sasl_mechanism"] = security.sasl.mechanism
        options["sasl_plain_username"] = security.sasl.username
        options["sasl_plain_password"] = security.sasl.password.reveal()
    return options


async def connect(connection: KafkaConnection, codes: Codes) -> KafkaCluster:
    """Connect to the cluster. Raises UnavailableError that names the reason, within seconds."""
    options = client_options(connection, codes)
    return KafkaCluster(options, await _start_client(options, codes), codes)


async def reachable(options: dict[str, Any], codes: Codes) -> str:
    """Return the first of the servers in `options` that accepts a connection and the log-in; all are tried at once.

    aiokafka's own start tries them one after the other and keeps the reasons to itself. Raises UnavailableError when
    there is none: for a refused log-in or certificate rather than for an address that can't be reached.
    """
    servers: list[str] = options["bootstrap_servers"]
    attempts = [asyncio.create_task(_try(server, options)) for server in servers]  # noqa: TID251 (awaited below)
    problems: dict[str, BaseException] = {}
    try:
        for attempt in asyncio.as_completed(attempts):
            server, problem = await attempt
            if problem is None:
                return server
            problems[server] = problem
    finally:
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
    for server, problem in problems.items():
        if refusal := translate_refusal(problem, codes, f"connecting to {server}"):
            raise refusal from problem
    tried = "; ".join(f"{server}: {reason(problem)}" for server, problem in problems.items())
    hint = "check the address, that the broker is up, and that `security` is what this port expects (TLS, log-in)"
    raise UnavailableError(codes.unreachable, f"no broker can be reached ({tried})", hint=hint)


async def _try(server: str, options: dict[str, Any]) -> tuple[str, BaseException | None]:
    host, _, port = server.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            conn = await create_conn(host.strip("[]"), int(port), **{k: options[k] for k in _CONN_KEYS if k in options})
    except (KafkaError, OSError, TimeoutError, EOFError) as exc:
        return server, exc
    await conn.close()
    return server, None


async def _start_client(options: dict[str, Any], codes: Codes) -> AIOKafkaClient:
    server = await reachable(options, codes)
    client = AIOKafkaClient(**options | {"bootstrap_servers": server})
    try:
        await _bootstrap(client)
    except (KafkaError, OSError, TimeoutError) as exc:
        hint = "check that this is a Kafka broker, and that it is not just starting or overloaded"
        raise UnavailableError(codes.unreachable, f"{server} answers no questions: {reason(exc)}", hint=hint) from exc
    return client


async def _bootstrap(client: AIOKafkaClient) -> None:
    """Bootstrap, or close the client. aiokafka forgets a connection whose bootstrap is cancelled: let it finish."""
    bootstrap = asyncio.create_task(client.bootstrap())  # noqa: TID251 (awaited below)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await asyncio.shield(bootstrap)
    except BaseException:
        await asyncio.wait([bootstrap], timeout=_CLOSE_TIMEOUT_S)
        bootstrap.cancel()
        await asyncio.gather(bootstrap, return_exceptions=True)
        await client.close()
        raise


class KafkaCluster:
    """What the components ask of a cluster beyond fetching and producing. Shared by many tasks."""

    def __init__(self, options: dict[str, Any], client: AIOKafkaClient, codes: Codes) -> None:
        """Ask through a client made with `options` and connected; `codes` are used for what goes wrong."""
        self._options = options
        self.client = client
        self.codes = codes
        self.on_moved: Callable[[], None] = lambda: None  # called when an answer told of other leaders than before
        self._topics: dict[str, Topic] = {}

    async def topics(self, names: Sequence[str] | None) -> dict[str, Topic]:
        """Return these topics, or all with None, by name, and remember them. Creates none.

        A topic that can't be used is in the answer with its `error`. Raises RetryableError when no broker answers.
        """
        response = await self.ask(MetadataRequest(None if names is None else list(names)))
        self.client.cluster.update_metadata(brokers_of(response))
        topics = {topic.name: topic for topic in topics_of(response)}
        moved = any(name in self._topics and self._topics[name].leaders != topics[name].leaders for name in topics)
        self._topics |= topics
        if moved:
            self.on_moved()
        return topics

    async def require(self, names: Sequence[str]) -> dict[str, Topic]:
        """Return these topics. Raises UnavailableError for the first that is missing or may not be seen."""
        topics = await self.topics(names)
        for name in names:
            error = topics[name].error if name in topics else errors.UnknownTopicOrPartitionError
            if error in (errors.UnknownTopicOrPartitionError, errors.InvalidTopicError):
                raise missing_topic(self.codes, name, await self.topics(None))
            if error is not None and error is not errors.LeaderNotAvailableError:
                raise translate(error(), self.codes, f"looking up topic `{name}`")
        return topics

    def leader(self, topic: str, partition: int) -> int | None:
        """Return the node that leads a partition as far as is known, None if none does."""
        known = self._topics.get(topic)
        return known.leaders.get(partition) if known else None

    def forget_leader(self, topic: str, partition: int) -> None:
        """Learn that a node no longer leads a partition; `topics` finds out who does."""
        if topic in self._topics:
            self._topics[topic].leaders[partition] = None

    def why_leaderless(self, topic: str) -> KafkaError:
        """Return what the last answer said about a topic none of whose partitions can be used."""
        known = self._topics.get(topic)
        return ((known and known.error) or errors.LeaderNotAvailableError)()

    async def send(self, node: int, request: Any) -> Any:
        """Ask one node, beside whatever long request is under way there. Raises KafkaError and its kind."""
        return await self.client.send(node, request, group=ConnectionGroup.COORDINATION)

    async def ask(self, request: Any) -> Any:
        """Ask any node that answers. Raises RetryableError when none does, UnavailableError when refused."""
        asked = self.client
        try:
            return await self._ask_known(request)
        except (KafkaError, OSError) as problem:
            try:
                await self._renew(asked)  # perhaps all the brokers known from before have moved
                return await self._ask_known(request)
            except UnavailableError as refusal:
                if refusal.code != self.codes.unreachable:
                    raise
            except (KafkaError, OSError):
                pass
            raise self._unanswered(problem) from problem

    def address(self, node: int) -> str:
        """Return the address that the cluster gives for a node."""
        broker = self.client.cluster.broker_metadata(node)
        return f"{broker.host}:{broker.port}" if broker else f"node {node}"

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await _close(self.client)

    async def _ask_known(self, request: Any) -> Any:
        problem: Exception = errors.NodeNotReadyError()
        nodes = [broker.nodeId for broker in self.client.cluster.brokers()]
        random.shuffle(nodes)
        for node in nodes:
            try:
                return await self.send(node, request)
            except (KafkaError, OSError) as exc:
                problem = exc
        raise problem

    async def _renew(self, stale: AIOKafkaClient) -> None:
        renewed = await _start_client(self._options, self.codes)
        if self.client is not stale:  # another task was faster
            await _close(renewed)
            return
        self.client = renewed
        await _close(stale)

    def _unanswered(self, problem: Exception) -> WireError:
        known = ", ".join(sorted(f"{b.host}:{b.port}" for b in self.client.cluster.brokers()))
        found = translate(problem, self.codes, f"asking the brokers ({known})")
        if isinstance(found, RetryableError):
            found.hint = "check that the brokers are up, and that the addresses they advertise can be reached from here"
        return found


async def _close(client: AIOKafkaClient) -> None:
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await client.close()


def _protocol(encrypted: bool, sasl: bool) -> str:
    return ("SASL_" if sasl else "") + ("SSL" if encrypted else "PLAINTEXT")

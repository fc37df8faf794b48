"""A connection to a MongoDB deployment: made from the configuration, checked in bounded time with a clear error."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final, NamedTuple

from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError

from wire.clients.mongodb import MongoConnection
from wire.clients.mongodb_errors import ERRORS, Codes, translate
from wire.core.errors import RetryableError, UnavailableError

SELECT_TIMEOUT_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 5.0
SOCKET_TIMEOUT_S: Final = 300.0  # the library notices a server that is gone by its heartbeats, within 20 s
_CHECK_TIMEOUT_S: Final = 15.0
_CLOSE_TIMEOUT_S: Final = 3.0

Client = AsyncMongoClient[dict[str, Any]]


class Deployment(NamedTuple):
    """What the servers say about themselves. `version` is (6, 0, 27); `replicated` is false for a standalone server."""

    version: tuple[int, ...]
    replicated: bool


def new_client(connection: MongoConnection, codes: Codes) -> Client:
    """Return a client; nothing is connected yet. Raises UnavailableError for a URI or TLS file that can't be used."""
    try:
        return AsyncMongoClient(connection.uri.reveal(), **client_options(connection))
    except (ConfigurationError, ValueError) as exc:
        # its message may repeat part of the URI (I9), hence nothing of it is passed on
        hint = "a user name or password with special characters in it must be percent-encoded; or use `auth`"
        raise UnavailableError(codes.rejected, "`uri` can't be read, or does not go with `tls`", hint=hint) from exc
    except (OSError, ssl.SSLError) as exc:
        raise UnavailableError(codes.tls, "a file of `tls` can't be used", hint="they must be PEM files") from exc


def client_options(connection: MongoConnection) -> dict[str, Any]:
    """Return the keyword arguments of pymongo's clients for a connection; what the URI says is left to it."""
    options: dict[str, Any] = {
        "appname": connection.app_name,
        "serverSelectionTimeoutMS": SELECT_TIMEOUT_S * 1000,
        "connectTimeoutMS": CONNECT_TIMEOUT_S * 1000,
        "socketTimeoutMS": SOCKET_TIMEOUT_S * 1000,
        "tz_aware": False,
    }
    return options | _tls_options(connection) | _auth_options(connection)


def _tls_options(connection: MongoConnection) -> dict[str, Any]:
    tls = connection.tls
    if tls is None:
        return {}
    options = {
        "tlsCAFile": tls.ca,
        "tlsCertificateKeyFile": tls.cert,
        "tlsCertificateKeyFilePassword": tls.key_password.reveal() if tls.key_password else None,
        "tlsAllowInvalidHostnames": True if tls.verify == "chain" else None,
        "tlsAllowInvalidCertificates": True if tls.verify == "none" else None,
    }
    return {"tls": True} | {name: value for name, value in options.items() if value is not None}


def _auth_options(connection: MongoConnection) -> dict[str, Any]:
    auth = connection.auth
    if auth is None:
        return {}
    external = auth.mechanism in ("X509", "PLAIN")
    options = {
        "authMechanism": "MONGODB-X509" if auth.mechanism == "X509" else auth.mechanism,
        "authSource": auth.database or ("$external" if external else None),
        "username": auth.username,
        "password": auth.password.reveal() if auth.password else None,
    }
    return {name: value for name, value in options.items() if value is not None}


async def connect(connection: MongoConnection, codes: Codes) -> tuple[Client, Deployment]:
    """Connect, log in, and learn what is there. Raises UnavailableError that names the reason, within seconds."""
    client = new_client(connection, codes)
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            hello = await client.admin.command("hello")
            build = await client.admin.command("buildInfo")
    except ERRORS as exc:
        await close(client)
        problem = translate(exc, codes, "connecting to MongoDB")
        if isinstance(problem, RetryableError):
            hint = "check addresses and `replicaSet` in `uri`, that the servers are up, and whether they expect TLS"
            problem = UnavailableError(problem.code, problem.message, hint=hint)
        raise problem from exc
    except BaseException:
        await close(client)
        raise
    routed = hello.get("msg") == "isdbgrid"  # by the router of a sharded cluster, whose shards are replica sets
    version = tuple(int(part) for part in build["versionArray"][:3])
    return client, Deployment(version, routed or "setName" in hello)


async def close(client: Client) -> None:
    """Close a client, within seconds."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await client.close()
    except ERRORS:
        pass  # the other side is away: there is nothing left to say goodbye to

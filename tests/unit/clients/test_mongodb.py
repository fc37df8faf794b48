from __future__ import annotations

from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    CursorNotFound,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from wire.clients.mongodb import MongoConnection
from wire.clients.mongodb_client import client_options
from wire.clients.mongodb_errors import SOURCE, translate
from wire.core.config import parse
from wire.core.errors import Finding, RetryableError, UnavailableError

URI = "mongodb://db.example:27017/?replicaSet=rs0"


def parsed(**fields: Any) -> tuple[MongoConnection | None, list[Finding]]:
    findings: list[Finding] = []
    return parse(MongoConnection, {"uri": URI, **fields}, "$", findings), findings


@pytest.mark.parametrize(
    ("fields", "where", "message"),
    [
        ({"uri": "localhost:27017"}, "$.uri", "no connection string"),
        ({"auth": {"username": "wire"}}, "$.auth.password", "required"),
        ({"auth": {}}, "$.auth.username", "required"),
        ({"auth": {"mechanism": "X509", "password": "x"}}, "$.auth.password", "does not go with"),
        ({"auth": {"mechanism": "X509"}}, "$.auth", "needs a certificate"),
        ({"tls": {"key_password": "x"}}, "$.tls.key_password", "needs the key"),
    ],
)
def test_fields_that_do_not_go_together_are_found(fields: dict[str, Any], where: str, message: str) -> None:
    _, (finding,) = parsed(**fields)
    assert finding.path == where
    assert message in finding.message
    assert finding.hint


def test_what_is_not_given_is_left_to_the_uri() -> None:
    connection, _ = parsed()
    assert connection is not None
    assert not {"tls", "username", "authMechanism", "authSource"} & client_options(connection).keys()


def test_a_certificate_logs_in_where_users_are_kept_outside() -> None:
    connection, _ = parsed(tls={"cert": "client.pem", "verify": "chain"}, auth={"mechanism": "X509"})
    assert connection is not None
    options = client_options(connection)
    assert options["authMechanism"] == "MONGODB-X509"
    assert options["authSource"] == "$external"
    assert options["tlsCertificateKeyFile"] == "client.pem"
    assert options["tlsAllowInvalidHostnames"] is True
    assert "tlsAllowInvalidCertificates" not in options


UNTRUSTED = "SSL handshake failed: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get issuer"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (AutoReconnect("connection closed"), RetryableError, "source.mongodb.unreachable"),
        (NetworkTimeout("timed out"), RetryableError, "source.mongodb.unreachable"),
        (NotPrimaryError("not primary", {"code": 10107}), RetryableError, "source.mongodb.unreachable"),
        (CursorNotFound("cursor id 5 not found", 43), RetryableError, "source.mongodb.unreachable"),
        (OperationFailure("interrupted", 11602), RetryableError, "source.mongodb.unreachable"),
        (ServerSelectionTimeoutError("refused, Timeout: 5s, ..."), RetryableError, "source.mongodb.unreachable"),
        (ServerSelectionTimeoutError(UNTRUSTED), UnavailableError, "source.mongodb.tls"),
        (OperationFailure("Authentication failed.", 18), UnavailableError, "source.mongodb.authentication"),
        (OperationFailure("not authorized on shop", 13), UnavailableError, "source.mongodb.authorization"),
        (OperationFailure("unknown stage", 40324), UnavailableError, "source.mongodb.rejected"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_passes_is_tried_again_and_what_is_refused_is_not(error: Exception, kind: type, code: str) -> None:
    problem = translate(error, SOURCE, "reading shop.orders")
    assert type(problem) is kind
    assert problem.code == code
    assert "Timeout: 5s" not in problem.message

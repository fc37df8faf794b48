"""How a Kafka cluster is reached: the configuration that the source and the sink share. Needs no client library."""

from __future__ import annotations

from typing import Annotated, Literal

from wire.clients.tls import Tls
from wire.core.config import Config, MisfitError, Secret, doc

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]

_PROTOCOL_HINT = "leave out `protocol`: it follows from `tls` and `sasl`"


class KafkaSasl(Config, frozen=True, kw_only=True):
    """A user name and a password."""

    mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], doc("How the password is proved; as the broker is set up.")
    ]
    username: Annotated[str, doc("The user to log in as.")]
    password: Annotated[Secret, doc("The user's password; best given as `${env:NAME}` or `${file:PATH}`.")]


class KafkaSecurity(Config, frozen=True, kw_only=True):
    """Encryption and log-in. Without either, the connection is plain and anonymous."""

    protocol: Annotated[
        Protocol | None, doc("Kafka's name for the combination; follows from `tls` and `sasl` unless given.")
    ] = None
    tls: Annotated[Tls | None, doc("Encrypts the connection; `{}` for TLS with the system's authorities.")] = None
    sasl: Annotated[KafkaSasl | None, doc("Logs in with a user name and a password.")] = None

    def __post_init__(self) -> None:
        if self.protocol is None:
            return
        if self.protocol.startswith("SASL") != (self.sasl is not None):
            if self.sasl is None:
                hint = "as in sasl: {mechanism: SCRAM-SHA-512, username: wire, password: '${env:KAFKA_PASSWORD}'}"
                raise MisfitError(f"protocol {self.protocol} needs `sasl`", hint)
            raise MisfitError(f"protocol {self.protocol} does not go with `sasl`", _PROTOCOL_HINT)
        if self.tls is not None and not self.encrypted:
            raise MisfitError(f"protocol {self.protocol} does not go with `tls`", _PROTOCOL_HINT)

    @property
    def encrypted(self) -> bool:
        """Whether connections use TLS."""
        return self.protocol.endswith("SSL") if self.protocol else self.tls is not None


class KafkaConnection(Config, frozen=True, kw_only=True):
    """The part of a configuration that says which cluster, and as whom."""

    bootstrap_servers: Annotated[
        list[str] | str, doc("Brokers to ask for the others, each `host:port`; one that answers is enough.")
    ]
    security: Annotated[KafkaSecurity, doc("Encryption and log-in.")] = KafkaSecurity()
    client_id: Annotated[str, doc("The name under which the brokers' logs and quotas know this client.")] = "wire"

    def __post_init__(self) -> None:
        if not self.servers:
            raise MisfitError("`bootstrap_servers` names no broker", "give at least one, as in [localhost:9092]")
        for server in self.servers:
            _, colon, port = server.rpartition(":")
            if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
                message = f"`bootstrap_servers`: expected host:port, found `{server}`"
                raise MisfitError(message, "as in localhost:9092")

    @property
    def servers(self) -> list[str]:
        """The brokers to ask first, one `host:port` each."""
        given = self.bootstrap_servers
        listed = given.split(",") if isinstance(given, str) else given
        return [server.strip() for server in listed if server.strip()]

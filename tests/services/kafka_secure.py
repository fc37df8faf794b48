"""A broker with passwords, TLS and access rules, and what a client needs to be let in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services.certificates import Authority
from tests.services.kafka import KafkaServer

USERNAME, PASSWORD = "wire", "wire-secret"
GUEST, GUEST_PASSWORD = "guest", "guest-secret"
_CLIENT = "wire-client"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Secured:
    """Listeners SASL (passwords in the clear), SASL_TLS, TLS, and MTLS, which demands a client's certificate."""

    extra_ports = 4

    def prepare(self, folder: Path) -> None:
        authority = Authority()
        authority.issue("localhost").write(folder / "server.pem")
        authority.issue(_CLIENT).write(folder / "client.pem")
        (folder / "ca.pem").write_bytes(authority.pem)
        self._folder = folder

    def protocols(self) -> Mapping[str, str]:
        return {"SASL": "SASL_PLAINTEXT", "SASL_TLS": "SASL_SSL", "TLS": "SSL", "MTLS": "SSL"}

    def properties(self) -> Mapping[str, str]:
        logins = {
            f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config": _login_module(mechanism)
            for listener in ("sasl", "sasl_tls")
            for mechanism in _MECHANISMS
        }
        return {
            "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
            **logins,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._folder / "server.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._folder / "ca.pem"),
            "listener.name.mtls.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{USERNAME};User:CN={_CLIENT}",
        }

    def scram_users(self) -> Sequence[str]:
        return [
            f"{mechanism}=[name={name},password={password}]"
            for mechanism in _MECHANISMS[1:]
            for name, password in ((USERNAME, PASSWORD), (GUEST, GUEST_PASSWORD))
        ]


class SecureKafka(KafkaServer):
    """A broker with the listeners of `Secured`; `bootstrap` is plain, for setting tests up.

    Two users, with PLAIN and SCRAM: `username`/`password` may do everything, `guest`/`guest_password` nothing.
    """

    username, password = USERNAME, PASSWORD
    guest, guest_password = GUEST, GUEST_PASSWORD
    mechanisms = _MECHANISMS

    def __init__(self) -> None:
        super().__init__(Secured())
        self.sasl, self.sasl_tls, self.tls, self.mtls = (f"127.0.0.1:{port}" for port in self._ports[2:])

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that issued the broker's, PEM."""
        return self._run_dir / "ca.pem"

    @property
    def client_file(self) -> Path:
        """A client's certificate and key in one PEM file, for `mtls`."""
        return self._run_dir / "client.pem"


def _login_module(mechanism: str) -> str:
    if mechanism == "PLAIN":
        users = f'user_{USERNAME}="{PASSWORD}" user_{GUEST}="{GUEST_PASSWORD}"'
        return f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
    return "org.apache.kafka.common.security.scram.ScramLoginModule required;"

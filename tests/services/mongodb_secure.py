"""A MongoDB with passwords and TLS, and what a client needs to be let in."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.services.cache import new_run_dir
from tests.services.certificates import Authority
from tests.services.mongodb import MongoReplicaSet

USERNAME, PASSWORD = "wire", "wire-secret"
GUEST, GUEST_PASSWORD = "guest", "guest-secret"
_CLIENT: Final = "wire-client"
_ROOT: Final = [{"role": "root", "db": "admin"}]
MECHANISMS: Final = ["SCRAM-SHA-1", "SCRAM-SHA-256"]


class SecureMongoDB(MongoReplicaSet):
    """A replica set that speaks TLS only, with users; `options` let a client of ours in as the one who may do all.

    `username` may do everything and `guest` nothing, by password (SCRAM); who shows the certificate in `client_file`
    is let in by MONGODB-X509, and may do everything too.
    """

    username, password = USERNAME, PASSWORD
    guest, guest_password = GUEST, GUEST_PASSWORD
    mechanisms = MECHANISMS

    def __init__(self, members: int = 1) -> None:
        self._folder = new_run_dir("mongodb-secrets")
        self._write_secrets()
        tls = {"tls": True, "tlsCAFile": str(self.ca_file)}
        super().__init__(members, *self._server_options(), client_options=tls)

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that issued the server's, PEM."""
        return self._folder / "ca.pem"

    @property
    def client_file(self) -> Path:
        """A client's certificate and key in one PEM file."""
        return self._folder / "client.pem"

    async def start(self) -> None:
        """Start the members that don't run, with the users once there is a primary. Raises ServiceMissing."""
        await super().start()
        if "username" in self.options:
            return
        login = {"username": USERNAME, "password": PASSWORD, "authSource": "admin"}
        first = await self.primary()
        async with first.client() as client:  # whoever connects from here may create the first user
            await client.admin.command("createUser", USERNAME, pwd=PASSWORD, roles=_ROOT, mechanisms=MECHANISMS)
        for each in (self, *self.members):
            each.options |= login
        async with self.client() as client:
            await client.admin.command("createUser", GUEST, pwd=GUEST_PASSWORD, roles=[], mechanisms=MECHANISMS)
            await client["$external"].command("createUser", f"CN={_CLIENT}", roles=_ROOT)

    def _write_secrets(self) -> None:
        authority = Authority()
        authority.issue("localhost").write(self._folder / "server.pem")
        authority.issue(_CLIENT).write(self.client_file)
        self.ca_file.write_bytes(authority.pem)
        key = self._folder / "members.key"
        key.touch(mode=0o600)
        key.write_bytes(b64encode(os.urandom(96)))

    def _server_options(self) -> Sequence[str]:
        return (
            *("--tlsMode", "requireTLS", "--tlsAllowConnectionsWithoutCertificates"),
            *("--tlsCertificateKeyFile", str(self._folder / "server.pem"), "--tlsCAFile", str(self.ca_file)),
            *("--keyFile", str(self._folder / "members.key")),
        )

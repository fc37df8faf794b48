"""An Elasticsearch node with TLS, users and API keys."""

from __future__ import annotations

import hashlib
import os
import ssl
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.services import elasticsearch
from tests.services.certificates import Authority
from tests.services.elasticsearch import VERSION, ElasticsearchServer
from tests.services.elasticsearch_plugin import install_plugin

USERNAME, PASSWORD = "wire", "wire-secret"
GUEST, GUEST_PASSWORD = "guest", "guest-secret"


def install(version: str = VERSION) -> tuple[str, Path]:
    """Return the Java program and the distribution, with what API keys need. Raises ServiceMissing."""
    program, home = elasticsearch.install(version)
    install_plugin(program, home, version)
    return program, home


class SecureElasticsearch(ElasticsearchServer):
    """A node that speaks TLS only, with two users: `username` may do everything, `guest` nothing.

    A client may show a certificate (`client_file`); it need not.
    """

    username, password = USERNAME, PASSWORD
    guest, guest_password = GUEST, GUEST_PASSWORD

    def __init__(self, version: str = VERSION) -> None:
        super().__init__(version)
        authority = Authority()
        self._identity = authority.issue("localhost")
        authority.issue("wire-client").write(self.client_file)
        self.ca_file.write_bytes(authority.pem)
        self.url = self.url.replace("http://", "https://")
        self._auth = (USERNAME, PASSWORD)
        self._tls = ssl.create_default_context(cafile=str(self.ca_file))

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that issued the node's, PEM."""
        return self._run_dir / "ca.pem"

    @property
    def client_file(self) -> Path:
        """A client's certificate and key in one PEM file."""
        return self._run_dir / "client.pem"

    async def new_api_key(self, **options: Any) -> tuple[str, str]:
        """Create an API key, which may do all that `username` may unless `options` say less: its id, and the key."""
        answer = await self.request("POST", "/_security/api_key", {"name": "wire-test", **options})
        return answer["id"], answer["encoded"]

    async def revoke_api_key(self, key_id: str) -> None:
        """Let the key in no more."""
        await self.request("DELETE", "/_security/api_key", {"ids": [key_id]})

    def _install(self) -> tuple[str, Path]:
        return install(self.version)

    def _settings(self) -> Mapping[str, Any]:
        (self._config / "server.crt").write_bytes(self._identity.certificate)
        (self._config / "server.key").write_bytes(self._identity.key)
        (self._config / "ca.pem").write_bytes(self.ca_file.read_bytes())  # it may read only its own configuration
        users = ((USERNAME, PASSWORD), (GUEST, GUEST_PASSWORD))
        (self._config / "users").write_text("".join(f"{name}:{_hashed(password)}\n" for name, password in users))
        (self._config / "users_roles").write_text(f"superuser:{USERNAME}\n")
        return {
            **super()._settings(),
            "xpack.security.enabled": True,
            "xpack.security.enrollment.enabled": False,
            "xpack.security.http.ssl.enabled": True,
            "xpack.security.http.ssl.certificate": "server.crt",
            "xpack.security.http.ssl.key": "server.key",
            "xpack.security.http.ssl.certificate_authorities": ["ca.pem"],
            "xpack.security.http.ssl.client_authentication": "optional",
        }


def _hashed(password: str) -> str:
    """Return the password as Elasticsearch keeps it in its `users` file."""
    cost, salt = 10_000, os.urandom(32)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, cost, 32)
    return f"{{PBKDF2}}{cost}${b64encode(salt).decode()}${b64encode(digest).decode()}"

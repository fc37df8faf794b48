"""Authorities and certificates for nodes that are started as `wire serve`, good ones and others."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e.nodes_kit import NodeProcess
from wire.node.certificate_folder import CertificateFolder
from wire.node.certificates import Authority, Pair

_YEAR = timedelta(days=365)


class Certificates:
    """An authority in a folder, laid out as `wire certs` does it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._folder = CertificateFolder(folder)
        self._folder.init("the test's authority", 2 * _YEAR, datetime.now(UTC), replace=False)

    @property
    def ca(self) -> Path:
        return self._folder.authority

    def issue(self, name: str) -> None:
        """Issue a certificate for a node, in the place of one that is there."""
        self._folder.issue_node(name, ["127.0.0.1"], _YEAR, datetime.now(UTC), replace=True)

    def issue_expired(self, name: str) -> None:
        """Issue one that is not good any more."""
        pair = Authority.load(Pair(self.ca.read_bytes(), (self.path / "ca.key").read_bytes())).node(
            name, ["127.0.0.1"], timedelta(days=1), datetime.now(UTC) - timedelta(days=2)
        )
        (self.path / f"{name}.pem").write_bytes(pair.certificate)
        (self.path / f"{name}.key").write_bytes(pair.key)

    def flags(self, name: str, ca: Path | None = None) -> tuple[str | Path, ...]:
        """What a node of that name is started with."""
        return ("--ca", ca or self.ca, "--cert", self.path / f"{name}.pem", "--key", self.path / f"{name}.key")

    def client(self, name: str) -> ssl.SSLContext:
        """What somebody who uses the API shows."""
        written = self._folder.issue_client(name, _YEAR, datetime.now(UTC), replace=True)
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(written.certificate, written.key)
        return context

    def node(self, folder: Path, name: str, *flags: str | Path) -> NodeProcess:
        """A node with a certificate, asked by somebody who has one, too."""
        self.issue(name)
        return NodeProcess(folder, name, *self.flags(name), *flags, tls=self.client("ada"))

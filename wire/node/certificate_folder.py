"""Where `wire certs` keeps what it makes: `ca.pem` and `ca.key`, and `NAME.pem` and `NAME.key` for each certificate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from wire.core.errors import FatalError, UnavailableError
from wire.node.certificates import Authority, Pair, Validity, validity_of
from wire.raft.storage.files import DiskFiles

_AUTHORITY: Final = "ca"


class Written(Struct, frozen=True):
    """A certificate that was written, and its key."""

    certificate: Path
    key: Path
    validity: Validity


class CertificateFolder:
    """A folder of certificates. Keys are for their owner's eyes only; nothing is replaced unless that is asked for."""

    def __init__(self, path: Path) -> None:
        """Use a folder, which `init` makes."""
        self.path = path

    @property
    def authority(self) -> Path:
        """The authority's certificate, which every node and client needs."""
        return self.path / f"{_AUTHORITY}.pem"

    def init(self, name: str, lifetime: timedelta, now: datetime, *, replace: bool) -> Written:
        """Make an authority. Raises FatalError (`certs.exists`), UnavailableError (`certs.refused`)."""
        self._free(_AUTHORITY, replace=replace)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise _refused(self.path, exc) from exc
        return self._write(_AUTHORITY, Authority.create(name, lifetime, now).pair)

    def issue_node(
        self, name: str, hosts: Sequence[str], lifetime: timedelta, now: datetime, *, replace: bool
    ) -> Written:
        """Issue a certificate for a node. Raises as `init` does, and ConfigError for names that are none."""
        pair = self._load().node(name, hosts, lifetime, now)
        self._free(name, replace=replace)
        return self._write(name, pair)

    def issue_client(self, name: str, lifetime: timedelta, now: datetime, *, replace: bool) -> Written:
        """Issue a certificate for a client. Raises as `init` does, and ConfigError for a name that is none."""
        pair = self._load().client(name, lifetime, now)
        self._free(name, replace=replace)
        return self._write(name, pair)

    def _load(self) -> Authority:
        key = self.path / f"{_AUTHORITY}.key"
        try:
            return Authority.load(Pair(self.authority.read_bytes(), key.read_bytes()))
        except FileNotFoundError as exc:
            hint = "make one with `wire certs init`, or name its folder with --dir"
            raise FatalError("certs.no_authority", f"there is no authority in {self.path}", hint=hint) from exc
        except OSError as exc:
            raise _refused(self.path, exc) from exc

    def _free(self, name: str, *, replace: bool) -> None:
        taken = [path for path in (self.path / f"{name}.pem", self.path / f"{name}.key") if path.exists()]
        if taken and not replace:
            hint = "--replace replaces it" + (
                "; then no certificate of the old authority is worth anything" if name == _AUTHORITY else ""
            )
            raise FatalError("certs.exists", f"{taken[0]} is there already", hint=hint)

    def _write(self, name: str, pair: Pair) -> Written:
        """Write both, and then give both their names, so that hardly anybody finds a new one beside an old one."""
        certificate, key = f"{name}.pem", f"{name}.key"
        try:
            files = DiskFiles(self.path)
            for file, content in ((f"{key}.new", pair.key), (f"{certificate}.new", pair.certificate)):
                written = files.create(file)
                try:
                    written.append(content)
                    written.sync()
                finally:
                    written.close()
            os.chmod(self.path / f"{key}.new", 0o600)  # one of that name may have been left behind
            os.chmod(self.path / f"{certificate}.new", 0o644)
            files.rename(f"{key}.new", key)
            files.rename(f"{certificate}.new", certificate)
            files.sync()
        except OSError as exc:
            raise _refused(self.path, exc) from exc
        return Written(self.path / certificate, self.path / key, validity_of(pair.certificate))


def _refused(path: Path, exc: OSError) -> UnavailableError:
    message = f"the folder {path} can't be used: {(exc.strerror or str(exc)).lower()}"
    return UnavailableError("certs.refused", message, hint="check the path, its permissions and the disk")

"""Where a node is: `http://HOST:PORT`, `https://HOST:PORT`, or `HOST:PORT`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from wire.core.errors import ConfigError, Finding

DEFAULT_PORT: Final = 4001
_SCHEMES: Final = ("http", "https")


class Address(Struct, frozen=True):
    """A node's address, and the path below which it answers."""

    host: str
    port: int
    secure: bool
    base: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.base}"


def parse_addresses(texts: Iterable[str], *, secure: bool) -> tuple[Address, ...]:
    """Read addresses, several in a text with commas between; one without a scheme is taken to be `secure` or not.

    Raises ConfigError with every one that is none.
    """
    found, findings = [], []
    for text in [part.strip() for each in texts for part in each.split(",")] or [""]:
        try:
            found.append(_parse(text if "://" in text else f"{_SCHEMES[secure]}://{text}"))
        except ValueError:
            findings.append(
                Finding(
                    code="config.invalid",
                    path="--server",
                    message=f"`{text}` is no address of a node",
                    hint=f"as in http://127.0.0.1:{DEFAULT_PORT} or https://node-1.example.org:{DEFAULT_PORT}",
                )
            )
    if findings:
        raise ConfigError(findings)
    return tuple(found)


def _parse(text: str) -> Address:
    parts = urlsplit(text)
    host, port = parts.hostname, parts.port
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or any(letter.isspace() for letter in text))
    if parts.scheme not in _SCHEMES or not host or port == 0 or not plain or not text.isascii():
        raise ValueError(text)
    return Address(host, DEFAULT_PORT if port is None else port, parts.scheme == "https", parts.path.rstrip("/"))

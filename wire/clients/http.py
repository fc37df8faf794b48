"""How an HTTP service is reached: what the source, the sink and look-ups share. Needs no client library."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from wire.clients.tls import Tls
from wire.core.config import Config, MisfitError, Secret, doc
from wire.core.units import Duration

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110 5.6.2
_SPACE: Final = re.compile(r"[\x00-\x20\x7f]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class HttpAuth(Config, frozen=True, kw_only=True):
    """Who asks: a token, a user with a password, or a header of the service's own."""

    bearer: Annotated[Secret | None, doc("A token; sent as `Authorization: Bearer …`.")] = None
    username: Annotated[str | None, doc("A user, for basic authentication.")] = None
    password: Annotated[Secret | None, doc("The user's password.")] = None
    header: Annotated[str | None, doc("The name of a header that holds a key, such as `X-Api-Key`.")] = None
    value: Annotated[Secret | None, doc("What that header holds.")] = None

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.bearer, self.username, self.header)) != 1:
            raise MisfitError(
                "give exactly one of `bearer`, `username` and `header`", "as in auth: {bearer: '${env:TOKEN}'}"
            )
        if (self.username is None) != (self.password is None):
            raise MisfitError("`username` and `password` go together", "give both")
        if (self.header is None) != (self.value is None):
            raise MisfitError("`header` and `value` go together", "as in {header: X-Api-Key, value: '${env:KEY}'}")
        for name, secret in (("bearer", self.bearer), ("value", self.value)):
            if secret is not None and (_CONTROL.search(secret.reveal()) or not secret.reveal().isascii()):
                raise MisfitError(f"`{name}` holds a character that a header can't", "check where it comes from")
        if self.header is not None and not _HEADER.fullmatch(self.header):
            raise MisfitError("`header` is not the name of a header", "as in X-Api-Key")


class HttpConnection(Config, frozen=True, kw_only=True):
    """The part of a configuration that says how requests are made, whatever they are for."""

    headers: Annotated[dict[str, str], doc("Sent with every request. What is secret belongs into `auth`.")] = {}  # noqa: RUF012 (msgspec copies it)
    auth: Annotated[HttpAuth | None, doc("Who asks, where the service wants to know.")] = None
    tls: Annotated[Tls, doc("Encryption, for URLs that begin with https.")] = Tls()
    timeout: Annotated[Duration, doc("The longest a request may take, its answer included.")] = Duration(30_000)

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or _CONTROL.search(value) or not value.isascii():
                raise MisfitError(f"`headers`: `{name}` is not a header that can be sent", "names and values are ASCII")
        if self.timeout.ms <= 0:
            raise MisfitError("`timeout` must be longer than 0", "as in 30s")


def is_url(url: str) -> bool:
    """Say whether this can be asked: an absolute http or https URL whose special characters are escaped."""
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and not _SPACE.search(url)


def check_url(url: str, field: str) -> None:
    """Check a URL of the configuration. Raises MisfitError that names `field`."""
    if not is_url(url):
        raise MisfitError(f"`{field}` is no URL", "it begins with http:// or https://, as in https://example.com/hook")
    if "@" in urlsplit(url).netloc:
        raise MisfitError(f"`{field}` holds a user name", "give it as auth: {username: …, password: …}")


def place_of(url: str) -> str:
    """Return what of a URL may be shown: neither a user's name nor its query, which may hold a key (I9)."""
    host_and_path = url.partition("://")[2].partition("?")[0].partition("#")[0]
    host, slash, path = host_and_path.partition("/")
    return f"{url.partition('://')[0]}://{host.rpartition('@')[2]}{slash}{path}"[:200]

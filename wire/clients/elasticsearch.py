"""How an Elasticsearch cluster is reached: the configuration that the source and the sink share. Needs no library."""

from __future__ import annotations

import base64
from typing import Annotated
from urllib.parse import urlsplit

from wire.clients.tls import Tls
from wire.core.config import Config, MisfitError, Secret, doc
from wire.core.units import Duration


class ElasticsearchConnection(Config, frozen=True, kw_only=True):
    """The part of a configuration that says which cluster, and as whom."""

    url: Annotated[
        str | list[str] | None,
        doc("The cluster's address, such as `https://localhost:9200`, or several nodes' addresses."),
    ] = None
    cloud_id: Annotated[str | None, doc("The id of a deployment in Elastic Cloud, instead of `url`.")] = None
    api_key: Annotated[
        Secret | None, doc("An API key, as Elasticsearch and Kibana show it (`encoded`); best as `${env:NAME}`.")
    ] = None
    username: Annotated[str | None, doc("The user to log in as, where there is no `api_key`.")] = None
    password: Annotated[Secret | None, doc("The user's password; best given as `${env:NAME}` or `${file:PATH}`.")] = (
        None
    )
    tls: Annotated[Tls, doc("How the server's certificate is checked.")] = Tls()
    timeout: Annotated[Duration, doc("How long one request may take before it counts as failed.")] = Duration.parse(
        "60s"
    )

    def __post_init__(self) -> None:
        if (self.url is None) == (self.cloud_id is None):
            raise MisfitError("one of `url` and `cloud_id` is needed", "as in url: http://localhost:9200")
        if self.cloud_id is None and not self.urls:
            raise MisfitError("`url` names no address", "as in url: http://localhost:9200")
        for url in self.urls:
            _check_url(url)
        if self.api_key is not None and (self.username is not None or self.password is not None):
            raise MisfitError("`api_key` does not go with `username` and `password`", "give one or the other")
        if (self.username is None) != (self.password is None):
            raise MisfitError("`username` and `password` go together", "give both, or neither")

    @property
    def urls(self) -> list[str]:
        """The addresses of the nodes, none where `cloud_id` says where they are."""
        given = [] if self.url is None else [self.url] if isinstance(self.url, str) else self.url
        return [_with_port(url.strip().rstrip("/")) for url in given if url.strip()]

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that log in: for the client and nothing else (I9)."""
        if self.api_key is not None:
            return {"authorization": f"ApiKey {self.api_key.reveal()}"}
        if self.username is not None and self.password is not None:
            both = f"{self.username}:{self.password.reveal()}".encode()
            return {"authorization": f"Basic {base64.b64encode(both).decode()}"}
        return {}


def _with_port(url: str) -> str:
    """Add the port that everybody means: the client library wants it spelled out."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port is not None:
            return url
    except ValueError:
        return url
    return parts._replace(netloc=f"{parts.netloc}:{443 if parts.scheme == 'https' else 9200}").geturl()


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port
    except ValueError:
        parts, right = None, False
    if parts is not None and "@" in parts.netloc:
        raise MisfitError("`url` holds a user name or password", "give them as `username` and `password`, or `api_key`")
    if not right:
        raise MisfitError("`url`: expected http://host:port or https://host:port", "as in http://localhost:9200")

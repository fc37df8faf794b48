"""Any Elasticsearch, for setting a test up and for looking at what came of it. Plain HTTP, without its client library.

Every call opens its own connection and closes it, so one object serves many event loops (a session's fixture).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

_DEADLINE_S = 60.0
_PAGE = 5000


class Elasticsearch:
    """A cluster that somebody runs, reached at `url`; one with TLS needs the `tls` context that trusts it."""

    def __init__(self, url: str, auth: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.url = url
        self._auth = auth
        self._tls = tls

    async def request(self, method: str, path: str, body: Any = None, *, deadline_s: float = _DEADLINE_S) -> Any:
        """Return what the server answers, decoded. Raises httpx.HTTPStatusError, with its words, where it refuses."""
        verify = True if self._tls is None else self._tls
        async with httpx.AsyncClient(base_url=self.url, auth=self._auth, verify=verify, timeout=deadline_s) as client:
            response = await client.request(method, path, json=body)
        if response.is_error:
            message = f"{response.status_code} for {method} {path}: {response.text[:2000]}"
            raise httpx.HTTPStatusError(message, request=response.request, response=response)
        return response.json()

    async def answers(self) -> bool:
        """Return whether the cluster answers and can serve its indices, within a second or two."""
        try:
            health = await self.request("GET", "/_cluster/health", deadline_s=1.0)
        except (httpx.HTTPError, OSError):
            return False
        return bool(health["status"] != "red")

    async def create_index(
        self, mappings: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> str:
        """Create an index without replicas, of a name nobody else uses, and return its name."""
        index = self.new_name()
        body = {"mappings": dict(mappings or {}), "settings": {"number_of_replicas": 0, **(settings or {})}}
        await self.request("PUT", f"/{index}", body)
        return index

    def new_name(self) -> str:
        """Return an index name nobody else uses; an index of that name is created by the first document."""
        return f"t-{uuid4().hex[:12]}"

    async def documents(self, index: str) -> dict[str, Any]:
        """Return all documents by id, after a refresh; none where there is no such index."""
        return {hit["_id"]: hit["_source"] for hit in await self.hits(index)}

    async def hits(self, index: str) -> list[dict[str, Any]]:
        """Return all documents with `_id`, `_index`, `_version` and `_source`, after a refresh."""
        await self.request("POST", f"/{index}/_refresh?ignore_unavailable=true")
        search = {"size": _PAGE, "version": True, "sort": ["_doc"]}
        answer = await self.request("POST", f"/{index}/_search?scroll=1m&ignore_unavailable=true", search)
        found: list[dict[str, Any]] = []
        while hits := answer["hits"]["hits"]:
            found += hits
            answer = await self.request("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": answer["_scroll_id"]})
        return found

    async def block_writes(self, index: str) -> None:
        """Refuse writes as a cluster does whose disk is nearly full (the flood-stage watermark: 429)."""
        await self.request("PUT", f"/{index}/_settings", {"index.blocks.read_only_allow_delete": True})

    async def allow_writes(self, index: str) -> None:
        """Take writes again."""
        await self.request("PUT", f"/{index}/_settings", {"index.blocks.read_only_allow_delete": None})

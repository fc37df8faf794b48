"""Stands before a real Elasticsearch and spoils bulk requests: refuses them, parts of them, or their answers."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from tests.services.web import Asked, HangUpError, Reply, WebServer

Fault = Literal["busy", "some busy", "hangs", "cut off"]
REFUSALS: Final = 2
"""How often each item that is refused on its own is refused."""


class ElasticsearchFaults(WebServer):
    """For so many seconds from the first bulk request on, all goes wrong in one way; then nothing does.

    `sent` counts how often each document was sent to it, by id; `passed` how often it was passed on.
    """

    def __init__(self, url: str, fault: Fault, seconds: float) -> None:
        self._behind = urlsplit(url)
        self.fault = fault
        self._seconds = seconds
        self._began_s: float | None = None
        self._lock = threading.Lock()
        self.sent: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.spoilt = 0
        super().__init__(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        if not asked.path.endswith("/_bulk"):
            return self._pass_on(asked, asked.body)
        pairs = _pairs(asked.body)
        with self._lock:
            self._began_s = self._began_s or time.monotonic()
            over = time.monotonic() > self._began_s + self._seconds
            self.sent.update(id_ for id_, _ in pairs)
            self.spoilt += not over
        if self.fault == "some busy":  # by item, however long that takes
            return self._some_busy(asked, pairs)
        if over:
            return self._bulk(asked, pairs)
        if self.fault == "busy":
            return Reply(429, b'{"error":{"type":"es_rejected_execution_exception"},"status":429}')
        if self.fault == "hangs":
            time.sleep(3)
            raise HangUpError
        self._bulk(asked, pairs)
        raise HangUpError

    def _some_busy(self, asked: Asked, pairs: list[tuple[str, bytes]]) -> Reply:
        """Refuse one item in ten, some times each, and pass the others on."""
        with self._lock:
            bad = {
                place
                for place, (_, lines) in enumerate(pairs)
                if json.loads(lines.splitlines()[-1])["n"] % 10 == 3 and self.refused[pairs[place][0]] < REFUSALS
            }
            self.refused.update(pairs[place][0] for place in bad)
        good = [pair for place, pair in enumerate(pairs) if place not in bad]
        answered: list[Any] = json.loads(self._bulk(asked, good).body)["items"] if good else []
        rest = iter(answered)
        items = [_refusal(pairs[place][0]) if place in bad else next(rest) for place in range(len(pairs))]
        return Reply.of({"took": 1, "errors": True, "items": items}, **{"X-Elastic-Product": "Elasticsearch"})

    def _bulk(self, asked: Asked, pairs: list[tuple[str, bytes]]) -> Reply:
        with self._lock:
            self.passed.update(id_ for id_, _ in pairs)
        return self._pass_on(asked, b"".join(lines for _, lines in pairs))

    def _pass_on(self, asked: Asked, body: bytes) -> Reply:
        connection = HTTPConnection(self._behind.hostname or "", self._behind.port, timeout=60)
        left_out = ("host", "content-length", "connection", "accept-encoding")
        headers = {name: value for name, value in asked.headers.items() if name not in left_out}
        connection.request(asked.method, f"{asked.path}?{urlencode(asked.query)}", body or None, headers)
        answer = connection.getresponse()
        told = {
            name: value for name, value in answer.getheaders() if name.lower() in ("content-type", "x-elastic-product")
        }
        found = Reply(answer.status, answer.read(), told)
        connection.close()
        return found


def _pairs(body: bytes) -> list[tuple[str, bytes]]:
    """Return the id and the lines of each item: all of them have a document."""
    lines = body.splitlines(keepends=True)
    return [
        (next(iter(json.loads(action).values()))["_id"], action + document)
        for action, document in zip(lines[::2], lines[1::2], strict=True)
    ]


def _refusal(id_: str) -> Any:
    error = {"type": "unavailable_shards_exception", "reason": "primary shard is not active"}
    return {"index": {"_id": id_, "status": 503, "error": error}}

"""From one web service to another: paged, enriched, masked, signed, through errors and kill -9."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import rows, start, wire
from tests.services.web import Asked, Reply, WebServer
from tests.waiting import until

PAGES, SIZE = 40, 25
KEY = "a key that is long enough"


class Web:
    """A shop with orders in pages, its customers, and a hook that is busy now and then and refuses one order."""

    def __init__(self) -> None:
        self.taken: defaultdict[int, set[str]] = defaultdict(set)
        self.lock = threading.Lock()
        self.rng = random.Random(4)
        self.server = WebServer(self.answer)

    def answer(self, asked: Asked) -> Reply:
        match asked.path.split("/")[1:]:
            case ["orders"]:
                return Reply.of({"data": self.page(int(asked.query["page"]))})
            case ["customers", number]:
                return Reply.of({"name": f"Customer {number}"}) if number != "3" else Reply(404)
            case _:
                return self.hook(asked)

    def page(self, page: int) -> list[dict[str, Any]]:
        first = (page - 1) * SIZE
        return [] if page > PAGES else [
            {"id": i, "customer": i % 7, "email": f"u{i}@example.com"} for i in range(first, first + SIZE)
        ]  # fmt: skip

    def hook(self, asked: Asked) -> Reply:
        order = asked.json
        with self.lock:
            if self.rng.random() < 0.02:
                return Reply(503)
            if order["id"] == 500:
                return Reply(422, b"no such order")
            self.taken[order["id"]].add(asked.headers["idempotency-key"])
            assert "u" + str(order["id"]) not in order["email"]
            assert order["name"] == (None if order["customer"] == 3 else f"Customer {order['customer']}")
        return Reply(204)


@pytest.mark.chaos
async def test_everything_arrives_through_errors_and_kills_and_what_is_repeated_can_be_told(tmp_path: Path) -> None:
    web = Web()
    url = web.server.url
    spec = {
        "name": "web",
        "source": {"type": "http", "config": {"url": f"{url}/orders", "records": "data", "paging": "page"}},
        "transforms": [
            {"enrich": {"type": "http", "url": f"{url}/customers/{{customer}}", "select": "name"}},
            {"pii": {"action": "mask", "key": "${env:MASK_KEY}", "report": "pii.json"}},
        ],
        "sink": {"type": "http", "config": {"url": f"{url}/hook", "signing": {"key": "${env:MASK_KEY}"}}},
        "on_error": {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": "dead.jsonl"}}},
        "retry": {"initial": "5ms", "max": "20ms"},
        "checkpoint": {"interval": "20ms"},
        "batch": {"max_records": 20},
    }
    (tmp_path / "p.yaml").write_text(json.dumps(spec))
    environ = {"MASK_KEY": KEY}
    try:
        for share in (0.2, 0.5, 0.8):
            process = await start("run", "p.yaml", "--until-eof", cwd=tmp_path, environ=environ)
            try:
                await until(lambda share=share: len(web.taken) > share * PAGES * SIZE)  # type: ignore[misc]
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.communicate()
        done = await wire("run", "p.yaml", "--until-eof", cwd=tmp_path, environ=environ)
    finally:
        web.server.close()
    assert done.code == 0, done.err
    assert sorted(web.taken) == [i for i in range(PAGES * SIZE) if i != 500]
    assert {len(keys) for keys in web.taken.values()} == {1}
    (letter,) = rows(tmp_path / "dead.jsonl")
    assert json.loads(letter["value"])["id"] == 500
    assert letter["headers"]["wire-error-code"] == "sink.http.refused"
    report = json.loads((tmp_path / "pii.json").read_text())
    assert [(one["column"], one["kind"]) for one in report["columns"]] == [("email", "mail")]
    assert KEY not in done.err + done.out

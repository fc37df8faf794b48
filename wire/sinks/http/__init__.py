"""Sends records to an HTTP service: a webhook, or whatever takes JSON by POST or PUT.

- `sink`: checks that somebody listens. - `writer`: who goes when, and what an answer means for the records it is about.
- `bodies`: from records to requests, with their signatures and idempotency keys.

Invariants: a write returns only when every record was taken (2xx) or has a verdict (I2); what must keep its order is
sent one request after the other, and nothing overtakes what failed.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from wire.clients.http import HttpConnection, check_url
from wire.core.config import ByRecord, Config, MisfitError, Secret, doc
from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.core.plugins import ComponentContext, Plugin

Verdict = Literal["ok", "retry", "dead_letter", "fail"]

_STATUS: Final = re.compile(r"[1-5](?:[0-9]{2}|xx)")
_SHORTEST_KEY: Final = 16


class Signing(Config, frozen=True, kw_only=True):
    """Signs requests, so that the receiver can tell who sent them, and when.

    The header holds `t=SECONDS,v1=HEX`: the time since 1970, and HMAC-SHA256 under the key of that time in digits, a
    dot, and the body as it is sent.
    """

    key: Annotated[Secret, doc("What sender and receiver share, at least 16 characters; best given as `${env:NAME}`.")]
    header: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+$", description="The header's name: letters, digits, `-`.")] = (
        "X-Wire-Signature"
    )

    def __post_init__(self) -> None:
        if len(self.key.reveal()) < _SHORTEST_KEY:
            message = f"`key` has fewer than {_SHORTEST_KEY} characters: it could be guessed"
            raise MisfitError(message, "make one with: openssl rand -hex 32")


class HttpSinkConfig(HttpConnection, frozen=True, kw_only=True):
    """Where to send, what a request holds, and what its answer means."""

    url: Annotated[str | ByRecord, doc("Where to send.")]
    method: Annotated[Literal["POST", "PUT", "PATCH"], doc("How to send.")] = "POST"
    body: Annotated[
        Literal["record", "array", "lines"],
        doc("What a request holds: one `record`, a JSON `array` of them, or one per line (`lines`: NDJSON, CSV rows)."),
    ] = "record"
    max_records: Annotated[int, Meta(ge=1, description="The most records in an `array` or in `lines`.")] = 100
    order: Annotated[
        Literal["partition", "key", "none"],
        doc(
            "What is sent one after the other: the records of a source `partition`, those of the same `key` (without a "
            "key: of a partition), or nothing (`none`), which is fastest."
        ),
    ] = "partition"
    concurrency: Annotated[int, Meta(ge=1, le=1000, description="Requests under way at once.")] = 8
    statuses: Annotated[
        dict[str, Verdict],
        doc(
            "What answers mean where it is not the usual, as in `{'409': ok, '404': retry, 5xx: dead_letter}`. Usually "
            "2xx is `ok`; 408, 425, 429 and 5xx are `retry`; 3xx is `fail`, which stops the pipeline; all others are "
            "`dead_letter`."
        ),
    ] = {}  # noqa: RUF012 (msgspec copies it)
    signing: Annotated[Signing | None, doc("Signs requests.")] = None
    idempotency_header: Annotated[
        str | None,
        doc(
            "The header that tells a repeated request from a new one: pipeline, sink and the record's coordinates, or "
            "a hash of those of several records. A run with --reset has new ones. `null` for none."
        ),
    ] = "Idempotency-Key"
    format: Annotated[Format, doc("How records are encoded.")] = JsonFormat()

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.url, str):
            check_url(self.url, "url")
        if self.body == "array" and not isinstance(self.format, JsonFormat):
            raise MisfitError("`body` can be `array` only with `format: json`", "use `body: lines`")
        for status in self.statuses:
            if not _STATUS.fullmatch(status):
                raise MisfitError(f"`statuses`: `{status}` is no status", "as in '409' or 5xx")
        if isinstance(self.format, CsvFormat) and self.body == "record":
            raise MisfitError("`body` can be `lines` only with CSV", "use `body: lines`")


def _build(config: HttpSinkConfig, context: ComponentContext) -> Any:
    from wire.sinks.http.sink import HttpSink

    return HttpSink(config, context)


PLUGIN = Plugin(
    kind="sink",
    summary="Sends records to an HTTP service, such as a webhook.",
    config=HttpSinkConfig,
    build=_build,
    extra="http",
    example="""\
type: http
config:
  url: https://example.com/hooks/flights
  auth: {bearer: "${env:HOOK_TOKEN}"}
  signing: {key: "${env:HOOK_SECRET}"}
""",
)

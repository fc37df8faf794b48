"""From records to requests."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.core.records import Batch, Record
from wire.sinks.http import HttpSinkConfig

_TYPES: Final = {"record": "application/json", "array": "application/json", "lines": "application/x-ndjson"}


class Place(Struct, frozen=True):
    """A record of a write: `batches[batch].records[index]`."""

    batch: int
    index: int
    source: str
    partition: str
    record: Record


class Bodies:
    """Makes the body and the headers of requests."""

    def __init__(self, config: HttpSinkConfig, sender: Sequence[str]) -> None:
        """Make requests of `sender`: names that together no other sink has."""
        self._array = config.body == "array"
        self._type = _content_type(config.format, config.body)
        self._signing = config.signing
        self._key = config.signing.key.reveal().encode(errors="surrogatepass") if config.signing else b""
        self._idempotency_header = config.idempotency_header
        self._sender = sender

    def body(self, places: Sequence[Place]) -> bytes:
        """Return what a request for these records holds."""
        values = [place.record.value or b"" for place in places]
        if self._array:
            return b"[" + b",".join(values) + b"]"
        return b"\n".join([*values, b""]) if self._type in ("application/x-ndjson", "text/csv") else values[0]

    def headers(self, places: Sequence[Place], body: bytes, now_ms: int) -> dict[str, str]:
        """Return the headers of a request, signed as of now."""
        headers = {"content-type": self._type}
        if self._idempotency_header is not None:
            headers[self._idempotency_header] = self._idempotency_key(places)
        if self._signing is not None:
            headers[self._signing.header] = signature(self._key, body, now_ms // 1000)
        return headers

    def _idempotency_key(self, places: Sequence[Place]) -> str:
        coordinates = [_coordinates(self._sender, place) for place in places]
        if len(coordinates) == 1:
            return coordinates[0]
        return hashlib.sha256("\n".join(coordinates).encode()).hexdigest()


def signature(key: bytes, body: bytes, seconds: int) -> str:
    """Return the value of the signing header: the time, and the proof that whoever has the key sent this then."""
    return f"t={seconds},v1={hmac.digest(key, b'%d.%b' % (seconds, body), 'sha256').hex()}"


def _coordinates(sender: Sequence[str], place: Place) -> str:
    """Return a record's id in characters that a header takes."""
    record = place.record
    parts = (*sender, place.source, place.partition)
    names = "/".join(quote(part, safe="", errors="surrogatepass") for part in parts)
    return f"{names}/{record.offset}" + (f"/{record.ordinal}" if record.ordinal else "")


def _content_type(form: Format, body: str) -> str:
    if isinstance(form, JsonFormat):
        return _TYPES[body]
    if isinstance(form, CsvFormat):
        return "text/csv"
    return "application/x-ndjson" if body == "lines" else "application/octet-stream"


def placed(batches: Sequence[Batch]) -> list[Place]:
    """Return the records of a write, in order."""
    return [
        Place(number, index, batch.source, batch.partition, record)
        for number, batch in enumerate(batches)
        for index, record in enumerate(batch.records)
    ]

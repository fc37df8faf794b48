"""Samples of the records that pass through a pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from wire.api import views
from wire.api.openapi import lines
from wire.api.ports import Name, Taps
from wire.api.requests import Asked, Named

router = APIRouter(tags=["runs"])

_KIND = "application/x-ndjson"


class _Tapped(Response):
    """Begins to tap when it is to be sent, so that what is wrong is still told, and ends when nobody listens."""

    def __init__(self, taps: Taps, name: Name, records: int, seconds: float) -> None:
        super().__init__(media_type=_KIND)
        self._taps = taps
        self._asked = name, records, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._taps.tapping(*self._asked) as samples:
            await StreamingResponse(_encoded(samples), media_type=_KIND)(scope, receive, send)


async def _encoded(samples: AsyncIterator[views.Sample]) -> AsyncIterator[bytes]:
    encode = msgspec.json.Encoder().encode
    async for sample in samples:
        yield encode(sample) + b"\n"


@router.get("/pipelines/{name}/tap", responses=lines(views.Sample, "A record on each line, until it is enough."))
async def tap_pipeline(
    services: Asked,
    name: Named,
    records: Annotated[int, Query(ge=1, le=1000, description="The most records to show.")] = 20,
    seconds: Annotated[float, Query(gt=0, le=300, description="How long to wait for them.")] = 5.0,
) -> Response:
    """Watch records pass, as they leave the transforms; secrets are masked, and some are left out where many pass."""
    return _Tapped(services.taps, name, records, seconds)

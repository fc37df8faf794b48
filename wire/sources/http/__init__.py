"""Reads records from an HTTP service that gives them in pages of JSON.

- `source`: `HttpSource` and its only partition. - `reader`: page after page. - `paging`: which page comes next.
- `pages`: what an answer holds. - `position`: where to resume.

Invariants: one page is held at a time, and its size is bounded (I8); a request goes only to the server that is
configured, whatever an answer links to.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from wire.clients.http import HttpConnection, check_url
from wire.core.config import Config, MisfitError, doc
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import ComponentContext, Plugin
from wire.core.units import Duration, Size


class NoPaging(Config, frozen=True, kw_only=True, tag="none", tag_field="type"):
    """Everything is in one answer."""


class CursorPaging(Config, frozen=True, kw_only=True, tag="cursor", tag_field="type"):
    """An answer holds what to ask for next; nothing, `null` or the same again at the end."""

    field: Annotated[str, doc("Where in the answer the cursor is: `meta.next_cursor`.")]
    param: Annotated[
        str | None, doc("The query's parameter that takes it. Without one, the cursor is the next page's URL.")
    ] = None


class LinkPaging(Config, frozen=True, kw_only=True, tag="link", tag_field="type"):
    """The header `Link` names the next page, with rel="next"."""


class PagePaging(Config, frozen=True, kw_only=True, tag="page", tag_field="type"):
    """Pages are numbered; the first one without records is the end."""

    param: Annotated[str, doc("The query's parameter that takes the number.")] = "page"
    first: Annotated[int, Meta(ge=0, description="The first page's number.")] = 1


Paging = NoPaging | CursorPaging | LinkPaging | PagePaging


class HttpSourceConfig(HttpConnection, frozen=True, kw_only=True):
    """What to ask, where in the answers the records are, and how often.

    Where reading stops, within a page, is where it goes on after a restart: that page is asked for again, and what was
    read of it is left out. That is right for lists to whose end records are added.
    """

    url: Annotated[str, doc("What to ask, with a query if need be.")]
    records: Annotated[
        str | None, doc("Where in an answer the records are: `data.items`. The answer itself if absent.")
    ] = None
    paging: Annotated[Paging, doc("How the next page is found.")] = NoPaging()
    each_poll: Annotated[
        Literal["continue", "again"],
        doc("At the end, wait for records added behind it (`continue`), or read the whole list `again`."),
    ] = "continue"
    poll: Annotated[Duration, doc("How long to wait at the end before asking again.")] = Duration(10_000)
    rate: Annotated[float | None, doc("The most requests per second; no limit if absent.")] = None
    key: Annotated[str | None, doc("The field of a record that becomes its key: `id` or `meta.id`.")] = None
    max_page: Annotated[Size, doc("The largest answer to take.")] = Size(16 << 20)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_url(self.url, "url")
        if self.rate is not None and not self.rate > 0:
            raise MisfitError("`rate` must be greater than 0", "leave it out for no limit")

    @property
    def format(self) -> Format:
        """How the records are encoded."""
        return JsonFormat()


def _build(config: HttpSourceConfig, context: ComponentContext) -> Any:
    from wire.sources.http.source import HttpSource

    return HttpSource(config, context)


PLUGIN = Plugin(
    kind="source",
    summary="Reads records from an HTTP service, page by page.",
    config=HttpSourceConfig,
    build=_build,
    extra="http",
    example="""\
type: http
config:
  url: https://example.com/api/orders?limit=500
  auth: {bearer: "${env:API_TOKEN}"}
  records: data
  paging: {type: cursor, field: meta.next_cursor, param: cursor}
  rate: 5
  poll: 30s
""",
)

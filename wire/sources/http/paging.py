"""Which page comes next, and how it is asked for. Pages have names; the first one's is empty."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, assert_never
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from wire.clients.http import place_of
from wire.clients.http_client import Answer
from wire.core.errors import FatalError
from wire.sources.http import CursorPaging, LinkPaging, NoPaging, PagePaging, Paging
from wire.sources.http.pages import value_at

_LINK: Final = re.compile(r'<([^<>]*)>((?:\s*;\s*[A-Za-z*-]+\s*(?:=\s*(?:"[^"]*"|[^\s";,]+))?)*)')
_NEXT: Final = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?![^\s;,]))', re.IGNORECASE)

UrlOf = Callable[[str], str]
"""From a page's name to its URL."""

NextOf = Callable[[str, Answer, int], str | None]
"""From a page's name, the answer and the number of records in it to the name of the next page, None at the end."""


def pager(paging: Paging, url: str) -> tuple[UrlOf, NextOf]:
    """Return how pages are asked for and how they follow one another, beginning with `url`."""
    match paging:
        case NoPaging():
            return lambda _: url, lambda *_: None
        case PagePaging(param=param, first=first):
            return (
                lambda page: _with(url, param, page or str(first)),
                lambda page, _, count: str(int(page or first) + 1) if count else None,
            )
        case LinkPaging():
            return lambda page: page or url, lambda page, answer, _: _linked(answer, page or url)
        case CursorPaging():
            return _by_cursor(paging, url)
    assert_never(paging)


def _by_cursor(paging: CursorPaging, url: str) -> tuple[UrlOf, NextOf]:
    field, param = paging.field, paging.param
    if param is None:
        return lambda page: page or url, lambda page, answer, _: _joined(_cursor(answer, field), page or url)
    return lambda page: _with(url, param, page) if page else url, lambda _, answer, __: _cursor(answer, field)


def _with(url: str, param: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(name, held) for name, held in parse_qsl(parts.query, keep_blank_values=True) if name != param]
    return urlunsplit(parts._replace(query=urlencode([*query, (param, value)])))


def _cursor(answer: Answer, field: str) -> str | None:
    found: Any = value_at(answer.body, field.split("."))
    if found is None or found is False or found == "":
        return None
    if isinstance(found, str | int | float):
        return str(found)
    message = f"`{field}` in the answer is no cursor"
    raise FatalError("source.http.invalid_answer", message, hint="check `paging.field`")


def _linked(answer: Answer, base: str) -> str | None:
    for target, parameters in _LINK.findall(answer.headers.get("link", "")):
        if _NEXT.search(parameters):
            return _joined(target, base)
    return None


def _joined(target: str | None, base: str) -> str | None:
    """Return a link as a URL. One that leads to another server is not followed: it would be told our credentials."""
    if target is None:
        return None
    url = urljoin(base, target)
    if urlsplit(url)[:2] != urlsplit(base)[:2]:
        message = f"the next page is on another server: {place_of(url)}"
        raise FatalError("source.http.foreign_link", message, hint="set `url` to that server if it is the right one")
    return url

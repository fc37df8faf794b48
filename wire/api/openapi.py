"""The description of the API: schemas made of the structs that are answered, with an example of each."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wire.api import views
from wire.api.examples import EXAMPLES, SPEC
from wire.api.problems import MEDIA_TYPE, Problem
from wire.api.requests import BINARY

Described = dict[int | str, dict[str, Any]]

_KINDS: Final = tuple(EXAMPLES)
_schemas, COMPONENTS = msgspec.json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
_SCHEMA_OF: Final[dict[Any, dict[str, Any]]] = dict(zip(_KINDS, _schemas, strict=True))

_HEADERS: Final = {
    "X-Request-ID": {"description": "The client's own, or one made here.", "schema": {"type": "string"}},
    "X-WIRE-SERVED-BY": {"description": "The node that answered.", "schema": {"type": "string"}},
    "X-WIRE-VERSION": {"description": "The node's version of Wire.", "schema": {"type": "string"}},
}
_ETAG: Final = {"ETag": {"description": "The pipeline's revision, for If-Match.", "schema": {"type": "string"}}}
_WITH_ETAG: Final = (views.Pipeline, views.Applied)


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the schema of what is answered, which refers to `COMPONENTS`."""
    return _SCHEMA_OF[kind]


def example_of(kind: Any) -> Any:
    """Return an example of what is answered, as plain data."""
    return msgspec.json.decode(msgspec.json.encode(EXAMPLES[kind]))


def answers(kind: Any, description: str, status: int = 200, *others: Any) -> Described:
    """Describe a response that holds one of `views`, or one of several."""
    headers = {**_HEADERS, **(_ETAG if kind in _WITH_ETAG else {})}
    schema = {"anyOf": [_SCHEMA_OF[each] for each in (kind, *others)]} if others else _SCHEMA_OF[kind]
    content = {
        media_type: {"schema": schema, "example": example_of(kind)}
        for media_type in ("application/json", "application/yaml")
    }
    return {status: {"description": description, "headers": headers, "content": content}}


def any_part(kind: Any, description: str) -> Described:
    """Describe a response that holds one of `views`, or any part of it."""
    content = {"application/json": {"schema": {}, "example": example_of(kind)}}
    return {200: {"description": description, "headers": _HEADERS, "content": content}}


def nothing(description: str, status: int = 204) -> Described:
    """Describe a response without a body."""
    return {status: {"description": description, "headers": _HEADERS}}


def plain(description: str, status: int = 200, *others: str) -> Described:
    """Describe a response of plain text, or of text in other formats too."""
    content = {media_type: {"schema": {"type": "string"}} for media_type in ("text/plain", *others)}
    return {status: {"description": description, "headers": _HEADERS, "content": content}}


def lines(kind: Any, description: str) -> Described:
    """Describe a response of JSON, one of `views` on each line."""
    example = msgspec.json.encode(EXAMPLES[kind]).decode()
    content = {"application/x-ndjson": {"schema": _SCHEMA_OF[kind], "example": f"{example}\n"}}
    return {200: {"description": description, "headers": _HEADERS, "content": content}}


def binary(description: str, status: int = 200) -> Described:
    """Describe a response that is a file."""
    content = {BINARY: {"schema": {"type": "string", "format": "binary"}}}
    return {status: {"description": description, "headers": _HEADERS, "content": content}}


BINARY_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "A backup, as it was got.",
        "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}},
    }
}

PROBLEMS: Final[Described] = {
    status: {
        "description": "A problem; `code` says which one.",
        "headers": _HEADERS,
        "content": {MEDIA_TYPE: {"schema": _SCHEMA_OF[Problem], "example": example_of(Problem)}},
    }
    for status in ("4XX", "5XX")
}

SPEC_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "The pipeline's spec, in YAML or JSON, as `wire schema` describes it.",
        "content": {
            media_type: {
                "schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
                "example": example_of(views.Pipeline)["spec"] if media_type == "application/json" else SPEC,
            }
            for media_type in ("application/yaml", "application/json")
        },
    }
}


def body(properties: dict[str, Any], example: dict[str, Any], *required: str) -> dict[str, Any]:
    """Describe a small body; without fields that are required it may be left out."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False, "required": list(required)}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": bool(required), "content": content}}

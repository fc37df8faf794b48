"""The description as a page for people: plain HTML, nothing to load from anywhere, so that it opens in any network."""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "summary{cursor:pointer;padding:.3rem 0}code,pre{font:14px/1.4 ui-monospace,monospace}"
    "pre{background:#f4f4f4;padding:.8rem;overflow:auto}b{display:inline-block;min-width:4.5rem}"
    "td{padding:.1rem .8rem .1rem 0;vertical-align:top}h2{margin-top:2rem;text-transform:capitalize}"
)


def page_of(description: dict[str, Any]) -> str:
    """Return the page for an OpenAPI description."""
    info = description["info"]
    sections: dict[str, list[str]] = {}
    for path, item in description["paths"].items():
        for method, operation in item.items():
            tag = next(iter(operation.get("tags", ())), "other")
            sections.setdefault(tag, []).append(_operation(method.upper(), path, operation))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(rows)}" for tag, rows in sections.items()]
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in info["description"].strip().split("\n\n"))
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f'<h1>{title}</h1>{paragraphs}<p>For programs: <a href="/openapi.json">/openapi.json</a></p>'
        f"{''.join(parts)}</html>\n"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(map(_parameter, operation.get("parameters", ())))
    sent = "".join(_content("Body", kind, what) for kind, what in _examples(operation.get("requestBody", {})))
    answers = "".join(
        f"<p>{escape(str(status))}: {escape(response['description'])}</p>"
        + "".join(_content("", kind, what) for kind, what in _examples(response)[:1])
        for status, response in operation["responses"].items()
        if not str(status).endswith("XX")
    )
    head = f"<b>{method}</b> <code>{escape(path)}</code>"
    table = f"<table>{parameters}</table>" if parameters else ""
    text = escape(operation.get("description", operation.get("summary", "")))
    return f"<details><summary>{head}</summary><p>{text}</p>{table}{sent}{answers}</details>"


def _parameter(parameter: dict[str, Any]) -> str:
    name, where = escape(parameter["name"]), escape(parameter["in"])
    return f"<tr><td><code>{name}</code><td>{where}<td>{escape(parameter.get('description', ''))}</tr>"


def _examples(part: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(kind, what["example"]) for kind, what in part.get("content", {}).items() if "example" in what]


def _content(title: str, kind: str, example: Any) -> str:
    text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    return f"<p>{title} <code>{escape(kind)}</code></p><pre>{escape(text)}</pre>"

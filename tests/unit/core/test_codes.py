"""Error codes are API: every code the source uses is listed with its meaning, and every listed code is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import wire
from wire.core.codes import CODES

ROOT = Path(wire.__file__).parent
AREAS = {code.partition(".")[0] for code in CODES}


def literals() -> Iterator[tuple[str, str]]:
    """Every text literal in the source that has the form of a code, with its file."""
    for path in ROOT.rglob("*.py"):
        if path == ROOT / "core" / "codes.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_code(node.value):
                yield node.value, str(path.relative_to(ROOT))


def is_code(text: str) -> bool:
    words = text.split(".")
    return (
        len(words) > 1
        and words[0] in AREAS
        and words[-1] not in ("md", "json")
        and all(word.isidentifier() and word.islower() for word in words)
    )


def first_arguments() -> Iterator[tuple[str, str]]:
    """Every literal given as the code of an error or finding, whatever its form."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if (
                called in ("RecordError", "RetryableError", "FatalError", "UnavailableError", "FencedError")
                and node.args
            ):
                code = node.args[0]
            else:
                code = next((k.value for k in node.keywords if k.arg == "code" and called == "Finding"), node)
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value, str(path.relative_to(ROOT))


def test_every_code_used_is_listed() -> None:
    unlisted = {(code, path) for code, path in [*literals(), *first_arguments()] if code not in CODES}
    assert not unlisted


def test_every_code_listed_is_used() -> None:
    assert not set(CODES) - {code for code, _ in literals()}


def test_codes_have_areas_and_meanings() -> None:
    for code, meaning in CODES.items():
        assert is_code(code)
        assert meaning
        assert not meaning.endswith(".")

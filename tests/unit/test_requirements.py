"""The pinned requirements are enough for pip: nothing is left to what the index has on the day."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?==", re.MULTILINE)
_NEED: Final = re.compile(r"^([A-Za-z0-9._-]+)\[([^\]]*)\]([^;]*)(?:;(.*))?$")


def _pins(file: str) -> dict[str, set[str]]:
    text = (ROOT / "requirements" / file).read_text()
    return {_name(m[1]): set((m[2] or "").split(",")) - {""} for m in _PIN.finditer(text)}


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def _needed_with_extras(pins: dict[str, set[str]]) -> set[tuple[str, str, str]]:
    """Return (who, what, extra) for each requirement of a pinned package that names an extra of another."""
    found = set()
    for who in pins:
        try:
            needs = requires(who) or []
        except PackageNotFoundError:  # for another platform
            continue
        for match in filter(None, map(_NEED.match, needs)):
            if "extra ==" not in (match[4] or ""):
                found |= {(who, _name(match[1]), extra.strip()) for extra in match[2].split(",")}
    return found


@pytest.mark.parametrize("file", ["run.txt", "test.txt", "dev.txt"])
def test_an_extra_that_a_package_asks_for_is_pinned_with_it(file: str) -> None:
    """With --require-hashes, pip takes `name[extra]` from the index unless it is pinned under that very name."""
    pins = _pins(file)
    assert pins
    assert not [need for need in _needed_with_extras(pins) if need[2] not in pins.get(need[1], set())]


def test_the_check_sees_an_extra_that_is_not_pinned() -> None:
    assert ("pytest-cov", "coverage", "toml") in _needed_with_extras({"pytest-cov": set()})

"""The reference pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from wire.cli.docs import pages

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_as_make_docs_writes_it(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name], "run `make docs`"


def test_no_reference_page_is_of_a_component_that_is_gone() -> None:
    there = {str(path.relative_to(REFERENCE)) for path in REFERENCE.rglob("*.md")}
    assert there == PAGES.keys()

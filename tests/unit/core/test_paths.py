from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wire.core.paths import ROOT, child, parent, steps


def test_paths_read_well() -> None:
    assert child(child(child(ROOT, "sinks"), 0), "config") == "$.sinks[0].config"
    assert child("$.rename", "a b") == '$.rename["a b"]'
    assert parent("$.sinks[0].config") == "$.sinks[0]"
    assert parent("$.sinks[0]") == "$.sinks"
    assert parent(ROOT) is None


@given(st.lists(st.text() | st.integers(0, 99)))
def test_a_path_leads_back_to_its_keys(keys: list[str | int]) -> None:
    path = ROOT
    for key in keys:
        path, before = child(path, key), path
        assert parent(path) == before
    assert steps(path) == keys

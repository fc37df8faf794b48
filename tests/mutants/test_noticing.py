"""What counts as a mutant that was noticed: a test that fails, and nothing else that goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.__main__ import PYTEST, failed_tests, in_copy, require_passing

_ENDLESS = "import pytest\n@pytest.mark.timeout(0.1)\ndef test_{}():\n    while True: pass\n"


@pytest.mark.parametrize(
    ("source", "exit_code", "names"),
    [
        ("def test_good(): pass\ndef test_bad(): assert not 'x' * 500", 1, ["test_bad"]),
        ("import nowhere\ndef test_bad(): assert False", 2, []),
        ("def test_bad(nobody_gives_it): pass", 1, []),
        (_ENDLESS.format("long" * 100), 1, []),
    ],
    ids=["fails", "can't be imported", "has no fixture", "runs out of time"],
)
def test_only_a_test_that_fails_has_noticed(tmp_path: Path, source: str, exit_code: int, names: list[str]) -> None:
    (tmp_path / "test_it.py").write_text(source)
    run = in_copy(tmp_path, *PYTEST, "test_it.py")
    assert run.returncode == exit_code, run.stdout
    assert failed_tests(run) == names


def test_tests_that_fail_without_any_mutant_are_refused() -> None:
    with pytest.raises(SystemExit, match=r"do not pass:[^$]*nowhere"):
        require_passing(["tests/mutants/test_nowhere.py"])

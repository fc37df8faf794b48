"""What only compiling tells, and what compiling leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipelines.lint.kit import GOOD, check, with_sink, with_transforms
from wire.pipelines.lint import compile_here


def test_compiling_finds_a_sink_that_can_not_hold_what_comes() -> None:
    csv = "{bootstrap_servers: [x:1], topic: t, format: csv}"
    assert with_sink(csv).findings == (), "only compiling tells"
    result = compile_here(with_sink(csv))
    (finding,) = result.errors
    assert (finding.code, finding.path, finding.line) == ("format.unwritable", "$.sink.config.format", 7)
    assert result.pipeline is None
    assert (
        compile_here(
            check(
                GOOD.replace("*, upper(carrier)", "upper(carrier)")
                .replace("- drop: [minute, hour]", "- drop: [x]")
                .replace("{bootstrap_servers: [localhost:9092], topic: late}", csv)
            )
        ).findings
        == ()
    )


def test_compiling_warns_of_a_lookup_file_that_is_not_here(tmp_path: Path) -> None:
    result = compile_here(with_transforms(f"lookup: {{file: {tmp_path}/none.csv, key: a, select: b}}"))
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("transform.lookup.unreadable", "warning")
    assert "none.csv" in finding.message
    assert result.pipeline is not None


def test_compiling_runs_nobodys_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ruinous.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert compile_here(with_transforms('python: "ruinous:f"')).findings == ()

"""The flags of a node: all fields have one, help says what they are, mistakes are shown where they were made."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wire.cli.node_flags import with_node_flags
from wire.core.config import fields_of
from wire.node.config import NodeConfig
from wire.node.loading import Loaded, flag, variable


class Started:
    """A command with a node's flags that remembers what it was given."""

    def __init__(self) -> None:
        self.loaded: list[Loaded] = []
        self.app = typer.Typer(add_completion=False, rich_markup_mode=None)

        def serve(loaded: Loaded) -> None:
            """Run a node."""
            self.loaded.append(loaded)

        self.app.command()(with_node_flags(serve))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    monkeypatch.setenv("NO_COLOR", "1")
    return Started()


def test_every_field_has_a_flag_with_its_documentation_and_variable(started: Started) -> None:
    result = CliRunner(env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"}).invoke(started.app, ["--help"])
    assert result.exit_code == 0, result.output
    assert "Run a node." in result.output
    for field in fields_of(NodeConfig):
        assert flag(field.name) in result.output
        assert variable(field.name) in result.output
    assert "127.0.0.1:4001 unless given" in result.output
    assert "--no-insecure" not in result.output


def test_flags_and_variables_and_the_file_come_together(started: Started, tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text("workers: 7\n")
    arguments = ["--config", str(tmp_path / "node.yaml"), "--node-id", "n1", "--join", "a:1", "--join", "b:2,c:3"]
    result = CliRunner(env={"WIRE_INSECURE": "1"}).invoke(started.app, [*arguments, "--labels", "zone=a"])
    assert result.exit_code == 0, result.output
    (loaded,) = started.loaded
    expected = NodeConfig(node_id="n1", join=["a:1", "b:2", "c:3"], workers=7, insecure=True, labels={"zone": "a"})
    assert loaded.config == expected


def test_mistakes_end_it_before_it_begins_and_are_shown_where_they_were_made(started: Started, tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text("node_id: n1\nlistn: x\n")
    result = CliRunner().invoke(started.app, ["--config", str(tmp_path / "node.yaml"), "--workers", "none"])
    assert result.exit_code == 2
    assert started.loaded == []
    assert result.stderr == (
        "error[config.unknown_key]: unknown field `listn`\n"
        f"  --> {tmp_path / 'node.yaml'}:2:1  $.listn\n"
        "  |\n2 | listn: x\n  | ^\n"
        "  = hint: did you mean `listen`?\n"
        "error[config.invalid]: expected a whole number, found text\n"
        " --> --workers\n"
    )


def test_a_flag_that_is_not_known_is_refused(started: Started) -> None:
    result = CliRunner().invoke(started.app, ["--data-dirr", "x"])
    assert result.exit_code == 2
    assert "--data-dir" in result.output

"""`wire` in this process, with contexts of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wire.cli.main import main


@dataclass
class Typed:
    """Types commands, and keeps what the last one printed."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def __call__(self, *words: str) -> int:
        with pytest.raises(SystemExit) as caught:
            main(words)
        self.out, self.err = self.capsys.readouterr()
        return int(str(caught.value.code or 0))

    def json(self, *words: str) -> Any:
        assert self(*words, "-o", "json") == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("WIRE_CONTEXT", "WIRE_CONTEXTS", "WIRE_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Typed(tmp_path, capsys)

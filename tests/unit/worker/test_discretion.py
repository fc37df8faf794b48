"""A secret that a service sends back is told to nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wire.cluster.state import Error
from wire.core.permissions import EVERYTHING
from wire.pipelines.engine.progress import Progress, Reason
from wire.pipelines.lint import lint
from wire.pipelines.loaded import LoadedPipeline
from wire.worker.discretion import Discretion

TOKEN, LONGER = "hush-hush", "hush-hush-hush"


@pytest.fixture(autouse=True)
def _in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", TOKEN)
    monkeypatch.setenv("LONGER", LONGER)
    monkeypatch.setenv("SHORT", "abc")


def http(variable: str) -> dict[str, Any]:
    return {"type": "http", "config": {"url": "http://127.0.0.1:1/", "auth": {"bearer": f"${{env:{variable}}}"}}}


def loaded(variable: str, **more: Any) -> LoadedPipeline:
    spec = {"name": "p", "source": {"type": "generate"}, "sink": http(variable), **more}
    return lint(json.dumps(spec), permissions=EVERYTHING).require()


def test_secrets_are_taken_out_of_whatever_is_said() -> None:
    discretion = Discretion()
    discretion.learn(loaded("CANARY"))
    said = f"answered: no such token {TOKEN}!"
    assert discretion.text(said) == "answered: no such token ***!"
    error = discretion.error(Error("sink.http.refused", said, "$.sink", said))
    assert TOKEN not in f"{error.message}{error.hint}"
    assert discretion(None, "warning", {"event": "e", "error": said, "n": 1})["error"] == discretion.text(said)
    progress = Progress(last_error=said, reasons={"sink.http.refused": Reason(1, said, None, said)})
    assert TOKEN not in repr(discretion.progress(progress))


def test_one_that_is_part_of_another_does_not_show_the_rest() -> None:
    discretion = Discretion()
    for variable in ("CANARY", "LONGER"):
        discretion.learn(loaded(variable))
    assert discretion.text(LONGER) == "***"


def test_that_of_the_dead_letter_sink_is_one_too() -> None:
    discretion = Discretion()
    spec = {"policy": "dead_letter", "sink": http("LONGER")}
    discretion.learn(loaded("CANARY", on_error=spec))
    assert discretion.text(f"{TOKEN} {LONGER}") == "*** ***"


def test_a_secret_is_known_as_long_as_some_run_has_it() -> None:
    discretion = Discretion()
    first, second = (discretion.learn(loaded("CANARY")) for _ in range(2))
    discretion.forget(first)
    assert discretion.text(TOKEN) == "***"
    discretion.forget(second)
    assert discretion.text(TOKEN) == TOKEN


def test_what_is_too_short_to_be_one_is_left_where_it_is() -> None:
    discretion = Discretion()
    discretion.learn(loaded("SHORT"))
    assert discretion.text("abcdef") == "abcdef"

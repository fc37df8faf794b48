from __future__ import annotations

import importlib
import sys
import types
from importlib.metadata import EntryPoint

import pytest

from wire.core import plugins
from wire.core.config import Config
from wire.core.errors import ConfigError, UnavailableError
from wire.core.plugins import Plugin


class Nothing(Config, frozen=True):
    """Takes nothing."""


PLUGIN = Plugin(kind="source", summary="A test's source.", config=Nothing, build=lambda config, context: None)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module whose attributes are entry points of sources, beside some that can't be loaded."""
    module = types.ModuleType("some_package")
    module.PLUGIN = PLUGIN  # type: ignore[attr-defined]
    module.NOT_ONE = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_package", module)
    targets = {
        "good": "some_package:PLUGIN",
        "wrong": "some_package:NOT_ONE",
        "gone": "some_package:MISSING",
        "unlibraried": "not_installed_library:PLUGIN",
        "stale": "wire.sources.that_is_not_there:PLUGIN",
    }
    entries = {name: EntryPoint(name, target, "wire.sources") for name, target in targets.items()}
    monkeypatch.setattr(plugins, "_entries", lambda kind: entries)
    return module


def test_a_component_is_found_by_its_name(installed: types.ModuleType) -> None:
    assert plugins.load("source", "good") is PLUGIN
    assert plugins.names("source") == ("gone", "good", "stale", "unlibraried", "wrong")


def test_an_unknown_component_comes_with_a_suggestion(installed: types.ModuleType) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.load("source", "god", "$.source.type")
    (finding,) = caught.value.findings
    assert (finding.code, finding.path) == ("config.unknown_component", "$.source.type")
    assert finding.hint in ("did you mean `good`?", "did you mean `gone`?")
    with pytest.raises(ConfigError) as caught:
        plugins.load("source", "xyz")
    assert caught.value.hint == "installed: gone, good, stale, unlibraried, wrong"


def test_a_missing_library_says_how_to_install_it(installed: types.ModuleType) -> None:
    with pytest.raises(UnavailableError) as caught:
        plugins.load("source", "unlibraried")
    assert caught.value.code == "config.missing_dependency"
    assert "`not_installed_library`" in caught.value.message
    assert caught.value.hint == "pip install 'wire-cluster[unlibraried]'"


@pytest.mark.parametrize("name", ["wrong", "gone", "stale"])
def test_a_broken_component_is_not_mistaken_for_a_missing_library(installed: types.ModuleType, name: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        plugins.load("source", name)
    assert caught.value.code == "config.broken_component"
    assert name in caught.value.message


def test_a_component_of_another_kind_is_not_one_of_this(installed: types.ModuleType) -> None:
    with pytest.raises(UnavailableError, match="can't be loaded"):
        plugins.load("sink", "good")


@pytest.mark.parametrize(("module", "expected"), [("no_such_library", UnavailableError), ("wire.nowhere", ImportError)])
def test_a_library_that_is_missing_when_it_is_needed(module: str, expected: type[Exception]) -> None:
    def build(config: object, context: object) -> object:
        return importlib.import_module(module)

    plugin = Plugin(kind="sink", summary="", config=Nothing, build=build, extra="thing")
    with pytest.raises(expected) as caught:
        plugin.build(Nothing(), None)
    if isinstance(caught.value, UnavailableError):
        assert caught.value.hint == "pip install 'wire-cluster[thing]'"
    assert plugin.build.__module__ == __name__

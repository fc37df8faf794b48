"""The library underneath: one release, looked at before anything is built on it."""

from __future__ import annotations

import pytest

from tests.unit.raft.replica.kit import Bench
from wire.core.errors import UnavailableError
from wire.raft.replica import library
from wire.raft.replica.library import check_instance, check_release


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_the_release_that_is_installed_is_the_one_that_is_repaired(bench: Bench) -> None:
    check_release()
    check_instance(bench.replica)


def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "VERSION", "0.3.18")
    with pytest.raises(UnavailableError, match=r"pysyncobj is 0\.3\.18, and 0\.3\.17 is what is repaired") as caught:
        check_release()
    assert (caught.value.code, caught.value.hint) == ("raft.library", "install pysyncobj==0.3.17, exactly")


@pytest.mark.parametrize("expected", [{"_gone": ("self",)}, {"_onTick": ("self", "another")}], ids=["gone", "changed"])
def test_a_method_that_is_not_what_was_overridden_is_named(
    monkeypatch: pytest.MonkeyPatch, expected: dict[str, tuple[str, ...]]
) -> None:
    monkeypatch.setattr(library, "OVERRIDDEN", expected)
    with pytest.raises(UnavailableError, match=next(iter(expected))):
        check_release()


def test_an_attribute_that_is_not_there_is_named() -> None:
    with pytest.raises(UnavailableError, match="_SyncObj__raftState"):
        check_instance(object())


def test_what_the_library_has_no_business_to_ask_for_is_an_error(bench: Bench) -> None:
    with pytest.raises(AttributeError):
        bench.replica._SyncObj__transport.dropNode(None)
    for place in (1, slice(2, None), slice(2, 9)):
        with pytest.raises(IndexError):
            bench.replica.log[place]

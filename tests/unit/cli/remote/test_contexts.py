"""Which cluster the commands mean, and the file in which that is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.unit.cli.remote.scripted import Reply, problem, scripted
from tests.unit.cli.remote.typed import Typed

EMPTY = Reply(body={"items": [], "next": None})


def test_without_any_the_node_of_this_machine_is_meant(typed: Typed) -> None:
    assert typed("context", "show") == 0
    assert typed.out == (
        "no context (nothing else is said)\n  servers    http://127.0.0.1:4001\n  namespace  default\n"
    )


def test_the_first_one_is_used_and_another_can_be(typed: Typed) -> None:
    assert typed("context", "set", "one", "--server", "a:1", "--server", "b:2", "--namespace", "team") == 0
    assert typed.out == "one: made, in use\n"
    assert typed("context", "set", "two", "--server", "https://c") == 0
    assert typed.out == "two: made\n"
    assert typed("context", "use", "two") == 0
    assert typed("context", "list") == 0
    assert [line.split() for line in typed.out.splitlines()] == [
        ["IN", "USE", "NAME", "SERVERS", "NAMESPACE"],
        ["one", "http://a:1", "http://b:2", "team"],
        ["*", "two", "https://c:4001", "default"],
    ]


def test_what_is_not_given_stays_as_it_was(typed: Typed) -> None:
    typed("context", "set", "one", "--server", "a:1", "--namespace", "team")
    typed("context", "set", "one", "--namespace", "other")
    assert typed.json("context", "show", "one")["servers"] == ["http://a:1"]
    assert typed.json("context", "show", "one")["namespace"] == "other"


def test_the_file_is_for_its_owner_alone(typed: Typed) -> None:
    typed("context", "set", "one", "--server", "a:1")
    file = typed.folder / "config" / "wire" / "contexts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["contexts.json"]


def test_the_file_can_be_another_one(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRE_CONTEXTS", "mine.json")
    typed("context", "set", "one", "--server", "a:1")
    assert Path("mine.json").exists()
    assert not (typed.folder / "config").exists()


def test_files_are_kept_by_a_path_that_holds_anywhere_and_make_it_secure(typed: Typed) -> None:
    Path("ca.pem").write_text("")
    assert typed("context", "set", "one", "--server", "a:1", "--ca", "ca.pem") == 0
    shown = typed.json("context", "show")
    assert (shown["ca"], shown["servers"]) == (str(typed.folder / "ca.pem"), ["https://a:1"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["use", "none"], "there is no context `none`"),
        (["show", "oen"], "did you mean `one`?"),
        (["delete", "none"], "there is no context `none`"),
        (["set", "one", "--server", "http://"], "`http://` is no address of a node"),
        (["set", "one", "--ca", "gone.pem"], "there is no file gone.pem"),
        (["set", "one", "--key", "key.pem"], "key needs the certificate it belongs to"),
    ],
)
def test_mistakes(typed: Typed, words: list[str], said: str) -> None:
    Path("key.pem").write_text("")
    typed("context", "set", "one", "--server", "a:1")
    assert typed("context", *words) == 2
    assert said in typed.err


def test_one_that_is_forgotten_is_not_in_use(typed: Typed) -> None:
    typed("context", "set", "one", "--server", "a:1")
    assert typed("context", "delete", "one") == 0
    assert typed.json("context", "list") == {"current": None, "contexts": {}}


def test_a_file_that_is_broken_is_said_with_its_name(typed: Typed) -> None:
    file = typed.folder / "config" / "wire" / "contexts.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"curent": "x"}')
    assert typed("pipeline", "list") == 3
    assert "context.unreadable" in typed.err
    assert str(file) in typed.err


def test_a_flag_is_worth_more_than_a_variable_and_that_more_than_the_context_in_use(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted(EMPTY) as used, scripted(EMPTY) as other, scripted(EMPTY) as third:
        typed("context", "set", "used", "--server", used.address, "--namespace", "mine")
        typed("context", "set", "other", "--server", other.address)
        assert typed("pipeline", "list") == 0
        assert typed("pipeline", "list", "--context", "other") == 0
        assert typed("pipeline", "list", "--server", third.address, "-n", "theirs") == 0
        monkeypatch.setenv("WIRE_CONTEXT", "other")
        assert typed("pipeline", "list") == 0
        monkeypatch.setenv("WIRE_SERVER", third.address)
        assert typed("pipeline", "list") == 0
        assert typed("pipeline", "list", "--context", "gone") == 2
        assert "--context" in typed.err
    path = "/api/v1/namespaces/{}/pipelines?limit=1000"
    assert [each.target for each in used.asked] == [path.format("mine")]
    assert [each.target for each in other.asked] == [path.format("default")] * 2
    assert [each.target for each in third.asked] == [path.format("theirs"), path.format("default")]


def test_how_long_to_try_again_can_be_said(typed: Typed) -> None:
    with scripted(problem(503, "raft.no_leader", after_s=0)) as node:
        assert typed("cluster", "status", "--server", node.address, "--patience", "0s") == 3
        assert len(node.asked) == 1
        assert typed("cluster", "status", "--server", node.address, "--patience", "soon") == 2
    assert "--patience" in typed.err

"""`wire cluster`: what each command asks a node for, and what it says of the answer."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.remote.scripted import DROP, Reply, Scripted, problem, scripted
from tests.unit.cli.remote.typed import Typed

CLUSTER = "/api/v1/cluster"
TOKEN = {"id": "t1", "expires_at": "2026-01-01T12:00:00Z"}


def member(name: str, role: str = "voter", **fields: Any) -> dict[str, Any]:
    return {"id": f"{name}/i", "name": name, "address": f"{name}:1", "role": role, "state": "live"} | fields


def cluster(*members: dict[str, Any], leader: str | None = "n1/i") -> Reply:
    return Reply(body={"cluster_id": "c", "term": 3, "leader": leader, "members": members})


def asked(node: Scripted) -> list[tuple[str, str, Any]]:
    return [(each.method, each.target, json.loads(each.body) if each.body else None) for each in node.asked]


def test_who_is_in_it_and_who_leads(typed: Typed) -> None:
    members = [
        member("n1", "leader", workers=2, labels={"zone": "a"}, release="1.0"),
        member("n2", "nonvoter", draining=True),
        member("n3", draining=True, leaving=True),
    ]
    with scripted(cluster(*members)) as node:
        assert typed("cluster", "status", "--server", node.address) == 0
        assert typed.out == (
            "cluster  c\nleader   n1, term 3\nnodes    3, of which 2 vote\n\n"
            "NODE  ROLE      STATE         ADDRESS  WORKERS  RELEASE  LABELS\n"
            "n1    leader    live          n1:1     2        1.0      zone=a\n"
            "n2    nonvoter  live, drains  n2:1\n"
            "n3    voter     live, leaves  n3:1\n"
        )
        assert typed("cluster", "members", "--server", node.address) == 0
        assert typed.out.startswith("NODE")
        found = typed.json("cluster", "members", "--server", node.address)
        assert found == members


@pytest.mark.parametrize("command", ["status", "members"])
def test_with_patience_a_leader_is_waited_for_and_else_it_is_said_that_there_is_none(
    typed: Typed, command: str
) -> None:
    led = replace(cluster(member("n1", "leader")), headers={"x-wire-served-by": "n1"})
    leaderless = cluster(member("n1"), leader=None)
    with scripted(leaderless, leaderless, led) as node:
        assert typed("cluster", command, "--server", node.address, "--patience", "30s") == 0
        assert ("leader" in typed.out.replace("leader   none", ""), typed.err) == (True, "waiting: nobody leads\n")
    for patience in ([], ["--patience", "0s"], ["--patience", "300ms"]):
        with scripted(leaderless) as node:
            assert typed("cluster", command, "--server", node.address, *patience) == 0
            assert "n1    voter" in typed.out


def test_it_is_told_as_the_one_that_leads_knows_it(typed: Typed) -> None:
    silent = member("n3", state="silent")
    led = replace(cluster(member("n1", "leader"), silent), headers={"x-wire-served-by": "n1"})
    follows = replace(
        cluster(member("n1", "leader"), member("n3", state="unknown")), headers={"x-wire-served-by": "n2"}
    )
    with scripted(follows) as n2, scripted(led) as n1:
        assert typed.json("cluster", "members", "--server", n2.address, "--server", n1.address)[1] == silent
        assert typed.json("cluster", "members", "--server", n2.address)[1]["state"] == "unknown"


def test_that_nobody_leads_is_said(typed: Typed) -> None:
    with scripted(cluster(member("n1"), leader=None)) as node:
        assert typed("cluster", "status", "--server", node.address) == 0
    assert "leader   none now: most nodes must be up to agree on one, term 3" in typed.out


def test_a_node_is_let_in(typed: Typed) -> None:
    with scripted(Reply(201, member("n4", "nonvoter"))) as node:
        assert typed("cluster", "join", "10.0.0.4:4001", "--server", node.address) == 0
    assert asked(node) == [("POST", f"{CLUSTER}/members", {"address": "10.0.0.4:4001"})]
    assert typed.out == "n4: is a member now, nonvoter\n"


def test_a_node_leaves_and_is_waited_for(typed: Typed) -> None:
    with scripted(Reply(202, {}), cluster(member("n1"), member("n4")), cluster(member("n1"))) as node:
        assert typed("cluster", "leave", "n4", "--yes", "--wait", "--server", node.address) == 0
    assert asked(node)[0] == ("POST", f"{CLUSTER}/members/n4/leave", None)
    assert typed.out == "n4: hands over what it does, then leaves\nn4: has left\n"


def test_a_dead_node_is_removed_by_its_id(typed: Typed) -> None:
    with scripted(Reply(204)) as node:
        assert typed("cluster", "remove", "n4/i", "--yes", "--server", node.address) == 0
    assert asked(node) == [("DELETE", f"{CLUSTER}/members/n4%2Fi", None)]


@pytest.mark.parametrize("words", [["leave", "n4"], ["remove", "n4"], ["restore", "file"]])
def test_what_can_not_be_undone_is_not_done_unless_somebody_confirms_it(typed: Typed, words: list[str]) -> None:
    Path("file").write_text("")
    with scripted(Reply(204)) as node:
        assert typed("cluster", *words, "--server", node.address) == 2
    assert node.asked == []
    assert "client.not_confirmed" in typed.err
    assert "--yes" in typed.err


def test_what_a_backup_is_restored_into_is_said_before(typed: Typed) -> None:
    Path("file").write_text("")
    with scripted(Reply(204)) as node:
        assert typed("cluster", "restore", "file", "--server", node.address) == 2
    assert "puts the pipelines of file into this cluster, which must have none" in typed.err


class Terminal(io.StringIO):
    """Somebody who types what was given, then Ctrl-C."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1) -> str:
        if not (line := super().readline(size or -1)):
            raise KeyboardInterrupt
        return line


@pytest.mark.parametrize(("typing", "code"), [("y\n", 0), ("n\n", 1), ("", 130)])
def test_on_a_terminal_it_is_asked_for(typed: Typed, monkeypatch: pytest.MonkeyPatch, typing: str, code: int) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typing))
    with scripted(Reply(204)) as node:
        assert typed("cluster", "remove", "n4", "--server", node.address) == code
    assert len(node.asked) == (code == 0)
    assert "removes n4 for good" in typed.err
    assert ("nothing was done" in typed.err) == (code == 1)


@pytest.mark.parametrize(
    ("verb", "said"), [("drain", "drains, and is given no tasks"), ("undrain", "is given tasks again")]
)
def test_tasks_are_kept_away_from_a_node(typed: Typed, verb: str, said: str) -> None:
    with scripted(Reply(200, member("n2"))) as node:
        assert typed("cluster", verb, "n2", "--server", node.address) == 0
    assert asked(node) == [("PUT", f"{CLUSTER}/members/n2/{verb}", None)]
    assert typed.out == f"n2: {said}\n"


def test_leadership_goes_to_a_node_or_to_whichever(typed: Typed) -> None:
    before, after = cluster(member("n1"), member("n2")), cluster(member("n1"), member("n2"), leader="n2/i")
    path = f"{CLUSTER}/transfer-leadership"
    with scripted(**{f"GET {CLUSTER}": before, f"POST {path}": after}) as node:
        assert typed("cluster", "transfer", "n2", "--server", node.address) == 0
        assert typed.out == "n2: leads, term 3\n"
        assert typed("cluster", "transfer", "--server", node.address) == 0
        assert asked(node)[1::2] == [("POST", path, {"to": "n2"}), ("POST", path, {})]


@pytest.mark.parametrize("node_", ["n1", "n1/i"])
def test_leadership_stays_with_the_one_that_has_it(typed: Typed, node_: str) -> None:
    with scripted(cluster(member("n1"), member("n2"))) as node:
        assert typed("cluster", "transfer", node_, "--server", node.address) == 0
    assert typed.out == "n1: leads, term 3\n"
    assert [each.method for each in node.asked] == ["GET"]


def test_leadership_is_not_handed_over_twice_when_the_answer_is_lost(typed: Typed) -> None:
    with scripted(cluster(member("n1")), DROP) as node:
        assert typed("cluster", "transfer", "--server", node.address) == 3
    assert [each.method for each in node.asked] == ["GET", "POST"]
    assert "cluster.outcome_unknown" in typed.err


def test_a_snapshot(typed: Typed) -> None:
    with scripted(Reply(201, {"index": 7, "term": 1, "bytes": 2048, "checksum": "ab"})) as node:
        assert typed("cluster", "snapshot", "--server", node.address) == 0
    assert typed.out == "snapshot up to entry 7, 2.0 KiB, checksum ab\n"


def test_a_backup_is_written_whole_or_not_at_all(typed: Typed) -> None:
    whole = bytes(range(256)) * 400
    with scripted(Reply(200, whole, cut=True), Reply(200, whole)) as node:
        assert typed("cluster", "backup", "state", "--server", node.address) == 3
        assert not any(Path().glob("state*"))
        assert typed("cluster", "backup", "state", "--server", node.address) == 0
        assert typed.out == "wrote state, 100.0 KiB\n"
        assert typed("cluster", "backup", "state", "--server", node.address) == 2
        assert "--replace" in typed.err
        assert typed("cluster", "backup", "state", "--replace", "--server", node.address) == 0
    assert Path("state").read_bytes() == whole


def test_a_backup_is_restored(typed: Typed) -> None:
    Path("state").write_bytes(b"all of it" * 50_000)
    with scripted(Reply(200, {"pipelines": 2, "checkpoints": 5}), problem(409, "cluster.pipeline_exists")) as node:
        assert typed("cluster", "restore", "state", "--yes", "--server", node.address) == 0
        assert typed.out == "restored from state: pipelines 2, checkpoints 5\n"
        assert typed("cluster", "restore", "state", "--yes", "--server", node.address) == 1
        assert typed("cluster", "restore", "gone", "--yes", "--server", node.address) == 2
    sent = node.asked[0]
    assert (sent.method, sent.target, sent.body) == ("POST", f"{CLUSTER}/backup", Path("state").read_bytes())
    assert sent.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("flags", "sent"),
    [
        ([], {}),
        (["--uses", "3"], {"uses": 3}),
        (["--uses", "unlimited", "--expires", "5m"], {"uses": None, "expires": "5m"}),
    ],
)
def test_a_token_is_shown_once(typed: Typed, flags: list[str], sent: dict[str, Any]) -> None:
    with scripted(Reply(201, TOKEN | {"token": "t1.secret", "uses": sent.get("uses", 1)})) as node:
        assert typed("cluster", "token", "create", *flags, "--server", node.address) == 0
    assert asked(node) == [("POST", f"{CLUSTER}/tokens", {"expires": "1h"} | sent)]
    assert typed.out == "t1.secret\n", "nothing else, so that it can be piped"
    assert "good until 2026-01-01 12:00:00Z" in typed.err
    assert "wire cluster token revoke t1" in typed.err


def test_a_number_of_uses_that_is_none(typed: Typed) -> None:
    assert typed("cluster", "token", "create", "--uses", "0", "--server", "x") == 2
    assert "--uses" in typed.err


def test_tokens_are_listed_and_revoked(typed: Typed) -> None:
    items = [TOKEN | {"uses_left": 2, "created_by": "ada"}, TOKEN | {"id": "t2", "uses_left": None, "created_by": ""}]
    with scripted(Reply(200, {"items": items, "next": None}), Reply(204)) as node:
        assert typed("cluster", "token", "list", "--server", node.address) == 0
        assert [line.split() for line in typed.out.splitlines()[1:]] == [
            ["t1", "2026-01-01", "12:00:00Z", "2", "ada"],
            ["t2", "2026-01-01", "12:00:00Z", "any"],
        ]
        assert typed("cluster", "token", "revoke", "t1", "--server", node.address) == 0
    assert asked(node)[1] == ("DELETE", f"{CLUSTER}/tokens/t1", None)

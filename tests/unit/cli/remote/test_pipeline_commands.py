"""`wire pipeline`: what each command asks a node for, and what it says of the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.remote.scripted import Reply, problem, scripted
from tests.unit.cli.remote.typed import Typed

ALL = "/api/v1/namespaces/default/pipelines"
SPEC = "name: a\nsource: {type: generate}\nsink: {type: drop}\n"
NOW = "2026-01-01T12:00:00Z"
NO_TASKS = dict.fromkeys(("total", "waiting", "running", "moving", "ended"), 0)


def pipeline(**fields: Any) -> dict[str, Any]:
    found = {"name": "a", "namespace": "default", "version": 1, "revision": 7, "spec": {"name": "a"}}
    found |= {"desired": "running", "state": "running", "job_id": None, "generation": 0}
    return found | {"created_at": NOW, "updated_at": NOW} | fields


def applied(**fields: Any) -> Reply:
    return Reply(200, pipeline(created=False, changed=True) | fields)


def status(state: str, **fields: Any) -> Reply:
    found = {"name": "a", "namespace": "default", "version": 2, "desired": "running", "state": state, "generation": 0}
    return Reply(200, found | {"job": None, "tasks": NO_TASKS, "nodes": [], "checkpoints": 0} | fields)


@pytest.fixture(autouse=True)
def spec(typed: Typed) -> Path:
    path = Path("a.yaml")
    path.write_text(SPEC)
    return path


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"created": True}, "a: created, version 1"),
        ({"version": 3}, "a: changed, version 3"),
        ({"version": 3, "changed": False}, "a: unchanged, version 3"),
    ],
)
def test_what_applying_did_is_said(typed: Typed, fields: dict[str, Any], said: str) -> None:
    with scripted(applied(**fields)) as node:
        assert typed("pipeline", "apply", "a.yaml", "--note", "why", "--start", "keep", "--server", node.address) == 0
    assert typed.out == f"{said}\n"
    (put,) = node.asked
    assert (put.method, put.target, put.body.decode()) == ("PUT", f"{ALL}/a?start=keep&note=why", SPEC)


def test_a_file_that_is_not_well_formed_is_answered_with_its_line_as_lint_does(typed: Typed) -> None:
    Path("a.yaml").write_text(f"{SPEC}name: twice\n")
    with scripted(applied()) as node:
        assert typed("pipeline", "apply", "a.yaml", "--server", node.address) == 2
    assert node.asked == []
    applying = typed.err
    assert "| name: twice" in applying
    assert typed("lint", "a.yaml") == 2
    assert applying in typed.err + typed.out


def test_values_are_set_on_top_of_the_file(typed: Typed) -> None:
    with scripted(applied()) as node:
        typed(
            "pipeline", "apply", "a.yaml", "--set", "name=b", "--set", "batch.max_records=5", "--server", node.address
        )
    (put,) = node.asked
    assert put.target == f"{ALL}/b"
    assert json.loads(put.body)["batch"] == {"max_records": 5}


@pytest.mark.parametrize(("flags", "namespace"), [([], "theirs"), (["-n", "mine"], "mine")])
def test_the_namespace_of_the_file_holds_unless_another_is_given(
    typed: Typed, flags: list[str], namespace: str
) -> None:
    Path("a.yaml").write_text(f"{SPEC}namespace: theirs\n")
    with scripted(applied()) as node:
        assert typed("pipeline", "apply", "a.yaml", *flags, "--server", node.address) == 0
    assert node.asked[0].target == f"/api/v1/namespaces/{namespace}/pipelines/a"


def test_mistakes_are_shown_at_their_lines_and_secrets_are_not(typed: Typed) -> None:
    Path("a.yaml").write_text(f"{SPEC}password: hunter2\n")
    mistake = {"code": "config.unknown_key", "path": "$.password", "message": "unknown field", "line": 4, "column": 1}
    with scripted(problem(422, "config.unknown_key", errors=[mistake])) as node:
        assert typed("pipeline", "apply", "a.yaml", "--server", node.address) == 2
        assert "--> a.yaml:4:1  $.password" in typed.err
        assert typed("pipeline", "apply", "a.yaml", "--set", "batch.max_records=1", "--server", node.address) == 2
        assert "--> a.yaml:4:1  $.password" in typed.err, "though another text was sent"
    assert "hunter2" not in typed.err


def test_one_that_is_refused_does_not_keep_the_others_from_being_applied(typed: Typed) -> None:
    Path("broken.yaml").write_text("name: [\n")
    with scripted(problem(409, "cluster.revision_changed"), applied()) as node:
        code = typed("pipeline", "apply", "broken.yaml", "a.yaml", "a.yaml", "gone.yaml", "--server", node.address)
    assert code == 2
    assert typed.out == "a: changed, version 1\n"
    assert [word in typed.err for word in ("broken.yaml:2:1", "cluster.revision_changed", "gone.yaml")] == [True] * 3


def test_one_without_a_name_is_sent_to_hear_all_that_is_wrong_with_it(typed: Typed) -> None:
    Path("a.yaml").write_text("source: {}\n")
    mistakes = [{"code": "config.missing", "path": "$.name", "message": "`name` is missing"}]
    with scripted(problem(422, "config.missing", errors=mistakes)) as node:
        assert typed("pipeline", "apply", "a.yaml", "--server", node.address) == 2
    assert [each.target for each in node.asked] == [f"{ALL}?dry_run=true"]


def test_a_dry_run_shows_what_would_change(typed: Typed) -> None:
    differences = [
        {"path": "$.batch", "before": None, "after": {"max_records": 5}},
        {"path": "$.transforms[0].select", "before": "a,\nb", "after": None},
    ]
    plan = {"name": "a", "namespace": "default", "version": 4, "created": False, "changed": True}
    with scripted(Reply(200, plan | {"keeps_positions": True, "differences": differences})) as node:
        assert typed("pipeline", "apply", "a.yaml", "--dry-run", "--server", node.address) == 0
    assert node.asked[0].target.endswith("/a?dry_run=true")
    assert typed.out.splitlines() == [
        "a: would be changed into version 4, which goes on from the checkpoints",
        "  $.batch",
        '  + {"max_records":5}',
        "  $.transforms[0].select",
        "  - a,",
        "  - b",
    ]


def test_a_version_that_is_not_the_current_one_any_more_is_not_replaced(typed: Typed) -> None:
    with scripted(Reply(200, pipeline(version=3))) as node:
        assert typed("pipeline", "apply", "a.yaml", "--if-version", "2", "--server", node.address) == 1
        assert [each.method for each in node.asked] == ["GET"]
    assert "a is at version 3 by now" in typed.err
    assert "`wire pipeline diff a 2 3` shows" in typed.err


def test_a_version_that_has_not_been_there_yet_is_not_compared(typed: Typed) -> None:
    with scripted(Reply(200, pipeline(version=3))) as node:
        assert typed("pipeline", "apply", "a.yaml", "--if-version", "9", "--server", node.address) == 1
    assert "a is at version 3, and never was at 9" in typed.err
    assert "`wire pipeline history a` lists" in typed.err


@pytest.mark.parametrize(("version", "header"), [("3", ("if-match", '"7"')), ("0", ("if-none-match", "*"))])
def test_a_version_is_held_to_by_its_revision(typed: Typed, version: str, header: tuple[str, str]) -> None:
    with scripted(**{f"GET {ALL}/a": Reply(200, pipeline(version=3)), f"PUT {ALL}/a": applied()}) as node:
        assert typed("pipeline", "apply", "a.yaml", "--if-version", version, "--server", node.address) == 0
    assert node.asked[-1].headers[header[0]] == header[1]


@pytest.mark.parametrize(
    ("becomes", "code", "said"),
    [
        (status("running"), 0, "a: running  version 2"),
        (status("done"), 0, "a: done  version 2"),
        (status("failed", error={"code": "sink.x.y", "message": "no room", "hint": "make some"}), 1, "no room"),
        (status("running", version=1, fell_back_from=2), 1, "version 2 of a failed, and version 1 took over again"),
    ],
)
def test_waiting_ends_when_it_runs_or_has_failed(typed: Typed, becomes: Reply, code: int, said: str) -> None:
    with scripted(applied(version=2), status("starting"), becomes) as node:
        assert typed("pipeline", "apply", "a.yaml", "--wait", "--server", node.address) == code
    assert "a: starting  version 2  tasks none\n" in typed.err
    assert said in typed.err


@pytest.mark.parametrize(
    ("verb", "becomes", "code", "said"),
    [
        ("pause", status("paused"), 0, "a: paused\n"),
        ("resume", status("running"), 0, "a: running\n"),
        ("stop", status("stopped"), 0, "a: stopped\n"),
        ("stop", status("failed"), 0, "a: failed\n"),
        ("start", status("failed"), 1, ""),
        ("restart", status("done"), 0, "a: done\n"),
    ],
)
def test_what_is_asked_of_a_pipeline_is_waited_for(
    typed: Typed, verb: str, becomes: Reply, code: int, said: str
) -> None:
    with scripted(Reply(202, pipeline(state="starting")), becomes) as node:
        assert typed("pipeline", verb, "a", "--wait", "--server", node.address) == code
    assert (node.asked[0].method, node.asked[0].target) == ("PUT", f"{ALL}/a/{verb}")
    assert typed.out == said
    with scripted(Reply(202, pipeline(state="starting"))) as node:
        assert typed("pipeline", verb, "a", "--server", node.address) == 0
    assert typed.out == "a: starting\n"


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["delete", "a"], f"{ALL}/a"),
        (["delete", "a", "--keep-checkpoints"], f"{ALL}/a?keep_checkpoints=true"),
        (["reset", "a"], f"{ALL}/a/checkpoints"),
    ],
)
def test_what_forgets_something_wants_to_be_confirmed(typed: Typed, words: list[str], target: str) -> None:
    with scripted(Reply(204)) as node:
        assert typed("pipeline", *words, "--server", node.address) == 2
        assert node.asked == []
        assert typed("pipeline", *words, "--yes", "--server", node.address) == 0
    assert [(each.method, each.target) for each in node.asked] == [("DELETE", target)]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, pipeline(state="stopped")), "a: begins anew when it is started\n"),
        (Reply(204), "a: what it had left is forgotten\n"),
    ],
    ids=["there", "deleted"],
)
def test_a_reset_says_what_it_has_forgotten(typed: Typed, reply: Reply, said: str) -> None:
    with scripted(reply) as node:
        assert typed("pipeline", "reset", "a", "--yes", "--server", node.address) == 0
    assert typed.out == said


def test_pipelines_that_have_left_checkpoints_are_listed(typed: Typed) -> None:
    items = [
        {"name": "a", "namespace": "default", "checkpoints": 1200, "deleted_at": NOW, "deleted_by": "ada"},
        {"name": "b", "namespace": "default", "checkpoints": 1, "deleted_at": None, "deleted_by": ""},
    ]
    with scripted(Reply(200, {"items": items, "next": None})) as node:
        assert typed("pipeline", "kept", "--server", node.address) == 0
    assert node.asked[0].target.startswith("/api/v1/namespaces/default/checkpoints")
    assert [line.split() for line in typed.out.splitlines()] == [
        ["NAME", "CHECKPOINTS", "DELETED", "BY"],
        ["a", "1,200", "2026-01-01", "12:00:00Z", "ada"],
        ["b", "1"],
    ]


def test_an_older_version_is_made_the_current_one(typed: Typed) -> None:
    with scripted(Reply(200, pipeline(version=5))) as node:
        assert typed("pipeline", "rollback", "a", "2", "--start", "keep", "--server", node.address) == 0
    (post,) = node.asked
    assert (post.method, post.target, json.loads(post.body)) == ("POST", f"{ALL}/a/rollback?start=keep", {"version": 2})
    assert typed.out == "a: version 5, which is version 2 again\n"


def test_samples_are_passed_on_as_they_come(typed: Typed) -> None:
    with scripted(Reply(200, b'{"a":1}\n{"a":2}\n')) as node:
        assert typed("pipeline", "tap", "a", "--records", "2", "--seconds", "3", "--server", node.address) == 0
    assert node.asked[0].target == f"{ALL}/a/tap?records=2&seconds=3"
    assert typed.out == '{"a":1}\n{"a":2}\n'


def test_checkpoints_are_shown_as_they_are_where_they_can_be_read(typed: Typed) -> None:
    rows = [
        {"source": "s", "partition": str(n), "generation": 0, "seq": 5, "epoch": 1, "position": position}
        for n, position in enumerate(["MTIz", "AAEC"])
    ]
    with scripted(Reply(200, {"items": rows, "next": None})) as node:
        assert typed("pipeline", "checkpoints", "a", "--server", node.address) == 0
    assert [line.split()[-1] for line in typed.out.splitlines()] == ["POSITION", "123", "AAEC"]


def test_what_is_compared_unless_it_is_said_is_the_current_version_and_the_one_before(typed: Typed) -> None:
    kept = [
        {"version": n, "created_at": NOW, "author": "ada", "note": "", "current": n == 4, "proven": n == 2}
        for n in (4, 2, 1)
    ]
    answers = {
        f"GET {ALL}/a": Reply(200, pipeline(version=4)),
        f"GET {ALL}/a/versions": Reply(200, {"items": kept, "next": None}),
        f"GET {ALL}/a/versions/4/diff": Reply(200, {"before": 2, "after": 4, "differences": []}),
    }
    with scripted(**answers) as node:
        assert typed("pipeline", "diff", "a", "--server", node.address) == 0
        assert typed.out == "from version 2 to version 4\n  no difference\n"
        assert node.asked[-1].target.endswith("/versions/4/diff?before=2")
        assert typed("pipeline", "history", "a", "--server", node.address) == 0
    assert [line.split()[:1] + line.split()[-1:] for line in typed.out.splitlines()[1:]] == [
        ["4", "current"],
        ["2", "proven"],
        ["1", "ada"],
    ]


def test_all_that_a_node_says_is_printed_as_data_known_here_or_not(typed: Typed) -> None:
    with scripted(status("running", from_the_future=[1])) as node:
        assert typed.json("pipeline", "status", "a", "--server", node.address)["from_the_future"] == [1]
        assert typed("pipeline", "status", "a", "-o", "yaml", "--server", node.address) == 0
    assert "from_the_future:\n- 1\n" in typed.out


def test_how_a_pipeline_is_includes_what_became_of_its_records(typed: Typed) -> None:
    counted = {"received": 27_004, "sent": 4_918, "filtered": 22_086, "dead_lettered": 0, "skipped": 0, "retried": 2}
    found = {**counted, "lag_bytes": 2048, "name": "a", "namespace": "default", "unanswered": []}
    found["nodes"] = [{**counted, "node": "n1", "uptime_ms": 5000}]
    with scripted(**{f"GET {ALL}/a/status": status("running"), f"GET {ALL}/a/metrics": Reply(200, found)}) as node:
        assert typed("pipeline", "status", "a", "--server", node.address) == 0
        lines = typed.out.splitlines()
        assert "  records      27,004 received, 4,918 sent, 22,086 filtered, 2 retried" in lines
        assert "  lag          2.0 KiB" in lines
        data = typed.json("pipeline", "status", "a", "--server", node.address)
    assert (data["state"], data["metrics"]) == ("running", found)


def test_watching_is_not_for_programs(typed: Typed) -> None:
    assert typed("pipeline", "status", "a", "--watch", "-o", "json", "--server", "x") == 2
    assert "config.conflict" in typed.err

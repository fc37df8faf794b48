"""A request reaches whichever node answers, and is made again only where that can't do it twice."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.services.ports import free_ports
from tests.unit.cli.remote.scripted import DROP, Reply, Scripted, problem, scripted
from wire.cli.remote.addresses import parse_addresses
from wire.cli.remote.client import Client
from wire.clients.tls import Tls
from wire.core.errors import ConfigError, FatalError, RefusedError, RetryableError, UnavailableError

NO_LEADER = problem(503, "raft.no_leader", after_s=0)
FINE = Reply(body={"a": 1})


def asking(*nodes: Scripted | str, patience_s: float = 5.0) -> Client:
    texts = [node if isinstance(node, str) else node.address for node in nodes]
    return Client(parse_addresses(texts, secure=False), Tls(), patience_s)


@pytest.fixture
def nowhere() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


def test_what_is_asked_for_arrives_as_it_is_meant() -> None:
    with scripted(FINE) as node, asking(node) as client:
        found = client.get(*client.pipelines("a b", "x/y"), cursor="ü&", limit=None)
        assert found.plain() == {"a": 1}
        client.change("PUT", "p", body=b"name: a", headers={"content-type": "application/yaml"}, note="why")
    get, put = node.asked
    assert (get.method, get.target) == ("GET", "/api/v1/namespaces/a%20b/pipelines/x%2Fy?cursor=%C3%BC%26")
    assert "idempotency-key" not in get.headers
    assert (put.target, put.body, put.headers["content-type"]) == ("/p?note=why", b"name: a", "application/yaml")
    assert put.headers["idempotency-key"]


def test_an_empty_name_is_refused_and_nothing_asked() -> None:
    with scripted(FINE) as node, asking(node) as client, pytest.raises(ConfigError, match="a name is empty"):
        client.change("DELETE", *client.pipelines(None, ""))
    assert node.asked == []


def test_a_list_is_read_to_its_end() -> None:
    parts = [Reply(body={"items": [1, 2], "next": "c"}), Reply(body={"items": [3], "next": None})]
    with scripted(*parts) as node, asking(node) as client:
        assert client.items("list").plain() == [1, 2, 3]
    assert [each.target for each in node.asked] == ["/list?limit=1000", "/list?limit=1000&cursor=c"]


def test_looking_again_uses_the_same_connection_and_changing_something_never_an_old_one() -> None:
    with scripted(FINE) as node, asking(node) as client:
        for _ in range(3):
            client.get("x")
        client.change("PUT", "x")
    connections = [each.connection for each in node.asked]
    assert len(set(connections[:3])) == 1
    assert connections[3] != connections[0]


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    with scripted(FINE, DROP, FINE) as node, asking(node, patience_s=0) as client:
        client.get("x")
        assert client.get("x").plain() == {"a": 1}


def test_where_one_node_is_away_the_next_is_asked_and_from_then_on_first(nowhere: str) -> None:
    with scripted(FINE) as node, asking(nowhere, node) as client:
        client.get("x")
        client.change("PUT", "x")
        assert [each.address.port for each in client._connections][1] == int(nowhere.rpartition(":")[2])


def test_the_one_that_knows_is_looked_for_and_from_then_on_asked_first(nowhere: str) -> None:
    with scripted(FINE) as one, scripted(Reply(body={"a": 2})) as two, asking(nowhere, one, two) as client:
        for _ in range(2):
            assert client.get_of(lambda found: found.plain()["a"] == 2, "x").plain() == {"a": 2}
        assert (len(one.asked), len(two.asked)) == (1, 2)
        assert client.get_of(lambda found: False, "x").plain() == {"a": 2}, "or any, if none does"


def test_where_nothing_listens_it_is_said_what_to_do(nowhere: str) -> None:
    with asking(nowhere, patience_s=0.3) as client, pytest.raises(UnavailableError) as caught:
        client.get("x")
    assert caught.value.code == "client.unreachable"
    assert caught.value.message == f"nothing listens at {nowhere}"
    assert "`wire serve` starts one" in str(caught.value.hint)


def test_all_nodes_that_are_away_are_named(nowhere: str) -> None:
    other = "http://wire.invalid:1"
    with asking(nowhere, other, patience_s=0) as client, pytest.raises(UnavailableError) as caught:
        client.get("x")
    assert caught.value.message.startswith(f"none of 2 nodes can be asked: nothing listens at {nowhere}; {other} can't")


def test_a_node_that_is_only_starting_is_waited_for(nowhere: str) -> None:
    port = int(nowhere.rpartition(":")[2])
    with asking(nowhere) as client:
        connection = client._connections[0]
        real, started = connection.ask, []

        def ask(request: object) -> object:
            try:
                return real(request)  # type: ignore[arg-type]
            except UnavailableError:
                started.append(server.__enter__())
                raise

        server = scripted(FINE, port=port)
        connection.ask = ask  # type: ignore[method-assign,assignment]
        assert client.get("x").plain() == {"a": 1}
        server.__exit__(None, None, None)
    assert len(started) == 1


def test_the_time_without_a_leader_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(NO_LEADER, NO_LEADER, FINE) as node, asking(node) as client:
        assert client.change("PUT", "x").plain() == {"a": 1}
    assert len({each.headers["idempotency-key"] for each in node.asked}) == 1
    assert capsys.readouterr().err == "waiting: it is raft.no_leader\n"


def test_a_leader_that_does_not_come_is_an_error_that_says_what_to_look_at() -> None:
    with scripted(NO_LEADER) as node, asking(node, patience_s=0.3) as client, pytest.raises(RetryableError) as caught:
        client.get("x")
    assert caught.value.exit_code == 3
    assert "wire cluster members" in str(caught.value.hint)
    assert caught.value.__notes__ == ["request r-1, answered by n1"]


def test_a_node_is_not_asked_sooner_than_it_says() -> None:
    with (
        scripted(problem(503, "cluster.busy", after_s=60)) as node,
        asking(node, patience_s=5) as client,
        pytest.raises(RetryableError),
    ):
        client.get("x")
    assert len(node.asked) == 1


@pytest.mark.parametrize("lost", [DROP, Reply(body={"a": 1}, cut=True), problem(503, "cluster.outcome_unknown")])
def test_a_change_whose_answer_is_lost_is_asked_for_again_under_its_key(lost: Reply) -> None:
    with scripted(lost, FINE) as node, asking(node) as client:
        assert client.change("POST", "x", body=b"{}").plain() == {"a": 1}
    first, second = node.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize("lost", [DROP, Reply(body={"a": 1}, cut=True), problem(503, "cluster.outcome_unknown")])
def test_what_has_no_key_is_not_asked_for_again_when_its_answer_is_lost(lost: Reply) -> None:
    with scripted(lost, FINE) as node, asking(node) as client, pytest.raises(RetryableError) as caught:
        client.attempt("POST", "transfer-leadership")
    assert len(node.asked) == 1
    assert caught.value.code == "cluster.outcome_unknown"
    assert "look whether it was done" in str(caught.value.hint)


def test_what_has_no_key_is_asked_for_again_where_it_was_surely_not_done(nowhere: str) -> None:
    with scripted(NO_LEADER, FINE) as node, asking(nowhere, node) as client:
        assert client.attempt("POST", "transfer-leadership").plain() == {"a": 1}


def test_what_is_refused_is_not_asked_for_again() -> None:
    replies = [problem(409, "cluster.name_taken"), problem(500, "api.failed"), problem(401, "api.not_authenticated")]
    for reply, kind in zip(replies, (RefusedError, FatalError, UnavailableError), strict=True):
        with scripted(reply) as node, asking(node) as client, pytest.raises(kind):
            client.change("PUT", "x")
        assert len(node.asked) == 1


def test_mistakes_in_what_was_sent_are_findings() -> None:
    mistake = {"code": "config.unknown_key", "path": "$.sorce", "message": "unknown", "line": 2, "column": 1}
    start = {"code": "cluster.start_not_said", "path": "query.start", "message": "where?", "hint": "?start=keep"}
    reply = problem(422, "config.unknown_key", errors=[mistake, start])
    with scripted(reply) as node, asking(node) as client, pytest.raises(ConfigError) as caught:
        client.change("PUT", "x")
    first, second = caught.value.findings
    assert (first.code, first.path, first.line, first.column) == ("config.unknown_key", "$.sorce", 2, 1)
    assert second.path == "--start"
    assert str(second.hint).startswith("--start configured")


def test_a_request_that_the_node_does_not_know_tells_of_its_release() -> None:
    reply = problem(404, "api.no_such_address")
    with scripted(reply) as node, asking(node) as client, pytest.raises(RefusedError) as caught:
        client.get("new-things")
    assert "release 9.9.9" in str(caught.value.hint)


@pytest.mark.parametrize("reply", [Reply(404, b"<html>Not here</html>"), Reply(200, b"<html>Hello</html>")])
def test_something_else_that_answers_there_is_no_node(reply: Reply) -> None:
    with scripted(reply) as node, asking(node) as client, pytest.raises(FatalError) as caught:
        client.get("x").plain()
    assert caught.value.code == "client.not_understood"
    assert node.address in caught.value.message


def test_an_answer_in_pieces_is_read_as_it_comes_and_its_end_is_seen() -> None:
    whole = bytes(range(256)) * 1000
    with scripted(Reply(body=whole), Reply(body=whole, cut=True)) as node, asking(node) as client:
        with client.stream("backup") as answer:
            assert b"".join(answer.pieces()) == whole
        with client.stream("backup") as answer, pytest.raises(RetryableError) as caught:
            list(answer.pieces())
    assert caught.value.code == "client.no_answer"


def test_a_node_that_says_nothing_for_too_long_has_not_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            asking(address, patience_s=0) as client,
            pytest.raises(RetryableError) as caught,
            client.stream("tap", silence_s=0.05),
        ):
            pytest.fail("it has not answered")
    assert caught.value.message == f"{address} did not answer in time"


def test_a_file_is_sent_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_bytes(b"x" * 300_000)
    with scripted(FINE) as node, asking(node) as client:
        client.attempt("POST", "backup", body=path)
    assert node.asked[0].body == path.read_bytes()

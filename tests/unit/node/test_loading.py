"""A node's configuration: which of three ways counts, and that every mistake says where it was made."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.core.config import fields_of
from wire.core.units import Duration
from wire.node.config import NodeConfig
from wire.node.loading import NodeConfigError, flag, load, variable

Found = list[tuple[str, str, int | None, int | None]]


def found(error: NodeConfigError) -> Found:
    return [(finding.code, finding.path, finding.line, finding.column) for finding in error.findings]


def mistakes(flags: dict[str, object] | None = None, environ: dict[str, str] | None = None) -> NodeConfigError:
    with pytest.raises(NodeConfigError) as failure:
        load(flags or {}, environ or {})  # type: ignore[arg-type]
    return failure.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "node.yaml"


def test_a_node_without_anything_is_alone_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Laptop-7")
    config = load({}, {}).config
    assert (config.name, config.data_dir, config.listen) == ("laptop-7", "wire-data", "127.0.0.1:4001")
    assert (config.tls, config.join, config.insecure) == (None, [], False)
    assert config.worker_count >= 1


def test_a_flag_is_worth_more_than_a_variable_that_more_than_the_file_that_more_than_the_default(file: Path) -> None:
    file.write_text("node_id: from-file\ndata_dir: file\nlisten: 127.0.0.1:1\n")
    environ = {"WIRE_CONFIG": str(file), "WIRE_NODE_ID": "from-variable", "WIRE_DATA_DIR": "variable"}
    loaded = load({"node_id": "from-flag", "data_dir": None}, environ)
    config = loaded.config
    assert (config.name, config.data_dir, config.listen, config.max_voters) == (
        "from-flag",
        "variable",
        "127.0.0.1:1",
        5,
    )
    assert loaded.file == file


def test_the_flag_of_the_file_is_worth_more_than_its_variable(file: Path) -> None:
    file.write_text('{"node_id": "json"}')
    assert load({"config": str(file)}, {"WIRE_CONFIG": "/nowhere"}).config.name == "json"


def test_an_empty_variable_and_an_empty_file_say_nothing(file: Path) -> None:
    file.write_text("# nothing yet\n")
    config = load({"config": str(file), "join": []}, {"WIRE_DATA_DIR": "", "WIRE_JOIN": ""}).config
    assert (config.data_dir, config.join) == ("wire-data", [])


@pytest.mark.parametrize("way", ["flags", "variables", "file"])
def test_all_kinds_of_fields_can_be_given_in_all_three_ways(way: str, file: Path) -> None:
    flags: dict[str, object] = {}
    environ: dict[str, str] = {}
    match way:
        case "flags":
            flags = {
                "node_id": "n1",
                "workers": "3",
                "insecure": True,
                "join": ["a:1,b:2", "[::1]:3"],
                "labels": ["zone=a", "disk=ssd,rack="],
                "drain_timeout": "1m30s",
                "log_level": "debug",
            }
        case "variables":
            environ = {
                "WIRE_NODE_ID": "n1",
                "WIRE_WORKERS": "3",
                "WIRE_INSECURE": "true",
                "WIRE_JOIN": "a:1, b:2,[::1]:3",
                "WIRE_LABELS": "zone=a,disk=ssd,rack=",
                "WIRE_DRAIN_TIMEOUT": "1m30s",
                "WIRE_LOG_LEVEL": "debug",
            }
        case _:
            file.write_text(
                "node_id: n1\nworkers: 3\ninsecure: true\njoin: ['a:1', 'b:2', '[::1]:3']\n"
                "labels: {zone: a, disk: ssd, rack: ''}\ndrain_timeout: 1m30s\nlog_level: debug\n"
            )
            flags = {"config": str(file)}
    config = load(flags, environ).config  # type: ignore[arg-type]
    assert config == NodeConfig(
        node_id="n1",
        workers=3,
        insecure=True,
        join=["a:1", "b:2", "[::1]:3"],
        labels={"zone": "a", "disk": "ssd", "rack": ""},
        drain_timeout=Duration(90_000),
        log_level="debug",
    )


def test_every_mistake_is_found_at_once_and_says_where_it_was_made(file: Path) -> None:
    file.write_text("listen: here\njoin:\n  - a:1\n  - b\nmax_voter: 3\nworkers: many\n")
    error = mistakes({"config": str(file), "node_id": "Not A Name"}, {"WIRE_DRAIN_TIMEOUT": "5"})
    assert found(error) == [
        ("config.invalid", "$.listen", 1, 9),
        ("config.invalid", "$.join[1]", 4, 5),
        ("config.unknown_key", "$.max_voter", 5, 1),
        ("config.invalid", "$.workers", 6, 10),
        ("config.invalid", "--node-id", None, None),
        ("config.invalid", "WIRE_DRAIN_TIMEOUT", None, None),
    ]
    assert error.findings[0].message == "expected host and port, such as 127.0.0.1:4001, or :4001 for every address"
    assert error.findings[2].hint == "did you mean `max_voters`?"
    assert error.file == file
    assert error.lines[0] == "listen: here"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("listen", "nowhere", "expected host and port, such as 127.0.0.1:4001, or :4001 for every address"),
        ("listen", "127.0.0.1:65536", "expected host and port, such as 127.0.0.1:4001, or :4001 for every address"),
        ("join", "n1:99999", "expected host and port, such as 10.0.0.5:4001 or [::1]:4001"),
        ("advertise", ":4001", "expected host and port, such as 10.0.0.5:4001 or [::1]:4001"),
        ("join", "a:1,http://b:2", "expected host and port, such as 10.0.0.5:4001 or [::1]:4001"),
        ("workers", "0", "expected a whole number ≥ 1 and ≤ 1024"),
        ("workers", "two", "expected a whole number, found text"),
        ("bootstrap_expect", "-1", "expected a whole number ≥ 1 and ≤ 99"),
        ("labels", "zone", "expected name=value, found `zone`"),
        ("log_format", "xml", "expected one of auto, json, text"),
        ("allow_env", "A B", "expected a variable's name, or how it begins and *"),
        ("allow_python", "os.system()", "expected a module, or one function of it: module:function"),
        ("drain_timeout", "soon", "expected a duration with a unit, such as 5ms, 30s, 10m or 1h30m"),
    ],
)
def test_a_value_that_is_none_is_answered_with_what_was_expected(name: str, text: str, message: str) -> None:
    for error, place in (
        (mistakes({name: text}), flag(name)),
        (mistakes(environ={variable(name): text}), variable(name)),
    ):
        (finding,) = error.findings
        assert (finding.code, finding.message) == ("config.invalid", message)
        assert finding.path.startswith(place)


@pytest.mark.parametrize(
    ("flags", "place", "message"),
    [
        (
            {"reap_after": "5s"},
            "--reap-after",
            "`reap_after` is so short that a node that is started again could be removed",
        ),
        ({"max_voters": "4"}, "--max-voters", "`max_voters` is even, which is worth no more than one less"),
        (
            {"bootstrap_expect": "3"},
            "--bootstrap-expect",
            "`bootstrap_expect` needs 2 other nodes, and `join` names 0",
        ),
        (
            {"bootstrap_expect": "4", "join": "a:1,b:1,a:1"},
            "--bootstrap-expect",
            "`bootstrap_expect` needs 3 other nodes, and `join` names 2",
        ),
        (
            {"bootstrap_expect": "4", "join": "a:1,b:1,c:1", "max_voters": "3"},
            "--bootstrap-expect",
            "`bootstrap_expect` is more than the 3 of `max_voters`, and all founders vote",
        ),
        ({"join_token": "secret-text"}, "--join-token", "`join_token` is no token"),
        ({"advertise": "node-1:0"}, "--advertise", "`advertise` names no port"),
        ({"cert": "n1.pem"}, "--cert", "`cert` is of no use without `ca`"),
        ({"ca": "ca.pem"}, "--ca", "`ca` is of no use without `cert`"),
        ({"key": "n1.key"}, "--key", "`key` needs the certificate it belongs to"),
        (
            {"insecure": True, "ca": "ca.pem", "cert": "n1.pem"},
            "--insecure",
            "`insecure` goes against the certificates that are given",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(flags: dict[str, object], place: str, message: str) -> None:
    (finding,) = mistakes(flags).findings
    assert (finding.code, finding.path, finding.message) == ("config.conflict", place, message)
    assert finding.hint


def test_settings_of_a_file_that_do_not_go_together_are_shown_in_it(file: Path) -> None:
    file.write_text("node_id: n1\nmax_voters: 2\n")
    assert found(mistakes({"config": str(file)})) == [("config.conflict", "$.max_voters", 2, 13)]


def test_a_machine_whose_name_is_no_name_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "under_score")
    (finding,) = mistakes().findings
    assert (finding.code, finding.path) == ("config.missing", "--node-id")
    assert load({"node_id": "n1"}, {}).config.name == "n1"


def test_a_variable_that_is_nearly_one_is_refused_and_those_of_others_are_left_alone() -> None:
    (finding,) = mistakes(environ={"WIRE_NODEID": "n1"}).findings
    assert (finding.code, finding.path, finding.hint) == (
        "config.unknown_key",
        "WIRE_NODEID",
        "did you mean WIRE_NODE_ID?",
    )
    orchestrator = {
        "WIRE_PORT": "tcp://10.0.0.1:4001",
        "WIRE_SERVICE_HOST": "10.0.0.1",
        "WIRE_JOIN_PORT": "tcp://10.0.0.1:4001",
        "WIRE_CERT_SERVICE_PORT": "4001",
        "WIRE_DEBUG": "1",
    }
    assert load({"node_id": "n1"}, orchestrator).config == NodeConfig(node_id="n1")


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: b: c", "config.syntax", 1),
        ("- a\n", "config.invalid", None),
        ("node_id: n1\nnode_id: n2\n", "config.duplicate_key", 2),
        ("config: other.yaml", "config.unknown_key", 1),
        ("node-id: n1", "config.unknown_key", 1),
    ],
)
def test_a_file_that_is_none_is_refused(file: Path, text: str, code: str, place: int | None) -> None:
    file.write_text(text)
    (finding,) = mistakes({"config": str(file)}).findings
    assert (finding.code, finding.line) == (code, place)


def test_a_file_that_is_not_there_is_named_with_a_way_out(file: Path) -> None:
    (finding,) = mistakes({"config": str(file)}).findings
    assert (finding.code, finding.path) == ("config.unreadable", "--config")
    assert str(file) in finding.message
    assert finding.hint is not None
    assert "pipeline" not in finding.hint


@given(st.dictionaries(st.sampled_from([field.name for field in fields_of(NodeConfig)]), st.text(max_size=20)))
def test_whatever_is_given_it_is_taken_or_refused_at_its_place(flags: dict[str, str]) -> None:
    try:
        load(flags, {})  # type: ignore[arg-type]
    except NodeConfigError as error:
        for finding in error.findings:
            assert finding.path.startswith(tuple(flag(name) for name in (*flags, "node_id")))


@pytest.mark.parametrize(
    ("flags", "address"),
    [
        ({}, "127.0.0.1:7"),
        ({"listen": "10.0.0.5:7"}, "10.0.0.5:7"),
        ({"listen": "[::1]:0"}, "[::1]:7"),
        ({"listen": ":7"}, "this-machine:7"),
        ({"listen": "[::]:7"}, "this-machine:7"),
        ({"listen": "0.0.0.0:7", "advertise": "node-1.example.org:2"}, "node-1.example.org:2"),
    ],
)
def test_others_reach_it_at_the_port_that_is_open_unless_it_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, flags: dict[str, str], address: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "this-machine")
    assert load(flags, {}).config.advertised("7") == address


def test_a_token_is_shown_nowhere(tmp_path: Path) -> None:
    token = f"0123456789abcdef.{'k' * 43}"
    file = tmp_path / "node.yaml"
    file.write_text(f"join_token: {token}")
    for config in (
        load({"join_token": token}, {}).config,
        load({}, {"WIRE_JOIN_TOKEN": token}).config,
        load({"config": str(file)}, {}).config,
    ):
        assert config.join_token is not None
        assert config.join_token.reveal() == token
        assert "kkk" not in repr(config)
    file.write_text("join_token: kkk.kkk")
    for error in (mistakes({"join_token": "kkk.kkk"}), mistakes({"config": str(file)})):
        for finding in error.findings:
            assert "kkk" not in repr(finding)
            assert finding.line is None  # the command line shows the line a finding is in

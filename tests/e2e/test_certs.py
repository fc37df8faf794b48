"""`wire certs` as an operator types it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import jsonschema

from tests.e2e.command import wire
from tests.e2e.test_tutorial import follow
from wire.node.config import NodeConfig
from wire.pipelines.schema import config_schema


async def test_the_page_on_certificates_does_what_it_says(tmp_path: Path) -> None:
    await follow("certificates.md", tmp_path, {})
    names = {path.name for path in (tmp_path / "certs").iterdir()}
    assert names == {f"{name}.{kind}" for name in ("ca", "node-1", "node-2", "alice") for kind in ("pem", "key")}
    assert stat.S_IMODE((tmp_path / "certs" / "ca.key").stat().st_mode) == 0o600


async def test_each_step_says_what_it_wrote_and_what_comes_next(tmp_path: Path) -> None:
    made = await wire("certs", "init", "--dir", "keys", "--days", "30", cwd=tmp_path)
    assert made.out.startswith("wrote keys/ca.pem, good until ")
    assert made.out.endswith("next: wire certs issue NODE --host HOST --dir keys, once for each node\n")
    node = await wire("certs", "issue", "n1", "--dir", "keys", cwd=tmp_path)
    assert "next: wire serve --node-id n1 --ca keys/ca.pem --cert keys/n1.pem --key keys/n1.key\n" in node.out
    alice = await wire("certs", "issue", "alice", "--client", "--dir", "keys", cwd=tmp_path)
    shown = "--ca keys/ca.pem --cert keys/alice.pem --key keys/alice.key"
    assert f"next: wire context set NAME --server https://HOST:4001 {shown}" in alice.out


async def test_mistakes_are_answered_with_a_way_out_and_nothing_is_written(tmp_path: Path) -> None:
    early = await wire("certs", "issue", "n1", cwd=tmp_path)
    assert early.code == 1
    assert "error[certs.no_authority]" in early.err
    assert "wire certs init" in early.err
    assert (await wire("certs", "init", cwd=tmp_path)).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "certs").iterdir()}
    for arguments, code, words in (
        (["init"], 1, "certs/ca.pem is there already"),
        (["issue", "a b"], 2, "'a b' is no name for a certificate"),
        (["issue", "n1", "--host", "http://x"], 2, "'http://x' is no name for a certificate"),
        (["issue", "alice", "--client", "--host", "x"], 2, "a client is not reached by anybody"),
        (["issue", "n1", "--days", "0"], 2, "'--days'"),
    ):
        outcome = await wire("certs", *arguments, cwd=tmp_path)
        assert outcome.code == code, outcome.err
        assert words in outcome.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "certs").iterdir()} == before


async def test_doctor_says_how_long_a_certificate_is_good(tmp_path: Path) -> None:
    await wire("certs", "init", cwd=tmp_path)
    await wire("certs", "issue", "soon", "--days", "3", cwd=tmp_path)
    (tmp_path / "none.pem").write_text("junk")
    paths = ["certs/ca.pem", "certs/soon.pem", "none.pem", "gone.pem"]
    options = [option for path in paths for option in ("--cert", path)]
    outcome = await wire("doctor", *options, "-o", "json", cwd=tmp_path)
    assert outcome.code == 3
    checks = {check["check"]: check["status"] for check in json.loads(outcome.out)}
    assert [checks[path] for path in paths] == ["ok", "optional", "missing", "missing"]


async def test_the_schema_of_a_nodes_configuration_is_one_and_takes_the_examples(tmp_path: Path) -> None:
    outcome = await wire("schema", "node", cwd=tmp_path)
    schema = json.loads(outcome.out)
    assert schema == json.loads(json.dumps(config_schema(NodeConfig, "Wire node")))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    assert validator.is_valid({"node_id": "n1", "join": ["a:1"], "labels": {"zone": "a"}, "drain_timeout": "5s"})
    for wrong in ({"nodeid": "n1"}, {"listen": "x"}, {"workers": "two"}, {"join": "a:1"}):
        assert not validator.is_valid(wrong)


async def test_doctor_looks_at_the_certificates_that_a_nodes_configuration_names(tmp_path: Path) -> None:
    await wire("certs", "init", cwd=tmp_path)
    await wire("certs", "issue", "soon", "--days", "3", cwd=tmp_path)
    given = {"node_id": "soon", "ca": "certs/ca.pem", "cert": "certs/soon.pem", "key": "certs/soon.key"}
    for changed, code, expected in (
        ({}, 0, {"node.yaml": "ok", "certs/ca.pem": "ok", "certs/soon.pem": "optional"}),
        ({"node_id": "other"}, 3, {"node.yaml": "missing", "certs/soon.pem": "optional"}),
        ({"key": "certs/ca.key"}, 3, {"node.yaml": "missing", "certs/soon.pem": "optional"}),
        ({"cert": "certs/gone.pem"}, 3, {"node.yaml": "missing", "certs/gone.pem": "missing"}),
        ({"listen": "nowhere"}, 3, {"node.yaml": "missing"}),
    ):
        (tmp_path / "node.yaml").write_text(json.dumps(given | changed))
        outcome = await wire("doctor", "--config", "node.yaml", "-o", "json", cwd=tmp_path)
        assert outcome.code == code, outcome.err
        checks = {check["check"]: check["status"] for check in json.loads(outcome.out)}
        assert {name: checks[name] for name in expected} == expected, changed

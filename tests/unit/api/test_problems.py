from __future__ import annotations

import json

import pytest

from wire.api.problems import STATUS, problem, status_of
from wire.core.codes import CODES
from wire.core.errors import ConfigError, FatalError, Finding, RefusedError, RetryableError, UnavailableError, WireError

INTERNAL = {
    "cluster.bad_command",
    "cluster.damaged_snapshot",
    "cluster.job_not_active",
    "cluster.shares_changed",
    "cluster.too_many_partitions",
    "cluster.unknown_answer",
    "cluster.unknown_command",
    "cluster.unknown_snapshot",
}
"""Never told to whoever asks over the API, but for as a fault of the node."""
TOKENS = {code for code in CODES if code.startswith("cluster.") and "token" in code}
"""For those who join, who do not come this way yet."""


def test_every_refusal_of_the_cluster_has_a_status_of_its_own() -> None:
    refusals = {code for code in CODES if code.startswith(("api.", "cluster."))} - INTERNAL - TOKENS
    assert refusals <= STATUS.keys()
    assert STATUS.keys() <= CODES.keys()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError("cluster.unknown_pipeline"), 404),
        (RefusedError("cluster.pipeline_exists"), 409),
        (RefusedError("cluster.revision_changed"), 412),
        (RetryableError("raft.no_leader"), 503),
        (RetryableError("raft.storage.full"), 503),
        (ConfigError([Finding(code="config.invalid", path="$", message="m")]), 422),
        (FatalError("raft.snapshot.damaged"), 500),
    ],
)
def test_an_error_has_the_status_of_its_code_or_else_of_its_kind(error: WireError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (RefusedError("cluster.unknown_pipeline", hint="as it says itself"), "as it says itself"),
        (RefusedError("cluster.unknown_pipeline"), "GET .../pipelines lists those there are"),
        (RefusedError("raft.storage.locked"), "/docs describes what can be asked for"),
        (RetryableError("raft.busy"), "ask again later; the node's log says more"),
    ],
)
def test_it_is_always_said_what_to_do(error: WireError, hint: str) -> None:
    assert json.loads(bytes(problem(error, "r").body))["hint"] == hint


@pytest.mark.parametrize(("after_s", "expected"), [(0.0, "1"), (0.2, "1"), (1.5, "2"), (30, "30")])
def test_who_may_try_again_is_told_when(after_s: float, expected: str) -> None:
    response = problem(RetryableError("raft.no_leader", after_s=after_s), "r")
    assert response.headers["retry-after"] == expected


def test_a_node_that_stops_is_to_be_asked_again_whoever_says_so() -> None:
    for error in (RetryableError("raft.stopped"), UnavailableError("raft.stopped")):
        response = problem(error, "r")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")


def test_a_problem_holds_every_finding() -> None:
    findings = [
        Finding(code="config.missing", path="$.name", message="`name` is required", hint="add it"),
        Finding(code="config.unknown_key", path="$.nmae", message="unknown", line=3, column=1),
    ]
    response = problem(ConfigError(findings), "r-1")
    document = json.loads(bytes(response.body))
    assert response.headers["content-type"] == "application/problem+json"
    assert (document["code"], document["path"], document["hint"]) == ("config.missing", "$.name", "add it")
    assert document["request_id"] == "r-1"
    assert [(each["path"], each["line"]) for each in document["errors"]] == [("$.name", None), ("$.nmae", 3)]
    assert "retry-after" not in response.headers

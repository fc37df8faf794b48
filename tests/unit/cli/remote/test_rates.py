"""Rates are made of two answers, node by node, and are never negative and never made up."""

from __future__ import annotations

from typing import Any

import pytest

from wire.api.views import NodeFigures, PipelineFigures
from wire.cli.remote.rates import Meter, Rate, counted, in_and_out, lag

NONE: dict[str, Any] = dict.fromkeys(("received", "sent", "filtered", "dead_lettered", "skipped", "retried"), 0)


def node(name: str, uptime_s: float, received: int, sent: int = 0) -> NodeFigures:
    return NodeFigures(**NONE | {"received": received, "sent": sent}, node=name, uptime_ms=round(uptime_s * 1000))


def pipeline(*nodes: NodeFigures, name: str = "a", **fields: Any) -> PipelineFigures:
    return PipelineFigures(**NONE | fields, name=name, namespace="default", nodes=nodes)


def rates(*answers: PipelineFigures) -> list[Rate | None]:
    """What is told of a pipeline after each answer."""
    meter = Meter()
    return [meter.rates([each]).get("a") for each in answers]


def test_one_answer_makes_no_rate_and_two_do() -> None:
    first, second = pipeline(node("n1", 100, 1000, 500)), pipeline(node("n1", 102, 1600, 700))
    assert rates(first, second) == [None, Rate(300, 100)]
    assert in_and_out(None) == ("-", "-")
    assert in_and_out(Rate(300, 2.5)) == ("300/s", "2.5/s")


def test_each_node_is_measured_by_its_own_clock() -> None:
    first = pipeline(node("n1", 100, 0), node("n2", 5, 0))
    second = pipeline(node("n1", 101, 100), node("n2", 9, 100))
    assert rates(first, second) == [None, Rate(125, 0)]


def test_what_stands_still_has_a_rate_of_nothing() -> None:
    assert rates(*(pipeline(node("n1", second, 7, 7)) for second in (1, 2)))[1] == Rate(0, 0)


@pytest.mark.parametrize(
    ("now", "next_"),
    [
        (node("n1", 1, 300), node("n1", 2, 400)),  # it was started again
        (node("n1", 30, 3000), node("n1", 31, 3100)),  # as well, and has got further than before by now
        (node("n1", 101, 10), node("n1", 102, 110)),  # the pipeline was deleted and made again
        (node("n2", 500, 90_000), node("n2", 501, 90_100)),  # the task moved to a node that had it before
    ],
)
def test_what_begins_anew_has_no_rate_until_it_was_read_twice(now: NodeFigures, next_: NodeFigures) -> None:
    found = rates(pipeline(node("n1", 99, 900)), pipeline(node("n1", 100, 1000)), pipeline(now), pipeline(next_))
    assert found == [None, Rate(100, 0), None, Rate(100, 0)]


def test_while_one_of_its_nodes_has_no_rate_a_pipeline_has_none() -> None:
    old = [node("n1", second, 100 * second) for second in range(4)]
    new = [node("n2", second, 10 * second) for second in range(4)]
    found = rates(pipeline(old[0]), pipeline(old[1]), pipeline(old[2], new[2]), pipeline(old[3], new[3]))
    assert found == [None, Rate(100, 0), None, Rate(110, 0)]


def test_a_node_that_did_not_answer_once_is_measured_anew() -> None:
    found = rates(pipeline(node("n1", 1, 0)), pipeline(), pipeline(node("n1", 10, 9000)))
    assert found == [None, None, None]


def test_a_rate_is_taken_over_the_last_few_answers() -> None:
    steps = [0, 100, 100, 200, 200, 300, 300, 400]  # as reports come: every other time
    found = rates(*(pipeline(node("n1", second, read)) for second, read in enumerate(steps)))
    assert found[5:] == [Rate(60, 0), Rate(40, 0), Rate(60, 0)]


def test_the_lag_is_told_in_what_is_known_of_it() -> None:
    far = pipeline(node("n1", 1, 0), lag_records=1200, lag_ms=61_000)
    assert lag([far]) == "1,200 records, 1m01s"
    assert lag([far, pipeline(lag_records=0, lag_ms=0), pipeline(lag_bytes=2048)]) == "1,200 records and 2.0 KiB, 1m01s"
    assert lag([pipeline(lag_records=0, lag_ms=0)]) == "0 records"
    assert lag([pipeline(lag_ms=0)]) == "0.0s"
    assert lag([pipeline(), pipeline()]) == lag([]) == ""


def test_of_what_became_of_records_only_what_happened_is_told_and_who_did_not_answer_is_named() -> None:
    known = pipeline(node("n1", 1, 0), received=27_004, dead_lettered=6)
    assert counted(known) == [("records", "27,004 received, 0 sent, 6 dead-lettered")]
    assert counted(pipeline(node("n1", 1, 0), lag_records=0)) == [
        ("records", "0 received, 0 sent"),
        ("lag", "0 records"),
    ]
    assert counted(pipeline()) == []
    silent = PipelineFigures(**NONE, name="a", namespace="default", nodes=(), unanswered=("n2", "n3"))
    assert counted(silent) == [("no answer", "n2, n3, whose part is missing")]


def test_sinks_that_are_down_are_told() -> None:
    found = pipeline(node("n1", 1, 27_004), received=27_004, shed=5, sinks_down=("archive", "index"))
    assert ("down", "archive, index") in counted(found)
    assert counted(found)[0] == ("records", "27,004 received, 0 sent, 5 shed")

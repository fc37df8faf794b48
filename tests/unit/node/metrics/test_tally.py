"""Counters of pipelines rise whatever becomes of their runs, and go when the pipeline does."""

from __future__ import annotations

from tests.unit.node.metrics.kit import shown
from wire.cluster.state import PipelineKey
from wire.core.timings import Timings
from wire.node.metrics.sheet import Sheet
from wire.node.metrics.tally import Tally
from wire.pipelines.engine.progress import Progress, Reason, SinkProgress, SourceProgress

P, Q = PipelineKey("default", "p"), PipelineKey("team", "q")
OF_P = "namespace=default,pipeline=p"


def progress(read: int, *, lag_s: float | None = None, took_s: float = 0.003) -> Progress:
    """A run that has read so many, written all but one of them, and put that aside."""
    took = Timings()
    took.observe(took_s)
    sink = SinkProgress("out", "drop", written=read - 1, bytes=10 * read, queued=2, writes=took, deliveries=took)
    made = Progress(state="running", pending=5, dead_lettered=1, checkpoint_age_s=read / 10)
    made.sources = [SourceProgress("in", "kafka", read=read, lag_records=read, lag_s=lag_s)]
    made.sinks = [sink]
    made.dead_letter = SinkProgress("dead", "file", written=1)
    made.reasons = {"record.decode": Reason(1, "no JSON: 'hush'")}
    return made


def scraped(tally: Tally, *running: tuple[PipelineKey, Progress | None]) -> dict[str, float]:
    sheet = Sheet()
    tally.put_on(sheet, running)
    return shown(sheet)


def test_runs_of_a_pipeline_are_added_up() -> None:
    found = scraped(Tally(lambda _: True), (P, progress(10)), (P, progress(20)), (Q, progress(7)), (Q, None))
    assert found[f"wire_source_records_total{{component=in,{OF_P}}}"] == 30
    assert found["wire_source_records_total{component=in,namespace=team,pipeline=q}"] == 7
    assert found[f"wire_sink_records_total{{component=out,{OF_P}}}"] == 28
    assert found[f"wire_sink_records_total{{component=dead,{OF_P}}}"] == 2
    assert found[f"wire_pipeline_rejected_records_total{{code=record.decode,{OF_P}}}"] == 2
    assert found[f"wire_pipeline_dead_lettered_records_total{{{OF_P}}}"] == 2
    assert found[f"wire_sink_queued_records{{component=out,{OF_P}}}"] == 4
    assert found[f"wire_pipeline_tasks{{{OF_P},state=running}}"] == 2
    assert found["wire_pipeline_tasks{namespace=team,pipeline=q,state=waiting}"] == 1
    assert found[f"wire_sink_write_seconds_count{{component=out,{OF_P}}}"] == 2
    assert found[f"wire_sink_write_seconds_bucket{{component=out,le=0.0025,{OF_P}}}"] == 0
    assert found[f"wire_sink_write_seconds_bucket{{component=out,le=0.005,{OF_P}}}"] == 2
    assert found[f"wire_sink_write_seconds_bucket{{component=out,le=+Inf,{OF_P}}}"] == 2


def test_of_times_the_longest_counts() -> None:
    found = scraped(Tally(lambda _: True), (P, progress(10, lag_s=2.0)), (P, progress(20)), (P, progress(1, lag_s=1.0)))
    assert found[f"wire_pipeline_checkpoint_age_seconds{{{OF_P}}}"] == 2.0
    assert found[f"wire_source_lag_seconds{{component=in,{OF_P}}}"] == 2.0
    assert found[f"wire_source_lag_records{{component=in,{OF_P}}}"] == 31


def test_counters_stay_when_a_run_is_over_and_gauges_go() -> None:
    tally = Tally(lambda _: True)
    tally.over(P, progress(10))
    found = scraped(tally, (P, progress(1)))
    assert found[f"wire_source_records_total{{component=in,{OF_P}}}"] == 11
    assert found[f"wire_sink_write_seconds_count{{component=out,{OF_P}}}"] == 2
    assert found[f"wire_sink_queued_records{{component=out,{OF_P}}}"] == 2
    found = scraped(tally)
    assert found[f"wire_source_records_total{{component=in,{OF_P}}}"] == 10
    assert not [name for name in found if name.startswith(("wire_sink_queued", "wire_pipeline_tasks"))]


def test_scraping_changes_nothing() -> None:
    tally = Tally(lambda _: True)
    tally.over(P, progress(10))
    runs = (P, progress(1)), (P, progress(2))
    first = scraped(tally, *runs)
    assert {k: v for k, v in scraped(tally, *runs).items() if k.startswith("wire")} == {
        k: v for k, v in first.items() if k.startswith("wire")
    }


def test_a_pipeline_that_is_gone_takes_its_series_with_it() -> None:
    there = {P, Q}
    tally = Tally(there.__contains__)
    tally.over(P, progress(10))
    tally.over(Q, progress(10))
    there.remove(P)
    found = scraped(tally, (P, progress(3)))
    assert not [name for name in found if "pipeline=p" in name]
    assert [name for name in found if "pipeline=q" in name]
    tally.over(P, progress(3))  # what was drained when it was deleted
    there.add(P)
    assert not [name for name in scraped(tally) if "pipeline=p" in name]


def test_pipelines_that_come_and_go_leave_nothing_though_nobody_scrapes() -> None:
    there: set[PipelineKey] = set()
    tally = Tally(there.__contains__)
    for number in range(1000):
        key = PipelineKey("default", str(number))
        there.add(key)
        tally.over(key, progress(1))
        there.remove(key)
    assert len(tally._past) <= 102


def test_what_is_told_of_a_pipeline_is_what_is_scraped_added_up() -> None:
    tally = Tally(lambda _: True)
    tally.over(P, progress(100))
    runs = [(P, progress(10, lag_s=2.0)), (P, progress(20, lag_s=3.5)), (P, None), (Q, progress(7))]
    found = scraped(tally, *runs)
    of_p, of_q, of_none = tally.figures([P, Q, PipelineKey("default", "none")], runs)()
    assert of_p.received == found[f"wire_source_records_total{{component=in,{OF_P}}}"] == 130
    assert of_p.sent == found[f"wire_sink_records_total{{component=out,{OF_P}}}"] == 127
    assert of_p.dead_lettered == found[f"wire_pipeline_dead_lettered_records_total{{{OF_P}}}"] == 3
    assert of_p.lag_records == found[f"wire_source_lag_records{{component=in,{OF_P}}}"] == 30
    assert of_p.lag_ms == found[f"wire_source_lag_seconds{{component=in,{OF_P}}}"] * 1000 == 3500
    assert (of_p.filtered, of_p.skipped, of_p.retried, of_p.lag_bytes) == (0, 0, 0, None)
    assert (of_q.received, of_q.sent, of_q.lag_records, of_q.lag_ms) == (7, 6, 7, None)
    assert (of_none.received, of_none.sent, of_none.lag_records) == (0, 0, None)


def test_nothing_is_told_of_a_pipeline_that_is_gone() -> None:
    there = {P}
    tally = Tally(there.__contains__)
    tally.over(P, progress(10))
    there.remove(P)
    (figures,) = tally.figures([P], [(P, progress(3))])()
    assert figures.received == 0


def test_what_is_told_of_a_pipeline_is_as_of_when_it_was_asked_for() -> None:
    tally = Tally(lambda _: True)
    tally.over(P, progress(10))
    tell = tally.figures([P], [(P, progress(1))])
    tally.over(P, progress(1))
    assert [each.received for each in tell()] == [11]


def test_no_words_of_an_error_are_shown() -> None:
    sheet = Sheet()
    Tally(lambda _: True).put_on(sheet, [(P, progress(1))])
    assert b"hush" not in sheet.text("").body


def test_sinks_that_are_down_or_drop_records_are_told() -> None:
    one, other = progress(10), progress(20)
    one.sinks[0].breaker, one.sinks[0].breaker_opened, one.sinks[0].shed, one.sinks[0].held_up_s = "open", 2, 7, 1.5
    one.sources[0].held_up_s = 0.5
    found = scraped(Tally(lambda _: True), (P, one), (P, other))
    assert found[f"wire_sink_breaker_tasks{{component=out,{OF_P},state=open}}"] == 1
    assert found[f"wire_sink_breaker_tasks{{component=out,{OF_P},state=closed}}"] == 1
    assert found[f"wire_sink_breaker_openings_total{{component=out,{OF_P}}}"] == 2
    assert found[f"wire_sink_shed_records_total{{component=out,{OF_P}}}"] == 7
    assert found[f"wire_sink_rate_limited_seconds_total{{component=out,{OF_P}}}"] == 1.5
    assert found[f"wire_source_rate_limited_seconds_total{{component=in,{OF_P}}}"] == 0.5
    (figures,) = Tally(lambda _: True).figures([P], [(P, one), (P, other)])()
    assert (figures.shed, figures.sinks_down) == (7, ("out",))

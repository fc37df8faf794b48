"""What a run shows while it goes on, and at its end."""

from __future__ import annotations

import pytest

from tests.unit.cli.moments import progress
from wire.cli.progress import LineView, Speedometer, fraction_done, lag, line, summary
from wire.pipelines.engine.progress import Progress, Reason, SourceProgress
from wire.pipelines.lint import lint
from wire.pipelines.loaded import LoadedPipeline

PIPELINE = """\
name: flights
source: {type: file, config: {path: in.csv, format: csv}}
sinks:
  - {type: file, name: late, when: "a > 1", config: {path: out.jsonl}}
  - {type: file, name: daily, config: {path: {expr: day}}}
on_error: {policy: dead_letter, sink: {type: file, config: {path: dead.jsonl}}}
"""


@pytest.fixture
def pipeline() -> LoadedPipeline:
    return lint(PIPELINE, environ={}).require()


def test_speed_is_that_of_the_last_seconds() -> None:
    meter = Speedometer()
    for second in range(1, 101):
        speed = meter.measure(progress(second, min(second, 50) * 1000))
        if second == 40:
            assert speed.read == pytest.approx(1000)
            assert speed.read_bytes == pytest.approx(100_000)
            assert speed.written == pytest.approx(750)
    assert speed.read == 0, "what was long ago is forgotten"
    assert Speedometer().measure(progress(0.0, 5)).read == 0


def test_how_much_is_done_is_known_where_sources_know_their_ends() -> None:
    assert fraction_done(progress(1, 10)) == 0.5
    unknown = progress(1, 10)
    unknown.sources.append(SourceProgress("kafka", "kafka", read=5))
    assert fraction_done(unknown) is None
    unknown.sources[1].lag_records = 5
    assert fraction_done(unknown) == pytest.approx((1000 + 5) / (2000 + 10))
    assert fraction_done(Progress()) is None


def test_lag() -> None:
    assert lag(progress(1, 10)) == "lag 1000 B"
    both = progress(1, 10)
    both.sources.append(SourceProgress("kafka", "kafka", lag_records=1234))
    assert lag(both) == "lag 1,234 records and 1000 B"
    assert lag(Progress()) == ""


def test_a_line_says_how_things_are() -> None:
    made = progress(12, 2000, dead_lettered=3, last_error="sink.file.full: no room", state="retrying")
    assert line(made, Speedometer().measure(made)) == (
        "12s retrying  read 2,000 (167/s, 16.3 KiB/s)  written 1,500 (125/s)  filtered 1,000  errors 3  lag 1000 B  "
        "batch 1,000/500  sink.file.full: no room"
    )


def test_lines_come_every_few_seconds_and_not_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    view = LineView()
    for quarter in range(50):
        view.update(progress(quarter / 4, quarter))
    view.update(progress(20, 50, state="done"))
    out, err = capsys.readouterr()
    assert out == ""
    assert [text.split()[0] for text in err.splitlines()] == ["5.0s", "10s"]


def test_the_summary_says_what_was_done_where_and_how_fast(pipeline: LoadedPipeline) -> None:
    made = progress(2.0, 20_000, state="done", dead_lettered=12)
    assert summary(pipeline, made).splitlines() == [
        "flights: done in 2.0s (10,000/s, 976.6 KiB/s)",
        "  read           20,000     1.9 MiB  from file in.csv",
        "  filtered       10,000",
        "  written        10,000   976.6 KiB  to file out.jsonl",
        "  written         5,000   488.3 KiB  to daily (path by record)",
        "  dead-lettered      12              to file dead.jsonl",
    ]


def test_the_summary_says_why_records_were_put_aside_the_commonest_reasons_first(pipeline: LoadedPipeline) -> None:
    made = progress(2.0, 20_000, state="done", dead_lettered=12)
    made.reasons = {
        "record.encode": Reason(1, "x" * 300),
        "record.decode": Reason(9, "not JSON", "$.source", "mend it"),
        "expression.domain": Reason(2, "log of 0"),
        "expression.overflow": Reason(1, "never shown"),
    }
    assert summary(pipeline, made).splitlines()[6:] == [
        "    9 by record.decode at $.source: not JSON",
        "      = hint: mend it",
        "    2 by expression.domain: log of 0",
        f"    1 by record.encode: {'x' * 199}…",
    ]


def test_the_summary_of_a_run_that_opened_nothing(pipeline: LoadedPipeline) -> None:
    text = summary(pipeline, Progress(state="failed"))
    assert text.splitlines()[0] == "flights: failed in 0.0s (0/s, 0 B/s)"


def test_a_sink_that_is_down_is_named_and_what_it_sheds_is_an_error(pipeline: LoadedPipeline) -> None:
    made = progress(12, 2000, last_error="sink.http.busy: busy", state="retrying")
    made.sinks[0].breaker, made.sinks[0].shed = "half_open", 40
    told = line(made, Speedometer().measure(made))
    assert told.endswith(f"down: {made.sinks[0].name}  sink.http.busy: busy")
    assert "errors 40" in told
    assert "  shed " in summary(pipeline, made)
    assert "instead of written to file out.jsonl" in summary(pipeline, made)

"""The live view, on terminals of all widths."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.unit.cli.moments import progress
from wire.cli.live import LiveView, render
from wire.cli.progress import Speedometer
from wire.pipelines.engine.progress import Progress


def shown(made: Progress, width: int) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(render("flights", made, Speedometer().measure(made)))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_the_live_view_shows_rates_sizes_errors_and_a_bar() -> None:
    made = progress(10, 2000, state="retrying", last_error="kafka.unavailable: away", checkpoint_age_s=0.5, skipped=7)
    head, bar, *rest = shown(made, 100)
    assert head == "flights  retrying  10s"
    assert set(bar) == {"━", "╸"}
    assert rest == [
        "read      2,000  200/s  195.3 KiB  19.5 KiB/s",
        "written   1,500  150/s  146.5 KiB  14.6 KiB/s",
        "filtered  1,000",
        "errors        7",
        "lag 1000 B  batch 1,000/500  in flight 0  checkpoint 0.5s ago",
        "kafka.unavailable: away",
    ]


@pytest.mark.parametrize(
    ("width", "read"),
    [
        (54, "read      123,456,789  163,736/s  11.5 GiB  15.6 MiB/s"),
        (53, "read      123,456,789  163,736/s  15.6 MiB/s"),
        (44, "read      123,456,789  163,736/s  15.6 MiB/s"),
        (43, "read      123,456,789  163,736/s"),
        (32, "read      123,456,789  163,736/s"),
        (31, "read      123,456,789"),
        (21, "read      123,456,789"),
        (16, "re…  123,456,789"),
    ],
)
def test_where_there_is_no_room_whole_columns_go_and_no_number_is_cut(width: int, read: str) -> None:
    lines = shown(progress(754, 123_456_789), width)
    assert read in lines
    assert any(line.endswith("92,592,591") or "92,592,591 " in line for line in lines), "so is what was written"
    assert max(map(len, lines)) <= width


def test_the_live_view_is_drawn_in_place() -> None:
    class Live:
        drawn = 0

        def update(self, renderable: object, *, refresh: bool) -> None:
            self.drawn += refresh

    live = Live()
    view = LiveView("flights", live)
    view.update(Progress())
    view.update(progress(1, 10))
    assert live.drawn == 2

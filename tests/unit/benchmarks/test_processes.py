"""What a process tree costs, read from a /proc of our own making."""

from pathlib import Path

import pytest

from benchmarks.processes import machine_cpu_s, tree, usage


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid, (children, ticks, pages) in {1: ("2 3", (100, 50, 10, 5), 10), 2: ("", (7, 3, 0, 0), 4)}.items():
        folder = tmp_path / str(pid)
        (folder / "task" / str(pid)).mkdir(parents=True)
        (folder / "task" / str(pid) / "children").write_text(children)
        before = " ".join("0" for _ in range(10))
        between = " ".join("0" for _ in range(6))
        stat = f"{pid} (a) b) S {before} {' '.join(map(str, ticks))} {between} {pages} 0"
        (folder / "stat").write_text(stat)
    (tmp_path / "stat").write_text("cpu  100 20 30 999 888 4 5 6 0 0\ncpu0 1 1\n")
    return tmp_path


def test_the_tree_has_children_and_forgives_those_that_just_ended(proc: Path) -> None:
    assert tree(1, proc) == [1, 2, 3]


def test_usage_adds_up_the_tree_with_what_ended_children_used(proc: Path) -> None:
    used = usage(1, proc)
    assert used.cpu_s == pytest.approx((100 + 50 + 10 + 5 + 7 + 3) / 100)
    assert used.rss == 14 * 4096


def test_the_machine_is_busy_while_it_is_not_idle_nor_waiting_for_disks(proc: Path) -> None:
    assert machine_cpu_s(proc) == pytest.approx(1.65)

"""The report: every figure that was measured is in it, and a missed aim is said to be missed."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import comparison, documents, latency, report, results, soak, startup
from benchmarks.arithmetic import Latency, spread
from benchmarks.cluster import contender, creation, crowding, deciding, idling, restoring, turns
from benchmarks.consensus import clusters, commands, compaction, elections, nonvoters, restart
from benchmarks.contenders import BARE, NOTHING, WIRE
from benchmarks.counter import Counted


def copies(wire: float, bare: float) -> comparison.Comparison:
    runs = [comparison.Run(who, rate, rate, 70.0) for who, rate in ((BARE, bare), (WIRE, wire)) * 2]
    return comparison.summarize(1000, runs)


def paced(p99: float) -> latency.Latency:
    runs = [
        latency.Run(who, Latency(1000, 1.0, p99 if who == WIRE else 5.0, 20.0, 30.0), 0.5, 0.2, 1.5, [])
        for who in (NOTHING, BARE, WIRE)
    ]
    return latency.summarize(10_000, 30, runs)


def memory(late_mib: float) -> soak.Soak:
    counted = Counted(1, 0, 0, 0, latency=Latency(1000, 1.0, 5.0, 20.0, 30.0))
    return soak.summarize(10_000, 40, [70.0] * 36 + [late_mib] * 4, counted)


def shop(wire: float, bare: float, rss_mib: float) -> comparison.Comparison:
    runs = [comparison.Run(who, rate, rate, rss_mib) for who, rate in ((BARE, bare), (WIRE, wire)) * 2]
    return comparison.summarize(1000, runs)


def voted(folder: Path, wire: float, etcd: float | None = 4.0) -> None:
    """Write results of consensus: Wire's are all `wire` times what is aimed at, and worse by that."""
    rates = {WIRE: 5000 / wire} | ({clusters.ETCD: 5000 / etcd} if etcd else {})
    runs = [
        commands.Run(who, callers, Latency(100, 2.5 * wire, 25 * wire, 30 * wire, 40.0), rate, rate, 0)
        for who, rate in rates.items()
        for callers in (1, commands.MANY)
    ]
    some = Latency(100, 1.0, 2.0, 3.0, 4.0)
    load = nonvoters.Load(some, 500.0, 0.1)
    for part, measured in {
        "commands": commands.summarize(10.0, runs, some, some if etcd else None),
        "elections": elections.Elections({WIRE: [2 * wire]}, {WIRE: spread([2 * wire])}),
        "compaction": compaction.Compaction(1_000_000, 200.0, 20.0, 50 * wire, 5.0, some, some),
        "restart": restart.Restart(100_000, [3 * wire], spread([3 * wire])),
        "nonvoters": nonvoters.Nonvoters(500.0, 100, load, nonvoters.Load(some, 500.0, 0.8 * wire)),
    }.items():
        results.write(folder, f"consensus_{part}", measured)


def clustered(folder: Path, worse: float, connect: float | None = 20.0) -> None:
    """Write results of clusters: Wire's are all `worse` times what is aimed at."""
    seconds = {contender.WIRE: [10 * worse]} | ({contender.CONNECT: [connect]} if connect else {})
    spreads = {who: spread(found) for who, found in seconds.items()}
    created = {who: creation.Created(100, took[0] / 10, took[0]) for who, took in seconds.items()}
    for part, measured in {
        "formation": turns.Took(seconds, spreads),
        "takeover": turns.Took(seconds, spreads),
        "succession": turns.Took(seconds, spreads),
        "creation": creation.Creation(created),
        "idling": idling.Idling(
            30.0, {"n0": 27, "n1": round(27 * worse**3), "n2": 27}, [0.05 * worse] * 3, [int(120 * worse) << 20] * 3
        ),
        "crowding": crowding.Crowding(60.0, 1.97, 2, {0.01: 98, 0.0490 * worse: 2}, {0.01: 98, 0.290 * worse: 2}),
        "restoring": restoring.Restoring(1000, 5 * worse),
        "deciding": deciding.Deciding(1000, 110_000, spread([worse]), spread([worse])),
    }.items():
        results.write(folder, f"cluster_{part}", measured)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report, "PAGE", tmp_path / "performance.md")
    monkeypatch.setattr(report, "PICTURE", tmp_path / "performance.svg")
    return tmp_path / "performance.md"


def test_the_page_has_every_part_and_a_picture_that_is_well_formed(tmp_path: Path, page: Path) -> None:
    for name, measured in (
        ("throughput", copies(450_000, 400_000)),
        ("latency", paced(8.0)),
        ("startup", startup.Startup([0.5], spread([0.5]))),
        ("soak", memory(70.0)),
    ):
        results.write(tmp_path, name, measured)
    report.publish(tmp_path)
    text = page.read_text()
    for figure in ("450,000", "1.12", "8.0", "0.50 s", "70.0 → 70.0 MiB"):
        assert figure in text
    assert "$" not in text
    assert "missed" not in text
    assert ElementTree.parse(tmp_path / "performance.svg").getroot().tag.endswith("svg")  # noqa: S314 (our own)


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("throughput", copies(140_000, 100_000)),
        ("latency", paced(11.0)),
        ("startup", startup.Startup([1.5], spread([1.5]))),
        ("soak", memory(80.0)),
        ("kafka_elasticsearch", shop(84_000, 100_000, 150.0)),
        ("snapshot_kafka", shop(90_000, 100_000, 201.0)),
    ],
)
def test_a_missed_aim_is_said_to_be_missed(tmp_path: Path, name: str, measured: object) -> None:
    results.write(tmp_path, name, measured)
    assert "missed" in report.table(tmp_path)


def test_documents_have_rows_for_every_job_and_a_section_of_the_page(tmp_path: Path, page: Path) -> None:
    for job in documents.JOBS:
        results.write(tmp_path, job, shop(88_000, 100_000, 150.0))
    report.publish(tmp_path)
    text = page.read_text()
    for figure in ("snapshot → drop", "snapshot → Kafka", "changes → Kafka", "→ Elasticsearch", "0.88", "150 MiB"):
        assert figure in text
    assert "## Documents" in text
    assert "missed" not in text


def test_without_documents_the_page_says_nothing_of_them(tmp_path: Path, page: Path) -> None:
    results.write(tmp_path, "throughput", copies(450_000, 400_000))
    report.publish(tmp_path)
    assert "Documents" not in page.read_text()
    assert "Elasticsearch" not in page.read_text()


def test_consensus_has_its_rows_and_a_section_of_the_page(tmp_path: Path, page: Path) -> None:
    voted(tmp_path, 0.8)
    report.publish(tmp_path)
    text = page.read_text()
    for figure in ("6,250", "etcd 1,250", "5.00 (to etcd)", "2.00", "40.0", "2.40", "0.64", "5.40"):
        assert figure in text
    assert text.count(": reached") == 7
    assert "## Consensus" in text
    assert "$" not in text


def test_without_etcd_nothing_is_said_to_have_run_beside_it(tmp_path: Path, page: Path) -> None:
    voted(tmp_path, 0.8, etcd=None)
    report.publish(tmp_path)
    assert "(to etcd)" not in page.read_text()


def test_every_aim_of_consensus_that_is_missed_is_said_to_be(tmp_path: Path) -> None:
    voted(tmp_path, 1.01)
    assert report.table(tmp_path).count("missed") == 7


def test_clusters_have_their_rows_and_a_section_of_the_page(tmp_path: Path, page: Path) -> None:
    clustered(tmp_path, 0.98)
    report.publish(tmp_path)
    text = page.read_text()
    for figure in ("Kafka Connect 20.0", "**9.8**", "102", "27 / 25 / 27", "0.049", "117 MiB", "at most 48"):
        assert figure in text
    assert text.count(": reached") == 12
    assert "## Clusters" in text
    assert "$" not in text


def test_without_kafka_connect_nothing_is_said_to_have_run_beside_wire(tmp_path: Path) -> None:
    clustered(tmp_path, 0.98, connect=None)
    assert "Kafka Connect" not in report.table(tmp_path)


def test_every_aim_of_clusters_that_is_missed_is_said_to_be(tmp_path: Path) -> None:
    clustered(tmp_path, 1.1)
    assert report.table(tmp_path).count("missed") == 12


def test_a_page_about_nothing_is_refused(tmp_path: Path, page: Path) -> None:
    with pytest.raises(ValueError, match="nothing has been measured"):
        report.publish(tmp_path)
    assert not page.exists()

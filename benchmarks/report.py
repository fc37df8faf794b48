"""What is made of the results: a table for the terminal, `docs/performance.md` and its picture.

The page's prose is in `page.md` beside this file; only figures are filled in.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import latency, orders, picture, results, soak, startup, transactions
from benchmarks.cluster import rows as cluster
from benchmarks.comparison import Comparison
from benchmarks.consensus import rows as consensus
from benchmarks.contenders import BARE, NOTHING, WIRE
from benchmarks.documents import JOBS
from benchmarks.results import ROOT, Machine, Result
from benchmarks.rows import Row, decimals, markdown, plain, thousands

PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "performance.svg"
_TEMPLATE = Path(__file__).parent / "page.md"
_DOCUMENTS = Path(__file__).parent / "documents.md"

RSS_LIMIT_MIB = 150
DOCUMENTS_RSS_LIMIT_MIB = 200
DOCUMENTS_RATIO = 0.85
_COPY = "Kafka → Kafka"
_FILES = "file → file"
_TOGETHER: dict[str, tuple[type[Any], Callable[[Any], Iterator[Row]]]] = {
    transactions.NAME: (transactions.Transactions, transactions.rows),
    **consensus.PARTS,
    **cluster.PARTS,
}


class Results(msgspec.Struct):
    """What has been measured; a part that never was is None."""

    throughput: Result[Comparison] | None
    files: Result[Comparison] | None
    startup: Result[startup.Startup] | None
    latency: Result[latency.Latency] | None
    soak: Result[soak.Soak] | None
    snapshot_drop: Result[Comparison] | None = None
    snapshot_kafka: Result[Comparison] | None = None
    changes_kafka: Result[Comparison] | None = None
    kafka_elasticsearch: Result[Comparison] | None = None
    together: dict[str, Result[Any]] = msgspec.field(default_factory=dict)


def load(folder: Path) -> Results:
    """Read all there is."""
    return Results(
        results.read(folder, "throughput", Comparison),
        results.read(folder, "files", Comparison),
        results.read(folder, "startup", startup.Startup),
        results.read(folder, "latency", latency.Latency),
        results.read(folder, "soak", soak.Soak),
        **{job: results.read(folder, job, Comparison) for job in JOBS},
        together={
            name: part
            for name, (kind, _) in _TOGETHER.items()
            if (part := results.read(folder, name, kind)) is not None
        },
    )


def table(folder: Path) -> str:
    """Return the figures as plain text."""
    return plain(_rows(load(folder)))


def publish(folder: Path) -> None:
    """Write the page and its picture."""
    found = load(folder)
    measured = list(_parts(found).values())
    if not measured:
        raise ValueError(f"nothing has been measured yet: {folder} is empty")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture.draw(_bars(found), _percentiles(found), _memory(found)))
    PAGE.write_text(
        string.Template(_TEMPLATE.read_text()).substitute(
            documents=_documents(found),
            consensus=_about_consensus(found),
            cluster=cluster.about() if found.together.keys() & cluster.PARTS.keys() else "",
            table=markdown(list(_rows(found))),
            runs=_runs(found),
            machine=_machine(measured[0].machine),
            when="\n".join(_when(found)),
            filter=measured[0].job["filter"],
            select=measured[0].job["select"],
            record=measured[0].job["record"],
            record_bytes=measured[0].job["bytes"],
        )
    )


def _parts(found: Results) -> dict[str, Result[Any]]:
    alone = {name: getattr(found, name) for name in found.__struct_fields__ if name != "together"}
    return {name: part for name, part in alone.items() if part is not None} | found.together


# the table


def _rows(found: Results) -> Iterator[Row]:
    if found.throughput:
        yield from _throughput_rows(found.throughput.measured)
    if found.files:
        yield from _file_rows(found.files.measured)
    if found.latency:
        yield from _latency_rows(found.latency.measured)
    if found.startup:
        seconds = found.startup.measured.seconds
        aim = "under 1 s"
        yield Row("start to first record", f"{decimals(seconds, 2)} s", aim=aim, met=seconds.median < 1)
    if found.soak:
        yield from _soak_rows(found.soak.measured)
    for job, measured in _document_jobs(found):
        yield from _document_rows(job, measured)
    for name, (_, rows) in _TOGETHER.items():
        if name in found.together:
            yield from rows(found.together[name].measured)


def _throughput_rows(measured: Comparison) -> Iterator[Row]:
    cost, pace, ratio = measured.per_cpu_s, measured.per_s, measured.wire_to_bare_per_cpu_s
    yield Row(
        f"{_COPY}, records per CPU-second",
        thousands(cost[WIRE]),
        f"bare loop {thousands(cost[BARE])}",
        decimals(ratio, 2),
        "200,000 and 0.6 of the bare loop",
        cost[WIRE].median >= 200_000 and ratio.median >= 0.6,
    )
    met = pace[WIRE].median >= 150_000
    yield Row(
        f"{_COPY}, records/s", thousands(pace[WIRE]), f"bare loop {thousands(pace[BARE])}", aim="150,000", met=met
    )
    yield _peak_row(_COPY, max(run.peak_rss_mib for run in measured.runs if run.contender == WIRE))


def _file_rows(measured: Comparison) -> Iterator[Row]:
    cost, pace, ratio = measured.per_cpu_s, measured.per_s, measured.wire_to_bare_per_cpu_s
    met = pace[WIRE].median >= 200_000
    yield Row(
        f"{_FILES}, records/s", thousands(pace[WIRE]), f"bare loop {thousands(pace[BARE])}", aim="200,000", met=met
    )
    yield Row(
        f"{_FILES}, records per CPU-second",
        thousands(cost[WIRE]),
        f"bare loop {thousands(cost[BARE])}",
        decimals(ratio, 2),
    )
    yield _peak_row(_FILES, max(run.peak_rss_mib for run in measured.runs if run.contender == WIRE))


def _document_jobs(found: Results) -> Iterator[tuple[str, Comparison]]:
    for job in JOBS:
        part: Result[Comparison] | None = getattr(found, job)
        if part is not None:
            yield job, part.measured


def _document_rows(job: str, measured: Comparison) -> Iterator[Row]:
    aim = f"{DOCUMENTS_RATIO} of the bare loop"
    for unit, rates, ratio in (
        ("CPU-second", measured.per_cpu_s, measured.wire_to_bare_per_cpu_s),
        ("second", measured.per_s, measured.wire_to_bare_per_s()),
    ):
        wire, bare = thousands(rates[WIRE]), f"bare loop {thousands(rates[BARE])}"
        met = ratio.median >= DOCUMENTS_RATIO
        yield Row(f"{JOBS[job]}, records per {unit}", wire, bare, decimals(ratio, 2), aim, met)
    if job.startswith("snapshot"):
        what = f"{JOBS[job]} of {measured.records:,} documents"
        peak = max(run.peak_rss_mib for run in measured.runs if run.contender == WIRE)
        yield _peak_row(what, peak, DOCUMENTS_RSS_LIMIT_MIB)


def _peak_row(what: str, mib: float, limit_mib: int = RSS_LIMIT_MIB) -> Row:
    aim = f"under {limit_mib} MiB"
    return Row(f"{what}, peak resident memory", f"{mib:.0f} MiB", aim=aim, met=mib < limit_mib)


def _latency_rows(measured: latency.Latency) -> Iterator[Row]:
    at = f"{measured.rate:,.0f} records/s end to end"
    for name in ("p50", "p99", "p999", "max"):
        nothing, bare, wire = (getattr(measured.figures[who], name) for who in (NOTHING, BARE, WIRE))
        rival = f"nothing between {decimals(nothing, 1)}, bare loop {decimals(bare, 1)}"
        label = f"{at}, {'p99.9' if name == 'p999' else name}, ms"
        if name != "p99":
            yield Row(label, decimals(wire, 1), rival)
            continue
        ratio = measured.wire_to_nothing_p99
        met = wire.median < 10 and ratio.median <= 2
        aim = "under 10 ms and at most twice nothing between"
        yield Row(label, decimals(wire, 1), rival, f"{decimals(ratio, 2)} (to nothing)", aim, met)
    cores = {who: measured.figures[who].cpu_cores for who in (BARE, WIRE)}
    yield Row(f"{at}, cores used", decimals(cores[WIRE], 2), f"bare loop {decimals(cores[BARE], 2)}")


def _soak_rows(measured: soak.Soak) -> Iterator[Row]:
    what = f"{measured.seconds} s at {measured.rate:,.0f} records/s"
    yield _peak_row(what, measured.peak_mib)
    early, late = measured.early_mib.median, measured.late_mib.median
    # what an allocator keeps for later moves by a few MiB; a leak of one byte per record would add six in ten minutes
    yield Row(
        f"{what}, memory early → late",
        f"{early:.1f} → {late:.1f} MiB",
        aim="flat",
        met=late <= early * 1.05,
    )
    yield Row(f"{what}, p50 and p99, ms", f"{measured.latency.p50:.1f} and {measured.latency.p99:.1f}")


# how it was measured


def _documents(found: Results) -> str:
    """Return what there is to know about the jobs with documents, if they were measured."""
    if not any(_document_jobs(found)):
        return ""
    return string.Template(_DOCUMENTS.read_text()).substitute(document_bytes=orders.DOCUMENT_BYTES) + "\n"


def _about_consensus(found: Results) -> str:
    part = found.together.get(consensus.COMMANDS)
    return consensus.about(part.measured) if part is not None else ""


def _machine(machine: Machine) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_mib / 1024:.0f} GiB, Linux {machine.kernel}; "
        f"Python {machine.python}, {libraries}"
    )


def _when(found: Results) -> Iterator[str]:
    for name, part in _parts(found).items():
        yield f"- {name}: {part.machine.date}, commit {part.machine.commit}, load average {part.machine.load}"


def _runs(found: Results) -> str:
    """Return how often things ran, and how far two runs of the same thing were apart."""
    said = []
    if found.throughput:
        measured = found.throughput.measured
        said.append(
            f"{_COPY} copied {measured.records:,} records {len(measured.runs) // 2} times per contender, in turn; "
            f"one run of the bare loop was {decimals(measured.control, 2)} of the one before it."
        )
    if found.files:
        copied = found.files.measured
        said.append(
            f"{_FILES} copied {copied.records:,} records {len(copied.runs) // 2} times per contender, in turn; "
            f"one run of the bare loop was {decimals(copied.control, 2)} of the one before it."
        )
    if found.latency:
        paced = found.latency.measured
        said.append(
            f"The steady rate ran for {paced.seconds} s {len(paced.runs) // 3} times per contender, in turn; "
            f"the p99 of one run with nothing in between was {decimals(paced.control_p99, 2)} of the one before it."
        )
    for job, run in _document_jobs(found):
        said.append(
            f"{JOBS[job]} moved {run.records:,} records {len(run.runs) // 2} times per contender, in turn; "
            f"one run of the bare loop was {decimals(run.control, 2)} of the one before it."
        )
    return " ".join(said)


# what the picture shows


def _bars(found: Results) -> list[picture.Bar]:
    bars = []
    for label, part in ((_COPY, found.throughput), (_FILES, found.files)):
        if part is not None:
            cost = part.measured.per_cpu_s
            bars += [picture.Bar(label, who, cost[who]) for who in (WIRE, BARE)]
    return bars


def _percentiles(found: Results) -> list[picture.Bar]:
    if found.latency is None:
        return []
    figures = found.latency.measured.figures
    return [
        picture.Bar(label, who, getattr(figures[who], name))
        for label, name in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"))
        for who in (NOTHING, BARE, WIRE)
    ]


def _memory(found: Results) -> picture.Line | None:
    if found.soak is None:
        return None
    measured = found.soak.measured
    return picture.Line(measured.rss_mib, measured.every_s, RSS_LIMIT_MIB)

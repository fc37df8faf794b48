"""`python -m benchmarks`: run the benchmarks, keep the results, write the report.

Everything runs beside its rival in the same session, several times in turn, and every run's destination is checked
record by record. A full run takes about an hour, ten minutes of it at a steady rate to watch memory; `--quick` takes
about ten minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import documents, files, latency, report, results, soak, startup, throughput, transactions
from benchmarks.broker import broker
from benchmarks.cluster import measured as cluster
from benchmarks.consensus import measured as consensus
from benchmarks.processes import RunError
from benchmarks.progress import say
from tests.services.missing import ServiceMissing

PARTS = (
    *("throughput", "transactions", "files", "startup", "latency", "soak"),
    *("mongodb", "elasticsearch", "consensus", "cluster"),
)
_RATE = 10_000.0


class Size(msgspec.Struct, frozen=True):
    """How much each part does."""

    records: int
    rounds: int
    latency_s: int
    latency_rounds: int
    soak_s: int
    documents: int
    document_rounds: int
    consensus: consensus.Size
    cluster: cluster.Size


FULL = Size(2_000_000, 5, 30, 3, 600, 1_000_000, 3, consensus.FULL, cluster.FULL)
QUICK = Size(500_000, 2, 8, 1, 20, 200_000, 2, consensus.QUICK, cluster.QUICK)
_WITHOUT_BROKER = {"files", "consensus"}


async def measure(parts: Sequence[str], size: Size, out: Path) -> None:
    """Run the parts one after the other, and write each one's results as soon as it is done."""
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        if "files" in parts:
            results.write(out, "files", await files.measure(folder, size.records, size.rounds))
        if "consensus" in parts:
            async for name, found in consensus.measure(folder, size.consensus):
                results.write(out, name, found)
        if set(parts) <= _WITHOUT_BROKER:
            return
        async with broker() as kafka:
            if "throughput" in parts:
                done = await throughput.measure(kafka, folder, size.records, size.rounds)
                results.write(out, "throughput", done)
            if "transactions" in parts:
                both = await transactions.measure(kafka, folder, size.records, size.rounds)
                results.write(out, transactions.NAME, both)
            if "startup" in parts:
                results.write(out, "startup", await startup.measure(kafka, folder, size.rounds))
            if "latency" in parts:
                slow = await latency.measure(kafka, folder, _RATE, size.latency_s, size.latency_rounds)
                results.write(out, "latency", slow)
            if "soak" in parts:
                results.write(out, "soak", await soak.measure(kafka, folder, _RATE, size.soak_s))
            if "cluster" in parts:
                async for name, seen in cluster.measure(kafka, folder, size.cluster):
                    results.write(out, name, seen)
            for part, measured in (
                ("mongodb", documents.measure_mongodb),
                ("elasticsearch", documents.measure_elasticsearch),
            ):
                if part in parts:
                    async for job, run in measured(kafka, folder, size.documents, size.document_rounds):
                        results.write(out, job, run)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller runs, kept apart from the published results")
    parser.add_argument("--soak-seconds", type=int, metavar="N", help="how long to watch memory (at least 20)")
    parser.add_argument("--only", action="append", choices=PARTS, help="run this part only (may be repeated)")
    parser.add_argument("--report", action="store_true", help="only write the report from the results there are")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    if arguments.soak_seconds:
        size = msgspec.structs.replace(size, soak_s=max(20, arguments.soak_seconds))
    out = results.QUICK if arguments.quick else results.PUBLISHED
    if not arguments.report:
        try:
            asyncio.run(measure(arguments.only or PARTS, size, out))
        except RunError as problem:
            print(f"the benchmark failed: {problem}", file=sys.stderr)
            return 1
        except ServiceMissing as missing:
            print(missing, file=sys.stderr)
            return 3
    print(report.table(out))
    if out == results.PUBLISHED:
        report.publish(out)
        say(f"wrote {report.PAGE.relative_to(results.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

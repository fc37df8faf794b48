"""The ledger against a deliberately dumb model: a list per partition, scanned from the front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wire.core.records import PartitionId, PartitionKey, Position
from wire.pipelines.engine.ledger import Ledger, Ticket

P = PartitionKey("in", PartitionId("p"))


def track(ledger: Ledger, number: int, key: PartitionKey = P) -> Ticket:
    return ledger.track(key, Position(b"%d" % number), 0.0, records=2, size=10)


def test_the_low_water_waits_for_the_oldest_open_batch() -> None:
    ledger = Ledger()
    first, second = track(ledger, 1), track(ledger, 2)
    ledger.settle(second)
    assert ledger.take() == {}
    ledger.settle(first)
    assert ledger.take() == {P: b"2"}
    assert ledger.take() == {}


def test_a_batch_held_by_a_branch_is_open_until_the_branch_settles_it() -> None:
    ledger = Ledger()
    ticket = track(ledger, 1)
    ledger.hold(ticket)
    ledger.settle(ticket)
    assert (ledger.take(), ledger.pending_batches) == ({}, 1)
    ledger.settle(ticket)
    assert (ledger.take(), ledger.pending_batches) == ({P: b"1"}, 0)


def test_a_partition_is_outstanding_until_all_that_was_read_is_taken() -> None:
    ledger = Ledger()
    assert not ledger.outstanding(P)
    ticket = track(ledger, 1)
    assert ledger.outstanding(P)
    ledger.settle(ticket)
    assert ledger.outstanding(P)
    ledger.take()
    assert not ledger.outstanding(P)


def test_what_a_branch_makes_of_a_batch_counts_as_memory_until_the_batch_is_settled() -> None:
    ledger = Ledger()
    ticket = track(ledger, 1)
    ledger.hold(ticket, 90)
    assert ledger.pending_bytes == 100
    ledger.settle(ticket)
    ledger.settle(ticket)
    assert ledger.pending_bytes == 0


def test_what_is_sealed_is_pending_until_all_of_it_is_settled_whatever_comes_later() -> None:
    ledger = Ledger()
    first, second = track(ledger, 1), track(ledger, 2)
    later = track(ledger, 3)
    ledger.seal(second.number)
    assert ledger.pending_sealed == 2
    ledger.settle(later)
    ledger.settle(second)
    assert ledger.pending_sealed == 1
    ledger.settle(first)
    assert (ledger.pending_sealed, ledger.pending_batches) == (0, 0)
    track(ledger, 4)
    assert ledger.pending_sealed == 0


Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["track", "settle", "hold", "take"]), st.integers(0, 7)), max_size=80)


@given(STEPS)
def test_any_order_of_settling_gives_what_a_scan_from_the_front_gives(steps: list[Step]) -> None:
    ledger = Ledger()
    keys = [PartitionKey("in", PartitionId(str(i))) for i in range(2)]
    model: dict[PartitionKey, list[list[int]]] = {key: [] for key in keys}  # [number, holders], oldest first
    told: dict[PartitionKey, int] = {}
    tickets: list[tuple[Ticket, list[int]]] = []
    for number, (step, choice) in enumerate(steps):
        live = [pair for pair in tickets if pair[1][1]]
        if step == "track":
            key = keys[choice % 2]
            entry = [number, 1]
            model[key].append(entry)
            tickets.append((track(ledger, number, key), entry))
        elif step in ("settle", "hold") and live:
            ticket, entry = live[choice % len(live)]
            entry[1] += 1 if step == "hold" else -1
            (ledger.hold if step == "hold" else ledger.settle)(ticket)
        elif step == "take":
            expected = {}
            for key, entries in model.items():
                done = next((i for i, entry in enumerate(entries) if entry[1]), len(entries))
                if done and entries[done - 1][0] != told.get(key):
                    expected[key] = b"%d" % entries[done - 1][0]
            taken = ledger.take()
            assert taken == expected
            told |= {key: int(position) for key, position in taken.items()}
        pending = [entry for entries in model.values() for entry in entries if entry[1]]
        assert ledger.pending_batches == len(pending)
        assert ledger.pending_records == 2 * len(pending)
        assert ledger.pending_bytes == 10 * len(pending)

"""The order of operations on one id: what is carried out, what is left out, what a refusal brings back."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.sinks.mongodb.chains import Chain, Op, Operation

OPS: Sequence[Op] = ("replace", "merge", "insert", "delete")


def chain_of(*ops: Op) -> Chain:
    chain = Chain()
    for place, op in enumerate(ops):
        chain.add(Operation(place, op, "c", "x", None if op == "delete" else b""))
    return chain


def places(chain: Chain, refused: Sequence[int] = ()) -> list[int]:
    """Carry everything out, save what is refused; return what was tried."""
    tried = []
    while chain:
        operation = chain.next()
        tried.append(operation.place)
        if operation.place in refused:
            chain.refused()
        else:
            chain.done()
    return tried


@pytest.mark.parametrize(
    ("ops", "tried"),
    [
        (("replace",), [0]),
        (("replace", "replace", "replace"), [2]),
        (("merge", "merge", "insert"), [0, 1, 2]),
        (("merge", "replace", "merge", "merge"), [1, 2, 3]),
        (("replace", "merge", "delete", "insert", "merge"), [2, 3, 4]),
        (("insert", "delete"), [1]),
    ],
)
def test_what_a_later_operation_makes_void_is_left_out(ops: Sequence[Op], tried: list[int]) -> None:
    assert places(chain_of(*ops)) == tried


def test_what_a_refused_replacement_would_have_made_void_counts_again() -> None:
    assert places(chain_of("merge", "replace", "replace", "merge"), refused=[2]) == [2, 1, 3]
    assert places(chain_of("insert", "replace"), refused=[1]) == [1, 0]


def outcome(state: frozenset[int] | None, operation: Operation) -> frozenset[int] | None:
    """A document as the set of the places that made it."""
    match operation.op:
        case "replace":
            return frozenset([operation.place])
        case "merge":
            return (state or frozenset()) | {operation.place}
        case "insert":
            return frozenset([operation.place]) if state is None else state
        case "delete":
            return None


@given(st.lists(st.sampled_from(OPS), min_size=1, max_size=12), st.integers(0, 1 << 30), st.booleans())
def test_a_chain_leads_to_what_one_operation_after_the_other_does(ops: list[Op], seed: int, there: bool) -> None:
    rng = random.Random(seed)
    refused = {place for place, op in enumerate(ops) if op != "delete" and rng.random() < 0.3}
    start = frozenset([-1]) if there else None
    expected = start
    for place, op in enumerate(ops):
        if place not in refused:
            expected = outcome(expected, Operation(place, op, "c", "x", None))
    chain, found, last = chain_of(*ops), start, -1
    while chain:
        operation = chain.next()
        if operation.place in refused:
            chain.refused()
        else:
            assert operation.place > last
            found, last = outcome(found, operation), operation.place
            chain.done()
    assert found == expected

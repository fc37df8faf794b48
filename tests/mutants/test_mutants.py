"""The list of repairs is one of this source and of these tests: seen at once, without undoing any of them."""

from __future__ import annotations

import ast

import pytest

from tests.mutants import MUTANTS
from tests.mutants.__main__ import ROOT
from tests.mutants.mutant import Mutant
from tests.sim.raft import test_cluster, test_sequences


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_changes_stands_once_in_the_source_and_leaves_a_program(mutant: Mutant) -> None:
    source = (ROOT / "wire/raft" / mutant.file).read_text()
    assert source.count(mutant.old) == 1
    ast.parse(source.replace(mutant.old, mutant.new))


def test_each_sequence_is_one_that_fails_without_some_repair_of_its_number() -> None:
    sequences = {name for name in vars(test_sequences) if name.startswith("test_")}
    shown = {name for mutant in MUTANTS for name in mutant.sequences}
    assert shown == sequences
    for mutant in MUTANTS:
        assert all(name.startswith(f"test_{mutant.name.split()[0]}_") for name in mutant.sequences)


def test_each_seed_with_a_name_is_one_that_fails_without_some_repair() -> None:
    seeds = {name for name in vars(test_cluster) if name.startswith("test_")} - {"test_nothing_confirmed_is_lost"}
    assert {name for mutant in MUTANTS for name in mutant.seeds} == seeds

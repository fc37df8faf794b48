"""The consensus with one thing undone at a time, to see who notices."""

from tests.mutants.driver import DRIVER
from tests.mutants.repairs import REPAIRS

MUTANTS = [*REPAIRS, *DRIVER]

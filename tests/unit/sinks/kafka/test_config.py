from __future__ import annotations

import pytest

from wire.core.config import MisfitError
from wire.core.units import Duration
from wire.sinks.kafka import Transactions


def test_a_transaction_that_brokers_would_end_is_refused() -> None:
    assert Transactions(interval=Duration(10_000)).interval == Duration(10_000)
    with pytest.raises(MisfitError) as misfit:
        Transactions(interval=Duration(10_001))
    assert misfit.value.hint

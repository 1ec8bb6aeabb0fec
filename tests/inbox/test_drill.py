"""A fault schedule in small; `python -m tests.inbox.drill` holds it with 100,000 deliveries."""

from __future__ import annotations

from tests.inbox.drill import drill
from tests.support.databases import Warehouse


def test_the_tables_equal_those_of_polling_alone_whoever_is_killed(warehouse: Warehouse) -> None:
    outcome = drill(warehouse.url, deliveries=800, seed=3)
    assert outcome.different == dict.fromkeys(outcome.different, 0)
    assert outcome.sent["stored"] > 400
    assert outcome.settled > 80
    assert outcome.unreadable > 0

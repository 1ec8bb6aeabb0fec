"""Credits are reserved in one atomic step, on every database that holds them, whoever races."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.exceptions import BudgetExhausted, InvalidRequest, WrongState
from ringg_provider.launch.budget import Budget
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.reservations import Reservations, budgets
from tests.launch.test_ledger import KEY, intent, item
from tests.support.databases import Warehouse, each_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)
DAY = Budget("renewals", Decimal(100), per="day")

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


@pytest.fixture
def store(database: Warehouse) -> Reservations:
    return Reservations(database.engine)


def left(store: Reservations, at: datetime = NOW, budget: Budget = DAY) -> Decimal:
    return store.standing(budget, "key", at).left


def tried(act: Callable[[], Any]) -> bool:
    try:
        act()
    except BudgetExhausted:
        return False
    return True


def all_at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act(0)`, `act(1)`, ... in threads that are let go together."""
    barrier = threading.Barrier(count)

    def wait_and_act(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_act, range(count)))


def test_of_many_threads_that_want_the_last_credits_as_many_get_them_as_there_are(store: Reservations) -> None:
    taken = all_at_once(8, lambda number: tried(lambda: store.reserve(DAY, f"key-{number}", "w", 30, NOW)))
    assert taken.count(True) == 3
    assert left(store) == 10


def test_attempts_of_one_key_at_once_reserve_once(store: Reservations) -> None:
    found = all_at_once(6, lambda _: store.reserve(DAY, "key", "w", 60, NOW))
    assert len(set(found)) == 1
    assert left(store) == 40


def _reserve_in_a_process(url: str, number: int, ready: Any, answers: Any) -> None:
    engine = sa.create_engine(url)
    store = Reservations(engine)
    ready.wait()
    answers.put(tried(lambda: store.reserve(DAY, f"process-{number}", "w", 40, NOW)))
    engine.dispose()


def test_processes_share_a_budget_too(database: Warehouse) -> None:
    Reservations(database.engine)
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(3), context.Queue()
    url = database.engine.url.render_as_string(hide_password=False)
    workers = [context.Process(target=_reserve_in_a_process, args=(url, n, ready, answers)) for n in range(3)]
    for worker in workers:
        worker.start()
    got = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(got) == [False, True, True]


def test_costs_take_the_place_of_the_estimate_also_late_and_again(
    store: Reservations, caplog: pytest.LogCaptureFixture
) -> None:
    store.reserve(DAY, "key", "w", 30, NOW)
    assert store.settle("key", "w", 12, NOW, final=False).charged == 30  # more is to come
    assert left(store) == 70
    assert store.settle("key", "w", 12, TOMORROW).charged == 12
    assert left(store) == 88
    with caplog.at_level(logging.WARNING):
        settled = store.settle("key", "w", "45.5", TOMORROW)
    assert (settled.overrun, left(store)) == (Decimal("15.5"), Decimal("54.5"))
    assert "45.5 credits, where 30 credits were estimated: 15.5 credits more" in caplog.text
    # It stays what the day cost, whatever is asked of it again.
    assert store.reserve(DAY, "key", "w", 30, TOMORROW) == settled
    assert left(store, TOMORROW) == 100


def test_an_overrun_is_charged_and_the_next_one_finds_less(store: Reservations) -> None:
    store.reserve(DAY, "key", "w", 90, NOW)
    store.settle("key", "w", 120, NOW)
    assert left(store) == -20
    with pytest.raises(BudgetExhausted, match="has 0 credits left") as raised:
        store.reserve(DAY, "other", "w", 1, NOW)
    assert (raised.value.required, raised.value.available) == (1, -20)
    assert raised.value.next_period == "2026-11-27T00:00:00+00:00"


def test_who_has_read_less_and_comes_last_takes_nothing_back(store: Reservations) -> None:
    store.reserve(DAY, "key", "w", 30, NOW)
    assert store.settle("key", "w", 50, NOW, final=False).charged == 50
    assert store.settle("key", "w", 40, NOW, final=False).charged == 50
    assert store.settle("key", "w", 60, NOW).charged == 60
    late = store.settle("key", "w", 30, NOW, final=False)
    assert (late.cost, late.charged, left(store)) == (60, 60, 40)
    assert store.settle("key", "w", 55, NOW).charged == 55, "what was read whole is believed, also where it is less"


def test_what_was_not_started_is_given_back_once(store: Reservations) -> None:
    store.reserve(DAY, "key", "w", 60, NOW)
    all_at_once(4, lambda _: store.release("key", "w", NOW))
    assert left(store) == 100
    assert store.reserve(DAY, "key", "w", 70, NOW).amount == 70
    assert left(store) == 30


def test_what_has_cost_something_is_not_given_back(store: Reservations) -> None:
    store.reserve(DAY, "key", "w", 60, NOW)
    store.settle("key", "w", 1, NOW, final=False)
    store.release("key", "w", NOW)
    assert left(store) == 40
    store.settle("key", "w", 70, NOW)
    store.release("key", "w", NOW)
    assert left(store) == 30


def test_what_a_twin_has_claimed_is_not_given_back(store: Reservations) -> None:
    ledger = LaunchLedger(store.engine)
    ledger.replace_set(KEY, [item("a"), item("b")])
    for list_id in "ab":
        store.reserve(DAY, KEY, list_id, 40, NOW)
    assert ledger.for_key(KEY).claim(intent("a")) is None
    for list_id in "ab":
        store.release(KEY, list_id, NOW)
    assert left(store) == 60


def test_of_a_claim_and_a_release_at_once_no_start_is_without_its_credits(store: Reservations) -> None:
    ledger = LaunchLedger(store.engine)
    lists = [str(number) for number in range(4)]
    ledger.replace_set(KEY, [item(list_id) for list_id in lists])
    for list_id in lists:
        store.reserve(DAY, KEY, list_id, 20, NOW)

    def act(number: int) -> None:
        list_id = lists[number // 2]
        if number % 2:
            store.release(KEY, list_id, NOW)
        elif ledger.for_key(KEY).claim(intent(list_id)) is None:
            store.hold(DAY, KEY, list_id, NOW)

    all_at_once(8, act)
    assert all(found is not None and found.state == "reserved" for found in (store.find(KEY, one) for one in lists))
    assert left(store) == 20


def test_what_was_reserved_and_not_started_is_charged_to_the_day_of_its_start(store: Reservations) -> None:
    store.reserve(DAY, "key", "w", 60, NOW)
    assert store.reserve(DAY, "key", "w", 60, TOMORROW).period == "2026-11-27"
    assert (left(store), left(store, TOMORROW)) == (100, 40)


def test_what_was_started_stays_where_it_was_reserved(store: Reservations) -> None:
    before = store.reserve(DAY, "key", "w", 60, NOW)
    assert store.reserve(DAY, "key", "w", 99, TOMORROW, launched=True) == before
    # Of a start that nobody reserved for, the cost is not lost, whatever is left.
    store.reserve(DAY, "adopted", "w", 80, NOW, launched=True)
    assert left(store) == -40


def test_a_retry_holds_to_the_newest_price(store: Reservations) -> None:
    store.reserve(DAY, "key", "w", 60, NOW)
    assert store.reserve(DAY, "key", "w", 90, NOW).amount == 90
    assert left(store) == 10
    with pytest.raises(BudgetExhausted):
        store.reserve(DAY, "key", "w", 101, NOW)
    assert left(store) == 10
    assert store.reserve(DAY, "key", "w", 20, NOW).amount == 20
    assert left(store) == 80


def test_of_two_dags_the_smaller_number_of_credits_holds(store: Reservations, caplog: pytest.LogCaptureFixture) -> None:
    store.reserve(DAY, "one", "w", 40, NOW)
    with caplog.at_level(logging.WARNING):
        store.reserve(replace(DAY, credits=Decimal(50)), "two", "w", 10, NOW)
    assert "is given 50 credits here and 100 credits elsewhere" in caplog.text
    with pytest.raises(BudgetExhausted):
        store.reserve(DAY, "one", "x", 1, NOW)
    # A period is as long as it holds.
    assert store.reserve(DAY, "one", "x", 90, TOMORROW).amount == 90


@pytest.mark.parametrize("other", [{"per": "month"}, {"per": "launch"}, {"timezone": "Asia/Kolkata"}])
def test_other_periods_under_one_name_are_an_error(store: Reservations, other: dict[str, Any]) -> None:
    store.reserve(DAY, "one", "w", 40, NOW)
    with pytest.raises(InvalidRequest, match="is used per day in UTC") as raised:
        store.reserve(replace(DAY, **other), "two", "w", 1, NOW)
    assert raised.value.field == "budget"
    # A month later it may be another one.
    assert store.reserve(replace(DAY, **other), "two", "w", 1, NOW + timedelta(days=40)).amount == 1


def test_each_launch_has_a_budget_of_its_own(store: Reservations) -> None:
    each = Budget("careful", Decimal(100))
    store.reserve(each, "one", "w1", 90, NOW)
    store.reserve(each, "two", "w1", 90, TOMORROW)
    with pytest.raises(BudgetExhausted) as raised:
        store.reserve(each, "one", "w2", 11, TOMORROW)
    assert raised.value.next_period is None


def test_nothing_is_settled_that_was_not_reserved(store: Reservations) -> None:
    with pytest.raises(WrongState, match="Nothing is reserved"):
        store.settle("key", "w", 1, NOW)
    with pytest.raises(WrongState, match="Nothing is reserved"):
        store.hold(DAY, "key", "w", NOW)
    store.release("key", "w", NOW)
    assert store.find("key", "w") is None


def test_parts_of_a_credit_are_counted(store: Reservations) -> None:
    tenths = Budget("tenths", Decimal("0.3"), per="day")
    for number in range(3):
        store.reserve(tenths, "key", str(number), 0.1, NOW)
    assert left(store, budget=tenths) == 0
    with pytest.raises(BudgetExhausted):
        store.reserve(tenths, "key", "3", "0.000001", NOW)


def test_a_schema_of_its_own_holds_the_tables(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA calling")
    Reservations(warehouse.engine, "calling").reserve(DAY, "key", "w", 60, NOW)
    assert warehouse.query("SELECT period FROM calling.ringg_budgets") == [{"period": "2026-11-26"}]
    assert budgets.name not in warehouse.tables()

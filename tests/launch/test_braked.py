"""A brake that was pulled is final: no start under its key gets past it, whoever tries, whenever."""

from __future__ import annotations

import pytest

from ringg_provider.exceptions import CampaignBraked
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.rollout import Brakes, Observed, Pulled, judge
from ringg_provider.launch.table import Launcher
from tests.launch.test_ledger import KEY, all_at_once, intent, item, states
from tests.support.databases import Warehouse, each_of

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


@pytest.fixture
def ledger(database: Warehouse) -> LaunchLedger:
    return LaunchLedger(database.engine)


@pytest.fixture
def pulled() -> Pulled:
    found = judge(Brakes(opt_outs=0.02), Observed(calls=1_000, reached=1_000, opt_outs=90)).pulled
    assert found is not None
    return found


def test_what_was_not_started_never_is(database: Warehouse, ledger: LaunchLedger, pulled: Pulled) -> None:
    ledger.replace_set(KEY, [item("a"), item("b")])
    assert ledger.for_key(KEY).claim(intent("a")) is None
    ledger.pull_brake(KEY, pulled, Launcher("dag", "run", "task"))
    assert states(database) == {"a": "start_sent", "b": "braked"}
    for attempt in (ledger.for_key(KEY).find, lambda list_id: ledger.for_key(KEY).claim(intent(list_id))):
        with pytest.raises(CampaignBraked, match="opt outs: 90 of 1,000") as raised:
            attempt("b")
        assert (raised.value.brake, raised.value.count) == ("opt_outs", 90)
    # What was started is still found, and adopted.
    assert ledger.for_key(KEY).find("a") is not None


def test_an_upload_under_the_key_changes_nothing(ledger: LaunchLedger, pulled: Pulled) -> None:
    stored = [item("a"), item("b")]
    ledger.replace_set(KEY, stored)
    ledger.pull_brake(KEY, pulled)
    assert ledger.replace_set(KEY, [item("c")]) == stored
    assert ledger.first_start(KEY, stored) is None


def test_a_key_without_lists_is_closed_too(ledger: LaunchLedger, pulled: Pulled) -> None:
    ledger.pull_brake(KEY, pulled)
    with pytest.raises(CampaignBraked):
        ledger.for_key(KEY).claim(intent("first"))
    ledger.replace_set(KEY, [item("a")])
    with pytest.raises(CampaignBraked):
        ledger.for_key(KEY).claim(intent("a"))
    assert ledger.for_key("another key").claim(intent("first")) is None


def test_a_claim_that_is_given_back_afterwards_is_not_taken_again(ledger: LaunchLedger, pulled: Pulled) -> None:
    ledger.replace_set(KEY, [item("a")])
    claiming = ledger.for_key(KEY)
    assert claiming.claim(intent("a")) is None
    ledger.pull_brake(KEY, pulled)
    claiming.forget(intent("a"))
    with pytest.raises(CampaignBraked):
        ledger.for_key(KEY).claim(intent("a"))


def test_the_first_one_stands(ledger: LaunchLedger, pulled: Pulled) -> None:
    assert ledger.braked(KEY) is None
    first = ledger.pull_brake(KEY, pulled)
    worse = judge(Brakes(failures=0.1), Observed(calls=1_000, failures=900)).pulled
    assert worse is not None
    assert ledger.pull_brake(KEY, worse).brake == "opt_outs"
    stands = ledger.braked(KEY)
    assert stands is not None
    assert (stands.said, stands.count) == (first.said, 90)


def test_of_a_claim_and_a_brake_at_once_either_is_first(
    database: Warehouse, ledger: LaunchLedger, pulled: Pulled
) -> None:
    lists = [item(str(number)) for number in range(6)]
    ledger.replace_set(KEY, lists)

    def act(number: int) -> bool:
        if number == 6:
            return ledger.pull_brake(KEY, pulled) is None
        try:
            return ledger.for_key(KEY).claim(intent(str(number))) is None
        except CampaignBraked:
            return False

    claimed = all_at_once(7, act)[:6]
    assert [state == "start_sent" for _, state in sorted(states(database).items())] == claimed
    assert set(states(database).values()) <= {"start_sent", "braked"}

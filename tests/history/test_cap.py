"""Whom the frequency cap protects, and that a cap which cannot be checked protects nobody in silence."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.api.arguments import checked_argument
from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.attempts import attempts_table
from ringg_provider.history.cap import FrequencyCap
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.terms import Intent
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.support.databases import Warehouse, each_of

TODAY = datetime.now(UTC)
LONG_AGO = TODAY - timedelta(days=9)
INDIA = PhoneCleaner("+91")


database = each_of("warehouse", "sqlite_warehouse", "duckdb_warehouse", "mariadb_warehouse")


def protected(database: Warehouse, **cap: Any) -> tuple[set[int], set[int]]:
    """Who is left out as called lately, and as called often enough, by the last digit of the number."""
    exclusions = Exclusions()
    table = cap.pop("calls", calls_table())
    FrequencyCap(table, **cap).exclude(database.engine, exclusions, INDIA)
    return tuple(  # type: ignore[return-value]
        {digit for digit in range(10) if 919876543210 + digit in people}
        for people in (exclusions.called_recently, exclusions.exhausted)
    )


def called(database: Warehouse, digit: int, table: sa.Table | None = None, **facts: Any) -> None:
    calls = calls_table() if table is None else table
    calls.create(database.engine, checkfirst=True)
    number = f"+91987654321{digit}"
    row = {"to_number_e164": number, "to_number": number, "first_read_at": TODAY, **facts}
    with database.engine.begin() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(calls)).scalar_one()
        connection.execute(calls.insert(), {"call_id": f"call {count}", **row})


def test_a_call_of_the_last_days_protects_its_number(database: Warehouse) -> None:
    called(database, 0, created_at=TODAY)
    called(database, 1, created_at=LONG_AGO)
    called(database, 2, created_at=LONG_AGO, attempted_at=TODAY)
    assert protected(database, not_called_within_days=3) == ({0, 2}, set())
    assert protected(database, not_called_within_days=30) == ({0, 1, 2}, set())


def test_in_doubt_about_its_time_a_call_protects(database: Warehouse) -> None:
    called(database, 0, first_read_at=TODAY)
    called(database, 1, first_read_at=None)
    called(database, 2, first_read_at=LONG_AGO)
    assert protected(database, not_called_within_days=3) == ({0, 1}, set())


def test_a_call_that_is_still_open_protects(database: Warehouse) -> None:
    called(database, 0, created_at=LONG_AGO, is_final=False, history_state="open")
    called(database, 1, created_at=LONG_AGO, is_final=False, history_state="incomplete")
    assert protected(database, not_called_within_days=3) == ({0}, set())


def test_as_many_calls_as_are_allowed_protect(database: Warehouse) -> None:
    for digit in (0, 0, 0, 1, 1, 2):
        called(database, digit, created_at=LONG_AGO)
    assert protected(database, max_attempts=2) == (set(), {0, 1})
    assert protected(database, max_attempts=3, not_called_within_days=3) == (set(), {0})


def test_a_number_that_was_called_without_its_country_code_is_the_campaigns_countrys(database: Warehouse) -> None:
    called(database, 0, to_number_e164=None, to_number="98765 43210", created_at=TODAY)
    assert protected(database, not_called_within_days=3, max_attempts=1) == ({0}, {0})


def test_the_log_says_whom_each_limit_that_was_set_holds_back(
    sqlite_warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="ringg_provider")
    called(sqlite_warehouse, 0, created_at=LONG_AGO)
    called(sqlite_warehouse, 0, created_at=LONG_AGO)
    called(sqlite_warehouse, 1, created_at=TODAY)
    lately = (3, timedelta(days=1))
    protected(sqlite_warehouse, max_attempts=2)
    protected(sqlite_warehouse, not_called_within_days=2.5, max_attempts=1, attempts_within=lately)
    protected(sqlite_warehouse, attempts_within=lately, max_attempts=5)
    often, each, none = [message for message in caplog.messages if message.startswith("The cap")]
    assert often == "The cap holds back whom ringg_calls knows: 1 number called 2 times or more."
    assert each == (
        "The cap holds back whom ringg_calls knows: 1 number called within 2 d 12 h, 2 numbers called once or more, no"
        " number called 3 times or more within 1 d."
    )
    assert none == (
        "The cap holds back nobody: ringg_calls knows no number called 5 times or more, or called 3 times or more"
        " within 1 d."
    )


@pytest.mark.parametrize("cap", [{"not_called_within_days": 3}, {"max_attempts": 1}])
class TestWhomItCannotSee:
    """People are called again although the cap would hold them: that is said, with the reason and what to do."""

    def test_calls_without_a_number(
        self, database: Warehouse, cap: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        called(database, 0, created_at=TODAY)
        assert protected(database, **cap) != (set(), set())
        assert warnings_of(caplog) == []
        called(database, 1, to_number_e164=None, to_number=None, created_at=TODAY)
        called(database, 2, to_number_e164=None, to_number=None, created_at=TODAY)
        called(database, 3, to_number_e164=None, to_number=None, created_at=TODAY - timedelta(days=90))
        called(database, 4, to_number_e164=None, to_number=None, created_at=TODAY, erased_at=TODAY)
        protected(database, **cap)
        (said,) = warnings_of(caplog)
        assert said.startswith("2 calls of ringg_calls since ")
        assert "name no number: the cap protects none of those people, who may be called again. Leave them out" in said

    @pytest.mark.parametrize("platform", ["Ringg", "SmartAlex"])
    def test_a_list_that_was_started_and_whose_calls_no_load_has_read(
        self, database: Warehouse, cap: dict[str, Any], platform: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        if database.engine.dialect.name == "duckdb":
            pytest.skip("no state is kept there")
        table = calls_table() if platform == "Ringg" else smartalex_calls_table()
        of_list = "bulk_list_id" if platform == "Ringg" else "campaign_id"
        called(database, 0, table, created_at=TODAY, **{of_list: "read"})
        ledger = LaunchLedger(database.engine)
        flow = "smartalex" if platform == "SmartAlex" else "standard"
        started(ledger, "read", flow)
        started(ledger, "of the other platform", "standard" if flow == "smartalex" else "smartalex")
        ledger.replace_set("listed only", [item("listed", flow)])
        protected(database, calls=table, **cap)
        assert warnings_of(caplog) == []
        started(ledger, "unread", flow)
        protected(database, calls=table, **cap)
        (said,) = warnings_of(caplog)
        assert said.startswith("1 list started since ")
        assert f"has no call in {table.name}, for instance unread: the cap protects nobody on it" in said
        assert f"Load the calls first ({platform}CallsToSqlOperator), or refuse to dial" in said
        assert "runbook, 'Called again although the cap holds them'" in said


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def item(list_id: str, flow: Any) -> LaunchItem:
    return LaunchItem(list_id=list_id, flow=flow, agent_id="agent", country_code="+91", rows=1)


def started(ledger: LaunchLedger, list_id: str, flow: str) -> None:
    ledger.replace_set(f"key of {list_id}", [item(list_id, flow)])
    intents = ledger.for_key(f"key of {list_id}")
    intents.claim(Intent(list_id, "fingerprint", {}))
    intents.confirm(list_id)


@pytest.mark.parametrize("cap", [{"not_called_within_days": 3}, {"max_attempts": 1}])
class TestWhatCannotBeChecked:
    """Before, a missing table was only warned about, and everybody was called."""

    def test_a_table_that_is_not_there_is_an_error(self, database: Warehouse, cap: dict[str, Any]) -> None:
        with pytest.raises(InvalidRequest, match="history_table: there is no table ringg_calls, so nobody") as caught:
            protected(database, **cap)
        assert caught.value.field == "history_table"
        assert "history_table_may_be_missing=True" in str(caught.value)

    def test_unless_the_dag_says_that_there_is_none_yet(
        self, database: Warehouse, cap: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        assert protected(database, may_be_missing=True, **cap) == (set(), set())
        assert "There is no table ringg_calls yet, so nobody counts as called before" in caplog.text
        called(database, 0, created_at=TODAY)
        assert protected(database, may_be_missing=True, **cap) != (set(), set()), "a table that is there is read"

    @pytest.mark.parametrize("name", ["RINGG_CALLS", "calls.ringg_calls"])
    def test_another_case_or_schema_is_an_error_that_names_the_table(
        self, warehouse: Warehouse, cap: dict[str, Any], name: str
    ) -> None:
        called(warehouse, 0, created_at=TODAY)
        with pytest.raises(InvalidRequest, match=rf"no table {name},.* There is public\.ringg_calls: write schema"):
            protected(warehouse, calls=calls_table(name), **cap)

    def test_a_table_of_another_shape_is_refused_by_name(self, database: Warehouse, cap: dict[str, Any]) -> None:
        database.execute("CREATE TABLE ringg_calls (call_id TEXT, to_number_e164 TEXT, created_at TIMESTAMP)")
        with pytest.raises(InvalidRequest, match=r"no table of this platform's calls; it has no .*attempted_at"):
            protected(database, **cap)

    def test_a_table_without_a_call_is_said_aloud(
        self, database: Warehouse, cap: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        calls_table().create(database.engine)
        assert protected(database, **cap) == (set(), set())
        assert [record.levelno for record in caplog.records if "holds no call yet" in record.message] == [
            logging.WARNING
        ]

    def test_calls_that_do_not_say_who_was_called_are_an_error(self, database: Warehouse, cap: dict[str, Any]) -> None:
        # SmartAlex's newer API gives no number.
        table = smartalex_calls_table()
        called(database, 0, table, to_number_e164=None, to_number=None, created_at=TODAY)
        with pytest.raises(InvalidRequest, match="no call in smartalex_calls says which number was called"):
            protected(database, calls=table, **cap)
        called(database, 0, table, created_at=TODAY)
        assert protected(database, calls=table, **cap) != (set(), set())

    def test_what_was_erased_is_no_doubt(self, database: Warehouse, cap: dict[str, Any]) -> None:
        called(database, 0, to_number_e164=None, to_number=None, created_at=LONG_AGO, erased_at=TODAY)
        assert protected(database, **cap) == (set(), set())


def rang(database: Warehouse, call: int, *hours_ago: float) -> None:
    """Let a call be known to have rung at some times."""
    attempts = attempts_table()
    attempts.create(database.engine, checkfirst=True)
    rows = [
        {"call_id": f"call {call}", "rang_in": int((TODAY - timedelta(hours=each)).timestamp()), "read_at": TODAY}
        | {"called_on": TODAY - timedelta(hours=each)}
        for each in hours_ago
    ]
    with database.engine.begin() as connection:
        connection.execute(attempts.insert(), rows)


def often_of_late(database: Warehouse, most: int, hours: float) -> set[int]:
    """Who is left out by `attempts_within`, by the last digit of the number."""
    exclusions = Exclusions()
    FrequencyCap(calls_table(), attempts_within=(most, timedelta(hours=hours)), attempts=attempts_table()).exclude(
        database.engine, exclusions, INDIA
    )
    return {digit for digit in range(10) if 919876543210 + digit in exclusions.exhausted_lately}


def test_a_call_counts_as_often_as_it_is_known_to_have_rung(database: Warehouse) -> None:
    ended = {"created_at": TODAY, "is_final": True, "history_state": "complete"}
    called(database, 0, attempted_at=TODAY - timedelta(hours=1), **ended)
    called(database, 1, attempted_at=TODAY - timedelta(hours=1), **ended)
    called(database, 1, attempted_at=None, **ended)
    rang(database, 0, 3, 2, 1)
    assert protected(database, max_attempts=3, attempts=attempts_table()) == (set(), {0})
    assert protected(database, max_attempts=2, attempts=attempts_table()) == (set(), {0, 1})
    assert protected(database, max_attempts=3) == (set(), set())


def test_a_ring_that_only_the_history_knows_of_counts_too(database: Warehouse) -> None:
    ended = {"created_at": TODAY - timedelta(hours=4), "is_final": True, "history_state": "complete"}
    called(database, 0, attempted_at=TODAY - timedelta(hours=1), **ended)
    rang(database, 0, 3, 2)
    assert protected(database, max_attempts=3, attempts=attempts_table()) == (set(), {0})
    assert often_of_late(database, 3, 24) == {0}


def test_attempts_within_rolls(database: Warehouse) -> None:
    ended = {"created_at": TODAY - timedelta(hours=60), "is_final": True, "history_state": "complete"}
    called(database, 0, attempted_at=TODAY - timedelta(hours=1), **ended)  # three in 24 hours
    rang(database, 0, 23, 22, 1)
    called(database, 1, attempted_at=TODAY - timedelta(hours=1), **ended)  # the first one a day and an hour ago
    rang(database, 1, 25, 22, 1)
    called(database, 2, attempted_at=TODAY - timedelta(hours=1), **ended)  # two calls, no webhook told of either
    called(database, 2, attempted_at=TODAY - timedelta(hours=2), **ended)
    assert often_of_late(database, 3, 24) == {0}
    assert often_of_late(database, 3, 26) == {0, 1}
    assert often_of_late(database, 2, 24) == {0, 1, 2}


def test_a_call_that_may_still_ring_counts_as_one_more_of_late(database: Warehouse) -> None:
    running = {"created_at": TODAY - timedelta(hours=60), "is_final": False, "history_state": "open"}
    called(database, 0, attempted_at=TODAY - timedelta(hours=1), **running)
    rang(database, 0, 2, 1)
    called(database, 1, attempted_at=None, **running)
    assert often_of_late(database, 3, 24) == {0}
    assert often_of_late(database, 1, 24) == {0, 1}


def test_a_ring_of_late_protects_although_the_call_was_made_long_ago(database: Warehouse) -> None:
    called(database, 0, created_at=LONG_AGO, is_final=True, history_state="complete")
    called(database, 1, created_at=LONG_AGO, is_final=True, history_state="complete")
    rang(database, 0, 3)
    assert protected(database, not_called_within_days=3, attempts=attempts_table()) == ({0}, set())


def test_without_a_table_of_attempts_each_call_counts_once_and_that_is_said(
    database: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        called(database, 0, created_at=TODAY)
    assert often_of_late(database, 2, 24) == {0}
    assert often_of_late(database, 3, 24) == set()
    assert "attempts_within counts each call once" in caplog.text


def test_attempts_within_counts_smartalexs_calls_each_of_which_is_an_attempt(database: Warehouse) -> None:
    table = smartalex_calls_table()
    for hours in (1, 2, 30):
        called(database, 0, table, created_at=TODAY - timedelta(hours=hours), first_read_at=None)
    exclusions = Exclusions()
    FrequencyCap(table, attempts_within=(2, timedelta(hours=24))).exclude(database.engine, exclusions, INDIA)
    assert 919876543210 in exclusions.exhausted_lately
    exclusions = Exclusions()
    FrequencyCap(table, attempts_within=(3, timedelta(hours=24))).exclude(database.engine, exclusions, INDIA)
    assert not exclusions.exhausted_lately


@pytest.mark.parametrize("given", [(3, timedelta(hours=24)), [3, timedelta(hours=24)]])
def test_attempts_within_is_a_number_and_a_length_of_time(given: Any) -> None:
    assert checked_argument(SqlToRinggOperator, "attempts_within", given) == (3, timedelta(hours=24))


@pytest.mark.parametrize("given", [(0, timedelta(hours=24)), (3, 24), (3,), 3, "3", (3, timedelta(hours=-1))])
def test_anything_else_is_refused_by_its_name(given: Any) -> None:
    with pytest.raises(InvalidRequest, match="attempts_within"):
        checked_argument(SqlToRinggOperator, "attempts_within", given)

"""Calls joined back to people, and the refusal to dial before they are."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.contacts.people import people_table
from ringg_provider.exceptions import HistoryNotCurrent, InvalidRequest, TransientError
from ringg_provider.history.outcomes import create_outcomes_view
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.launch.table import launches
from ringg_provider.warehouse import create_ringg_tables, require_history_within

NOW = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
NIGHT = dt.timedelta(hours=24)
CONTACTS, CALLS, CAMPAIGNS = people_table(), calls_table(), campaigns_table()
_ids = itertools.count(1)


class Warehouse:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        for table in (CONTACTS, CALLS, CAMPAIGNS):
            table.create(engine)
        create_outcomes_view(engine, CONTACTS, CALLS)

    def insert(self, table: sa.Table, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.insert(table).values(**values))

    def contact(self, key: str, phone: str, list_id: str = "list", **values: Any) -> None:
        values = {"launch_key": list_id, "occurrence": 1, "disposition": "listed", "recorded_at": NOW, **values}
        self.insert(CONTACTS, contact_key=key, phone=phone, list_id=list_id, **values)

    def call(self, phone: str, status: str, list_id: str = "list", minutes: int = 0, **values: Any) -> None:
        values = {"history_state": "complete", "attempted_at": NOW + dt.timedelta(minutes=minutes), **values}
        self.insert(
            CALLS, call_id=f"c{next(_ids)}", bulk_list_id=list_id, to_number_e164=phone, status=status, **values
        )

    def outcomes(self) -> dict[str, Any]:
        with self.engine.connect() as connection:
            return {row.contact_key: row for row in connection.execute(sa.text("SELECT * FROM ringg_outcomes"))}


@pytest.fixture
def warehouse_of(engine: sa.Engine) -> Warehouse:
    return Warehouse(engine)


def test_each_contact_key_has_one_outcome(warehouse_of: Warehouse) -> None:
    warehouse = warehouse_of
    warehouse.contact("reached", "+911")
    warehouse.call("+911", "failed", minutes=1, cost=1)
    warehouse.call("+911", "completed", minutes=2, classification="interested", callback_requested=True, cost=2)
    warehouse.contact("machine", "+912")
    warehouse.call("+912", "completed", voicemail_detected=True)
    warehouse.contact("machine by its word", "+913")
    warehouse.call("+913", "completed", sub_status="VOICEMAIL_DETECTED_VIA_LLM")
    warehouse.contact("waiting", "+914")
    warehouse.call("+914", "retry", history_state="open")
    warehouse.contact("not called", "+915")
    warehouse.contact("rejected", "+916", disposition="invalid_number")
    found = warehouse.outcomes()
    assert set(found) == {"reached", "machine", "machine by its word", "waiting", "not called"}
    assert [
        bool(found[key].reached) for key in ("reached", "machine", "machine by its word", "waiting", "not called")
    ] == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert bool(found["waiting"].open)
    assert not bool(found["reached"].open)
    best = found["reached"]
    assert (best.status, best.classification, best.calls, float(best.cost)) == ("completed", "interested", 2, 3.0)
    assert (found["not called"].calls, found["not called"].status, found["not called"].called_at) == (0, None, None)


def test_a_person_on_several_lists_is_reached_when_any_of_them_reached_them(warehouse_of: Warehouse) -> None:
    warehouse = warehouse_of
    warehouse.contact("p", "+911", "first")
    warehouse.contact("p", "+911", "second")
    warehouse.call("+911", "completed", "first", minutes=1)
    warehouse.call("+911", "failed", "second", minutes=2)
    found = warehouse.outcomes()["p"]
    assert (bool(found.reached), found.lists, found.calls, found.status) == (True, 2, 2, "failed")


def test_the_number_on_another_list_is_not_the_same_contact(warehouse_of: Warehouse) -> None:
    warehouse_of.contact("p", "+911", "mine")
    warehouse_of.call("+911", "completed", "somebody elses")
    assert not bool(warehouse_of.outcomes()["p"].reached)


def test_making_the_view_twice_is_harmless(warehouse_of: Warehouse) -> None:
    create_outcomes_view(warehouse_of.engine, CONTACTS, CALLS)


def test_a_view_of_another_table_is_not_taken_for_ours(warehouse_of: Warehouse) -> None:
    with pytest.raises(InvalidRequest, match="does not read my_contacts"):
        create_ringg_tables(warehouse_of.engine, contacts_table="my_contacts")
    with pytest.raises(InvalidRequest, match="does not read contacts"):
        create_outcomes_view(warehouse_of.engine, people_table("contacts"), CALLS)


def test_the_tables_can_have_other_names(sqlite: sa.Engine) -> None:
    for _ in range(2):
        create_ringg_tables(
            sqlite, contacts_table="people", table="calls", campaigns_table="campaigns", callbacks_table="promises"
        )
    made = {"people", "calls", "campaigns", "ringg_attempts", "ringg_history_state", "ringg_call_counts", "promises"}
    assert set(sa.inspect(sqlite).get_table_names()) == made
    with pytest.raises(InvalidRequest, match="another one is given"):
        people_table("mk.people", "mk")


def campaign(warehouse: Warehouse, campaign_id: str, **values: Any) -> None:
    values = {
        "state": "completed",
        "history_state": "complete",
        "campaign_end_time": NOW - dt.timedelta(hours=8),
        **values,
    }
    warehouse.insert(CAMPAIGNS, campaign_id=campaign_id, **values)


def launched(warehouse: Warehouse, list_id: str, *, hours_ago: float, state: str = "started") -> None:
    launches.create(warehouse.engine, checkfirst=True)
    warehouse.insert(
        launches,
        launch_key=list_id,
        list_id=list_id,
        slot="0",
        set_id="s",
        digest="d",
        state=state,
        item={},
        listed_at=NOW,
        start_sent_at=NOW - dt.timedelta(hours=hours_ago),
    )


def test_dialling_is_allowed_when_last_nights_campaigns_are_closed(warehouse_of: Warehouse) -> None:
    campaign(warehouse_of, "closed")
    campaign(warehouse_of, "given up", history_state="incomplete")
    launched(warehouse_of, "closed", hours_ago=12)
    assert require_history_within(warehouse_of.engine, NIGHT, now=NOW) == 2


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"history_state": "open", "history_reason": "calls await their last status"}, "await their last status"),
        ({"history_state": "open", "state": "running", "history_reason": "campaign is running"}, "is running"),
        ({"history_state": "open", "state": None, "campaign_end_time": None}, "still open"),
    ],
)
def test_dialling_is_refused_while_a_recent_campaign_is_open(
    warehouse_of: Warehouse, values: dict[str, Any], word: str
) -> None:
    campaign(warehouse_of, "fine")
    campaign(warehouse_of, "open", **values)
    with pytest.raises(HistoryNotCurrent, match="1 of 2 campaigns.*for instance open.*" + word) as caught:
        require_history_within(warehouse_of.engine, NIGHT, now=NOW)
    assert isinstance(caught.value, TransientError)


def test_an_analysis_that_is_still_to_come_does_not_hold_up_the_night_unless_it_is_asked_for(
    warehouse_of: Warehouse,
) -> None:
    campaign(warehouse_of, "known", history_state="open", history_reason="calls await their analysis or recording")
    assert require_history_within(warehouse_of.engine, NIGHT, now=NOW) == 1
    with pytest.raises(HistoryNotCurrent, match="analysis"):
        require_history_within(warehouse_of.engine, NIGHT, now=NOW, complete=True)


def test_dialling_is_refused_when_a_launch_never_reached_the_tables(warehouse_of: Warehouse) -> None:
    launched(warehouse_of, "unknown", hours_ago=12)
    with pytest.raises(HistoryNotCurrent, match="never loaded"):
        require_history_within(warehouse_of.engine, NIGHT, now=NOW)


def test_a_start_that_may_have_been_sent_counts_as_a_launch(warehouse_of: Warehouse) -> None:
    launched(warehouse_of, "unsure", hours_ago=12, state="start_sent")
    with pytest.raises(HistoryNotCurrent):
        require_history_within(warehouse_of.engine, NIGHT, now=NOW)


def test_what_is_long_ago_or_never_began_does_not_matter(warehouse_of: Warehouse) -> None:
    campaign(warehouse_of, "old", history_state="open", campaign_end_time=NOW - dt.timedelta(days=9))
    campaign(warehouse_of, "draft", history_state="open", state="draft")
    launched(warehouse_of, "old launch", hours_ago=200)
    launched(warehouse_of, "only listed", hours_ago=1, state="listed")
    assert require_history_within(warehouse_of.engine, NIGHT, now=NOW) == 0


@pytest.mark.parametrize("state", ["completed", "failed", "terminated"])
def test_a_list_that_was_never_started_does_not_hold_up_the_night(warehouse_of: Warehouse, state: str) -> None:
    campaign(warehouse_of, "idle", state=state, history_state="open", history_reason="no call yet")
    assert require_history_within(warehouse_of.engine, NIGHT, now=NOW) == 1


@pytest.mark.parametrize(("state", "refused"), [("completed", True), (None, True), ("failed", False)])
def test_a_launched_list_without_a_call_holds_it_up_unless_it_came_to_nothing(
    warehouse_of: Warehouse, state: str | None, refused: bool
) -> None:
    campaign(warehouse_of, "launched", state=state, history_state="open", history_reason="no call yet")
    launched(warehouse_of, "launched", hours_ago=12)
    if not refused:
        assert require_history_within(warehouse_of.engine, NIGHT, now=NOW) == 1
        return
    with pytest.raises(HistoryNotCurrent, match="no call yet"):
        require_history_within(warehouse_of.engine, NIGHT, now=NOW)


@pytest.mark.parametrize(
    "values",
    [
        # Looked at before its start, and never since.
        {"state": "scheduled", "read_at": 17, "campaign_start_time": 15, "campaign_end_time": 11},
        {"state": "draft", "read_at": 17, "campaign_start_time": 15, "campaign_end_time": 11},
        # It was to begin, and had not yet.
        {"state": "scheduled", "read_at": 14, "campaign_start_time": 15, "campaign_end_time": 11},
        # Its calls say that it ran, whatever its state.
        {"state": "insufficient_balance", "read_at": 2, "calls": 9, "calls_open": 1},
        {"state": "not_a_campaign", "read_at": 2, "calls": 9, "calls_open": 1},
        # Planned to have ended long ago, but the last call is fresh.
        {"state": "running", "read_at": 2, "campaign_end_time": 200, "last_call_at": 3},
    ],
)
def test_a_campaign_that_may_have_called_since_it_was_looked_at_holds_up_the_night(
    warehouse_of: Warehouse, values: dict[str, Any]
) -> None:
    moments = {
        name: NOW - dt.timedelta(hours=value) if name.endswith(("_at", "_time")) else value
        for name, value in values.items()
    }
    campaign(warehouse_of, "unsure", **{"history_state": "open", "history_reason": "not started", **moments})
    with pytest.raises(HistoryNotCurrent, match="1 of 1 campaigns"):
        require_history_within(warehouse_of.engine, NIGHT, now=NOW)


def test_a_campaign_that_is_still_to_begin_does_not_hold_up_the_night(warehouse_of: Warehouse) -> None:
    times = {"read_at": NOW - dt.timedelta(hours=1), "campaign_start_time": NOW + dt.timedelta(hours=9)}
    campaign(warehouse_of, "tomorrow", state="scheduled", history_state="open", campaign_end_time=None, **times)
    assert require_history_within(warehouse_of.engine, NIGHT, now=NOW) == 0


def test_a_campaign_that_was_still_to_begin_after_its_end_does_not_hold_up_the_night(warehouse_of: Warehouse) -> None:
    times = {"campaign_start_time": NOW - dt.timedelta(hours=15), "campaign_end_time": NOW - dt.timedelta(hours=11)}
    values = {"state": "scheduled", "history_state": "open", "read_at": NOW - dt.timedelta(hours=1)}
    campaign(warehouse_of, "never began", **times, **values)
    assert require_history_within(warehouse_of.engine, NIGHT, now=NOW) == 0

"""What the platform says becomes a row, whatever it says."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.history.merging import CallStore, Wanted
from ringg_provider.history.rows import call_row, campaign_row, details_row, transcript
from ringg_provider.history.tables import (
    ANALYSIS_MISSING,
    COST_MISSING,
    RECORDING_MISSING,
    STATUS_MISSING,
    calls_table,
)
from ringg_provider.ringg.responses import Call, CallDetails, Campaign

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
EARLIER, LATER = NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1)


def history(**fields: Any) -> Call:
    return Call.read({"id": "c1", "status": "completed", **fields})


def row(**fields: Any) -> dict[str, Any]:
    at = fields.pop("read_at", NOW)
    return call_row(history(**fields), bulk_list_id=fields.pop("list", None), read_at=at, transcripts=True)


def details(**fields: Any) -> dict[str, Any]:
    at = fields.pop("read_at", NOW)
    body = {"id": "c1", "call_status": "completed", **fields}
    return details_row(CallDetails.read({"status": "success", "data": body}), read_at=at, transcripts=True)


class Table:
    """The table of calls, merged into the way a load does it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.calls = engine, calls_table()
        self.calls.create(engine, checkfirst=True)

    def merge(self, *rows: dict[str, Any], **wanted: bool) -> None:
        for each in rows:
            CallStore(self.engine, self.calls, Wanted(**wanted), lambda: NOW).merge([each])

    @property
    def only(self) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(sa.select(self.calls)).one()


@pytest.fixture
def table(engine: sa.Engine) -> Table:
    return Table(engine)


def test_both_shapes_of_a_transcript_become_one() -> None:
    text = '[{"bot": "Hello"}, {"user": "Yes", "timestamp": 3}]'
    expected = [{"speaker": "bot", "text": "Hello"}, {"speaker": "user", "text": "Yes", "timestamp": 3}]
    assert row(transcript=text)["transcript"] == expected
    assert details(transcription_url=json.loads(text))["transcript"] == expected
    assert details(transcription_url=text)["transcript"] == expected


@pytest.mark.parametrize("nothing", [None, "", "[]", []])
def test_a_transcript_without_a_word_is_null(nothing: Any) -> None:
    assert row(transcript=nothing)["transcript"] is None


def test_other_spellings_of_a_turn_are_understood() -> None:
    assert transcript([{"role": "assistant", "content": "Hi"}, {"text": "all of it"}]) == [
        {"speaker": "assistant", "text": "Hi"},
        {"speaker": None, "text": "all of it"},
    ]


def test_transcripts_can_be_left_out_everywhere() -> None:
    call = history(transcript='[{"bot": "secret word"}]')
    found = call_row(call, bulk_list_id=None, read_at=NOW, transcripts=False)
    assert "secret word" not in json.dumps(found, default=str)


def test_a_field_that_nobody_knows_lands_in_the_json_column(table: Table) -> None:
    table.merge(row(brand_new={"deep": [1, "two"]}, agent={"id": "a", "agent_name": "N", "mood": "fine"}))
    assert table.only.raw["brand_new"] == {"deep": [1, "two"]}
    assert table.only.raw["agent"]["mood"] == "fine"
    table.merge(details(metrics=[{"score": 1}], read_at=LATER))
    assert table.only.details_raw == {"metrics": [{"score": 1}]}


def test_the_list_that_was_asked_for_is_noted_unless_the_row_knows_better() -> None:
    assert call_row(history(), bulk_list_id="asked", read_at=NOW, transcripts=True)["bulk_list_id"] == "asked"
    own = call_row(history(bulk_list_id="own"), bulk_list_id="asked", read_at=NOW, transcripts=True)
    assert own["bulk_list_id"] == "own"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(fields=st.dictionaries(st.sampled_from(sorted(Call.model_fields)), json_values), more=json_values)
@settings(max_examples=60, deadline=None)
def test_no_value_of_any_field_makes_a_load_fail(fields: dict[str, Any], more: Any) -> None:
    fields.pop("raw", None)
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    Table(engine).merge(row(**{**fields, "id": "c1", "unknown": more}))


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "NUL\x00 and half a \ud83d character", "transcript": [{"bot": "\x00\ud800"}]},
        {"\x00key": {"\ud800": "\x00"}},
        {"call_cost": 1e300, "call_duration": 1e300},
        {"call_cost": "NaN", "call_duration": float("inf")},
        {"status": "x" * 5000, "call_type": "y" * 5000, "sub_status": "z" * 5000},
        {"created_at": "0001-01-01T00:00:00+14:00"},
        {"created_at": "not a time", "call_attempt_time": 12},
    ],
    ids=lambda fields: next(iter(fields)).strip("\x00"),
)
def test_values_that_databases_refuse_are_made_fit(table: Table, fields: dict[str, Any]) -> None:
    table.merge(row(**fields))
    assert table.only.call_id == "c1"


def test_an_end_never_becomes_a_retry_again(table: Table) -> None:
    table.merge(row(status="completed", read_at=EARLIER), row(status="retry", read_at=LATER))
    assert table.only.status == "completed"


def test_of_two_readings_that_are_equally_far_on_the_later_one_stands(table: Table) -> None:
    table.merge(row(status="retry", read_at=LATER), row(status="ongoing", read_at=EARLIER))
    assert table.only.status == "retry"
    table.merge(row(status="error", read_at=LATER), row(status="completed", read_at=LATER + dt.timedelta(hours=1)))
    assert table.only.status == "completed"


def test_what_is_known_is_not_lost_when_a_later_reading_says_nothing(table: Table) -> None:
    table.merge(
        row(list="l", call_cost=0.5, credits_processed=True, call_duration=3, read_at=EARLIER),
        details(platform_analysis={"summary": "s", "callback_requested": True}, read_at=NOW),
        row(read_at=LATER),
    )
    found = table.only
    assert (found.summary, found.callback_requested, float(found.cost)) == ("s", True, 0.5)
    assert found.history_state == "complete"


def test_the_analysis_becomes_columns_and_the_rest_stays_json(table: Table) -> None:
    block = {
        "summary": "Wants a call back.",
        "classification": "callback",
        "sentiment": "neutral",
        "callback_requested": "yes",
        "callback_requested_time": "tomorrow 5 pm",
        "call_disconnect_reason": "user_hangup",
        "key_points": ["a", "b"],
    }
    table.merge(row(), details(platform_analysis=block, client_analysis={"score": 7}, read_at=LATER))
    found = table.only
    assert (found.summary, found.classification, found.sentiment) == ("Wants a call back.", "callback", "neutral")
    assert (found.callback_requested, found.callback_requested_time) == (True, "tomorrow 5 pm")
    assert found.disconnect_reason == "user_hangup"
    assert found.platform_analysis == block
    assert found.client_analysis == {"score": 7}


@pytest.mark.parametrize(
    ("rows", "state", "reason"),
    [
        ([{"status": "retry"}], "open", STATUS_MISSING),
        ([{"status": "something new"}], "open", STATUS_MISSING),
        ([{"credits_processed": False, "call_cost": 1}], "open", COST_MISSING),
        ([{}], "open", COST_MISSING),
        ([{"call_cost": 1}], "open", ANALYSIS_MISSING),
        ([{"call_cost": 1, "call_duration": 0}], "complete", None),
        ([{"status": "failed"}], "complete", None),
        ([{"status": "failed", "credits_processed": False}], "open", COST_MISSING),
        (
            [{"status": "failed", "credits_processed": True}, {"status": "failed", "credits_processed": False}],
            "complete",
            None,
        ),
    ],
)
def test_a_row_says_what_it_still_lacks(
    table: Table, rows: list[dict[str, Any]], state: str, reason: str | None
) -> None:
    table.merge(*(row(**fields, read_at=NOW + dt.timedelta(minutes=n)) for n, fields in enumerate(rows)))
    assert (table.only.history_state, table.only.history_reason) == (state, reason)


@pytest.mark.parametrize("word", ["callback", "voicemail"])
def test_the_details_do_not_blur_what_kind_of_call_it_was(table: Table, word: str) -> None:
    table.merge(row(call_type=word), details(call_direction="outbound", read_at=LATER))
    assert table.only.call_type == word


def test_the_details_say_what_kind_of_call_it_was_until_the_history_does(table: Table) -> None:
    table.merge(row(), details(call_direction="outbound", read_at=LATER))
    assert table.only.call_type == "outbound"
    table.merge(row(call_type="callback", read_at=LATER), row(read_at=LATER))
    assert table.only.call_type == "callback"


def test_a_call_without_a_status_is_not_final_and_takes_none_away(table: Table) -> None:
    table.merge(row(status=None, read_at=EARLIER), row(status=None))
    assert (table.only.status, table.only.is_final, table.only.status_since) == (None, False, EARLIER)
    table.merge(row(status="failed"), row(status=None, read_at=LATER))
    assert (table.only.status, table.only.is_final) == ("failed", True)


def test_a_count_that_no_column_can_hold_says_nothing() -> None:
    campaign = Campaign.read({"id": "l", "campaign_status": "ongoing", "total_count": 10**30, "completed_count": 3})
    found = campaign_row(campaign, read_at=NOW)
    assert (found["total_count"], found["completed_count"]) == (None, 3)


def test_a_recording_is_waited_for_only_when_it_is_wanted(table: Table) -> None:
    ended = {"status": "failed", "audio_recording": "https://x.example/a.mp3"}
    table.merge(row(**ended))
    assert table.only.history_state == "complete"
    table.merge(row(**ended, read_at=LATER), recording=True)
    assert table.only.history_reason == RECORDING_MISSING


def test_the_agents_own_analysis_is_waited_for_only_when_it_is_wanted(table: Table) -> None:
    analysed = [row(call_cost=1), details(platform_analysis={"summary": "s"})]
    table.merge(*analysed)
    assert table.only.history_state == "complete"
    table.merge(*analysed, client_analysis=True)
    assert table.only.history_reason == ANALYSIS_MISSING


def test_a_row_whose_personal_data_were_erased_is_never_written_again(table: Table) -> None:
    table.merge(row(name="Asha"))
    with table.engine.begin() as connection:
        connection.execute(sa.update(table.calls).values(callee_name=None, erased_at=NOW))
    table.merge(row(name="Asha", read_at=LATER))
    assert table.only.callee_name is None


def test_changed_at_moves_only_when_there_is_something_new(table: Table) -> None:
    table.merge(row(status="retry", read_at=EARLIER))
    table.merge(row(status="retry", read_at=NOW))
    assert table.only.changed_at == EARLIER
    assert table.only.read_at == NOW
    table.merge(row(status="completed", read_at=LATER))
    assert table.only.changed_at == LATER
    table.merge(details(platform_analysis={"summary": "s"}, read_at=LATER + dt.timedelta(hours=1)))
    assert table.only.changed_at == LATER + dt.timedelta(hours=1)

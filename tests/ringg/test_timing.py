"""What a DAG says of times, `scheduled_at` and `call_slots` becomes what is sent, or one error that names the rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
import pytest
import time_machine

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.plan import WindowPlan
from ringg_provider.hours.schedule import DailyWindow, resolve_schedule
from ringg_provider.ringg.requests import CallConfig, CallSlots
from ringg_provider.ringg.timing import (
    as_call_config,
    as_call_slots,
    call_config_of,
    call_slots_of,
    check_scheduled_at,
    planned_time,
    schedule_of,
    spans_ahead,
    window_of,
)

NOON = datetime(2027, 3, 1, 6, 30, tzinfo=UTC)  # 12:00 on a Monday in India
IST = "Asia/Kolkata"


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def config(**times: Any) -> CallConfig:
    return as_call_config(
        {"call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": IST, **times}}
    )


def local(text: str) -> datetime:
    return pendulum.parse(text, tz=IST)  # type: ignore[return-value]


def intervals(*spans: tuple[str, str]) -> dict[str, Any]:
    return {"mode": "absolute", "intervals": [{"start": start, "end": end} for start, end in spans]}


def weekly(until: str, *, days: tuple[str, ...] = ("mon",), start: str = "13:00", end: str = "14:00") -> dict[str, Any]:
    return {"mode": "weekly", "until": until, "windows": [{"days": list(days), "start": start, "end": end}]}


class TestModels:
    def test_a_dict_and_a_model_are_the_same(self) -> None:
        assert as_call_config(config()) is not None
        assert as_call_config(config().wire()) == config()
        slots = intervals(("01/03/2027, 13:00", "01/03/2027, 14:00"))
        assert as_call_slots(slots) == as_call_slots(CallSlots(**slots))

    @pytest.mark.parametrize(
        ("read", "given", "field"),
        [
            (as_call_config, "{}", "call_config"),
            (as_call_config, {}, "call_config.call_time"),
            (as_call_config, {"call_time": {"call_start_time": "9:00"}}, "call_config.call_time.call_start_time"),
            (as_call_slots, [], "call_slots"),
            (as_call_slots, {"mode": "weekly"}, "call_slots.windows"),
            (
                as_call_slots,
                intervals(("01/03/2027, 13:00", "01/03/2027, 12:00")),
                "call_slots.intervals.0.end",
            ),
        ],
    )
    def test_what_breaks_a_rule_is_named_as_the_operators_call_it(self, read: Any, given: Any, field: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read(given)
        assert caught.value.field == field
        assert str(caught.value).startswith(field.partition(".")[0])


class TestScheduledAt:
    def test_one_that_is_ahead_is_read_in_the_campaigns_zone(self) -> None:
        assert check_scheduled_at(config(scheduled_at="2027-03-01T12:01:00")) == local("2027-03-01T12:01")
        assert check_scheduled_at(config()) is None

    @pytest.mark.parametrize("scheduled_at", ["2027-03-01T12:00:00", "2027-03-01T06:31:00", "2026-12-31T23:59:00"])
    def test_one_that_has_passed_is_refused_before_anything_is_sent(self, scheduled_at: str) -> None:
        with pytest.raises(InvalidRequest, match="must be in the future") as caught:
            schedule_of(config(scheduled_at=scheduled_at), None, None)
        assert caught.value.field == "call_config.call_time.scheduled_at"

    def test_one_that_leaves_no_time_to_dial_in_is_refused(self) -> None:
        with pytest.raises(InvalidRequest, match=r"scheduled_at: .*nobody would be called"):
            schedule_of(config(scheduled_at="2027-03-01T19:00:00"), None, None)
        late = config(scheduled_at="2027-03-01T18:59:00")
        assert schedule_of(late, None, None).wire_end == "01/03/2027, 19:00"

    def test_no_call_is_expected_before_it(self) -> None:
        held = config(scheduled_at="2027-03-01T15:00:00")
        assert spans_ahead(held, "2027-03-01T13:00", None, None, NOON) == [
            (local("2027-03-01T15:00"), local("2027-03-01T19:00"))
        ]
        assert spans_ahead(held, None, None, None, NOON) == [(local("2027-03-01T15:00"), local("2027-03-01T19:00"))]

    def test_of_a_list_that_was_saved_with_it_it_may_pass_before_the_start(self) -> None:
        saved = config(scheduled_at="2027-03-01T11:00:00")
        assert spans_ahead(saved, "2027-03-01T10:30", None, None, NOON) == [
            (local("2027-03-01T12:00"), local("2027-03-01T19:00"))
        ]


class TestSpansAhead:
    def test_nothing_planned_is_the_next_open_window(self) -> None:
        assert spans_ahead(config(), None, None, None, NOON) is None

    def test_a_campaign_whose_hours_are_over_has_none(self) -> None:
        assert spans_ahead(config(), "2027-02-26T10:00", "2027-02-28T19:00", None, NOON) == []

    def test_a_date_is_its_midnight(self) -> None:
        assert spans_ahead(config(), date(2027, 3, 2), date(2027, 3, 3), None, NOON) == [
            (local("2027-03-02T10:00"), local("2027-03-02T19:00"))
        ]

    def test_slots_are_cut_to_what_is_ahead(self) -> None:
        slots = intervals(("01/03/2027, 11:00", "01/03/2027, 12:30"), ("02/03/2027, 10:00", "02/03/2027, 11:00"))
        assert spans_ahead(config(), None, "2027-03-02T10:30", slots, NOON) == [
            (local("2027-03-01T12:00"), local("2027-03-01T12:30")),
            (local("2027-03-02T10:00"), local("2027-03-02T10:30")),
        ]

    @pytest.mark.parametrize(("end", "ahead"), [("12:04", False), ("12:05", True)])
    def test_the_last_slot_must_end_five_minutes_from_now(self, end: str, ahead: bool) -> None:
        slots = intervals(("01/03/2027, 11:00", f"01/03/2027, {end}"))
        assert bool(spans_ahead(config(), None, None, slots, NOON)) is ahead

    def test_weekly_slots_begin_now_when_no_start_is_given(self) -> None:
        assert spans_ahead(config(), None, None, weekly("09/03/2027, 00:00"), NOON) == [
            (local("2027-03-01T13:00"), local("2027-03-01T14:00")),
            (local("2027-03-08T13:00"), local("2027-03-08T14:00")),
        ]

    def test_weekly_slots_reach_no_further_than_90_days_from_now(self) -> None:
        with pytest.raises(InvalidRequest, match=r"call_slots\.until: must be at most 90 days"):
            spans_ahead(config(), None, None, weekly("01/06/2027, 00:00"), NOON)

    def test_weekly_slots_are_at_most_100_from_now(self) -> None:
        week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        slots = weekly("29/05/2027, 00:00", days=week)
        slots["windows"] += [{"days": list(week), "start": "16:00", "end": "17:00"}]
        with pytest.raises(InvalidRequest, match=r"call_slots\.windows: .*100 slots"):
            spans_ahead(config(), None, None, slots, NOON)


class TestPlannedTime:
    @pytest.mark.parametrize(
        "planned", ["2027-03-01T13:00", "01/03/2027, 13:00", "2027-03-01T07:30:00+00:00", local("2027-03-01T13:00")]
    )
    def test_every_form_means_the_same_moment(self, planned: Any) -> None:
        assert planned_time(config(), planned, "planned_start") == local("2027-03-01T13:00")

    def test_without_a_zone_it_needs_the_campaigns(self) -> None:
        with pytest.raises(InvalidRequest, match="planned_start: give its zone"):
            planned_time(None, "2027-03-01T13:00", "planned_start")
        assert planned_time(None, "2027-03-01T07:30:00Z", "planned_start") == local("2027-03-01T13:00")
        assert planned_time(None, None, "planned_start") is None


class TestPlans:
    def plan(self, **changes: Any) -> WindowPlan:
        window = DailyWindow.from_call_time("11:00", "12:30", IST)
        return WindowPlan(window, resolve_schedule(window, local("2027-03-02T11:00"), None), **changes)

    def test_a_plans_window_and_limit_of_attempts_replace_what_was_asked_for(self) -> None:
        asked = CallConfig(**config().wire(), call_retry_config={"retry_count": 3})
        planned = call_config_of(self.plan(max_attempts_per_day=2), asked)
        assert window_of(planned) == self.plan().window
        assert planned.call_retry_config is not None
        assert planned.call_retry_config.retry_count == 1
        assert asked.call_retry_config is not None
        assert asked.call_retry_config.retry_count == 3

    def test_slots_are_written_in_the_wires_form(self) -> None:
        assert call_slots_of(self.plan()) is None
        span = (local("2027-03-02T11:00"), local("2027-03-02T11:00") + timedelta(minutes=45))
        assert call_slots_of(self.plan(call_slots=(span,))) == intervals(("02/03/2027, 11:00", "02/03/2027, 11:45"))

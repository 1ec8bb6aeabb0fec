"""Window plans: what is sent for a contact, and the property that no minute of it is forbidden."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pendulum
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.planner import (
    ContactProfile,
    Held,
    HoldCode,
    WindowPlan,
    WindowPlanner,
    spans_left,
)
from ringg_provider.hours.rules import load_rules
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.hours.wall_clock import clock_in

NEW_YORK, KOLKATA, LONDON = "America/New_York", "Asia/Kolkata", "Europe/London"
# One number per place: what phonenumbers says about each is checked in test_calling_hours_regions.py.
FLORIDA, CALIFORNIA, RHODE_ISLAND, TOLL_FREE = "+13055551234", "+14155552671", "+14015551234", "+18005551234"
INDIA, GERMANY, PUERTO_RICO = "+919876543210", "+4915123456789", "+17872345678"


def schedule(zone: str, start: str, end: str) -> Schedule:
    first, last = (pendulum.parse(text, tz=zone) for text in (start, end))
    assert isinstance(first, pendulum.DateTime)
    assert isinstance(last, pendulum.DateTime)
    return Schedule(first, last)


def planner(start: str, end: str, zone: str = NEW_YORK, hours: str = "00:00-23:59", **options: Any) -> WindowPlanner:
    opens, closes = hours.split("-")
    options.setdefault("purpose", "promotional")
    return WindowPlanner(
        options.pop("rules", load_rules()),
        window=DailyWindow.from_call_time(opens, closes, zone),
        schedule=schedule(zone, start, end),
        **options,
    )


def plan(outcome: WindowPlan | Held) -> WindowPlan:
    assert isinstance(outcome, WindowPlan), outcome
    return outcome


def held(outcome: WindowPlan | Held) -> Held:
    assert isinstance(outcome, Held), outcome
    return outcome


def sent(outcome: WindowPlan | Held) -> tuple[str, str, str]:
    """The daily window, the start and the end that go over the wire."""
    made = plan(outcome)
    return f"{made.window.opens:%H:%M}-{made.window.closes:%H:%M}", made.schedule.wire_start, made.schedule.wire_end


class TestOneDay:
    """Wednesday 14 October 2026: no holiday anywhere, every rule open."""

    day = ("2026-10-14T00:00", "2026-10-14T23:59")

    def test_indian_promotion_gets_nine_to_nine(self):
        outcome = planner(*self.day, zone=KOLKATA).plan_contact(INDIA)
        assert sent(outcome) == ("09:00-21:00", "14/10/2026, 09:00", "14/10/2026, 21:00")

    def test_indian_debt_recovery_gets_eight_to_seven(self):
        outcome = planner(*self.day, zone=KOLKATA, purpose="recovery").plan_contact(INDIA)
        assert sent(outcome)[0] == "08:00-19:00"

    def test_a_window_that_was_asked_for_is_never_widened(self):
        outcome = planner(*self.day, zone=KOLKATA, hours="10:30-17:45").plan_contact(INDIA)
        assert sent(outcome) == ("10:30-17:45", "14/10/2026, 10:30", "14/10/2026, 17:45")

    def test_hours_hold_in_the_contacts_own_zone(self):
        assert sent(planner(*self.day).plan_contact(CALIFORNIA, region="CA"))[0] == "11:00-23:59"

    @pytest.mark.parametrize("region", ["US-FL", "FL", "fl", " Florida "])
    def test_a_region_is_read_however_it_is_written(self, region):
        assert sent(planner(*self.day).plan_contact(FLORIDA, region=region))[0] == "08:00-20:00"

    @pytest.mark.parametrize("region", [None, "", "Narnia"])
    def test_an_american_of_unknown_state_gets_the_strictest_of_all_states(self, region):
        outcome = plan(planner(*self.day).plan_contact(FLORIDA, region=region))
        assert sent(outcome)[0] == "10:00-18:00"
        assert outcome.max_attempts_per_day == 3

    def test_an_explicit_zone_is_believed_before_the_number(self):
        outcome = planner(*self.day).plan_contact(FLORIDA, timezone="America/Los_Angeles", region="US-CA")
        assert sent(outcome)[0] == "11:00-23:59"

    def test_a_number_that_was_taken_to_another_state_respects_both_zones(self):
        # 08:00-21:00 in Los Angeles and in New York, on New York's clock.
        assert sent(planner(*self.day).plan_contact(FLORIDA, region="US-CA"))[0] == "11:00-21:00"

    def test_a_territorys_number_is_under_the_federal_rule_in_its_own_zone(self):
        assert sent(planner(*self.day, zone="America/Puerto_Rico").plan_contact(PUERTO_RICO))[0] == "08:00-21:00"

    def test_a_number_of_many_zones_gets_their_intersection_which_can_be_empty(self):
        assert held(planner(*self.day).plan_contact(TOLL_FREE)).code == HoldCode.NOT_CALLABLE

    def test_an_unknown_zone_is_a_reason_to_hold_and_is_not_repeated(self):
        outcome = held(planner(*self.day).plan_contact(FLORIDA, timezone="Eastern, call +13055551234"))
        assert outcome.code == HoldCode.UNKNOWN_ZONE
        assert "Eastern" not in outcome.detail

    def test_a_region_abroad_without_a_zone_is_held(self):
        assert held(planner(*self.day).plan_contact(INDIA, region="US-FL")).code == HoldCode.REGION_CONFLICT

    def test_a_region_abroad_with_a_zone_is_called_under_that_countrys_rules(self):
        outcome = planner(*self.day).plan_contact(INDIA, timezone=NEW_YORK, region="US-FL")
        assert sent(outcome)[0] == "08:00-20:00"

    @pytest.mark.parametrize("number", ["+999123456", "", "+", "+1305abc1234", "not a number"])
    def test_what_is_no_number_is_held(self, number):
        assert held(planner(*self.day).plan_contact(number)).code == HoldCode.NO_COUNTRY

    def test_a_window_shorter_than_worth_a_list_is_held(self):
        assert held(planner(*self.day, zone=KOLKATA, hours="20:31-23:00").plan_contact(INDIA))
        assert plan(planner(*self.day, zone=KOLKATA, hours="20:30-23:00").plan_contact(INDIA))

    def test_a_blackout_date_is_a_date_of_the_contacts_calendar(self):
        # From 23:30 to 05:00 in Kolkata it is the same Wednesday afternoon and evening in New York.
        night = ("2026-10-14T19:00", "2026-10-15T05:00")
        free = planner(*night, zone=KOLKATA, blackout_dates=[date(2026, 10, 15)])
        assert plan(free.plan_contact(FLORIDA, region="FL"))
        closed = planner(*night, zone=KOLKATA, blackout_dates=[date(2026, 10, 14)])
        assert held(closed.plan_contact(FLORIDA, region="FL")).code == HoldCode.NOT_CALLABLE

    def test_a_blackout_date_may_be_text(self):
        night = planner(*self.day, zone=KOLKATA, blackout_dates=["2026-10-14"])
        assert held(night.plan_contact(INDIA)).code == HoldCode.NOT_CALLABLE

    @pytest.mark.parametrize(
        "day", ["14.10.2026", "", 20261014, None, datetime(2026, 10, 14, tzinfo=UTC), "['2026-10-14']"]
    )
    def test_a_blackout_date_that_equals_no_date_is_refused(self, day):
        with pytest.raises(InvalidRequest, match="blackout_dates"):
            planner(*self.day, zone=KOLKATA, blackout_dates=[day])


class TestNoRule:
    day = ("2026-10-14T00:00", "2026-10-14T23:59")

    def test_a_country_without_a_rule_is_refused_by_default(self):
        with pytest.raises(InvalidRequest, match=r"no calling-hours rule for DE .*promotional") as caught:
            planner(*self.day).plan_contact(GERMANY)
        assert caught.value.field == "calling_hours"
        assert "4915" not in str(caught.value)

    def test_a_purpose_without_a_rule_is_refused_by_default(self):
        with pytest.raises(InvalidRequest, match="service"):
            planner(*self.day, zone=KOLKATA, purpose="service").plan_contact(INDIA)

    def test_hold_leaves_the_contact_out(self):
        assert held(planner(*self.day, no_rule="hold").plan_contact(GERMANY)).code == HoldCode.NO_RULE

    def test_allow_leaves_the_campaigns_own_window_and_the_blackouts(self):
        outcome = planner(*self.day, zone=KOLKATA, hours="07:00-22:00", purpose="service", no_rule="allow")
        assert sent(outcome.plan_contact(INDIA))[0] == "07:00-22:00"
        closed = planner(
            *self.day, zone=KOLKATA, purpose="service", no_rule="allow", blackout_dates=[date(2026, 10, 14)]
        )
        assert held(closed.plan_contact(INDIA)).code == HoldCode.NOT_CALLABLE

    @pytest.mark.parametrize("field", ["purpose", "flow", "no_rule"])
    def test_a_choice_that_does_not_exist_is_named(self, field):
        with pytest.raises(InvalidRequest, match=f"{field} must be one of") as caught:
            planner(*self.day, **{field: "other"})
        assert caught.value.field == field


class TestSeveralDays:
    def test_a_standard_campaign_never_spans_a_forbidden_day(self):
        # Friday to Wednesday; Alabama is closed on Sundays, so the longer side of the Sunday is chosen.
        outcome = planner("2026-10-16T00:00", "2026-10-21T23:59").plan_contact("+12055551234", region="AL")
        assert sent(outcome) == ("09:00-21:00", "19/10/2026, 09:00", "21/10/2026, 21:00")

    def test_of_two_equal_sides_the_earlier_is_chosen(self):
        outcome = planner("2026-10-16T00:00", "2026-10-20T23:59").plan_contact("+12055551234", region="AL")
        assert sent(outcome)[1:] == ("16/10/2026, 09:00", "17/10/2026, 21:00")

    def test_a_public_holiday_of_the_state_is_closed(self):
        # 26 November 2026 is Thanksgiving.
        thanksgiving = ("2026-11-26T00:00", "2026-11-26T23:59")
        assert held(planner(*thanksgiving).plan_contact("+12055551234", region="AL"))
        assert plan(planner(*thanksgiving).plan_contact(FLORIDA, region="FL"))

    def test_an_observed_new_year_on_the_last_of_december_is_closed(self):
        # 1 January 2028 is a Saturday, observed on Friday 31 December 2027.
        outcome = planner("2027-12-31T00:00", "2027-12-31T23:59").plan_contact("+12055551234", region="AL")
        assert held(outcome).code == HoldCode.NOT_CALLABLE

    def test_clocks_that_change_elsewhere_narrow_the_window_of_all_days(self):
        # London leaves summer time on Sunday 25 October 2026; Kolkata never had it.
        outcome = planner("2026-10-24T00:00", "2026-10-26T23:59", zone=KOLKATA).plan_contact("+442071234567")
        # Saturday allows 12:30-23:59, Sunday and Monday 13:30-23:59 on Kolkata's clock: one window for all three.
        assert sent(outcome) == ("13:30-23:59", "24/10/2026, 13:30", "26/10/2026, 23:59")

    def test_the_large_flow_can_keep_every_minute_with_slots(self):
        large = planner("2026-10-24T00:00", "2026-10-26T23:59", zone=KOLKATA, flow="large", use_call_slots=True)
        outcome = plan(large.plan_contact("+442071234567"))
        assert outcome.wire_slots() == {
            "mode": "absolute",
            "intervals": [
                # After midnight in Kolkata it is still the evening before in London.
                {"start": "24/10/2026, 00:00", "end": "24/10/2026, 01:30"},
                {"start": "24/10/2026, 12:30", "end": "24/10/2026, 23:59"},
                {"start": "25/10/2026, 00:00", "end": "25/10/2026, 01:30"},
                {"start": "25/10/2026, 13:30", "end": "25/10/2026, 23:59"},
                {"start": "26/10/2026, 00:00", "end": "26/10/2026, 02:30"},
                {"start": "26/10/2026, 13:30", "end": "26/10/2026, 23:59"},
            ],
        }
        assert sent(outcome) == ("00:00-23:59", "24/10/2026, 00:00", "26/10/2026, 23:59")

    def test_without_being_told_the_large_flow_plans_like_the_standard_one(self):
        days = ("2026-10-24T00:00", "2026-10-26T23:59")
        standard = planner(*days, zone=KOLKATA).plan_contact("+442071234567")
        assert planner(*days, zone=KOLKATA, flow="large").plan_contact("+442071234567") == standard

    def test_slots_are_left_out_where_one_window_says_the_same(self):
        large = planner("2026-10-14T00:00", "2026-10-16T23:59", flow="large", use_call_slots=True, zone=KOLKATA)
        assert plan(large.plan_contact(INDIA)).wire_slots() is None

    def test_slots_stay_within_the_platforms_hundred(self):
        large = planner("2026-01-05T00:00", "2026-12-31T23:59", flow="large", use_call_slots=True)
        slots = plan(large.plan_contact(RHODE_ISLAND, region="RI")).wire_slots()
        assert slots is not None
        assert len(slots["intervals"]) == 100

    def test_a_start_in_the_hour_that_comes_twice_moves_behind_it(self):
        # On 1 November 2026 New York shows 01:00 to 02:00 twice.
        outcome = planner("2026-11-01T01:30", "2026-11-01T12:00", purpose="service", no_rule="allow")
        assert sent(outcome.plan_contact(INDIA))[1] == "01/11/2026, 02:00"

    def test_an_end_in_the_hour_that_comes_twice_moves_before_it(self):
        outcome = planner("2026-11-01T00:00", "2026-11-01T01:30", purpose="service", no_rule="allow")
        assert sent(outcome.plan_contact(INDIA))[2] == "01/11/2026, 00:59"

    def test_a_slot_that_begins_in_the_hour_that_comes_twice_moves_behind_it(self):
        # 11:00 in Kolkata is 01:30 in New York, the first of the two; and 15:00 is 04:30, on the new clock.
        rule = {"jurisdiction": "IN", "purposes": ["promotional"], "hours": {"daily": ["11:00-15:00", "17:00-18:00"]}}
        rules = load_rules({"rules": [rule | {"source": "made up", "checked": "2026-11-20"}]})
        large = planner("2026-11-01T00:00", "2026-11-01T20:00", rules=rules, flow="large", use_call_slots=True)
        assert plan(large.plan_contact(INDIA)).wire_slots() == {
            "mode": "absolute",
            "intervals": [
                {"start": "01/11/2026, 02:00", "end": "01/11/2026, 04:30"},
                {"start": "01/11/2026, 06:30", "end": "01/11/2026, 07:30"},
            ],
        }


class TestWhatIsSent:
    day = ("2026-10-14T00:00", "2026-10-14T23:59")

    def test_the_call_config_keeps_everything_but_the_window(self):
        asked = {
            "max_call_length": 300,
            "call_time": {
                "call_start_time": "00:00",
                "call_end_time": "23:59",
                "timezone": NEW_YORK,
                "scheduled_at": None,
            },
            "call_retry_config": {"retry_count": 5, "retry_busy": 30},
        }
        outcome = plan(planner(*self.day).plan_contact("+12035551234", region="CT"))
        assert outcome.call_config(asked) == {
            "max_call_length": 300,
            "call_time": {
                "call_start_time": "09:00",
                "call_end_time": "20:00",
                "timezone": NEW_YORK,
                "scheduled_at": None,
            },
            "call_retry_config": {"retry_count": 5, "retry_busy": 30},
        }
        assert asked["call_time"]["call_start_time"] == "00:00"

    def test_a_rules_limit_of_attempts_lowers_the_retries(self):
        outcome = plan(planner(*self.day).plan_contact(FLORIDA, region="FL"))
        config = outcome.call_config({"call_retry_config": {"retry_count": 5}})
        assert config["call_retry_config"] == {"retry_count": 2}
        assert outcome.call_config({"call_retry_config": {"retry_count": 1}})["call_retry_config"] == {"retry_count": 1}
        assert "call_retry_config" not in outcome.call_config({})

    def test_contacts_that_may_be_called_alike_share_a_plan(self):
        one = planner(*self.day)
        first, second = one.plan_contact("+12125551234", region="NY"), one.plan_contact("+16175551234", region="NH")
        assert first == second
        assert len({first, second}) == 1
        assert plan(first).key == plan(second).key
        assert plan(first).key != plan(one.plan_contact(FLORIDA, region="FL")).key

    def test_the_key_is_the_same_in_another_run(self):
        keys = {plan(planner(*self.day).plan_contact(INDIA)).key for _ in range(2)}
        assert len(keys) == 1

    def test_a_plan_describes_itself_with_window_dates_and_limit(self):
        outcome = plan(planner(*self.day).plan_contact(FLORIDA, region="FL"))
        assert outcome.describe() == (
            "08:00-20:00 America/New_York, 14/10/2026, 08:00 to 14/10/2026, 20:00, at most 3 attempts a day"
        )


class TestCheckingACampaign:
    def test_the_first_forbidden_moment_is_found(self):
        asked = planner("2026-10-14T00:00", "2026-10-14T23:59", zone=KOLKATA, hours="10:00-21:30")
        profile = asked.profile_of(INDIA)
        assert isinstance(profile, ContactProfile)
        assert asked.first_forbidden(profile) == datetime(2026, 10, 14, 21, 0, tzinfo=ZoneInfo(KOLKATA))

    def test_a_campaign_inside_the_hours_has_none(self):
        asked = planner("2026-10-14T00:00", "2026-10-15T23:59", zone=KOLKATA, hours="10:00-21:00")
        profile = asked.profile_of(INDIA)
        assert isinstance(profile, ContactProfile)
        assert asked.first_forbidden(profile) is None
        assert len(asked.callable_spans(profile)) == 2

    def test_without_a_rule_every_moment_is_forbidden(self):
        asked = planner("2026-10-14T09:00", "2026-10-14T10:00")
        profile = ContactProfile("DE", None, ("Europe/Berlin",))
        assert asked.first_forbidden(profile) == datetime(2026, 10, 14, 9, 0, tzinfo=ZoneInfo(NEW_YORK))
        assert asked.callable_spans(profile) == []

    def test_a_country_code_stands_for_everybody_who_may_have_it(self):
        asked = planner("2026-10-14T00:00", "2026-10-14T23:59")
        india, america = asked.profile_of_code("+91"), asked.profile_of_code("+1")
        assert isinstance(india, ContactProfile)
        assert india.country == "IN"
        assert [clock_in(zone).offset(0) for zone in india.zones] == [330]
        assert isinstance(america, ContactProfile)
        assert (america.country, america.region) == ("US", None)
        assert {"America/New_York", "Pacific/Honolulu", "Pacific/Guam"} <= set(america.zones)
        assert held(asked.profile_of_code("+999")).code == HoldCode.NO_COUNTRY

    def test_what_is_left_of_a_campaign_shrinks_to_nothing(self):
        window = DailyWindow.from_call_time("09:00", "17:00", KOLKATA)
        dates = schedule(KOLKATA, "2026-10-14T10:00", "2026-10-15T12:00")
        zone = ZoneInfo(KOLKATA)
        first = (datetime(2026, 10, 14, 10, tzinfo=zone), datetime(2026, 10, 14, 17, tzinfo=zone))
        second = (datetime(2026, 10, 15, 9, tzinfo=zone), datetime(2026, 10, 15, 12, tzinfo=zone))
        assert spans_left(window, dates, datetime(2026, 10, 1, tzinfo=UTC)) == [first, second]
        noon = datetime(2026, 10, 14, 12, 0, 1, tzinfo=zone)
        assert spans_left(window, dates, noon) == [(noon + timedelta(seconds=59), first[1]), second]
        assert spans_left(window, dates, second[1]) == []


# ---------------------------------------------------------------------------------------------------- the property
#
# A slow and obvious reading of rules and of the wire, written without looking at the implementation: take every
# minute, look at every clock, compare strings.

ZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/St_Johns",  # half an hour off the others
    "America/Havana",  # changes at midnight
    "America/Santiago",  # southern summer, changes at midnight
    "Africa/Casablanca",  # leaves its time for Ramadan
    "Africa/Cairo",
    "Asia/Beirut",  # midnight belongs to the lost hour
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # moves by half an hour
    "Europe/London",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@cache
def clock_changes(zone: str) -> list[date]:
    """The days of 2026 and 2027 on which the clocks of a zone change."""
    noons = [datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(730)]
    offsets = [noon.astimezone(ZoneInfo(zone)).utcoffset() for noon in noons]
    return [noons[day].date() for day in range(1, 730) if offsets[day] != offsets[day - 1]]


def may_be_called(rules: dict[str, Any], profile: ContactProfile, blackouts: list[date], minute: datetime) -> bool:
    for zone in profile.zones:
        local = minute.astimezone(ZoneInfo(zone))
        if local.date() in blackouts:
            return False
        for rule in rules["rules"]:
            if rule["jurisdiction"] not in {profile.country, profile.region} and profile.region is not None:
                continue
            shown, weekday = f"{local:%H:%M}", WEEKDAYS[local.weekday()]
            if not any(
                opens <= shown < closes
                for opens, closes in (text.split("-") for text in rule["hours"].get(weekday, []))
            ):
                return False
            if rule["public_holidays"] == "forbidden" and local.date() in us_holidays(rule["jurisdiction"]):
                return False
    return True


@cache
def us_holidays(jurisdiction: str) -> frozenset[date]:
    federal = holidays.country_holidays("US", years=range(2025, 2029))
    state = holidays.country_holidays("US", subdiv=jurisdiction[3:] or None, years=range(2025, 2029))
    return frozenset(federal) | frozenset(state)


def minutes_dialled(outcome: WindowPlan, fold: int) -> list[datetime]:
    """Every minute at which a platform dials that reads ambiguous wire times as the first (0) or the second (1)."""
    zone = ZoneInfo(outcome.window.timezone)

    def read(text: str) -> datetime:
        local = datetime.strptime(text, "%d/%m/%Y, %H:%M").replace(tzinfo=zone, fold=fold)
        return local.astimezone(UTC)

    slots = outcome.wire_slots()
    spans = [(slot["start"], slot["end"]) for slot in slots["intervals"]] if slots else []
    opens, closes = f"{outcome.window.opens:%H:%M}", f"{outcome.window.closes:%H:%M}"
    minute, end = read(outcome.schedule.wire_start), read(outcome.schedule.wire_end)
    dialled = []
    absolute = [(read(first), read(last)) for first, last in spans]
    while minute < end:
        if opens <= f"{minute.astimezone(zone):%H:%M}" < closes and (
            not slots or any(first <= minute < last for first, last in absolute)
        ):
            dialled.append(minute)
        minute += timedelta(minutes=1)
    return dialled


half_hours = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
odd_times = st.times().map(lambda at: f"{at:%H:%M}")


@st.composite
def hours_of_a_day(draw: st.DrawFn) -> list[str]:
    """Mostly a long day; sometimes the whole day, odd minutes, or two windows."""
    kind = draw(st.sampled_from(["long", "long", "long", "all", "all", "odd", "two"]))
    if kind == "all":
        return ["00:00-24:00"]
    if kind == "long":
        return [
            f"{draw(st.integers(0, 11)):02}:{draw(st.sampled_from(['00', '15', '59']))}-{draw(st.integers(15, 23))}:30"
        ]
    edges = sorted(draw(st.sets(odd_times, min_size=4, max_size=4)))
    return [f"{edges[0]}-{edges[1]}", f"{edges[2]}-{edges[3]}"] if kind == "two" else [f"{edges[0]}-{edges[3]}"]


@st.composite
def rule(draw: st.DrawFn, jurisdiction: str) -> dict[str, Any]:
    usual = draw(hours_of_a_day())
    hours = dict.fromkeys(WEEKDAYS, usual)
    for day in draw(st.lists(st.sampled_from(WEEKDAYS), max_size=2)):
        hours[day] = draw(hours_of_a_day())
    for day in draw(st.lists(st.sampled_from(WEEKDAYS), max_size=1)):
        del hours[day]
    return {
        "jurisdiction": jurisdiction,
        "purposes": ["promotional"],
        "hours": hours,
        "public_holidays": draw(st.sampled_from(["allowed", "forbidden"])),
        "source": "made up",
        "checked": "2026-11-20",
    }


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Any], ContactProfile, DailyWindow, Schedule, list[date]]:
    home = draw(st.sampled_from(ZONES))
    zones = draw(st.sets(st.sampled_from(ZONES), min_size=1, max_size=2))
    changes = [day for zone in (home, *sorted(zones)) for day in clock_changes(zone)]
    if changes and draw(st.integers(0, 2)):
        day = draw(st.sampled_from(changes)) - timedelta(days=draw(st.integers(0, 2)))
    else:
        day = draw(
            st.sampled_from([date(2026, 7, 3), date(2027, 12, 30)]) | st.dates(date(2026, 1, 2), date(2027, 12, 20))
        )
    start = datetime.fromisoformat(f"{day}") + timedelta(minutes=draw(st.just(0) | st.integers(0, 1439)))
    end = start + timedelta(minutes=draw(st.integers(30, 3 * 1440) | st.just(3 * 1440)))
    narrow = st.sets(half_hours | odd_times, min_size=2, max_size=2).map(sorted)
    opens, closes = draw(st.just(["00:00", "23:59"]) | st.just(["00:30", "22:15"]) | narrow)
    return (
        {"rules": [draw(rule("US")), draw(rule("US-AL"))]},
        ContactProfile("US", draw(st.sampled_from(["US-AL", "US-NY", None])), tuple(sorted(zones))),
        DailyWindow.from_call_time(opens, closes, home),
        schedule(home, start.isoformat(), end.isoformat()),
        draw(st.just([]) | st.just([]) | st.just([day + timedelta(days=1)])),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(situation=situations(), large=st.booleans())
def test_no_minute_of_a_plan_is_forbidden_for_its_contacts(situation, large):
    rules, profile, window, dates, blackouts = situation
    assume(dates.start < dates.end)
    outcome = WindowPlanner(
        load_rules(rules),
        purpose="promotional",
        window=window,
        schedule=dates,
        flow="large" if large else "standard",
        use_call_slots=large,
        blackout_dates=blackouts,
        shortest_window=1,
    ).plan(profile)
    if isinstance(outcome, Held):
        return
    for fold in (0, 1):
        for minute in minutes_dialled(outcome, fold):
            assert may_be_called(rules, profile, blackouts, minute), minute
            assert dates.start <= minute < dates.end
            assert window.opens <= minute.astimezone(ZoneInfo(window.timezone)).time() < window.closes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(situation=situations())
def test_a_plan_with_slots_loses_no_minute_away_from_repeated_hours(situation):
    rules, profile, window, dates, blackouts = situation
    assume(dates.start < dates.end)
    zone = ZoneInfo(window.timezone)
    asked = WindowPlan(window, dates)
    wanted = [minute for minute in minutes_dialled(asked, 0) if may_be_called(rules, profile, blackouts, minute)]
    assume(all(twice(minute, zone) is False for minute in wanted))
    outcome = WindowPlanner(
        load_rules(rules),
        purpose="promotional",
        window=window,
        schedule=dates,
        flow="large",
        use_call_slots=True,
        blackout_dates=blackouts,
        shortest_window=1,
    ).plan(profile)
    assert (minutes_dialled(outcome, 0) if isinstance(outcome, WindowPlan) else []) == wanted


def twice(minute: datetime, zone: ZoneInfo) -> bool:
    local = minute.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(situation=situations())
def test_a_standard_plan_has_as_many_minutes_as_any_run_of_days_and_window(situation):
    rules, profile, window, dates, blackouts = situation
    assume(dates.start < dates.end)
    zone = ZoneInfo(window.timezone)
    asked = minutes_dialled(WindowPlan(window, dates), 0)
    assume(not any(twice(minute, zone) for minute in (*asked, dates.start, dates.end)))
    allowed: dict[date, dict[str, bool]] = {}
    for minute in asked:
        local = minute.astimezone(zone)
        allowed.setdefault(local.date(), {})[f"{local:%H:%M}"] = may_be_called(rules, profile, blackouts, minute)
    outcome = WindowPlanner(
        load_rules(rules),
        purpose="promotional",
        window=window,
        schedule=dates,
        blackout_dates=blackouts,
        shortest_window=1,
    ).plan(profile)
    made = len(minutes_dialled(outcome, 0)) if isinstance(outcome, WindowPlan) else 0
    assert made == most_minutes(allowed, window)


def most_minutes(allowed: dict[date, dict[str, bool]], window: DailyWindow) -> int:
    """Try every run of days; in each, every longest stretch of the clock in which no day forbids a minute."""
    clock = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440)]
    clock = [shown for shown in clock if f"{window.opens:%H:%M}" <= shown < f"{window.closes:%H:%M}"]
    best, days = 0, sorted(allowed)
    for first in range(len(days)):
        for last in range(first, len(days)):
            run = [allowed[day] for day in days[first : last + 1]]
            stretch = 0
            for shown in clock:
                if any(day.get(shown) is False for day in run):
                    stretch = 0
                else:
                    stretch += sum(shown in day for day in run)
                best = max(best, stretch)
    return best


def test_contacts_of_the_shipped_rules_are_never_listed_in_a_forbidden_minute_over_a_year_of_fridays():
    # The shipped rules with real numbers: fewer cases than the property above, but the real file and the whole path.
    numbers = [
        (FLORIDA, None),
        (CALIFORNIA, "CA"),
        (RHODE_ISLAND, "RI"),
        ("+12055551234", "AL"),
        ("+442071234567", None),
    ]
    dialled: Counter[str] = Counter()
    for week in range(0, 52, 4):
        friday = date(2026, 1, 2) + timedelta(weeks=week)
        asked = planner(f"{friday}T08:00", f"{friday + timedelta(days=3)}T20:00", zone=KOLKATA)
        for number, region in numbers:
            profile, outcome = asked.profile_of(number, region=region), asked.plan_contact(number, region=region)
            if isinstance(outcome, Held):
                continue
            assert isinstance(profile, ContactProfile)
            for minute in minutes_dialled(outcome, 0)[::7]:
                dialled[profile.country] += 1
                for zone in profile.zones:
                    shown = minute.astimezone(ZoneInfo(zone))
                    assert 8 <= shown.hour < 21
                    assert region not in {"AL", "RI"} or shown.weekday() < (6 if region == "AL" else 5)
    assert dialled["US"] > 1000
    assert dialled["GB"] > 1000

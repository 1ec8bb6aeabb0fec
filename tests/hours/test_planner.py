"""Window plans: what is sent for a contact, and the property that no minute of it is forbidden."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.plan import ContactProfile, Held, HoldCode, WindowPlan, spans_left
from ringg_provider.hours.planner import WindowPlanner
from ringg_provider.hours.rules import load_rules, shipped_zones
from ringg_provider.hours.schedule import WIRE_FORMAT, DailyWindow, Schedule
from ringg_provider.hours.wall_clock import clock_in
from ringg_provider.numbers.plan import number_origin
from tests.hours.oracle import minutes_dialled

NEW_YORK, KOLKATA, LONDON = "America/New_York", "Asia/Kolkata", "Europe/London"
# One number per place: what phonenumbers says about each is checked in tests/numbers.
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


def slots_of(outcome: WindowPlan | Held) -> list[tuple[str, str]]:
    """The slots on the wall of the campaign's zone."""
    slots = plan(outcome).call_slots
    assert slots is not None
    return [(begin.strftime(WIRE_FORMAT), end.strftime(WIRE_FORMAT)) for begin, end in slots]


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
        assert sent(planner(*self.day).plan_contact(FLORIDA, region=region))[0] == "09:00-20:00"

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

    def test_a_region_of_two_zones_respects_both_whichever_of_them_the_number_is_from(self):
        # A North Carolina number of a person in Tennessee, who may live in Nashville: 08:00 there is 09:00 Eastern.
        outcome = planner(*self.day).plan_contact("+19195551234", region="US-TN")
        assert sent(outcome)[0] == "09:00-21:00"

    def test_a_region_whose_zones_nobody_listed_may_be_in_any_zone_of_its_country(self):
        rule = {"jurisdiction": "AU", "purposes": ["promotional"], "hours": {"daily": "08:00-20:00"}}
        rules = load_rules({"rules": [rule | {"source": "made up", "checked": "2026-11-20"}]})
        asked = planner(*self.day, zone="Australia/Brisbane", rules=rules)
        # Lord Howe is an hour ahead of Brisbane then, and Eucla 75 minutes behind.
        assert sent(asked.plan_contact("+61892345678", region="AU-QLD"))[0] == "10:00-19:00"

    def test_a_territorys_number_is_under_the_federal_rule_in_its_own_zone(self):
        assert sent(planner(*self.day, zone="America/Puerto_Rico").plan_contact(PUERTO_RICO))[0] == "08:00-21:00"

    def test_a_number_of_many_zones_gets_their_intersection_which_can_be_empty(self):
        assert held(planner(*self.day).plan_contact(TOLL_FREE)).code == HoldCode.NOT_CALLABLE

    def test_an_unknown_zone_is_a_reason_to_hold_and_is_not_repeated(self):
        outcome = held(planner(*self.day).plan_contact(FLORIDA, timezone="Eastern, call +13055551234"))
        assert outcome.code == HoldCode.UNKNOWN_ZONE
        assert "Eastern" not in outcome.detail

    @pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules"])
    def test_what_a_machine_takes_for_a_zone_but_the_iana_does_not_is_unknown(self, zone):
        assert held(planner(*self.day).plan_contact(FLORIDA, timezone=zone)).code == HoldCode.UNKNOWN_ZONE

    @pytest.mark.parametrize("region", ["US-FL", "FR-ZZZ"])
    def test_a_region_abroad_without_a_zone_is_held(self, region):
        assert held(planner(*self.day).plan_contact(INDIA, region=region)).code == HoldCode.REGION_CONFLICT

    def test_a_region_abroad_with_a_zone_is_called_under_that_countrys_rules(self):
        outcome = planner(*self.day).plan_contact(INDIA, timezone=NEW_YORK, region="US-FL")
        assert sent(outcome)[0] == "08:00-20:00"

    @pytest.mark.parametrize("number", ["+999123456", "", "+", "+1305abc1234", "not a number"])
    def test_what_is_no_number_is_held(self, number):
        assert held(planner(*self.day).plan_contact(number)).code == HoldCode.NO_COUNTRY

    def test_a_window_shorter_than_worth_a_list_is_held(self):
        assert held(planner(*self.day, zone=KOLKATA, hours="20:31-23:00").plan_contact(INDIA))
        assert plan(planner(*self.day, zone=KOLKATA, hours="20:30-23:00").plan_contact(INDIA))

    def test_hours_before_the_start_are_not_in_the_window_of_a_platform_that_may_go_on_tomorrow(self):
        # From 09:15 to midnight nothing before 09:00 would be dialled, but tomorrow it would.
        late = planner("2026-10-14T09:15", "2026-10-14T23:59", zone=KOLKATA).plan_contact(INDIA)
        assert sent(late)[0] == "09:15-21:00"
        # The window stays one that the platform takes.
        evening = planner("2026-10-14T20:45", "2026-10-14T23:59", zone=KOLKATA).plan_contact(INDIA)
        assert sent(evening) == ("20:30-21:00", "14/10/2026, 20:45", "14/10/2026, 21:00")

    def test_a_blackout_date_is_a_date_of_the_contacts_calendar(self):
        # From 23:30 to 05:00 in Kolkata it is the same Wednesday afternoon and evening in New York.
        night = ("2026-10-14T19:00", "2026-10-15T05:00")
        free = planner(*night, zone=KOLKATA, blackout_dates=[date(2026, 10, 15)])
        assert plan(free.plan_contact(FLORIDA, region="FL"))
        closed = planner(*night, zone=KOLKATA, blackout_dates=[date(2026, 10, 14)])
        assert held(closed.plan_contact(FLORIDA, region="FL")).code == HoldCode.NOT_CALLABLE

    def test_a_blackout_date_may_be_text(self):
        night = planner(*self.day, zone=KOLKATA, blackout_dates=["2026-10-14"])
        outcome = held(night.plan_contact(INDIA))
        assert outcome.code == HoldCode.NOT_CALLABLE
        assert outcome.detail.endswith("may be called. Wed 2026-10-14 is one of blackout_dates.")

    def test_a_day_of_the_week_without_hours_is_told(self):
        sunday = planner("2026-11-22T00:00", "2026-11-22T23:59").plan_contact("+12055551234", region="AL")
        assert held(sunday).detail.endswith("Sun 2026-11-22 has no lawful hours.")

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

    @pytest.mark.parametrize(
        ("region", "window", "attempts"),
        [(None, "10:00-12:00", 1), ("BY", "10:00-12:00", 1), ("BE", "07:00-22:00", None)],
    )
    def test_allow_keeps_the_rules_of_regions_in_which_the_contact_may_be(self, region, window, attempts):
        bavaria = {"jurisdiction": "DE-BY", "purposes": ["promotional"], "hours": {"daily": "10:00-12:00"}}
        bavaria |= {"source": "made up", "checked": "2026-11-20", "max_attempts_per_day": 1}
        berlin = "Europe/Berlin"
        asked = planner(
            *self.day, zone=berlin, hours="07:00-22:00", rules=load_rules({"rules": [bavaria]}), no_rule="allow"
        )
        outcome = plan(asked.plan_contact(GERMANY, region=region))
        assert (sent(outcome)[0], outcome.max_attempts_per_day) == (window, attempts)

    @pytest.mark.parametrize("field", ["purpose", "no_rule"])
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
        closed = held(planner(*thanksgiving).plan_contact("+12055551234", region="AL"))
        assert "Thu 2026-11-26 is a public holiday (Thanksgiving Day)." in closed.detail
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
        large = planner("2026-10-24T00:00", "2026-10-26T23:59", zone=KOLKATA, most_slots=100)
        outcome = plan(large.plan_contact("+442071234567"))
        assert slots_of(outcome) == [
            # After midnight in Kolkata it is still the evening before in London.
            ("24/10/2026, 00:00", "24/10/2026, 01:30"),
            ("24/10/2026, 12:30", "24/10/2026, 23:59"),
            ("25/10/2026, 00:00", "25/10/2026, 01:30"),
            ("25/10/2026, 13:30", "25/10/2026, 23:59"),
            ("26/10/2026, 00:00", "26/10/2026, 02:30"),
            ("26/10/2026, 13:30", "26/10/2026, 23:59"),
        ]
        assert sent(outcome) == ("00:00-23:59", "24/10/2026, 00:00", "26/10/2026, 23:59")

    def test_slots_are_left_out_where_one_window_says_the_same(self):
        large = planner("2026-10-14T00:00", "2026-10-16T23:59", most_slots=100, zone=KOLKATA)
        assert plan(large.plan_contact(INDIA)).call_slots is None

    def test_slots_stay_within_the_platforms_hundred(self):
        large = planner("2026-01-05T00:00", "2026-12-31T23:59", most_slots=100)
        assert len(slots_of(large.plan_contact(RHODE_ISLAND, region="RI"))) == 100

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
        large = planner("2026-11-01T00:00", "2026-11-01T20:00", rules=rules, most_slots=100)
        assert slots_of(large.plan_contact(INDIA)) == [
            ("01/11/2026, 02:00", "01/11/2026, 04:30"),
            ("01/11/2026, 06:30", "01/11/2026, 07:30"),
        ]


class TestPlansAsKeys:
    day = ("2026-10-14T00:00", "2026-10-14T23:59")

    def test_contacts_that_may_be_called_alike_share_a_plan(self):
        one = planner(*self.day)
        first, second = one.plan_contact("+12125551234", region="NY"), one.plan_contact("+16175551234", region="NH")
        assert first == second
        assert len({first, second}) == 1
        assert first != one.plan_contact(FLORIDA, region="FL")


class TestCheckingACampaign:
    def test_what_the_rules_forbid_of_a_campaign_is_not_callable(self):
        asked = planner("2026-10-14T00:00", "2026-10-15T23:59", zone=KOLKATA, hours="10:00-21:30")
        days = [datetime(2026, 10, day, tzinfo=ZoneInfo(KOLKATA)) for day in (14, 15)]
        assert asked.callable_spans(ContactProfile("IN", None, (KOLKATA,))) == [
            (day + timedelta(hours=10), day + timedelta(hours=21)) for day in days
        ]

    def test_without_a_rule_every_moment_is_forbidden(self):
        asked = planner("2026-10-14T09:00", "2026-10-14T10:00")
        assert asked.callable_spans(ContactProfile("DE", None, ("Europe/Berlin",))) == []

    def test_a_country_code_stands_for_everybody_who_may_have_it(self):
        asked = planner("2026-10-14T00:00", "2026-10-14T23:59")
        india, america = asked.profile_of_code("+91"), asked.profile_of_code("+1")
        assert isinstance(india, ContactProfile)
        assert india.country == "IN"
        assert {clock_in(zone).offset(0) for zone in india.zones} == {330}
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
            outcome, origin = asked.plan_contact(number, region=region), number_origin(number)
            if isinstance(outcome, Held):
                continue
            for minute in minutes_dialled(outcome, 0)[::7]:
                dialled[str(origin.country)] += 1
                for zone in (*origin.zones, *shipped_zones().get(f"US-{region}", ())):
                    shown = minute.astimezone(ZoneInfo(zone))
                    assert 8 <= shown.hour < 21
                    assert region not in {"AL", "RI"} or shown.weekday() < (6 if region == "AL" else 5)
    assert dialled["US"] > 1000
    assert dialled["GB"] > 1000

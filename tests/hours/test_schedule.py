"""When a campaign runs: defaults, every way to write a time, clocks that change, and what is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.schedule import DailyWindow, Schedule, opens_between, read_time, resolve_schedule

KOLKATA = DailyWindow.from_call_time("09:00", "21:00", "Asia/Kolkata")


def at(text: str, zone: str = "Asia/Kolkata") -> pendulum.DateTime:
    moment = pendulum.parse(text, tz=zone)
    assert isinstance(moment, pendulum.DateTime)
    return moment


NOON = at("2026-11-20T12:00:00")


def resolve(start: Any = None, end: Any = None, now: datetime = NOON, **more: Any) -> Schedule:
    return resolve_schedule(KOLKATA, start, end, now=now, **more)


# What is left out.


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-11-20T12:00:00", "20/11/2026, 12:02"),
        ("2026-11-20T12:00:01", "20/11/2026, 12:03"),
        ("2026-11-20T08:57:59", "20/11/2026, 09:00"),
        ("2026-11-20T03:00:00", "20/11/2026, 09:00"),
        ("2026-11-20T20:57:00", "20/11/2026, 20:59"),
        ("2026-11-20T20:58:00", "21/11/2026, 09:00"),
        ("2026-11-20T23:59:30", "21/11/2026, 09:00"),
        ("2026-12-31T21:00:00", "01/01/2027, 09:00"),
    ],
)
def test_a_start_left_out_is_in_two_minutes_inside_the_window_and_its_next_opening_outside(
    now: str, start: str
) -> None:
    assert resolve(now=at(now)).wire_start == start


@pytest.mark.parametrize(("start", "end"), [(None, "2026-11-20T12:00"), ("2026-11-21T10:00", "2026-11-19T19:00")])
def test_an_end_that_has_passed_is_called_that(start: str | None, end: str) -> None:
    with pytest.raises(InvalidRequest, match="campaign_end_time has passed, so nobody would be called") as caught:
        resolve(start, end)
    assert caught.value.field == "campaign_end_time"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-21T10:00", "21/11/2026, 21:00"),
        ("2026-11-21T05:00", "21/11/2026, 21:00"),
        ("2026-11-21T22:00", "22/11/2026, 21:00"),
        ("2026-11-21T21:00", "22/11/2026, 21:00"),
        ("2026-11-21T20:59", "21/11/2026, 21:00"),
    ],
)
def test_an_end_left_out_is_the_closing_of_the_first_day_on_which_the_window_still_opens(start: str, end: str) -> None:
    assert resolve(start).wire_end == end


@given(now=st.datetimes(datetime(2024, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Lord_Howe"])
def test_the_defaults_always_give_a_start_inside_the_window_and_its_closing(zone: str, now: datetime) -> None:
    window = DailyWindow.from_call_time("09:30", "20:15", zone)
    schedule = resolve_schedule(window, None, None, now=now)
    assert timedelta(minutes=1) <= schedule.start - now <= timedelta(hours=25)
    assert window.is_open(schedule.start)
    assert schedule.end == window.closing(schedule.start)


# Every way to write a time.


@pytest.mark.parametrize(
    "written",
    [
        "21/11/2026, 10:30",
        " 21/11/2026, 10:30 ",
        "2026-11-21T10:30:00",
        "2026-11-21 10:30",
        "2026-11-21T05:00:00Z",
        "2026-11-21T05:00:00+00:00",
        "2026-11-21T00:00:00-05:00",
        datetime(2026, 11, 21, 10, 30),  # noqa: DTZ001
        datetime(2026, 11, 21, 5, 0, tzinfo=UTC),
        datetime(2026, 11, 21, 0, 0, tzinfo=timezone(timedelta(hours=-5))),
        pendulum.datetime(2026, 11, 21, 5, 0, tz="UTC"),
    ],
    ids=str,
)
def test_all_spellings_of_one_moment_are_sent_in_the_campaigns_zone(written: Any) -> None:
    assert resolve(written).wire_start == "21/11/2026, 10:30"


@pytest.mark.parametrize(("second", "minute"), [("00", "10:30"), ("01", "10:31"), ("59.999999", "10:31")])
def test_seconds_which_the_wire_does_not_have_are_rounded_up_so_that_nobody_is_called_early(
    second: str, minute: str
) -> None:
    assert resolve(f"2026-11-21T10:30:{second}").wire_start == f"21/11/2026, {minute}"


def test_what_is_sent_is_what_the_vendor_reads() -> None:
    schedule = resolve("2026-12-01T09:05", "2026-12-02T18:00")
    assert (schedule.wire_start, schedule.wire_end) == ("01/12/2026, 09:05", "02/12/2026, 18:00")
    assert re.fullmatch(r"\d{2}/\d{2}/\d{4}, \d{2}:\d{2}", schedule.wire_start)


def test_what_is_sent_is_read_back_as_the_same_moment() -> None:
    schedule = resolve("2026-12-01T09:05")
    assert read_time(schedule.wire_start, KOLKATA.zone, "campaign_start_time") == schedule.start


@pytest.mark.parametrize(
    "written",
    ["tomorrow", "", "21-11-2026 10:30", "31/02/2027, 10:00", "21/11/2026", "21/11/2026, 25:00", "2026-13-01", "P1D",
     "10:30", "2026-11-21/2026-11-22"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["campaign_start_time", "campaign_end_time"])
def test_what_cannot_be_read_is_refused_by_the_name_of_its_field(written: str, field: str) -> None:
    times = {"campaign_start_time": "2026-11-21T10:00", "campaign_end_time": "2026-11-21T18:00"} | {field: written}
    with pytest.raises(InvalidRequest, match=f"{field} cannot be read.*DD/MM/YYYY") as caught:
        resolve(times["campaign_start_time"], times["campaign_end_time"])
    assert caught.value.field == field


# Clocks that change.


@pytest.mark.parametrize(
    ("zone", "written", "moment"),
    [
        # Skipped: as long after the gap as it was written after the gap's begin.
        ("America/New_York", "08/03/2026, 02:30", "2026-03-08T07:30:00+00:00"),
        ("Europe/London", "29/03/2026, 01:15", "2026-03-29T01:15:00+00:00"),
        ("Australia/Lord_Howe", "04/10/2026, 02:15", "2026-10-03T15:45:00+00:00"),
        # Repeated: the second time.
        ("America/New_York", "01/11/2026, 01:30", "2026-11-01T06:30:00+00:00"),
        ("Europe/London", "25/10/2026, 01:30", "2026-10-25T01:30:00+00:00"),
        ("Australia/Lord_Howe", "05/04/2026, 01:45", "2026-04-04T15:15:00+00:00"),
    ],
)
def test_a_time_that_the_clocks_skip_or_repeat_is_the_later_moment_in_every_spelling(
    zone: str, written: str, moment: str
) -> None:
    here = DailyWindow.from_call_time("00:00", "23:59", zone).zone
    naive = datetime.strptime(written, "%d/%m/%Y, %H:%M")  # noqa: DTZ007
    for spelling in (written, naive, naive.isoformat(), naive.isoformat(sep=" ", timespec="minutes")):
        assert read_time(spelling, here, "campaign_start_time").astimezone(UTC).isoformat() == moment


def test_a_date_alone_is_its_midnight_in_the_campaigns_zone() -> None:
    assert resolve("2026-11-21").wire_start == "21/11/2026, 00:00"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Europe/London", "2026-03-29", 23),
        ("Europe/London", "2026-10-25", 25),
        ("Asia/Kolkata", "2026-03-08", 24),
    ],
)
def test_the_window_opens_and_closes_by_the_clock_on_the_wall_also_when_clocks_change(
    zone: str, day: str, hours: int
) -> None:
    window = DailyWindow.from_call_time("09:00", "17:00", zone)
    morning = at(f"{day}T00:00", zone)
    assert window.opening(morning).format("HH:mm") == "09:00"
    assert window.closing(morning).format("HH:mm") == "17:00"
    assert (window.closing(morning) - window.opening(morning)).total_hours() == 8
    assert (window.opening(morning) - window.opening(morning.subtract(days=1))).total_hours() in (hours, 24)
    across = window.opening(morning.add(days=1)) - window.opening(morning.subtract(days=1))
    assert across.total_hours() == 24 + hours


def test_a_window_that_opens_inside_a_gap_opens_when_the_gap_is_over() -> None:
    window = DailyWindow.from_call_time("02:30", "05:00", "America/New_York")
    night = at("2026-03-08T00:00", "America/New_York")
    assert window.opening(night).format("HH:mm") == "03:30"
    assert resolve_schedule(window, None, None, now=night).wire_start == "08/03/2026, 03:30"


def test_an_aware_start_is_not_moved_by_the_zone_it_was_written_in() -> None:
    window = DailyWindow.from_call_time("09:00", "17:00", "Europe/London")
    schedule = resolve_schedule(window, "2026-10-25T10:00:00+01:00", None, now=at("2026-10-24T12:00", "Europe/London"))
    assert schedule.wire_start == "25/10/2026, 09:00"


# What is refused.


@pytest.mark.parametrize("start", ["2026-11-20T11:59", "2026-11-19T12:00", "2026-11-20T12:00"])
def test_a_start_that_is_not_in_the_future_is_refused(start: str) -> None:
    with pytest.raises(InvalidRequest, match="at least one minute in the future") as caught:
        resolve(start)
    assert caught.value.field == "campaign_start_time"


@pytest.mark.parametrize("end", ["2026-11-21T10:00", "2026-11-21T09:59", "2026-11-20T12:01"])
def test_an_end_that_is_not_after_the_start_is_refused(end: str) -> None:
    with pytest.raises(InvalidRequest, match="later than campaign_start_time") as caught:
        resolve("2026-11-21T10:00", end)
    assert caught.value.field == "campaign_end_time"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-21T21:00", "2026-11-22T09:00"),
        ("2026-11-21T22:00", "2026-11-21T23:30"),
        ("2026-11-21T01:00", "2026-11-21T08:59"),
    ],
)
def test_times_between_which_the_window_never_opens_are_refused(start: str, end: str) -> None:
    with pytest.raises(InvalidRequest, match="09:00-21:00 never opens") as caught:
        resolve(start, end)
    assert caught.value.field == "call_config.call_time"


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-11-21T20:59", "2026-11-21T23:00"), ("2026-11-21T01:00", "2026-11-21T09:01"),
     ("2026-11-21T22:00", "2026-11-23T08:00")],
)  # fmt: skip
def test_one_minute_of_an_open_window_is_enough(start: str, end: str) -> None:
    assert opens_between(KOLKATA, resolve(start, end).start, resolve(start, end).end)


@pytest.mark.parametrize("zone", ["IST", "Mars/Olympus", "", "+05:30", "Asia/Calcuta", "../../etc/passwd"])
def test_what_is_no_iana_zone_is_refused(zone: str) -> None:
    window = DailyWindow.from_call_time("09:00", "21:00", zone)
    with pytest.raises(InvalidRequest, match="IANA time zone name") as caught:
        resolve_schedule(window, None, None, now=NOON)
    assert caught.value.field == "call_config.call_time.timezone"


# A list that was uploaded for a time that has passed meanwhile.


def test_a_start_that_has_passed_means_as_soon_as_possible_where_that_is_asked_for() -> None:
    assert resolve("2026-11-20T09:00", late_start_ok=True).wire_start == "20/11/2026, 12:02"
    late = resolve("2026-11-20T09:00", now=at("2026-11-20T22:00"), late_start_ok=True)
    assert (late.wire_start, late.wire_end) == ("21/11/2026, 09:00", "21/11/2026, 21:00")


def test_a_start_that_lies_ahead_stays_as_it_is() -> None:
    assert resolve("2026-11-21T10:00", late_start_ok=True).wire_start == "21/11/2026, 10:00"


def test_a_passed_start_whose_end_has_passed_too_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve("2026-11-20T09:00", "2026-11-20T11:00", late_start_ok=True)
    assert caught.value.field == "campaign_end_time"

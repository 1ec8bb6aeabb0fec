"""When a campaign runs: turns what a DAG says about start and end into the two times that are sent.

Follows "Campaign timestamps" of https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list:
``DD/MM/YYYY, HH:MM`` in the zone of ``call_config.call_time``, start in the future, end after start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import pendulum
from pendulum import DateTime, Timezone
from pendulum.parsing.exceptions import ParserError

from ringg_provider.exceptions import InvalidRequest

#: How far ahead of now a start that was left out is put.
DEFAULT_LEAD = timedelta(minutes=2)
#: How far ahead of now a start that was given must at least be: the wire format has no seconds.
SMALLEST_LEAD = timedelta(minutes=1)

#: A time as a DAG may give it; one without a zone is in the campaign's.
Time = date | str | None

#: Campaign times on the wire: 24 hours, zero-padded, read in the campaign's zone.
WIRE_FORMAT = "%d/%m/%Y, %H:%M"
_WIRE_PATTERN = re.compile(r"\d{2}/\d{2}/\d{4}, \d{2}:\d{2}")


@dataclass(frozen=True)
class DailyWindow:
    """The hours of a day in which a campaign may dial.

    :param opens: first minute of the window, local.
    :param closes: first minute after it, local; later than ``opens``.
    :param timezone: IANA name of the zone in which both are meant.
    """

    opens: time
    closes: time
    timezone: str

    @classmethod
    def from_call_time(cls, call_start_time: str, call_end_time: str, timezone: str) -> DailyWindow:
        """Build a window from a checked ``call_time``: ``HH:MM``, a later ``HH:MM``, and an IANA name."""
        return cls(time.fromisoformat(call_start_time), time.fromisoformat(call_end_time), timezone)

    @property
    def zone(self) -> Timezone:
        """The zone as an object; raises :class:`InvalidRequest` when no such zone exists."""
        try:
            zone = pendulum.timezone(self.timezone)
        except Exception as error:
            raise InvalidRequest(
                "call_config.call_time.timezone is not an IANA time zone name such as Asia/Kolkata.",
                field="call_config.call_time.timezone",
            ) from error
        if not isinstance(zone, Timezone):
            raise InvalidRequest(
                "call_config.call_time.timezone must be an IANA time zone name, not an offset.",
                field="call_config.call_time.timezone",
            )
        return zone

    def opening(self, day: DateTime) -> DateTime:
        """The moment at which the window opens on the local date of ``day``."""
        return self._at(day, self.opens)

    def closing(self, day: DateTime) -> DateTime:
        """The moment at which the window closes on the local date of ``day``."""
        return self._at(day, self.closes)

    def is_open(self, moment: datetime) -> bool:
        """Whether dialling is allowed at ``moment``, which is aware; the closing minute itself is not."""
        local = pendulum.instance(moment).in_timezone(self.zone)
        return self.opening(local) <= local < self.closing(local)

    def next_opening(self, moment: DateTime) -> DateTime:
        """The first opening at or after ``moment``."""
        local = moment.in_timezone(self.zone)
        today = self.opening(local)
        return today if today >= local else self.opening(local.add(days=1))

    def _at(self, day: DateTime, at: time) -> DateTime:
        local = day.in_timezone(self.zone)
        return pendulum.datetime(local.year, local.month, local.day, at.hour, at.minute, tz=self.zone)


@dataclass(frozen=True)
class Schedule:
    """A campaign's resolved start and end, aware, in the campaign's zone.

    :param start: when dialling may begin.
    :param end: when it must have stopped.
    """

    start: DateTime
    end: DateTime

    @property
    def wire_start(self) -> str:
        """``start`` as the platform wants it: ``DD/MM/YYYY, HH:MM``."""
        return self.start.strftime(WIRE_FORMAT)

    @property
    def wire_end(self) -> str:
        """``end`` as the platform wants it: ``DD/MM/YYYY, HH:MM``."""
        return self.end.strftime(WIRE_FORMAT)


def resolve_schedule(
    window: DailyWindow,
    start: Time,
    end: Time,
    *,
    now: datetime | None = None,
    late_start_ok: bool = False,
) -> Schedule:
    """Work out when a campaign starts and ends, and refuse what could never dial anybody.

    :param window: the daily window and the zone.
    :param start: aware datetime, ISO 8601 string, or ``DD/MM/YYYY, HH:MM``; naive ones are read in the
        window's zone. None: two minutes from now while the window is open, otherwise its next opening.
    :param end: the same forms. None: the closing of the first day on which the window is open from the start on.
    :param now: the present; default the clock.
    :param late_start_ok: whether a start that has passed is taken as "as soon as the window allows". Default False.
    :return: the two times in the window's zone, whole minutes.
    :raises InvalidRequest: ``campaign_start_time`` or ``campaign_end_time`` is unreadable, one of them is not in the
        future, the end is not after the start, or the daily window never opens in between.
    """
    zone = window.zone
    present = pendulum.instance(now) if now is not None else pendulum.now("UTC")
    if start is None:
        resolved_start = _default_start(window, present)
    else:
        resolved_start = read_time(start, zone, "campaign_start_time")
        if late_start_ok:
            resolved_start = max(resolved_start, _default_start(window, present))
        if resolved_start < present + SMALLEST_LEAD:
            raise InvalidRequest(
                f"campaign_start_time must be at least one minute in the future: it is {resolved_start.isoformat()}"
                f" and now is {present.in_timezone(zone).isoformat(timespec='seconds')}.",
                field="campaign_start_time",
            )
    if end is None:
        resolved_end = closing_after(window, resolved_start)
    else:
        resolved_end = read_time(end, zone, "campaign_end_time")
        if resolved_end <= present:
            raise InvalidRequest(
                f"campaign_end_time has passed, so nobody would be called: it is {resolved_end.isoformat()} and now is"
                f" {present.in_timezone(zone).isoformat(timespec='seconds')}.",
                field="campaign_end_time",
            )
        if resolved_end <= resolved_start:
            raise InvalidRequest(
                f"campaign_end_time must be later than campaign_start_time: it is {resolved_end.isoformat()}"
                f" and the start is {resolved_start.isoformat()}.",
                field="campaign_end_time",
            )
    if not opens_between(window, resolved_start, resolved_end):
        raise InvalidRequest(
            f"call_config.call_time: the daily window {window.opens:%H:%M}-{window.closes:%H:%M} never opens between"
            f" {resolved_start.isoformat()} and {resolved_end.isoformat()}, so nobody would be called.",
            field="call_config.call_time",
        )
    return Schedule(resolved_start, resolved_end)


def closing_after(window: DailyWindow, start: DateTime) -> DateTime:
    """When the window closes on the first day on which it is open from ``start`` on: the end that is left out."""
    local = start.in_timezone(window.zone)
    return window.closing(local if local < window.closing(local) else local.add(days=1))


def opens_between(window: DailyWindow, start: DateTime, end: DateTime) -> bool:
    """Whether the daily window is open at some moment between ``start`` and ``end``."""
    first = start.in_timezone(window.zone)
    # The day of the start, or else the day after it: no later day can be the first with an opening.
    days = (first, first.add(days=1))
    return any(max(start, window.opening(day)) < min(end, window.closing(day)) for day in days)


def read_time(value: date | str, zone: Timezone, field: str) -> DateTime:
    """Read a time that a campaign is given, rounded up to a whole minute because the wire has no seconds.

    Parameters and errors as for :func:`read_moment`.
    """
    return _ceil_minute(read_moment(value, zone, field))


def read_moment(value: date | str, zone: Timezone, field: str) -> DateTime:
    """Read a time that a DAG gave: aware datetime, date, ISO 8601, or the wire's ``DD/MM/YYYY, HH:MM``.

    A date alone is its midnight; a naive time that the clocks repeat is the later one, one that they skip moves on.

    :param value: what was given; naive values are meant in ``zone``.
    :param zone: the campaign's zone.
    :param field: the parameter's name, for the error.
    :return: the moment in ``zone``.
    :raises InvalidRequest: when it cannot be read, naming ``field``.
    """
    if isinstance(value, datetime):
        moment = pendulum.instance(value) if value.tzinfo else _local(value, zone)
    elif isinstance(value, date):
        moment = pendulum.datetime(value.year, value.month, value.day, tz=zone)
    elif not isinstance(value, str):
        raise _unreadable(field)
    elif _WIRE_PATTERN.fullmatch(value.strip()):
        try:
            moment = _local(datetime.strptime(value.strip(), WIRE_FORMAT), zone)  # noqa: DTZ007
        except ValueError as error:
            raise _unreadable(field) from error
    else:
        try:
            parsed = pendulum.parse(value, tz=zone, exact=True)
        except (ParserError, ValueError) as error:
            raise _unreadable(field) from error
        if not isinstance(parsed, date):
            raise _unreadable(field)
        return read_moment(parsed, zone, field)
    return moment.in_timezone(zone)


def _local(naive: datetime, zone: Timezone) -> DateTime:
    """A wall-clock time in a zone: of a time that comes twice the later one, of a skipped one the hour after it.

    Nobody is called early so; ``pendulum.instance`` would take the earlier one of both.
    """
    day = (naive.year, naive.month, naive.day)
    return pendulum.datetime(*day, naive.hour, naive.minute, naive.second, naive.microsecond, tz=zone, fold=1)


def _default_start(window: DailyWindow, now: DateTime) -> DateTime:
    soon = _ceil_minute(now.in_timezone(window.zone) + DEFAULT_LEAD)
    return soon if window.is_open(soon) else window.next_opening(soon)


def _ceil_minute(moment: DateTime) -> DateTime:
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor.add(minutes=1)


def _unreadable(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field} cannot be read: give an aware datetime, an ISO 8601 string, or 'DD/MM/YYYY, HH:MM'.", field=field
    )

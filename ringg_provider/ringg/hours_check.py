"""Whether the hours in which a campaign will dial are allowed where its people are, as far as its list tells."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date

import pendulum

from ringg_provider.hours.plan import ContactProfile, Held
from ringg_provider.hours.planner import WindowPlanner
from ringg_provider.hours.purposes import NoRule, Purpose
from ringg_provider.hours.rules import CallingHours, CallingRules
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.hours.wall_clock import subtract
from ringg_provider.preflight.estimates import TimeSpan
from ringg_provider.preflight.report import Check, Finding, Level


def judge_hours(
    rules: CallingRules,
    purpose: Purpose | None,
    window: DailyWindow,
    spans: Sequence[TimeSpan],
    country_code: str,
    *,
    no_rule: NoRule = "refuse",
    blackout_dates: Collection[date | str] = (),
    calls_per_contact: int = 1,
) -> Iterator[Finding]:
    """Whether the hours in which the campaign will dial are allowed in the list's country, as far as that tells.

    :param rules: the calling hours.
    :param purpose: of the calls; None: nobody said, which is a warning.
    :param window: the daily window that will be sent.
    :param spans: when the campaign will dial: aware, half-open, in order, at least one.
    :param country_code: dial prefix of the list.
    :param no_rule: ``allow`` takes a country without a rule as allowed; anything else as not.
    :param blackout_dates: local dates on which nobody is called.
    :param calls_per_contact: one and the retries.
    """
    if purpose is None:
        yield _found(Level.WARNING, "The calling hours were not looked at: say the purpose of the calls.")
        return
    schedule = Schedule(pendulum.instance(spans[0][0]), pendulum.instance(spans[-1][1]))
    planner = WindowPlanner(
        rules, purpose=purpose, window=window, schedule=schedule, no_rule=no_rule, blackout_dates=blackout_dates
    )
    profile = planner.profile_of_code(country_code)
    if isinstance(profile, Held):
        yield _found(Level.ERROR, profile.detail)
        return
    country = profile.country
    strictest = rules.hours_for(country, None, purpose)
    if strictest is None and no_rule != "allow":
        yield _found(
            Level.ERROR,
            f"There is no calling-hours rule for {country} and the purpose {purpose}: add one to calling_hours, or say "
            "no_rule='allow'.",
        )
        return
    yield _judge_minutes(planner, profile, window, spans, purpose)
    nationwide = rules.hours_for(country, country, purpose)
    yield _judge_attempts(strictest, nationwide, calls_per_contact, country)


def _judge_minutes(
    planner: WindowPlanner,
    profile: ContactProfile,
    window: DailyWindow,
    spans: Sequence[TimeSpan],
    purpose: Purpose,
) -> Finding:
    """Fine everywhere, forbidden everywhere, or a matter of where in the country somebody is."""
    forbidden = subtract(spans, planner.callable_spans(profile))
    if not forbidden:
        return _found(Level.OK, f"Allowed in all of {profile.country} for {purpose} calls.")
    moment = f"{forbidden[0][0]:%Y-%m-%d %H:%M %Z}"
    # The campaign's own zone is where its people are meant to be; a zone of another country tells nothing of that.
    meant = (window.timezone,) if window.timezone in profile.zones else profile.zones
    alone = [ContactProfile(profile.country, profile.country, (zone,)) for zone in meant]
    if all(subtract(spans, planner.callable_spans(part)) for part in alone):
        where = f" ({meant[0]})" if len(meant) == 1 else ""
        return _found(
            Level.ERROR,
            f"At {moment} the campaign would dial, and nobody in {profile.country}{where} may be called "
            f"then for {purpose} calls: narrow the daily window or the dates.",
        )
    return _found(
        Level.WARNING,
        f"At {moment} the campaign would dial, when only some parts of {profile.country} may be called "
        f"for {purpose} calls: let SqlToRinggOperator split the list by where people are, with its purpose.",
    )


def _judge_attempts(
    strictest: CallingHours | None, nationwide: CallingHours | None, calls: int, country: str
) -> Finding:
    for hours, level, place in (
        (nationwide, Level.ERROR, f"in {country}"),
        (strictest, Level.WARNING, f"in some parts of {country}"),
    ):
        limit = None if hours is None else hours.max_attempts_per_day
        if limit is not None and calls > limit:
            return Finding(
                Check.ATTEMPTS,
                level,
                f"Up to {calls} calls to one person are asked for, and {place} at most {limit} in 24 hours are "
                f"allowed: set retry_count to {limit - 1}.",
            )
    return Finding(Check.ATTEMPTS, Level.OK, f"Up to {calls} calls to one person break no limit.")


def _found(level: Level, message: str) -> Finding:
    return Finding(Check.CALLING_HOURS, level, message)

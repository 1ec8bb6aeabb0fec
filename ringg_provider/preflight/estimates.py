"""Estimates before a campaign starts: do the retries fit, will all be reached, do the credits suffice.

All of them are arithmetic on numbers the caller has, and ``judge_...`` says what a report makes of it. Where a number
is missing the answer is None, "cannot say", which is a warning and never a yes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from ringg_provider import wording
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.preflight.report import Check, Finding, Level

TimeSpan = tuple[datetime, datetime]


@dataclass(frozen=True)
class ListLoad:
    """One list that has to be called.

    :param contacts: how many people are on it.
    :param spans: when they may be called: aware, half-open, in order.
    """

    contacts: int
    spans: Sequence[TimeSpan]


@dataclass(frozen=True)
class CostEstimate:
    """Whether the credits suffice.

    :param sufficient: True or False; None when cost or credits are not known.
    :param basis: where the cost of a call comes from.
    :param estimated_credits: for all rows; None without a cost per call.
    :param shortfall: how many credits are missing, at least 0; None when it cannot be said.
    :param message: the finding in one sentence.
    :param spendable_credits: what it was compared with; None when that is not known.
    """

    sufficient: bool | None
    basis: Literal["credits_per_call", "history", "none"]
    estimated_credits: Decimal | None
    shortfall: Decimal | None
    message: str
    spendable_credits: Decimal | None = None


def judge_retries(spans: Sequence[TimeSpan], retries: int, wait: timedelta, *, must_fit: bool) -> Finding:
    """Whether a contact that is first called at the opening gets all its retries before the campaign's time is over.

    Counts the slowest way: a retry that falls outside the callable time waits for the next opening. At the campaign's
    end the platform gives up who still waits for a retry.

    :param spans: when contacts may be called: aware, half-open, in order.
    :param retries: further attempts after the first.
    :param wait: the longest that is waited between two attempts.
    :param must_fit: whether it is an error that they do not fit, or a warning.
    """
    wanted, fit = retries + 1, _attempts_that_fit(_in_utc(spans), wait, retries)
    problem = (
        f"Only {fit} of {wanted} attempts fit before the last calling window closes, with up to"
        f" {wait.total_seconds() / 60:g} minutes between attempts: take fewer retries, shorter waits or more days."
    )
    return Finding.of(
        Check.RETRIES,
        None if fit == wanted else problem,
        f"Before the calling hours are over, {wording.counted(wanted, 'attempt fits', 'attempts fit')}.",
        Level.ERROR if must_fit else Level.WARNING,
    )


def expected_attempts(retry_count: int, answer_rate: float | None = None) -> float:
    """How many calls a contact costs on average.

    :param retry_count: retries after the first call.
    :param answer_rate: share of calls that end the matter, 0 to 1; None counts every retry, the most it can
        be.
    :raises InvalidRequest: the rate is not between 0 and 1.
    """
    if answer_rate is None:
        return float(retry_count + 1)
    if not 0 <= answer_rate <= 1:
        raise InvalidRequest("answer_rate must be between 0 and 1.", field="answer_rate")
    return sum((1 - answer_rate) ** attempt for attempt in range(retry_count + 1))


def judge_feasibility(
    lists: Sequence[ListLoad],
    *,
    attempts: float,
    average_seconds: float,
    concurrent_lines: int | None,
    now: datetime | None = None,
) -> Finding:
    """Whether everybody can be reached before the hours are over, all lists sharing the lines.

    Lines serve whichever open list closes first, which is the best that can be done: a "does not fit" is
    certain under the given averages, a "fits" assumes that the platform keeps its lines busy.

    :param lists: how many contacts, and when.
    :param attempts: average calls per contact, see :func:`expected_attempts`.
    :param average_seconds: average length of a call, ringing included.
    :param concurrent_lines: calls at the same time; None when not known, which is a warning.
    :param now: time before it is over (aware); None counts all spans.
    :raises InvalidRequest: ``attempts``, ``average_seconds`` or ``concurrent_lines`` is not positive.
    """
    _positive("attempts", attempts)
    _positive("average_seconds", average_seconds)
    if concurrent_lines is None:
        message = "Give concurrent_lines to learn whether all contacts can be reached in time."
        return Finding(Check.FEASIBILITY, Level.WARNING, message)
    _positive("concurrent_lines", concurrent_lines)
    per_contact = attempts * average_seconds / 60
    contacts = sum(load.contacts for load in lists)
    left, end = _serve([(load.contacts * per_contact, _after(load.spans, now)) for load in lists], concurrent_lines)
    unreached = min(contacts, sum(math.ceil(round(minutes / per_contact, 6)) for minutes in left))
    if unreached:
        message = f"About {unreached} of {contacts} contacts would not be reached before their windows close."
        return Finding(Check.FEASIBILITY, Level.ERROR, message)
    if end is None:
        return Finding(Check.FEASIBILITY, Level.OK, "There is nobody to call.")
    zone = next((load.spans[0][0].tzinfo for load in lists if load.spans), None)
    message = f"All {wording.counted(contacts, 'contact')} can be reached by {wording.moment(end, zone)}."
    return Finding(Check.FEASIBILITY, Level.OK, message)


def estimate_cost(
    rows: int,
    *,
    spendable_credits: Decimal | None,
    credits_per_call: Decimal | None = None,
    average_credits: Decimal | None = None,
) -> CostEstimate:
    """Compare what a list will cost with the credits there are.

    :param rows: contacts on the list; each counts as one call.
    :param spendable_credits: of the workspace; None when it could not be read.
    :param credits_per_call: as the user states it.
    :param average_credits: average cost per contact in the history table; used when the former is None.
    """
    basis: Literal["credits_per_call", "history"] = "history" if credits_per_call is None else "credits_per_call"
    cost = average_credits if credits_per_call is None else credits_per_call
    if cost is None:
        message = "The cost cannot be estimated: give credits_per_call, or load the call history."
        return CostEstimate(None, "none", None, None, message, spendable_credits)
    if not (cost.is_finite() and cost >= 0):
        raise InvalidRequest("credits_per_call must be a number of at least 0.", field="credits_per_call")
    total = rows * cost
    if spendable_credits is None:
        message = f"About {wording.money(total)} are needed; the workspace's credits could not be read."
        return CostEstimate(None, basis, total, None, message)
    shortfall = max(Decimal(0), total - spendable_credits)
    message = f"About {wording.money(total)} are needed, and {wording.money(spendable_credits)} can be spent"
    return CostEstimate(
        shortfall == 0,
        basis,
        total,
        shortfall,
        f"{message}: top up {wording.money(shortfall)}." if shortfall else f"{message}.",
        spendable_credits,
    )


def judge_credits(cost: CostEstimate, *, told_sufficient: bool | None, unpaid_lists: int) -> Finding:
    """Whether there are credits enough: what the platform says, and our own estimate.

    :param cost: our estimate, with what can be spent.
    :param told_sufficient: what the platform answered when it was asked about the lists; None when it was not asked.
    :param unpaid_lists: lists that the platform shows as waiting for credits.
    """
    if unpaid_lists or told_sufficient is False:
        waiting = wording.counted(unpaid_lists, "list waits", "lists wait")
        what = f"{waiting} for credits" if unpaid_lists else "the platform says that credits lack"
        return Finding(Check.CREDITS, Level.ERROR, f"Top up: {what}.")
    if cost.basis != "none":
        level = Level.OK if cost.sufficient else Level.ERROR
        return Finding(Check.CREDITS, level, cost.message)
    if told_sufficient:
        return Finding(Check.CREDITS, Level.OK, "The platform says that the credits suffice.")
    if cost.spendable_credits is not None and cost.spendable_credits <= 0:
        return Finding(Check.CREDITS, Level.ERROR, "The workspace has no credits to spend: top up.")
    return Finding(Check.CREDITS, Level.WARNING, cost.message)


def _attempts_that_fit(spans: Sequence[TimeSpan], wait: timedelta, retries: int) -> int:
    """How many attempts happen when the first is at the first opening."""
    moment = spans[0][0] if spans else None
    for done in range(retries + 1):
        moment = _next_callable(moment, spans) if moment is not None else None
        if moment is None:
            return done
        moment += wait
    return retries + 1


def _next_callable(moment: datetime, spans: Sequence[TimeSpan]) -> datetime | None:
    return next((max(begin, moment) for begin, end in spans if moment < end), None)


def _in_utc(spans: Sequence[TimeSpan]) -> list[TimeSpan]:
    """Adding minutes to a local time goes wrong where clocks change; in UTC it does not."""
    return [(_utc(begin), _utc(end)) for begin, end in spans]


def _utc(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _after(spans: Sequence[TimeSpan], now: datetime | None) -> list[TimeSpan]:
    spans = _in_utc(spans)
    if now is None:
        return spans
    present = _utc(now)
    return [(max(begin, present), end) for begin, end in spans if end > present]


def _serve(waiting: Sequence[tuple[float, list[TimeSpan]]], lines: int) -> tuple[list[float], datetime | None]:
    """Let the lines work, first on what closes first: minutes left per list, and the end."""
    left = [minutes for minutes, _ in waiting]
    edges = sorted({edge for _, spans in waiting for span in spans for edge in span})
    end = None
    for begin, until in pairwise(edges):
        opened = [
            index
            for index, (_, spans) in enumerate(waiting)
            if any(first <= begin and until <= last for first, last in spans)
        ]
        if not opened:
            continue
        capacity = lines * (until - begin).total_seconds() / 60
        used = 0.0
        for index in sorted(opened, key=lambda index: waiting[index][1][-1][1]):
            served = min(left[index], capacity - used)
            left[index] -= served
            used += served
        if used > 0:
            end = begin + timedelta(minutes=used / lines)
    return left, end


def _positive(field: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InvalidRequest(f"{field} must be greater than 0.", field=field)

"""A person says when somebody asked to be called, or that nobody has to call: what no program may guess."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from ringg_provider.callbacks.asked import PERSON
from ringg_provider.callbacks.planning import bounds
from ringg_provider.callbacks.reading import FURTHEST, Instant, Span
from ringg_provider.callbacks.table import LIVE, PromiseState
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.merging import change
from ringg_provider.hours.zones import zone_names

#: Nobody has to be called any more.
WITHDRAWN = PromiseState.WITHDRAWN

# What the column takes, with what stands before it.
_LONGEST_NAME = 180


def settle(
    engine: sa.Engine,
    table: sa.Table,
    promise_id: str,
    when: Instant | Span | PromiseState,
    *,
    by: str,
    timezone: str | None = None,
    asked_at: datetime | None = None,
    only_unclear: bool = False,
    now: datetime | None = None,
) -> bool:
    """Say of a promise when it is due, or that it is not to be kept; one conditional UPDATE.

    What is on a list that is to be started, or has ended, is not changed. `RinggCallbacksOperator` moves a time into
    the hours in which people may be called.

    :param engine: the database.
    :param table: see `callbacks_table`; must exist.
    :param promise_id: which.
    :param when: an `Instant` or a `Span`, as the person meant it; or `WITHDRAWN`: a human has called, or nobody need.
    :param by: who says so; stands in `settled_by` as `person:<by>`.
    :param timezone: the IANA zone in which they are, where it was not known. Default as it stands.
    :param asked_at: when they asked for it, aware: if they have asked again since, nothing is changed. Default:
        whenever it was.
    :param only_unclear: change nothing of which it is known by now when it is due. Default False.
    :param now: the present time, aware; for tests.
    :return: whether it was changed; False when it has meanwhile been listed, has ended, or is not there.
    :raises InvalidRequest: the time has passed or lies more than half a year ahead, the zone is none, or nobody is
        named.
    :raises QueryFailed, DatabaseUnavailable: the database refused.
    """
    present = now or datetime.now(UTC)
    name = " ".join(by.split())[:_LONGEST_NAME]
    if not name:
        raise InvalidRequest("by: must name who says so.", field="by")
    values: dict[str, object] = {"settled_by": f"{PERSON}{name}", "changed_at": present, "give_up_at": None}
    if isinstance(when, PromiseState):
        if when is not WITHDRAWN:
            raise InvalidRequest("when: must be an instant, a span, or WITHDRAWN.", field="when")
        values |= {"state": WITHDRAWN.value, "state_reason": "a person said so"}
    else:
        # Pendulum's times add up to ones without a zone.
        earliest, latest = (datetime.fromtimestamp(each.timestamp(), UTC) for each in bounds(when))
        if latest <= present or earliest > latest or latest > present + FURTHEST:
            raise InvalidRequest(f"when: must lie ahead, by at most {FURTHEST.days} days.", field="when")
        due = earliest + (latest - earliest) / 2
        values |= {"earliest_at": earliest, "latest_at": latest, "due_at": max(due, present)}
        values |= {"state": PromiseState.OPEN.value, "state_reason": None}
    if timezone is not None:
        if timezone not in zone_names():
            raise InvalidRequest("timezone: must be the name of a time zone, such as Asia/Kolkata.", field="timezone")
        values["timezone"] = timezone
    states = {PromiseState.UNCLEAR.value} if only_unclear else LIVE - {PromiseState.LISTED.value}
    unclaimed = table.c.state.in_(sorted(states)), table.c.claim_key.is_(None)
    update = sa.update(table).where(table.c.promise_id == promise_id, *unclaimed, table.c.erased_at.is_(None))
    if asked_at is not None:
        update = update.where(table.c.asked_at == asked_at)
    return change(engine, update.values(**values)) == 1

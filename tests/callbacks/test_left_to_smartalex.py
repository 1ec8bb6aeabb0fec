"""SmartAlex calls back by itself: which of its callbacks are listed by us, out of the tables of a real database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.callbacks.claims import Claims
from ringg_provider.callbacks.elsewhere import PLATFORM_CALLED, UNDER_WAY, Elsewhere
from ringg_provider.callbacks.loading import PromiseTerms
from ringg_provider.callbacks.planning import PLATFORM_CALLS, plan
from ringg_provider.callbacks.smartalex import SmartAlexPromises
from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.history.smartalex import STATE, smartalex_calls_table
from ringg_provider.history.smartalex import callbacks_table as pending_table
from ringg_provider.history.tables import state_table
from tests.callbacks.people import HOURS, NOON, NUMBER, hours
from tests.support.databases import engines

PENDING, CALLS, PROMISES, READ = pending_table(), smartalex_calls_table(), callbacks_table(), state_table(STATE)
MINUTE = dt.timedelta(minutes=1)

#: The databases that hold the state.
engine = engines("psycopg", "sqlite", "mariadb")


def decided(
    engine: sa.Engine, *calls: dict[str, Any], seen: dt.datetime, gone: dt.datetime | None, known: dt.datetime
) -> str | None:
    """Why the callback of noon is not listed in the afternoon; None: it is.

    Args:
        engine: the database.
        calls: to the person.
        seen: when the callback was last seen pending.
        gone: when it was found gone.
        known: until when all calls are known.
    """
    for table in (PENDING, CALLS, READ):
        table.create(engine)
    row = {"callback_id": "c", "campaign_id": "l", "agent_id": "agent", "contact_id": "person", "scheduled_at": NOON}
    row |= {"first_read_at": NOON - hours(2), "read_at": seen, "to_number_e164": NUMBER}
    row |= {"state": "pending" if gone is None else "done", "done_at": gone}
    with engine.begin() as connection:
        connection.execute(sa.insert(PENDING).values(**row))
        connection.execute(sa.insert(READ).values(calls_table=CALLS.name, read_until=known, changed_at=known))
    now = NOON + hours(3)
    SmartAlexPromises(engine, PENDING, CALLS, PromiseTerms(HOURS), PROMISES, now=lambda: now).run()
    # Loaded after the promises were brought up to date.
    with engine.begin() as connection:
        for n, call in enumerate(calls):
            made = {"call_id": f"call-{n}", "contact_id": "person", "is_final": True, "first_read_at": NOON}
            connection.execute(sa.insert(CALLS).values(**made | call))
    elsewhere = Elsewhere(engine, CALLS, READ)
    open_ = Claims(engine, PROMISES).open(platform="smartalex", agent_ids=["agent"], conn_id="smartalex", until=now)
    held = elsewhere.held(open_)
    planned = plan(
        open_,
        now=now,
        horizon=5 * MINUTE,
        hours=HOURS,
        held=lambda promise: held.get(promise.promise_id),
        known_until=elsewhere.known_until(),
    )
    assert len(planned.to_list) + len(planned.waiting) == 1
    return planned.waiting[0][1] if planned.waiting else None


@pytest.mark.parametrize(
    ("seen", "gone", "known", "why"),
    [
        (10 * MINUTE, 25 * MINUTE, 40 * MINUTE, None),
        (10 * MINUTE, 25 * MINUTE, 39 * MINUTE, PLATFORM_CALLS),
        (170 * MINUTE, None, 180 * MINUTE, PLATFORM_CALLS),
        (-30 * MINUTE, -15 * MINUTE, 180 * MINUTE, PLATFORM_CALLS),
        (-5 * MINUTE, 10 * MINUTE, 180 * MINUTE, PLATFORM_CALLS),
    ],
    ids=["given up", "not yet certain", "still pending", "called off before", "perhaps called off before"],
)
def test_only_what_was_pending_at_its_time_and_is_gone_is_listed(
    engine: sa.Engine, seen: dt.timedelta, gone: dt.timedelta | None, known: dt.timedelta, why: str | None
) -> None:
    found = None if gone is None else NOON + gone
    assert decided(engine, seen=NOON + seen, gone=found, known=NOON + known) == why


@pytest.mark.parametrize(
    ("minutes", "more", "why"),
    [
        (1, {"status": "no_answer"}, PLATFORM_CALLED),
        (-10, {"status": "busy"}, PLATFORM_CALLED),
        (100, {"status": "voicemail", "contact_id": None, "to_number_e164": NUMBER}, PLATFORM_CALLED),
        (100, {"status": "ringing", "is_final": False}, UNDER_WAY),
        (-30, {"status": "no_answer"}, None),
        (1, {"status": "no_answer", "contact_id": "another"}, None),
    ],
)
def test_whom_the_platform_rang_is_not_rung_again(
    engine: sa.Engine, minutes: int, more: dict[str, Any], why: str | None
) -> None:
    call = {"created_at": NOON + minutes * MINUTE, **more}
    seen, gone, known = (NOON + each * MINUTE for each in (10, 25, 180))
    assert decided(engine, call, seen=seen, gone=gone, known=known) == why

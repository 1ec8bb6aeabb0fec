"""What the frequency cap cannot see: calls that name no number, and lists whose calls no load has read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from more_itertools import chunked

from ringg_provider import wording
from ringg_provider.history.freshness import launched_since

#: How far back a cap that counts attempts, and has no days, looks for lists without calls.
_LOOK_BACK = timedelta(days=30)
#: Ids that one statement may hold.
_CHUNK = 500


def warn_of_gaps(
    log: logging.Logger,
    engine: sa.Engine,
    calls: sa.Table,
    number: sa.ColumnElement[str],
    within_days: float | None,
    *,
    may_be_erased: bool,
) -> None:
    """Warn of people who may be called again although the cap would protect them, with what to do about it.

    :param log: takes the warnings.
    :param engine: of the database with the table.
    :param calls: the platform's calls.
    :param number: the number of a call.
    :param within_days: of the cap; None where it only counts attempts.
    :param may_be_erased: whether the table tells of rows whose personal data were erased; those are no gap.
    """
    since = datetime.now(UTC) - (_LOOK_BACK if within_days is None else timedelta(days=within_days))
    known = sa.func.coalesce(calls.c.created_at, calls.c.first_read_at)
    nameless = sa.select(sa.func.count()).where(number.is_(None), sa.or_(known.is_(None), known >= since))
    if may_be_erased:
        nameless = nameless.where(calls.c.erased_at.is_(None))
    with engine.connect() as connection:
        if count := connection.execute(nameless).scalar_one():
            log.warning(
                "%s of %s since %s %s no number: the cap protects none of those people, who may be called again. Leave"
                " them out by their key (state_suppression_sql over ringg_outcomes or the table of people); see the"
                " runbook, 'Called again although the cap holds them'.",
                wording.counted(count, "call"),
                calls.fullname,
                wording.moment(since, UTC),
                "names" if count == 1 else "name",
            )
    if unread := _unread(engine, calls, since):
        log.warning(
            "%s started since %s %s no call in %s, for instance %s: the cap protects nobody on %s, and the query may"
            " choose them again. Load the calls first (%s), or refuse to dial until they are there"
            " (require_history_within); see the runbook, 'Called again although the cap holds them'.",
            wording.counted(len(unread), "list"),
            wording.moment(since, UTC),
            "has" if len(unread) == 1 else "have",
            calls.fullname,
            unread[0],
            "it" if len(unread) == 1 else "them",
            "RinggCallsToSqlOperator" if "bulk_list_id" in calls.c else "SmartAlexCallsToSqlOperator",
        )


def _unread(engine: sa.Engine, calls: sa.Table, since: datetime) -> list[str]:
    """Lists of the launch ledger that have begun and of which the table has no call."""
    of_list = calls.c.bulk_list_id if "bulk_list_id" in calls.c else calls.c.campaign_id
    launched = launched_since(engine, None, calls.schema, since, smartalex="bulk_list_id" not in calls.c)
    read: set[str] = set()
    with engine.connect() as connection:
        for some in chunked(launched, _CHUNK):
            read.update(connection.execute(sa.select(of_list).where(of_list.in_(some)).distinct()).scalars())
    return [each for each in launched if each not in read]

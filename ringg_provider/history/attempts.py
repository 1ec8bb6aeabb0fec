# ruff: noqa: E501 - a line per column reads better than a screen per column
"""Every time a phone rang: the table of attempts, which only webhooks tell of, and how often each call rang.

The platform gives an attempt no id, and its place in a list is not told by every webhook. So an attempt is its call and
the second in which it rang: the same one, in whatever order and however often it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ringg_provider.history.options import ATTEMPTS
from ringg_provider.history.rows import Row
from ringg_provider.history.tables import column
from ringg_provider.sql.creating import described
from ringg_provider.sql.merge import Columns, MergeCounts, merge_rows
from ringg_provider.sql.types import Key, Text, UtcDateTime


def attempts_table(name: str = ATTEMPTS, *, schema: str | None = None) -> sa.Table:
    """Describe the table of attempts: one row per ring.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives: beside the table of calls.
    :return: a SQLAlchemy table; nothing is created.
    """
    # fmt: off
    columns = [
        column("call_id", Key, "webhooks `call_id`", "the call", primary_key=True),
        column("rang_in", sa.BigInteger, "`called_on`", "the second in which it rang, counted from 1970", primary_key=True, autoincrement=False),
        column("attempt", sa.Integer, "webhooks `attempts[]`", "which ring of its call it is, from 1; NULL where no list told"),
        column("status", Text, "webhooks `attempts[].status`, else `sub_status`", "what came of it, in the carrier's words"),
        column("called_on", UtcDateTime, "webhooks `attempts[].called_on_time`, `called_on`", "when it rang", index=True),
        column("from_number", Key, "webhooks `from_number`", "the caller number; NULL where only a later ring's is known"),
        column("read_at", UtcDateTime, "this provider", "when it was last told"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema, field="attempts_table")


def merge_attempts(engine: sa.Engine, table: sa.Table, rows: Sequence[Row]) -> MergeCounts:
    """Merge attempts; in any order and however often they come, the table ends the same.

    :param engine: the database.
    :param table: see `attempts_table`; must exist.
    :param rows: no two of the same call and second.
    :return: `inserted` counts those that were new.
    :raises QueryFailed, DatabaseUnavailable: the database refused.
    """
    return merge_rows(
        engine, table, rows, keys=["call_id", "rang_in"], carry_over=["from_number"], derive=_told_together
    )


def _told_together(stored: Columns, staged: Columns, merged: Columns) -> Columns:  # noqa: ARG001 - as a merge calls it
    def either(name: str, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
        return sa.case(
            (condition, sa.func.coalesce(staged[name], stored[name])),
            else_=sa.func.coalesce(stored[name], staged[name]),
        )

    # A list has the carrier's words for each ring; of the others only the call's own are known.
    listed = staged["attempt"].is_not(None)
    longer = sa.or_(stored["attempt"].is_(None), staged["attempt"] > stored["attempt"])
    # The fraction of the second is not told everywhere.
    exact = sa.or_(stored["called_on"].is_(None), staged["called_on"] > stored["called_on"])
    return {
        "attempt": either("attempt", longer),
        "status": either("status", listed),
        "called_on": either("called_on", exact),
    }


def known_attempts(attempts: sa.Table) -> sa.Subquery:
    """How often each call is known to have rung: `call_id`, `attempts`, and `last_called_on`.

    :param attempts: see `attempts_table`.
    """
    return (
        sa.select(
            attempts.c.call_id,
            sa.func.count().label("attempts"),
            sa.func.max(attempts.c.called_on).label("last_called_on"),
        )
        .group_by(attempts.c.call_id)
        .subquery("known_attempts")
    )

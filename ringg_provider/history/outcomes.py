"""Join calls back to the people they were made to: the view `ringg_outcomes`, one row per contact key."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.tables import HistoryState
from ringg_provider.ringg.responses import CallStatus
from ringg_provider.sql.creating import create_view, described

OUTCOMES = "ringg_outcomes"

#: What `ringg_contacts` says of somebody who was put on a list.
LISTED = "listed"

#: Statuses of calls that may never have been dialled.
UNDIALLED = ("", "registered", "cancelled", "error")


def calls_of_contacts(contacts: sa.Table, calls: sa.Table) -> sa.FromClause:
    """Join each listed contact with its calls: the same list, the same number in E.164.

    :param contacts: `ringg_contacts`, with `contact_key`, `list_id`, `phone` and `disposition`.
    :param calls: `ringg_calls`.
    :return: a left join: a contact that was not called yet has no call in it.
    """
    same = sa.and_(calls.c.bulk_list_id == contacts.c.list_id, calls.c.to_number_e164 == contacts.c.phone)
    return contacts.outerjoin(calls, same)


def dialled(calls: sa.Table) -> sa.ColumnElement[bool]:
    """Whether the platform has dialled: it tells when, or the call is past what can be without an attempt."""
    status = sa.func.lower(sa.func.coalesce(calls.c.status, ""))
    return sa.or_(calls.c.attempted_at.is_not(None), status.not_in(UNDIALLED))


def connected(calls: sa.Table) -> sa.ColumnElement[bool]:
    """Whether the call was taken, by a person or by a machine."""
    return sa.func.lower(sa.func.coalesce(calls.c.status, "")).in_(sorted(CallStatus.TAKEN))


def reached(calls: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a person took the call: it was completed, and no answering machine did."""
    machine = sa.or_(
        sa.func.coalesce(calls.c.voicemail_detected, sa.false()) == sa.true(),
        sa.func.substr(sa.func.coalesce(calls.c.sub_status, ""), 1, len(CallStatus.MACHINE)) == CallStatus.MACHINE,
    )
    return sa.and_(sa.func.lower(calls.c.status) == "completed", sa.not_(machine))


def outcomes(contacts: sa.Table, calls: sa.Table) -> sa.Select[Any]:
    """Select what became of every contact key that was ever put on a list.

    Columns: `contact_key`; `lists`, `calls` (how many); `reached` (a person took one of them); `open` (a call may still
    be made or change); of the latest call `status`, `sub_status`, `classification`, `callback_requested`,
    `callback_requested_time`, `called_at`; `cost` of all calls.

    :param contacts: `ringg_contacts`.
    :param calls: `ringg_calls`.
    """
    by_key = [contacts.c.contact_key]
    latest_first = sa.func.row_number().over(
        partition_by=by_key,
        order_by=[
            # NULLs sort first on some databases and last on others.
            sa.case((calls.c.attempted_at.is_(None), 1), else_=0),
            calls.c.attempted_at.desc(),
            calls.c.call_id.desc(),
        ],
    )
    latest = (
        sa.select(
            contacts.c.contact_key,
            calls.c.status,
            calls.c.sub_status,
            calls.c.classification,
            calls.c.callback_requested,
            calls.c.callback_requested_time,
            calls.c.attempted_at.label("called_at"),
            latest_first.label("place"),
        )
        .select_from(calls_of_contacts(contacts, calls))
        .where(contacts.c.disposition == LISTED)
        .subquery("latest")
    )

    def any_of(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return sa.func.max(sa.case((condition, 1), else_=0)) == 1

    total = (
        sa.select(
            contacts.c.contact_key,
            sa.func.count(contacts.c.list_id.distinct()).label("lists"),
            sa.func.count(calls.c.call_id.distinct()).label("calls"),
            any_of(reached(calls)).label("reached"),
            any_of(calls.c.history_state == HistoryState.OPEN.value).label("open"),
            sa.func.sum(calls.c.cost).label("cost"),
        )
        .select_from(calls_of_contacts(contacts, calls))
        .where(contacts.c.disposition == LISTED)
        .group_by(*by_key)
        .subquery("total")
    )
    return (
        sa.select(
            total.c.contact_key,
            total.c.lists,
            total.c.calls,
            total.c.reached,
            total.c.open,
            latest.c.status,
            latest.c.sub_status,
            latest.c.classification,
            latest.c.callback_requested,
            latest.c.callback_requested_time,
            latest.c.called_at,
            total.c.cost,
        )
        .select_from(total.join(latest, total.c.contact_key == latest.c.contact_key))
        .where(latest.c.place == 1)
    )


def create_outcomes_view(
    engine: sa.Engine, contacts: sa.Table, calls: sa.Table, *, name: str = OUTCOMES, schema: str | None = None
) -> None:
    """Create the view `ringg_outcomes`, unless there is one.

    :param engine: the database of both tables.
    :param contacts: `ringg_contacts`; must exist.
    :param calls: `ringg_calls`; must exist.
    :param name: of the view. Default `ringg_outcomes`.
    :param schema: where it lives; the connection's default when left out.
    :raises InvalidRequest: there is one that reads other tables.
    """
    view = described(name, schema=schema, field="name")
    read = create_view(engine, view, outcomes(contacts, calls))
    # A view of other tables would say of everybody that nobody has called them yet.
    others = [each.name for each in (contacts, calls) if read and not re.search(rf"\b{re.escape(each.name)}\b", read)]
    if others:
        raise InvalidRequest(
            f"contacts_table, table: the view {name} does not read {', '.join(others)}. Drop the view, and it is made"
            " anew.",
            field="contacts_table",
        )

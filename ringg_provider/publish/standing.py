"""Does the copy know what the state knows? Asked right before a query in the warehouse chooses whom to call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from more_itertools import chunked

from ringg_provider.contacts.people import people_table
from ringg_provider.exceptions import HistoryNotCurrent, InvalidRequest
from ringg_provider.history.tables import calls_table
from ringg_provider.publish.changes import Changes
from ringg_provider.publish.marks import CLOCKS_APART, connection_in, publications_table
from ringg_provider.sql.creating import is_there

_LISTS_AT_ONCE = 500


def require_published(
    engine: sa.Engine,
    lists: Collection[str],
    within: dt.timedelta,
    *,
    warehouse_conn_id: str | None = None,
    calls: str,
    contacts: str,
    schema: str | None = None,
) -> None:
    """Make sure that the calls and contacts of some lists stand in the warehouse as they stand in the state.

    Row by row, and not by a time alone: what was committed while a publication ran is missing in it.

    :param engine: the state database.
    :param lists: their ids.
    :param within: how old the last publication may be.
    :param warehouse_conn_id: the warehouse that is asked. Default: all that were ever published into.
    :param calls: the name of the table of calls.
    :param contacts: the name of the table of contacts; it need not be published.
    :param schema: of these tables and the marks.
    :raises InvalidRequest: nothing was ever published there.
    :raises HistoryNotCurrent: something is missing there; publishing helps. The text says how much.
    """
    marks = _marks(engine, schema, warehouse_conn_id)
    where = f"connection {warehouse_conn_id!r}" if warehouse_conn_id else "any warehouse"
    of_calls, of_contacts = calls_table(calls, schema=schema), people_table(contacts, schema)
    if not any(mark.table_name == of_calls.name for mark in marks):
        raise InvalidRequest(
            f"published: the table {of_calls.name} was never published into {where} (RinggPublishOperator), so a query "
            "there would take everybody for not called yet.",
            field="published",
        )
    now = dt.datetime.now(dt.UTC)
    tables = {
        of_calls.name: (of_calls, of_calls.c.bulk_list_id),
        of_contacts.name: (of_contacts, of_contacts.c.list_id),
    }
    for mark in marks:
        if mark.table_name not in tables:
            continue
        about = f"the table {mark.table_name} in {mark.warehouse}"
        if mark.pending is not None or mark.mark is None:
            raise HistoryNotCurrent(f"A publication of {about} has not ended. {_NEXT}")
        if mark.published_at is None or not now - within <= mark.published_at <= now + CLOCKS_APART:
            since = f"{mark.published_at:%Y-%m-%d %H:%M} UTC" if mark.published_at else "never"
            raise HistoryNotCurrent(
                f"The last publication of {about} began {since}; it is {now:%Y-%m-%d %H:%M}. {_NEXT}"
            )
        table, list_id = tables[mark.table_name]
        changes = Changes(engine, table, mark.target)
        missing = sum(changes.unpublished(list_id.in_(some)) for some in chunked(sorted(lists), _LISTS_AT_ONCE))
        if missing:
            raise HistoryNotCurrent(
                f"{missing} rows of the {len(lists)} campaigns of late do not stand in {about} as they stand in the "
                f"state. {_NEXT}"
            )


_NEXT = (
    "Dialling by a query there could call people again who were just reached: publish (RinggPublishOperator) and try "
    "again."
)


def _marks(engine: sa.Engine, schema: str | None, warehouse_conn_id: str | None) -> list[Any]:
    table = publications_table(schema)
    if not is_there(engine, table):
        return []
    query = sa.select(table).where(
        table.c.target != "", sa.or_(table.c.mark.is_not(None), table.c.pending.is_not(None))
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return [row for row in rows if warehouse_conn_id in (None, connection_in(row.warehouse))]

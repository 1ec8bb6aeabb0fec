"""What need not be read, because webhooks brought it: the table holds as many calls as the platform says there are.

All calls of the table are the platform's. So where both count the same, they have the same calls, and only what is not
settled of them is still to be asked for.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from ringg_provider.history.merging import CallStore
from ringg_provider.history.paging import PAGE_SIZE, PageReader, calls_of
from ringg_provider.history.tables import LISTED_ANEW, HistoryState
from ringg_provider.ringg.responses import CallPage

#: More calls than this are not asked for one by one.
MOST_SINGLES = 30


class Known:
    """Compares counts, and counts what that saved.

    :param calls: the table of calls.
    :param pages: reads the pages.
    """

    def __init__(self, calls: CallStore, pages: PageReader) -> None:
        self._calls = calls
        self._pages = pages
        self.campaigns = 0
        self.saved = 0

    def unsettled_of(self, campaign_id: str, now: dt.datetime) -> list[str] | None:
        """The calls of a list that are still to be asked for; None where its calls have to be read.

        :param campaign_id: the list.
        :param now: the present time, aware.
        :raises TransientError, PermanentError: the platform could not be asked.
        """
        table = self._calls.table.c
        ours = table.bulk_list_id == campaign_id
        is_open = sa.and_(table.history_state == HistoryState.OPEN.value, table.history_reason.in_(sorted(LISTED_ANEW)))
        with self._calls.engine.connect() as connection:
            count, settled = self._count(connection, ours)
            query = sa.select(table.call_id).where(ours, is_open).order_by(table.call_id).limit(MOST_SINGLES + 1)
            unsettled = list(connection.execute(query).scalars()) if settled else []
        requests = count // PAGE_SIZE + 1
        if not settled or len(unsettled) > MOST_SINGLES or len(unsettled) + 1 >= requests:
            return None
        # The last of them, and nothing after it.
        page = self._pages.page(calls_of(campaign_id, now), count - 1)
        if len(page.calls) != 1 or page.total not in (None, count):
            return None
        with self._calls.engine.connect() as connection:
            is_ours = sa.select(table.call_id).where(ours, table.call_id == page.calls[0].id)
            if connection.execute(is_ours).first() is None:
                return None
        self.campaigns += 1
        self.saved += requests - 1 - len(unsettled)
        return unsettled

    def is_whole(self, start: dt.datetime, end: dt.datetime, first: CallPage) -> bool:
        """Whether all calls of a stretch of time are in the table.

        :param start: where it begins.
        :param end: where it ends.
        :param first: what the platform gave of it.
        """
        if first.total is None or first.total <= PAGE_SIZE:
            return False
        table = self._calls.table.c
        # Which of a call's times the platform means is not documented: so it has to be the same by both.
        made, rang = table.created_at, sa.func.coalesce(table.attempted_at, table.created_at)
        with self._calls.engine.connect() as connection:
            for at in (made, rang):
                count, settled = self._count(connection, sa.and_(at >= start, at <= end))
                if count != first.total or not settled:
                    return False
        self.saved += first.total // PAGE_SIZE
        return True

    def _count(self, connection: sa.Connection, condition: sa.ColumnElement[bool]) -> tuple[int, int]:
        """How many calls there are, and how many of them webhooks have settled."""
        settled = sa.func.count(self._calls.table.c.settled_at)
        row = connection.execute(sa.select(sa.func.count(), settled).where(condition)).one()
        return int(row[0]), int(row[1])

"""What need not be read, because webhooks brought it: the table holds as many calls as the platform says there are.

All calls of the table are the platform's. So where both count the same, they have the same calls, and only what is not
settled of them is still to be asked for.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from ringg_provider.history.merging import CallStore
from ringg_provider.history.paging import PAGE_SIZE, PageReader, calls_between, calls_of
from ringg_provider.history.tables import LISTED_ANEW, HistoryState
from ringg_provider.ringg.limits import LATEST_CALL
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import CallPage

#: More calls than this are not asked for one by one.
MOST_SINGLES = 30

_STEPS = 5


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
        self._whole_since: dt.datetime | None = None
        table = calls.table.c
        self._made, self._rang = table.created_at, sa.func.coalesce(table.attempted_at, table.created_at)

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
        if not self._are_all(calls_of(campaign_id, now), count, ours):
            return None
        self.campaigns += 1
        self.saved += requests - 1 - len(unsettled)
        return unsettled

    def is_whole(self, start: dt.datetime, end: dt.datetime, first: CallPage) -> bool:
        """Whether all calls of a stretch of time, and all that were made since, are in the table.

        :param start: where it begins.
        :param end: where it ends.
        :param first: its first page.
        :raises TransientError, PermanentError: the platform could not be asked.
        """
        if len(first.calls) < PAGE_SIZE or (first.total is not None and first.total <= 2 * PAGE_SIZE):
            return False
        if (since := self._unbroken(start)) is None:
            return False
        with self._calls.engine.connect() as connection:
            # Which of a call's times the platform means is not documented: so it has to be the same by both.
            count, settled = self._count(connection, self._made >= since)
            by_ring, _ = self._count(connection, self._rang >= since)
            read, _ = self._count(connection, sa.and_(self._made >= start, self._made <= end))
        if not settled or count != by_ring:
            return False
        if self._whole_since is None or self._whole_since > since:
            ever = calls_between(since, self._calls.now() + LATEST_CALL)
            if not self._are_all(ever, count, self._made >= since):
                return False
            self._whole_since = since
        self.saved += max(0, read // PAGE_SIZE - 1)
        return True

    def _unbroken(self, start: dt.datetime) -> dt.datetime | None:
        """The latest time before a start at which no call was between its making and its ring."""
        since = start
        for _ in range(_STEPS):
            between = sa.select(sa.func.min(self._made)).where(self._made < since, self._rang >= since)
            with self._calls.engine.connect() as connection:
                earlier = connection.execute(between).scalar()
            if earlier is None:
                return since
            since = earlier
        return None

    def _are_all(self, query: CallQuery, count: int, ours: sa.ColumnElement[bool]) -> bool:
        """Whether the platform has exactly so many calls: the last one is ours, and nothing comes after it."""
        page = self._pages.page(query, count - 1)
        if len(page.calls) != 1 or page.total not in (None, count):
            return False
        table = self._calls.table.c
        last = sa.select(table.call_id).where(ours, table.call_id == page.calls[0].id)
        with self._calls.engine.connect() as connection:
            return connection.execute(last).first() is not None

    def _count(self, connection: sa.Connection, condition: sa.ColumnElement[bool]) -> tuple[int, int]:
        """How many calls there are, and how many of them webhooks have settled."""
        settled = sa.func.count(self._calls.table.c.settled_at)
        row = connection.execute(sa.select(sa.func.count(), settled).where(condition)).one()
        return int(row[0]), int(row[1])

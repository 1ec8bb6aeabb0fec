"""Waking a DAG when webhooks have come: a trigger for Airflow's ``AssetWatcher`` that polls the inbox."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from ringg_provider.api.arguments import Seconds, Text, check_arguments
from ringg_provider.exceptions import RinggProviderError
from ringg_provider.hooks.sql import unpooled_engine
from ringg_provider.wording import counted

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

    from ringg_provider.inbox.store import Announcement

#: The longest wait, in seconds, that failures in a row lead to.
LONGEST_BACKOFF = 300.0
#: Seconds after which what was announced before this triggerer came, and is not applied, is announced once more.
GRACE = 60.0
#: Deliveries that one transaction takes.
_AT_ONCE = 10_000


class RinggInboxTrigger(BaseEventTrigger):
    """Fire when deliveries have come to the inbox that nobody was woken for; for an ``AssetWatcher``.

    Each delivery is marked before the event goes out, so that it wakes once, whatever is restarted and however many
    triggerers there are. The event says that there is something to apply, and ``RinggInboxToSqlOperator`` applies all
    that is there: an event that is lost, swallowed or doubled costs time and loses nothing. What was marked before
    this started, and is not applied a minute later, is announced once more.

    Fires ``{"conn_id", "calls", "deliveries", "lists"}``: how many calls and deliveries, and of them per campaign; ids
    and counts alone, since whoever may read assets reads it. At most once per ``interval``.

    A connection must not be watched with two different sets of arguments: each would take some of the deliveries.

    :param conn_id: the connection that the deliveries come for, of Ringg or SmartAlex: the last part of the address.
    :param state_conn_id: the connection of the database that holds the inbox.
    :param schema: the table's schema. Default the connection's own.
    :param table: the table. Default ``ringg_inbox``.
    :param interval: seconds between two events at least, and so between two runs. Default 30.
    :param poll_interval: seconds between two looks into the table. Default 5.
    :raises InvalidRequest: an argument breaks the rule of its parameter.
    """

    def __init__(
        self,
        *,
        conn_id: Text,
        state_conn_id: Text,
        schema: Text | None = None,
        table: Text = "ringg_inbox",
        interval: Seconds = 30.0,
        poll_interval: Seconds = 5.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.state_conn_id = state_conn_id
        self.schema = schema
        self.table = table
        self.interval = interval
        self.poll_interval = poll_interval
        # No task runs that could tell of a mistake: it is told when the DAG is read.
        check_arguments(self)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments, by which Airflow tells one trigger from another."""
        names = ("conn_id", "state_conn_id", "schema", "table", "interval", "poll_interval")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for as long as somebody wants to be woken; a database that is away is waited for."""
        started, failures = dt.datetime.now(dt.UTC), 0
        inbox = _Inbox(self)
        took_back = False
        self.log.info("Waiting for webhooks of connection %s in table %s.", self.conn_id, self.table)
        while True:
            now = dt.datetime.now(dt.UTC)
            # A run that was under way when this started has had its time by then.
            again = not took_back and now - started >= dt.timedelta(seconds=max(self.interval, GRACE))
            try:
                # In a thread, so that no database holds up the other triggers.
                look = sync_to_async(inbox.take, thread_sensitive=False)
                news = await look(now, take_back_before=started if again else None)
            except Exception as error:  # noqa: BLE001 - of any database, driver or secrets backend
                failures += 1
                pause = min(self.poll_interval * 2**failures, LONGEST_BACKOFF)
                self.log.warning("The inbox cannot be read (%s). Looking again in %.0f s.", _told(error), pause)
                inbox = _Inbox(self)
                await asyncio.sleep(pause)
                continue
            failures, took_back = 0, took_back or again
            if news is not None:
                self.log.info("Woken by %s of connection %s.", _said(news), self.conn_id)
                yield TriggerEvent(
                    {
                        "conn_id": self.conn_id,
                        "calls": news.calls,
                        "deliveries": news.deliveries,
                        "lists": dict(news.lists),
                    }
                )
            await asyncio.sleep(self.poll_interval)


class _Inbox:
    """The table, as long as its database can be reached. Everything here blocks.

    :param trigger: whose inbox.
    """

    def __init__(self, trigger: RinggInboxTrigger) -> None:
        self._trigger = trigger
        self._engine: Engine | None = None
        self._is_there = False

    def take(self, now: dt.datetime, *, take_back_before: dt.datetime | None = None) -> Announcement | None:
        """What came since the last event; None where there is nothing, or the last event is too recent.

        :param now: the time.
        :param take_back_before: announce once more what was announced before this time and is not applied yet.
        """
        from ringg_provider.sql.errors import without_driver_errors

        if self._engine is None:
            self._engine = unpooled_engine(self._trigger.state_conn_id, field="state_conn_id")
        taken: Announcement | None = without_driver_errors("the inbox", self._take, self._engine, now, take_back_before)
        return taken

    def _take(self, engine: Engine, now: dt.datetime, take_back_before: dt.datetime | None) -> Announcement | None:
        from ringg_provider.inbox.store import inbox_table, standing
        from ringg_provider.sql.creating import create_tables
        from ringg_provider.sql.errors import begin_again

        table = inbox_table(self._trigger.table, self._trigger.schema)
        conn_id, least = self._trigger.conn_id, dt.timedelta(seconds=self._trigger.interval)
        if not self._is_there:
            create_tables(engine, table)
            self._is_there = True
        if take_back_before is not None:
            begin_again(partial(_take_back, engine, table, conn_id, take_back_before))
        with engine.connect() as connection:
            waits, last = standing(connection, table, conn_id)
        if not waits or (last is not None and last <= now < last + least):
            return None
        taken: list[Announcement] = []
        while not taken or taken[-1].deliveries == _AT_ONCE:
            taken.append(begin_again(partial(_announce, engine, table, conn_id, now)))
        return _together(taken)


def _take_back(engine: Engine, table: Table, conn_id: str, before: dt.datetime) -> None:
    from ringg_provider.inbox.store import take_back

    with engine.begin() as connection:
        take_back(connection, table, conn_id, before)


def _announce(engine: Engine, table: Table, conn_id: str, now: dt.datetime) -> Announcement:
    from ringg_provider.inbox.store import announce

    with engine.begin() as connection:
        return announce(connection, table, conn_id, now, _AT_ONCE)


def _together(taken: list[Announcement]) -> Announcement | None:
    """All in one; None where others were faster."""
    from ringg_provider.inbox.store import Announcement

    if not (deliveries := sum(each.deliveries for each in taken)):
        return None
    lists: Counter[str] = Counter()
    for each in taken:
        lists.update(each.lists)
    return Announcement(lists=dict(lists), calls=sum(each.calls for each in taken), deliveries=deliveries)


def _said(news: Announcement) -> str:
    deliveries = counted(news.deliveries, "delivery", "deliveries")
    return f"{deliveries} about {counted(news.calls, 'call')} of {counted(len(news.lists), 'campaign')}"


def _told(error: Exception) -> str:
    """What an error says, where it is known to say nothing personal."""
    return str(error) if isinstance(error, RinggProviderError | AirflowNotFoundException) else type(error).__name__

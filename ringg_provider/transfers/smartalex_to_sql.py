"""SmartAlex's calls and callbacks in a SQL database; what is read and how is left to `history/smartalex.py`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ringg_provider import wording
from ringg_provider.api.arguments import ListIds, OptionalText, OptionalTime, Span
from ringg_provider.history.options import SMARTALEX_CALLBACKS, SMARTALEX_CALLS
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.launch.item import list_ids
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.metrics import CALLBACKS_PENDING, HISTORY_ROWS
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.waiting import dag_zone
from ringg_provider.transfers.ringg_to_sql import instant

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Asset, Context

    from ringg_provider.lineage.datasets import Lineage, OnPlatform
    from ringg_provider.smartalex import SmartAlexClient


class _SmartAlexToSqlOperator(LineageOperator):
    """Base: from which workspace into which database."""

    ui_color = "#efe4d6"
    #: The table; a parameter of the subclasses.
    table: str
    #: What a load did; None until it has ended well.
    _counts: dict[str, int] | None = None

    def __init__(
        self,
        *,
        sql_conn_id: str | None = None,
        state_conn_id: str | None = None,
        smartalex_conn_id: str = SmartAlexHook.default_conn_name,
        schema: OptionalText = None,
        campaign_ids: ListIds = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = sql_conn_id
        self.state_conn_id = state_conn_id
        self.smartalex_conn_id = smartalex_conn_id
        self.schema = schema
        self.campaign_ids = campaign_ids

    @contextmanager
    def reading(self) -> Iterator[tuple[SmartAlexClient, sa.Engine]]:
        """The client and the database; errors that trying again cannot help fail the task for good."""
        self.state.require("history")
        with SmartAlexHook(self.smartalex_conn_id) as hook, self.state.engine() as engine:
            yield hook.client, engine

    @property
    def state(self) -> StateConnection:
        """The connection of the database that holds the table."""
        return StateConnection.of(self.state_conn_id, self.sql_conn_id)

    @abstractmethod
    def read_from(self, hook: SmartAlexHook) -> OnPlatform:
        """What is read of the platform."""

    def tell(self, context: Context, counts: dict[str, int], written: int, *, is_news: bool) -> dict[str, int]:
        """Keep the counts for the lineage, tell those who wait for the table, and give the counts back."""
        from ringg_provider.lineage.assets import announce, table_asset

        self._counts, self._written = counts, written

        def assets() -> list[Asset]:
            return [table_asset(self.state.conn_id, self.table, self.schema or None)]

        announce(self.outlets, context, counts, assets, is_news=is_news)
        self.tell_hook_lineage()
        return counts

    #: How many rows were written; None until the load has ended well.
    _written: int | None = None

    def reads_and_writes(self) -> Lineage:
        """The platform's calls or callbacks in, the table out."""
        from ringg_provider.lineage.datasets import InDatabase, Lineage

        table = InDatabase(self.state.conn_id, tables={self.table: self._written}, schema=self.schema or None)
        counts = {"platform": SmartAlexHook.conn_type, "counts": self._counts}
        return Lineage(
            inputs=[self.read_from(SmartAlexHook(self.smartalex_conn_id))],
            outputs=[table],
            run={} if self._counts is None else {"ringg_history": counts},
        )

    @property
    def campaigns(self) -> list[str]:
        """The campaigns that were asked for, in any form that a DAG has them."""
        return list_ids(self.campaign_ids, "campaign_ids")


class SmartAlexCallsToSqlOperator(_SmartAlexToSqlOperator):
    """Load calls into a SQL database. It may be run as often as one likes: rows are merged by call id.

    Without `campaign_ids`, `start` and `end` it reads everything since the last such load. A call's details
    are read once, one request each. The table is created when it is missing; `docs/tables.md` describes it.

    Follows https://docs.getsmartalex.com/api-reference/calls.

    :param state_conn_id: the connection of the state database, which holds the table: PostgreSQL, MySQL 8, MariaDB,
        SQLite or DuckDB. Default `sql_conn_id`.
    :param sql_conn_id: the same, for a DAG without `state_conn_id`.
    :param smartalex_conn_id: the SmartAlex connection. Default `smartalex_default`.
    :param table: of calls. Default `smartalex_calls`.
    :param schema: of the table. Default the connection's own.
    :param campaign_ids: read these campaigns whole: an id, several, or the result of `SqlToSmartAlexOperator`.
    :param start: calls from here on; aware datetime or ISO string, a naive one is UTC. Default: see above.
    :param end: calls up to here. Default all.
    :param lookback: begin so much before the end of the last such load. Default one hour.
    :param include_details: read summary, transcript and, in the newer API, the campaign. Default True.
    :return: counts, see `CallCounts`; no personal data.
    """

    template_fields: Sequence[str] = (
        "sql_conn_id", "state_conn_id", "smartalex_conn_id", "table", "schema", "campaign_ids", "start", "end"
    )  # fmt: skip

    def __init__(
        self,
        *,
        table: str = SMARTALEX_CALLS,
        start: OptionalTime = None,
        end: OptionalTime = None,
        lookback: Span = dt.timedelta(hours=1),
        include_details: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.start = start
        self.end = end
        self.lookback = lookback
        self.include_details = include_details

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, int]:
        """Load and return counts."""
        # Loaded when a task runs, and not with every DAG file.
        from ringg_provider.history.smartalex import CallLoad, smartalex_calls_table

        with self.reading() as (client, engine):
            table = smartalex_calls_table(self.table, schema=self.schema or None)
            zone = wording.zone_named(dag_zone(self))
            load = CallLoad(client, engine, table, self.include_details, self.lookback, zone=zone)
            counts = load.run(self.campaigns, instant(self.start, "start"), instant(self.end, "end"))
        self.log.info(
            "Call history: %s read (%s new, %s changed), the details of %s.",
            wording.counted(counts.calls_read, "call"),
            f"{counts.inserted:,}",
            f"{counts.changed:,}",
            wording.counted(counts.details_read, "call"),
        )
        HISTORY_ROWS.send(counts.inserted, platform=SmartAlexHook.conn_type, change="new")
        HISTORY_ROWS.send(counts.changed, platform=SmartAlexHook.conn_type, change="changed")
        written = counts.inserted + counts.changed
        return self.tell(context, dataclasses.asdict(counts), written, is_news=bool(written or counts.details_read))

    def read_from(self, hook: SmartAlexHook) -> OnPlatform:
        """The workspace's calls."""
        from ringg_provider.lineage.datasets import calls_of

        return calls_of(hook)


class SmartAlexCallbacksToSqlOperator(_SmartAlexToSqlOperator):
    """Load the pending callbacks into a SQL database; those that the platform lists no more are marked done.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. The table is created when it is missing;
    `docs/tables.md` describes it. The newer API has no callbacks.

    :param state_conn_id: the connection of the state database, which holds the table: PostgreSQL, MySQL 8, MariaDB,
        SQLite or DuckDB. Default `sql_conn_id`.
    :param sql_conn_id: the same, for a DAG without `state_conn_id`.
    :param smartalex_conn_id: the SmartAlex connection. Default `smartalex_default`.
    :param table: of callbacks. Default `smartalex_callbacks`.
    :param schema: of the table. Default the connection's own.
    :param campaign_ids: an id, several, or the result of `SqlToSmartAlexOperator`. Default: all campaigns that are
        active or paused, or began within the last two days, and those with a callback that is pending in the table.
    :return: counts, see `CallbackCounts`; no personal data.
    """

    template_fields: Sequence[str] = (
        "sql_conn_id", "state_conn_id", "smartalex_conn_id", "table", "schema", "campaign_ids"
    )  # fmt: skip

    def __init__(self, *, table: str = SMARTALEX_CALLBACKS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, int]:
        """Load and return counts."""
        from ringg_provider.history.smartalex import CallbackLoad, callbacks_table

        with self.reading() as (client, engine):
            load = CallbackLoad(client, engine, callbacks_table(self.table, schema=self.schema or None))
            counts = load.run(self.campaigns)
        self.log.info(
            "Pending callbacks: %s still to be made; %s made, or called off, since the last load.",
            wording.counted(counts.pending, "callback"),
            f"{counts.done:,}",
        )
        # Those of some campaigns are not all that are pending.
        if not self.campaigns:
            CALLBACKS_PENDING.send(counts.pending, platform=SmartAlexHook.conn_type, conn_id=self.smartalex_conn_id)
        written = counts.pending + counts.done
        return self.tell(context, dataclasses.asdict(counts), written, is_news=written > 0)

    def read_from(self, hook: SmartAlexHook) -> OnPlatform:
        """The callbacks that it still has to make."""
        from ringg_provider.lineage.datasets import callbacks_of

        return callbacks_of(hook)

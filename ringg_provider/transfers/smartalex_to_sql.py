"""SmartAlex's calls and callbacks in a SQL database; what is read and how is left to `history/smartalex.py`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from ringg_provider.api.arguments import ListIds, OptionalText, OptionalTime, Span
from ringg_provider.history.options import SMARTALEX_CALLBACKS, SMARTALEX_CALLS
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.launch.item import list_ids
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.transfers.ringg_to_sql import instant

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Context

    from ringg_provider.smartalex import SmartAlexClient


class _SmartAlexToSqlOperator(BaseOperator):
    """Base: from which workspace into which database."""

    ui_color = "#efe4d6"

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
        state = StateConnection.of(self.state_conn_id, self.sql_conn_id)
        state.require("history")
        with SmartAlexHook(self.smartalex_conn_id) as hook, state.engine() as engine:
            yield hook.client, engine

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
            load = CallLoad(client, engine, table, self.include_details, self.lookback)
            counts = load.run(self.campaigns, instant(self.start, "start"), instant(self.end, "end"))
        self.log.info("Calls: %s", counts)
        return dataclasses.asdict(counts)


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
        active or paused, and those with a callback that is pending in the table.
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
        self.log.info("Callbacks: %s", counts)
        return dataclasses.asdict(counts)

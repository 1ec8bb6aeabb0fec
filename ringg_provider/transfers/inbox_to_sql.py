"""What webhooks brought, from the inbox into the tables of calls: what every platform's operator shares."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ringg_provider.api.arguments import Count, OptionalText, Span
from ringg_provider.history.options import INBOX
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.metrics import HISTORY_ROWS, INBOX_DELIVERIES
from ringg_provider.operators.arguments import with_checked_arguments

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Asset, Context

    from ringg_provider.inbox.apply import Apply, ApplyCounts
    from ringg_provider.lineage.datasets import Lineage


class InboxToSqlOperator(LineageOperator):
    """Base of the operators that apply an inbox: which one, and for which connection.

    :param state_conn_id: the connection of the state database, which holds the inbox and the tables: PostgreSQL,
        MySQL 8, MariaDB or SQLite. Default `sql_conn_id`.
    :param sql_conn_id: the same, for a DAG without `state_conn_id`.
    :param schema: of these tables. Default the connection's own.
    :param inbox_table: of deliveries. Default `ringg_inbox`.
    :param purge_after: take away deliveries that came so long ago, applied or not: their payloads are personal data.
        Default: keep them.
    :param batch_size: deliveries that are in memory at once. Default 1,000.
    """

    shared_template_fields: Sequence[str] = ("sql_conn_id", "state_conn_id", "schema", "inbox_table", "table")
    #: Whose inbox it is, for metrics and lineage.
    platform: ClassVar[str]
    #: The table of calls; a parameter of the subclasses.
    table: str
    #: What was done; None until it has ended well.
    _counts: dict[str, int] | None = None

    def __init__(
        self,
        *,
        sql_conn_id: str | None = None,
        state_conn_id: str | None = None,
        schema: OptionalText = None,
        inbox_table: str = INBOX,
        purge_after: Span | None = None,
        batch_size: Count = 1_000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = sql_conn_id
        self.state_conn_id = state_conn_id
        self.schema = schema
        self.inbox_table = inbox_table
        self.purge_after = purge_after
        self.batch_size = batch_size

    @property
    def state(self) -> StateConnection:
        """The connection of the state database."""
        return StateConnection.of(self.state_conn_id, self.sql_conn_id)

    @abstractmethod
    def applying(self, engine: sa.Engine, given: Mapping[str, Any]) -> Apply[Any]:
        """What applies the deliveries.

        :param engine: the state database.
        :param given: what every platform's takes.
        """

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, int]:
        """Apply, tell those who wait for the tables, and return counts."""
        # What reads a database is loaded when a task runs, here and below, and not with every DAG file.
        from ringg_provider.inbox.store import inbox_table

        self.state.require("inbox", "history")
        with self.state.engine() as engine:
            given = {
                "inbox": inbox_table(self.inbox_table, schema=self.schema or None),
                "purge_after": self.purge_after,
                "batch": self.batch_size,
            }
            counts = self.applying(engine, given).run()
        self.log.info("Inbox: %s.", counts)
        self._tell(context, counts)
        return dataclasses.asdict(counts)

    def _tell(self, context: Context, counts: ApplyCounts) -> None:
        from ringg_provider.lineage.assets import announce, table_asset

        self._counts = dataclasses.asdict(counts)
        applied = counts.deliveries - counts.unreadable
        HISTORY_ROWS.send(counts.inserted, platform=self.platform, change="new")
        HISTORY_ROWS.send(counts.changed, platform=self.platform, change="changed")
        INBOX_DELIVERIES.send(applied, platform=self.platform, outcome="applied")
        INBOX_DELIVERIES.send(counts.unreadable, platform=self.platform, outcome="unreadable")

        def assets() -> list[Asset]:
            return [table_asset(self.state.conn_id, self.table, self.schema or None)]

        announce(self.outlets, context, self._counts, assets, is_news=counts.told > 0)
        self.tell_hook_lineage()

    def _written(self) -> dict[str, int | None]:
        """The tables that are written, with how many rows of each."""
        return {self.table: self._counts["told"] if self._counts else None}

    def reads_and_writes(self) -> Lineage:
        """The inbox in, the tables out."""
        from ringg_provider.lineage.datasets import InDatabase, Lineage

        conn_id, schema = self.state.conn_id, self.schema or None
        taken = self._counts["deliveries"] if self._counts else None
        return Lineage(
            inputs=[InDatabase(conn_id, tables={self.inbox_table: taken}, schema=schema)],
            outputs=[InDatabase(conn_id, tables=self._written(), schema=schema)],
            run={"ringg_inbox": {"platform": self.platform, "counts": self._counts}} if self._counts else {},
        )

"""The state's tables in the warehouse; what is written there and how is left to `publish/`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar

from ringg_provider import wording
from ringg_provider.api.arguments import OptionalText, Span
from ringg_provider.history.options import ATTEMPTS, CALLBACKS, CALLS, CAMPAIGNS
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.sql import engine_of, sql_engine, sql_hook
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.metrics import PUBLISH_BYTES, PUBLISH_GONE, PUBLISH_ROWS
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.private import Untold

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Asset, Context

    from ringg_provider.lineage.datasets import Lineage
    from ringg_provider.publish.publication import PublishCounts, View
    from ringg_provider.publish.sinks import Sink


class RinggPublishOperator(LineageOperator):
    """Publish the tables of the state into a warehouse: what changed since the last time, and what was erased.

    The warehouse gets `ringg_calls`, `ringg_attempts`, `ringg_campaigns`, `ringg_contacts`, `ringg_launches` and
    `ringg_callbacks` under their own names, and the view `ringg_outcomes` over them; each row also says when it was
    published (`published_at`). It may be run as often as one likes, and killed at any point: then the next run ends
    where that one would have. One task at a time publishes a table into a schema of a warehouse; a second one is told
    so, and Airflow tries it again.

    `docs/warehouses.md` has the grants, a DAG and the price for each warehouse.

    :param state_conn_id: the database that the operators keep the tables in.
    :param warehouse_conn_id: the warehouse: Snowflake, BigQuery, Redshift, Databricks, PostgreSQL, MySQL, MariaDB or
        DuckDB.
    :param schema: where the copy lives in the warehouse (`schema`, or `database.schema`; BigQuery's `dataset`). Default
        the connection's own.
    :param tables: names of the tables to publish. Default all that are there.
    :param state_schema: where the tables live in the state. Default the connection's own.
    :param table: of calls. Default `ringg_calls`.
    :param campaigns_table: of campaigns. Default `ringg_campaigns`.
    :param attempts_table: of attempts. Default `ringg_attempts`.
    :param contacts_table: of contacts. Default `ringg_contacts`.
    :param promises_table: of promises to call back. Default `ringg_callbacks`.
    :param timeout: how long one statement in the warehouse may take, waiting for it included. Default 30 minutes.
    :param hook_params: more arguments for the warehouse's hook, as `SQLExecuteQueryOperator` has them. Default none.
    :param stage: Snowflake: the internal stage that files go through. Default the table's own.
    :param bucket: Redshift: where files go through on S3, `s3://bucket/prefix`. Default none: INSERTs of many rows.
    :param volume: Databricks: the volume that files go through, `catalog.schema.volume`.
    :return: counts, see `PublishCounts`; no personal data. They are also the `extra` of the asset events, which come
        after the mark: an `Asset` in `outlets` gets them at every run, an `AssetAlias` gets an event for each table
        only when something was written.
    :raises AirflowFailException: trying again cannot help: a schema, a right or a stage is missing, somebody altered
        a table, or a mark lies in the future.
    :raises TransientError: it can; nothing half is to be seen in any table.
    """

    template_fields: Sequence[str] = (
        "state_conn_id",
        "warehouse_conn_id",
        "schema",
        "tables",
        "state_schema",
        "table",
        "campaigns_table",
        "attempts_table",
        "contacts_table",
        "promises_table",
        "stage",
        "bucket",
        "volume",
    )
    ui_color = "#e4eef8"
    #: Whose tables they are, for metrics and lineage.
    platform: ClassVar[str] = RinggHook.conn_type

    hook_params = Untold[Mapping[str, Any] | None]()

    def __init__(
        self,
        *,
        state_conn_id: str,
        warehouse_conn_id: str,
        schema: OptionalText = None,
        tables: Sequence[str] | None = None,
        state_schema: OptionalText = None,
        table: str = CALLS,
        campaigns_table: str = CAMPAIGNS,
        attempts_table: str = ATTEMPTS,
        contacts_table: str = "ringg_contacts",
        promises_table: str = CALLBACKS,
        timeout: Span = dt.timedelta(minutes=30),
        hook_params: Mapping[str, Any] | None = None,
        stage: OptionalText = None,
        bucket: OptionalText = None,
        volume: OptionalText = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.state_conn_id = state_conn_id
        self.warehouse_conn_id = warehouse_conn_id
        self.schema = schema
        self.tables = tables
        self.state_schema = state_schema
        self.table = table
        self.campaigns_table = campaigns_table
        self.attempts_table = attempts_table
        self.contacts_table = contacts_table
        self.promises_table = promises_table
        self.timeout = timeout
        self.hook_params = hook_params
        self.stage = stage
        self.bucket = bucket
        self.volume = volume

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, int]:
        """Publish, tell those who wait for the copy, and return counts."""
        # What publishes is loaded when a task runs, here and below, and not with every DAG file.
        from ringg_provider.publish.marks import Marks, warehouse_name
        from ringg_provider.publish.publication import Publication, tables_there
        from ringg_provider.sql.dialects import require_state

        require_state(sql_hook(self.state_conn_id, field="state_conn_id"), for_="publications", field="state_conn_id")
        with ExitStack() as opened:
            state = opened.enter_context(sql_engine(self.state_conn_id, field="state_conn_id"))
            warehouse, schema = warehouse_name(self.warehouse_conn_id, self.schema), self.state_schema or None
            before = Marks(state, warehouse, [], "", schema=schema).published()
            tables = tables_there(state, self._described(state), self.tables, before)
            names = [table.name for table in tables]
            # Longer than the one statement that may hold it up.
            lease = self.timeout + dt.timedelta(minutes=10)
            marks = Marks(state, warehouse, names, self._holder(context), schema=schema, lease=lease)
            counts = Publication(state, tables, self._sink(opened), marks, self._view(names)).run()
        self.log.info(
            "Published %s and took %s away, with %s; from the beginning: %s.",
            wording.counted(counts.rows, "row"),
            wording.counted(counts.gone, "row"),
            wording.counted(counts.statements, "statement"),
            wording.counted(counts.whole, "table"),
        )
        self._tell(context, counts, names)
        return dataclasses.asdict(counts)

    def _described(self, state: sa.Engine) -> list[sa.Table]:
        """The tables that this platform has in the state."""
        from ringg_provider.history.attempts import attempts_table
        from ringg_provider.history.tables import calls_table, campaigns_table

        schema = self.state_schema or None
        return [
            campaigns_table(self.campaigns_table, schema=schema),
            calls_table(self.table, schema=schema),
            attempts_table(self.attempts_table, schema=schema),
            *self._of_both_platforms(state),
        ]

    def _of_both_platforms(self, state: sa.Engine) -> list[sa.Table]:
        import sqlalchemy as sa

        from ringg_provider.callbacks.table import callbacks_table
        from ringg_provider.contacts.people import people_table
        from ringg_provider.launch.table import launches
        from ringg_provider.sql.creating import is_there

        # The ledger lies where the connection's tables are, wherever the others were put.
        ledger = launches
        if self.state_schema:
            beside = launches.to_metadata(sa.MetaData(), schema=self.state_schema)
            ledger = beside if is_there(state, beside) else launches
        schema = self.state_schema or None
        promises = callbacks_table(self.promises_table, schema=schema)
        return [ledger, people_table(self.contacts_table, schema), promises]

    def _view(self, names: Sequence[str]) -> View | None:
        """The view of outcomes, where both of its tables are published."""
        from ringg_provider.publish.publication import View

        # Either may have its schema in its name, which is that of the state.
        contacts, calls = self.contacts_table.rpartition(".")[2], self.table.rpartition(".")[2]
        return View(contacts, calls) if {contacts, calls} <= set(names) else None

    def _sink(self, opened: ExitStack) -> Sink:
        from ringg_provider.publish.sinks import sink_for

        def open_engine(hook: Any) -> sa.Engine:
            engine = engine_of(hook, field="warehouse_conn_id")
            opened.callback(engine.dispose)
            return engine

        sink = sink_for(
            sql_hook(self.warehouse_conn_id, field="warehouse_conn_id", hook_params=self.hook_params),
            schema=self.schema or None,
            timeout=self.timeout,
            open_engine=open_engine,
            stage=self.stage or None,
            bucket=self.bucket or None,
            volume=self.volume or None,
        )
        opened.callback(sink.close)
        return sink

    def _holder(self, context: Context) -> str:
        """This task, whichever of its attempts it is."""
        task = context["ti"]
        index = "" if task.map_index in (None, -1) else f"[{task.map_index}]"
        return f"{task.dag_id}.{task.task_id}{index} of run {task.run_id}"

    def _tell(self, context: Context, counts: PublishCounts, names: Sequence[str]) -> None:
        """Count what was written, and tell those who wait for the copy."""
        from ringg_provider.lineage.assets import announce, table_asset

        self._counts, self._names = dataclasses.asdict(counts), names
        PUBLISH_ROWS.send(counts.rows, platform=self.platform)
        PUBLISH_GONE.send(counts.gone, platform=self.platform)
        PUBLISH_BYTES.send(counts.bytes, platform=self.platform)

        def assets() -> Iterator[Asset]:
            for name in names:
                yield table_asset(self.warehouse_conn_id, name, self.schema or None, self.hook_params)

        is_news = bool(counts.rows or counts.gone or counts.whole)
        announce(self.outlets, context, self._counts, assets, is_news=is_news)
        self.tell_hook_lineage()

    #: What was published; None until it has ended well.
    _counts: dict[str, int] | None = None
    #: The tables that were published; those that are named until it has ended well.
    _names: Sequence[str] | None = None

    def _all_names(self) -> list[str]:
        """The tables that this platform may have in the state."""
        from ringg_provider.launch.table import launches

        of_both = [launches.name, self.contacts_table, self.promises_table]
        return [self.campaigns_table, self.table, self.attempts_table, *of_both]

    def reads_and_writes(self) -> Lineage:
        """The tables of the state in; those of the warehouse, and the view over them, out."""
        from ringg_provider.history.outcomes import OUTCOMES
        from ringg_provider.lineage.datasets import InDatabase, Lineage

        names = self._names or self.tables or self._all_names()
        copies = [name.rpartition(".")[2] for name in names]
        if self._view(copies) is not None:
            copies.append(OUTCOMES)
        return Lineage(
            inputs=[InDatabase(self.state_conn_id, tables=dict.fromkeys(names), schema=self.state_schema or None)],
            outputs=[
                InDatabase(
                    self.warehouse_conn_id,
                    tables=dict.fromkeys(copies),
                    schema=self.schema or None,
                    hook_params=self.hook_params,
                )
            ],
            run={"ringg_publication": {"platform": self.platform, "counts": self._counts}} if self._counts else {},
        )

"""The call history of Ringg AI, loaded into a SQL database; what is read and how is left to `history/`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pendulum

from ringg_provider import wording
from ringg_provider.api.arguments import Count, ListIds, Minutes, OptionalText, OptionalTime, Span
from ringg_provider.history.options import CALLS, CAMPAIGNS, LoadOptions
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.hours.schedule import read_moment
from ringg_provider.launch.item import list_ids
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.metrics import HISTORY_INCOMPLETE, HISTORY_OPEN, HISTORY_REQUESTS, HISTORY_ROWS, HISTORY_SAVED
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.files import object_path
from ringg_provider.operators.private import Untold
from ringg_provider.operators.waiting import dag_zone

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Asset, Context

    from ringg_provider.history.backlog import Scope
    from ringg_provider.history.load import HistoryLoad, LoadCounts
    from ringg_provider.history.recordings import RecordingStore
    from ringg_provider.lineage.datasets import Lineage


#: Reads whatever may have changed, in any list and in none.
ALL = "all"


class RinggCallsToSqlOperator(LineageOperator):
    """Load the call history into a SQL database and bring open calls up to date.

    Without `bulk_list_ids`, `start` and `end` it reads whatever may have changed: campaigns that are not closed in
    the table, calls that still lack their last status, their cost or their analysis, and everything since
    the former run. It may be run as often as one likes, at the same time too: rows are merged by
    call id and never move backwards. Give it the Airflow pool `ringg_history` with one slot: the platform allows ten
    list requests a minute for the whole workspace. (A connection whose extra has `history_requests_per_minute`, such
    as that of a sandbox, is read at that pace.)

    What webhooks have settled (`RinggInboxToSqlOperator`) is not read again: where the platform counts as many calls
    of a list, or of a stretch of time, as the table has, only those that still lack something are asked for.

    The tables are created when they are missing; `docs/tables.md` describes them. They live in the state database:
    PostgreSQL, MySQL 8, MariaDB, SQLite or DuckDB. A warehouse is refused; it gets a copy by `RinggPublishOperator`.

    Follows https://docs.ringg.ai/api-reference/endpoint/history/get-call-history and
    https://docs.ringg.ai/api-reference/endpoint/history/get-call-details.

    :param state_conn_id: the state database's connection. Default `sql_conn_id`.
    :param sql_conn_id: the same, for a DAG without `state_conn_id`.
    :param ringg_conn_id: the Ringg connection. Default `ringg_default`.
    :param table: of calls. Default `ringg_calls`.
    :param campaigns_table: of campaigns. Default `ringg_campaigns`.
    :param contacts_table: `SqlToRinggOperator`'s table of contacts, in the same database: makes the view
        `ringg_outcomes`, what became of each contact key. Default: no view.
    :param schema: of these tables. Default the connection's own.
    :param bulk_list_ids: read these lists whole and nothing else: an id, a list of ids, or the result of
        `SqlToRinggOperator`; where that gives none, nothing is read. Default `"all"`: no such restriction.
    :param start: read calls from here on; an aware datetime or ISO string, a naive one is UTC. Default: from
        where a former pass by date has ended, or the beginning on an empty table.
    :param end: read calls up to here. Default and latest: five minutes ago.
    :param lookback: begin so much before the end of the former pass by date. Default one hour.
    :param include_analysis: read the analysis of calls that connected, one details request each. Default True.
    :param wait_for_client_analysis: keep calls open until the agent's own analysis is there too. Default False.
    :param analysis_concurrency: details requests at the same time. Default 8.
    :param transcripts: keep what was said. Default True.
    :param recordings_path: fetch recordings into this folder, any `ObjectStoragePath` address. Default: do not.
    :param recording_hosts: hosts they may be fetched from, such as `["*.ringg.ai"]`; needed with `recordings_path`.
    :param recordings_conn_id: the folder's connection, if it needs one.
    :param give_up_after: mark a call incomplete when something is missing for so long. Default three days.
    :param max_minutes: read no more campaigns in one run than take so long; the rest is read next time. Default all.
    :return: counts, see `LoadCounts`; no personal data. They are also the `extra` of the asset events: an `Asset` in
        `outlets` gets them at every run, an `AssetAlias` gets an event only when calls are new or have changed.
    :raises AirflowFailException: trying again cannot help.
    :raises TransientError: it can; what was read is in the tables.
    """

    template_fields: Sequence[str] = (
        "sql_conn_id",
        "state_conn_id",
        "ringg_conn_id",
        "table",
        "campaigns_table",
        "contacts_table",
        "schema",
        "bulk_list_ids",
        "start",
        "end",
        "recordings_path",
        "recordings_conn_id",
    )
    ui_color = "#e4eef8"

    recordings_path = Untold[str | None]()

    def __init__(
        self,
        *,
        sql_conn_id: str | None = None,
        state_conn_id: str | None = None,
        ringg_conn_id: str = RinggHook.default_conn_name,
        table: str = CALLS,
        campaigns_table: str = CAMPAIGNS,
        contacts_table: str | None = None,
        schema: OptionalText = None,
        bulk_list_ids: ListIds = ALL,
        start: OptionalTime = None,
        end: OptionalTime = None,
        lookback: Span = LoadOptions.lookback,
        include_analysis: bool = True,
        wait_for_client_analysis: bool = False,
        analysis_concurrency: Count = 8,
        transcripts: bool = True,
        recordings_path: str | None = None,
        recording_hosts: Sequence[str] | None = None,
        recordings_conn_id: str | None = None,
        give_up_after: Span = LoadOptions.give_up_after,
        max_minutes: Minutes | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = sql_conn_id
        self.state_conn_id = state_conn_id
        self.ringg_conn_id = ringg_conn_id
        self.table = table
        self.campaigns_table = campaigns_table
        self.contacts_table = contacts_table
        self.schema = schema
        self.bulk_list_ids = bulk_list_ids
        self.start = start
        self.end = end
        self.lookback = lookback
        self.include_analysis = include_analysis
        self.wait_for_client_analysis = wait_for_client_analysis
        self.analysis_concurrency = analysis_concurrency
        self.transcripts = transcripts
        self.recordings_path = recordings_path
        self.recording_hosts = recording_hosts
        self.recordings_conn_id = recordings_conn_id
        self.give_up_after = give_up_after
        self.max_minutes = max_minutes

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, int]:
        """Load, tell those who wait for new calls, and return counts."""
        # What reads a history is loaded when a task runs, here and below, and not with every DAG file.
        from ringg_provider.contacts.people import people_table
        from ringg_provider.history.load import LoadCounts
        from ringg_provider.history.outcomes import create_outcomes_view
        from ringg_provider.sql.creating import create_tables

        self.state.require("history")
        with RinggHook(self.ringg_conn_id) as hook, self.state.engine() as engine:
            load = self._load(hook, engine)
            scope = self._scope()
            load.create_tables()
            if self.contacts_table:
                contacts = people_table(self.contacts_table, self.schema or None)
                create_tables(engine, contacts)
                create_outcomes_view(engine, contacts, load.calls, schema=contacts.schema)
            if self.bulk_list_ids != ALL and not scope.bulk_list_ids:
                # The whole history is not what was asked for, and may take hours.
                self.log.info("There are no lists to read.")
                counts = LoadCounts()
            else:
                counts = load.run(scope)
                # Of the table nothing is known where it was not looked at.
                self._gauge(counts)
        self.log.info("Call history: %s.", counts)
        self._tell(context, counts)
        return dataclasses.asdict(counts)

    @property
    def state(self) -> StateConnection:
        """The connection of the database that the history is loaded into."""
        return StateConnection.of(self.state_conn_id, self.sql_conn_id)

    def _load(self, hook: RinggHook, engine: sa.Engine) -> HistoryLoad:
        from ringg_provider.history.load import HistoryLoad
        from ringg_provider.history.tables import calls_table, campaigns_table

        schema = self.schema or None
        return HistoryLoad(
            source=hook.client,
            engine=engine,
            calls=calls_table(self.table, schema=schema),
            campaigns=campaigns_table(self.campaigns_table, schema=schema),
            options=LoadOptions(
                lookback=self.lookback,
                give_up_after=self.give_up_after,
                include_analysis=self.include_analysis,
                wait_for_client_analysis=self.wait_for_client_analysis,
                transcripts=self.transcripts,
                analysis_concurrency=self.analysis_concurrency,
                max_minutes=self.max_minutes,
            ),
            recordings=self._recordings(hook),
            pacer=hook.history_pacer(),
            zone=wording.zone_named(dag_zone(self)),
        )

    def _scope(self) -> Scope:
        from ringg_provider.history.backlog import Scope

        return Scope(
            bulk_list_ids=[] if self.bulk_list_ids == ALL else list_ids(self.bulk_list_ids, "bulk_list_ids"),
            start=instant(self.start, "start"),
            end=instant(self.end, "end"),
        )

    def _recordings(self, hook: RinggHook) -> RecordingStore | None:
        if not self.recordings_path:
            return None
        from ringg_provider.history.recordings import RecordingStore

        client = hook.client
        return RecordingStore(
            object_path(self.recordings_path, "recordings_path", self.recordings_conn_id),
            hosts=self.recording_hosts or (),
            refresh=lambda call_id: client.get_call(call_id, send_analysis=False).recording_url,
        )

    def _tell(self, context: Context, counts: LoadCounts) -> None:
        """Count what was read, and tell those who wait for it."""
        from ringg_provider.lineage.assets import announce

        self._counts = dataclasses.asdict(counts)
        HISTORY_ROWS.send(counts.inserted, platform=RinggHook.conn_type, change="new")
        HISTORY_ROWS.send(counts.changed, platform=RinggHook.conn_type, change="changed")
        HISTORY_REQUESTS.send(counts.requests, platform=RinggHook.conn_type)
        HISTORY_SAVED.send(counts.requests_saved, platform=RinggHook.conn_type)
        is_news = bool(counts.inserted or counts.changed)
        announce(self.outlets, context, self._counts, lambda: [self._asset()], is_news=is_news)
        self.tell_hook_lineage()

    def _gauge(self, counts: LoadCounts) -> None:
        tags = {"platform": RinggHook.conn_type, "conn_id": self.ringg_conn_id}
        HISTORY_OPEN.send(counts.open, **tags)
        HISTORY_INCOMPLETE.send(counts.incomplete, **tags)

    def _asset(self) -> Asset:
        from ringg_provider.lineage.assets import table_asset

        return table_asset(self.state.conn_id, self.table, self.schema or None)

    #: What a load did; None until it has ended well.
    _counts: dict[str, int] | None = None

    def reads_and_writes(self) -> Lineage:
        """The workspace's calls in; the tables of calls and campaigns, and the view of outcomes, out."""
        from ringg_provider.history.outcomes import OUTCOMES
        from ringg_provider.lineage.datasets import InDatabase, Lineage, calls_of, qualified

        counts = self._counts or {}
        written = counts["inserted"] + counts["changed"] if counts else None
        # Beside the table of contacts, wherever its name says that this is.
        view = {qualified(OUTCOMES, self.contacts_table.rpartition(".")[0]): None} if self.contacts_table else {}
        return Lineage(
            inputs=[calls_of(RinggHook(self.ringg_conn_id), counts.get("calls_read"))],
            outputs=[
                InDatabase(
                    self.state.conn_id,
                    tables={self.table: written, self.campaigns_table: counts.get("campaigns_read"), **view},
                    schema=self.schema or None,
                )
            ],
            run={"ringg_history": {"platform": RinggHook.conn_type, "counts": counts}} if counts else {},
        )


def instant(value: dt.date | str | None, field: str) -> dt.datetime | None:
    """Read a point in time; one without a zone is UTC, a date its midnight.

    :return: a plain datetime in UTC: what pendulum subtracts cannot be divided by the standard library's spans.
    :raises InvalidRequest: it cannot be read.
    """
    if value is None or value in ("", "None"):
        return None
    moment = read_moment(value, pendulum.UTC, field)
    return dt.datetime.combine(moment.date(), moment.time(), dt.UTC)

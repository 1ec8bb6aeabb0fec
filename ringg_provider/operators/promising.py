"""What the operators of both platforms' promises share: whose, by which hours, and what is told of a run."""

from __future__ import annotations

import dataclasses
import datetime as dt
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ringg_provider import wording
from ringg_provider.api.arguments import OptionalText, Span
from ringg_provider.history.options import CALLBACKS
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.hours.purposes import NoRule, Purpose
from ringg_provider.hours.zones import ZoneName
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.metrics import PROMISES, PROMISES_STANDING
from ringg_provider.operators.arguments import with_checked_arguments

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Asset, Context

    from ringg_provider.callbacks.loading import PromiseCounts, PromiseTerms
    from ringg_provider.hours.lawful import LawfulHours
    from ringg_provider.lineage.datasets import Lineage

_BECAME = ("new", "moved", "kept", "late", "missed", "withdrawn")
_STANDING = ("open", "unclear", "listed")


class WithHours(Protocol):
    """An operator that is told when people may be called."""

    calling_hours: str | Mapping[str, Any] | None
    no_rule: NoRule
    blackout_dates: Sequence[dt.date | str]


def lawful_hours(task: WithHours, purpose: Purpose) -> LawfulHours:
    """When people may be called, as an operator of promises is told.

    :param task: the operator.
    :param purpose: what the calls are for.
    """
    # Loaded when a task runs, and not with every DAG file.
    from ringg_provider.hours.lawful import LawfulHours
    from ringg_provider.hours.rules import load_rules

    return LawfulHours(
        load_rules(task.calling_hours), purpose=purpose, no_rule=task.no_rule, blackout_dates=task.blackout_dates
    )


class PromisesOperator(LineageOperator):
    """Base of the operators that bring `ringg_callbacks` up to what is known of calls.

    :param state_conn_id: the connection of the state database, which holds the tables: PostgreSQL, MySQL 8, MariaDB or
        SQLite. Default `sql_conn_id`.
    :param sql_conn_id: the same, for a DAG without `state_conn_id`.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: what the calls are for, by which the hours
        differ in which people may be called.
    :param schema: of the tables. Default the connection's own.
    :param callbacks_table: of promises. Default `ringg_callbacks`.
    :param calling_hours: your own rules instead of the shipped ones: path of a TOML file, or a dict.
    :param no_rule: for a country without a rule: ``hold`` (default) leaves its promises unclear, ``refuse`` fails, and
        ``allow`` calls at the time they said.
    :param blackout_dates: local dates on which nobody is called, as dates or ISO strings.
    :param timezone: the IANA zone of people whose number tells several zones, or none. Default: their words are only
        read where they mean the same in all of them.
    :param punctual: how long after the time a call still counts as kept. Default 15 minutes.
    :param give_up_after: how long after the time at most a promise is kept, and never past the lawful hours of its day.
        Default their end.
    :param unclear_for: an unclear promise that nobody settles for so long is missed. Default three days.
    :param look_back: calls of so long ago are looked at by the first run. Default seven days.
    """

    shared_template_fields: Sequence[str] = (
        "sql_conn_id", "state_conn_id", "schema", "callbacks_table", "table", "calling_hours", "blackout_dates",
        "timezone",
    )  # fmt: skip
    ui_color = "#dcebdd"
    #: Whose promises they are, for metrics and lineage.
    platform: ClassVar[str]
    #: The table of calls; a parameter of the subclasses.
    table: str
    #: What was done; None until it has ended well.
    _counts: PromiseCounts | None = None

    def __init__(
        self,
        *,
        purpose: Purpose,
        sql_conn_id: str | None = None,
        state_conn_id: str | None = None,
        schema: OptionalText = None,
        callbacks_table: str = CALLBACKS,
        calling_hours: str | Mapping[str, Any] | None = None,
        no_rule: NoRule = "hold",
        blackout_dates: Sequence[dt.date | str] = (),
        timezone: ZoneName | None = None,
        punctual: Span = dt.timedelta(minutes=15),
        give_up_after: Span | None = None,
        unclear_for: Span = dt.timedelta(days=3),
        look_back: Span = dt.timedelta(days=7),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.purpose = purpose
        self.sql_conn_id = sql_conn_id
        self.state_conn_id = state_conn_id
        self.schema = schema
        self.callbacks_table = callbacks_table
        self.calling_hours = calling_hours
        self.no_rule = no_rule
        self.blackout_dates = blackout_dates
        self.timezone = timezone
        self.punctual = punctual
        self.give_up_after = give_up_after
        self.unclear_for = unclear_for
        self.look_back = look_back

    @property
    def state(self) -> StateConnection:
        """The connection of the state database."""
        return StateConnection.of(self.state_conn_id, self.sql_conn_id)

    @abstractmethod
    def load(self, engine: sa.Engine, promises: sa.Table, terms: PromiseTerms) -> PromiseCounts:
        """Bring the table up to date.

        :param engine: the state database.
        :param promises: the table.
        :param terms: when a promise counts as what.
        """

    @property
    @abstractmethod
    def conn_id(self) -> str:
        """The connection by which these people are called."""

    @abstractmethod
    def reads(self) -> Sequence[str]:
        """The tables that are read."""

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, int]:
        """Look at the calls, tell those who wait for the table, and return counts."""
        # What reads a database is loaded when a task runs, here and below, and not with every DAG file.
        from ringg_provider.callbacks.table import callbacks_table

        terms = self._terms()
        self.state.require("history")
        with self.state.engine() as engine:
            counts = self.load(engine, callbacks_table(self.callbacks_table, schema=self.schema or None), terms)
        self.log.info("Promises: %s.", counts)
        if counts.unclear:
            self.log.warning(
                "Unclear, until a person says when: %s. See the runbook, 'Unclear promises'.",
                wording.counted(counts.unclear, "promise"),
            )
        return self._tell(context, counts)

    def _terms(self) -> PromiseTerms:
        from ringg_provider.callbacks.loading import PromiseTerms

        hours = lawful_hours(self, self.purpose)
        return PromiseTerms(hours, self.timezone, self.punctual, self.give_up_after, self.unclear_for)

    def _tell(self, context: Context, counts: PromiseCounts) -> dict[str, int]:
        from ringg_provider.lineage.assets import announce, table_asset

        self._counts = counts
        told = dataclasses.asdict(counts)
        for became in _BECAME:
            PROMISES.send(told[became], platform=self.platform, outcome=became)
        for state in _STANDING:
            PROMISES_STANDING.send(told[state], platform=self.platform, conn_id=self.conn_id, state=state)

        def assets() -> list[Asset]:
            return [table_asset(self.state.conn_id, self.callbacks_table, self.schema or None)]

        announce(self.outlets, context, told, assets, is_news=counts.changed > 0)
        self.tell_hook_lineage()
        return told

    def reads_and_writes(self) -> Lineage:
        """The calls in, the promises out."""
        from ringg_provider.lineage.datasets import InDatabase, Lineage

        conn_id, schema, counts = self.state.conn_id, self.schema or None, self._counts
        written = None if counts is None else counts.changed
        told = {} if counts is None else {"platform": self.platform, "counts": dataclasses.asdict(counts)}
        return Lineage(
            inputs=[InDatabase(conn_id, tables=dict.fromkeys(self.reads()), schema=schema)],
            outputs=[InDatabase(conn_id, tables={self.callbacks_table: written}, schema=schema)],
            run={"ringg_promises": told} if told else {},
        )

"""A warehouse query -> lists of people on a calling platform, and a reason for every row left out.

What every platform's operator shares. The work is `contacts/pipeline.py`'s; a subclass says where the lists go.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import conf

from ringg_provider.api.arguments import (
    BlankText,
    Count,
    Days,
    DialPrefix,
    Parameters,
    PlusText,
    RowsOrShare,
    Share,
    Span,
)
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.options import CALLS
from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.hooks.sql import StateConnection, sql_connection
from ringg_provider.hours.purposes import Purpose
from ringg_provider.hours.schedule import Time
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.metrics import LEFT_OUT, LISTED, LISTS
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.files import object_path
from ringg_provider.operators.ledgers import launcher_of, ledger_connection, open_ledger, task_key
from ringg_provider.operators.private import Private, Untold
from ringg_provider.operators.timely import TimelyOperator, clears_of

if TYPE_CHECKING:
    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Asset, Context

    from ringg_provider.contacts.pipeline import Destination, ListOptions
    from ringg_provider.contacts.results import PipelineResult
    from ringg_provider.contacts.scratch import Scratch
    from ringg_provider.lineage.datasets import Lineage
    from ringg_provider.sql.dialects import Kept


class SqlToListsOperator(LineageOperator, TimelyOperator):
    """Base of the operators that turn a query into lists; nobody is called by them.

    Everything is prepared on the worker's disk first and uploaded when the whole query was read, so a query that fails,
    or too many bad rows, leave nothing on the platform.

    :param sql_conn_id: connection of the database that people are chosen from; any ``DbApiHook``.
    :param hook_params: more arguments for the hook of ``sql_conn_id``, as ``SQLExecuteQueryOperator`` has them, such as
        Snowflake's ``warehouse`` and ``role``. Default none.
    :param state_conn_id: connection of the database that holds ``contacts_table``, ``history_table`` and, unless
        ``ledger_conn_id`` says otherwise, the launch ledger: PostgreSQL, MySQL 8, MariaDB or SQLite. Default:
        ``sql_conn_id``, where that is one of these; a warehouse is refused before its query is read.
    :param sql: one SELECT, read in constant memory from nearly every database. Its columns are named here as it spells
        them, or in any other case where exactly one fits.
    :param parameters: values for the query, in the driver's style. Templates in them are rendered; what comes of it is
        never logged and never stored. Beside them, a percent sign of the query is written ``%%`` where that
        style has them.
    :param agent_id: the outbound agent that speaks.
    :param campaign_name: a label for people; lists of one run are numbered after it.
    :param phone_column: column with the telephone numbers, in any spelling.
    :param country_code: ``+91``: what a number without a code belongs to.
    :param campaign_start_time: aware datetime, ISO string, or naive in the campaign's zone. Default: two minutes from
        now inside the daily window, otherwise its next opening.
    :param campaign_end_time: the same forms. Default: the closing of the start's day.
    :param contact_key: column that names a person in your tables. Default: the number.
    :param timezone_column: column with the contact's IANA zone, where it is known; needs ``purpose``.
    :param region_column: column with the contact's region, such as ``US-FL``; needs ``purpose``.
    :param suppression_sql: a query, in the same database, of people who must not be called: numbers in any spelling, or
        contact keys.
    :param state_suppression_sql: the same in the state database, for where that is another one, so that the query
        cannot join its tables: ``SELECT contact_key FROM ringg_outcomes WHERE reached OR open``. Default none.
    :param contacts_table: table that says who was put on which list, and why the others were not, in the state
        database. It is written to, and that undone, before anything is uploaded. Default none.
    :param rejects_path: a CSV, at a path or any ``ObjectStoragePath`` address, of the rows that are on no list. It has
        numbers in it. Default none.
    :param launch_key: what the lists stand for. With a launch ledger: if it was launched before, nothing is uploaded
        and the lists of then are returned. In a Task Loop (Airflow 3.4) let it hold ``{{ loop.index }}``: under the
        key of the first iteration the second calls nobody.
    :param ledger_conn_id: connection to the database with the launch ledger. Default: ``state_conn_id``, if that is
        given and there is a ``launch_key``; otherwise there is no ledger. ``sql_conn_id`` alone never makes one.
    :param max_rejects: how many rows may be bad (an int), or which share of them (a float) before the task fails and
        nothing is uploaded. Suppressed people, and those whom the frequency cap or the hours protect, do not count.
        Default: any number, but not all rows: when every row is bad, the task fails.
    :param dry_run: do everything but upload; ``list_id`` is None in the result. Default False.
    :param other_countries: ``leave_out`` numbers of other countries than ``country_code`` (default), or ``split`` them
        off into lists of their own. They are never sent under the wrong code.
    :param not_called_within_days: leave out numbers that ``history_table`` has a call to in the last so many days, or
        one that is still open.
    :param max_attempts: leave out numbers that rang so often, or more: a call in ``history_table`` counts as often as
        the platform's webhooks told that it rang (``RinggInboxToSqlOperator``), and otherwise once.
    :param attempts_within: ``(3, timedelta(hours=24))``: leave out numbers that rang so often, or more, in so long a
        time before this run; a call that is still open counts as one more. What a list's own retries add comes on top:
        let ``call_config`` allow no more than what is left. Default None.
    :param history_table: table of ``RinggCallsToSqlOperator``, in the state database. Default ``ringg_calls``.
    :param history_table_may_be_missing: with a frequency cap: there is no ``history_table`` yet, and nobody counts as
        called. Default False: a cap that cannot be checked fails the task.
    :param max_rows_per_list: contacts per list at most; the workspace's row allowance. Default: as many as 20 MB
        hold.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: split lists by the hours in which their
        contacts may be called for it. Default: the hours of ``call_config`` hold for everybody.
    :param calling_hours: your own rules instead of the shipped ones: path of a TOML file, or a dict; needs ``purpose``.
    :param no_rule: for a country without a rule: ``refuse`` (default), ``hold`` its contacts, or ``allow``.
    :param blackout_dates: local dates on which nobody is called, as dates or ISO strings; needs ``purpose``.
    :param waves: shares of the people for the first wave, the second and so on, such as ``(0.01, 0.1)``; whoever is
        left is in a last one. Each is a fair sample, dealt by a hash of ``contact_key`` (or the number) and the launch
        key, and has lists of its own, which say their ``wave``, from 1. A wave may be empty. Let a rollout operator
        launch them: a launch that is mapped over the result calls all waves at once. Default none.
    :param rehearsal: phones of your own, at most 20, that are called first, as wave 0, with the variables of the first
        people and never on their numbers. Nobody of the query is called on one of them. In ``contacts_table`` they are
        marked ``rehearsal``, and no cap and no outcome counts them. Templates in them are rendered; what comes of it is
        never logged and never stored. Default none.

    In which runs nothing is uploaded is said by the parameters of
    :class:`~ringg_provider.operators.timely.TimelyOperator`; lists that were launched before are returned in any run,
    and a dry run is made in any.
    """

    shared_template_fields: Sequence[str] = (
        "sql_conn_id",
        "hook_params",
        "state_conn_id",
        "sql",
        "agent_id",
        "campaign_name",
        "phone_column",
        "country_code",
        "campaign_start_time",
        "campaign_end_time",
        "contact_key",
        "timezone_column",
        "region_column",
        "suppression_sql",
        "state_suppression_sql",
        "contacts_table",
        "rejects_path",
        "history_table",
        "calling_hours",
        "blackout_dates",
        "launch_key",
        "ledger_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    #: The platform's calls, which the frequency cap reads.
    default_history_table: ClassVar[str] = CALLS
    template_fields_renderers = {"sql": "sql", "suppression_sql": "sql", "state_suppression_sql": "sql"}

    sql = Untold[str]()
    campaign_name = Untold[str]()
    hook_params = Untold[Mapping[str, Any] | None]()
    suppression_sql = Untold[str | None]()
    state_suppression_sql = Untold[str | None]()
    rejects_path = Untold[str | None]()
    launch_key = Untold[str | None]()

    def __init__(
        self,
        *,
        sql_conn_id: str,
        sql: str,
        agent_id: str,
        campaign_name: str,
        phone_column: str,
        country_code: DialPrefix,
        state_conn_id: str | None = None,
        parameters: Parameters | None = None,
        hook_params: Mapping[str, Any] | None = None,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        contact_key: str | None = None,
        timezone_column: str | None = None,
        region_column: str | None = None,
        suppression_sql: str | None = None,
        state_suppression_sql: str | None = None,
        contacts_table: str | None = None,
        rejects_path: str | None = None,
        launch_key: str | None = None,
        ledger_conn_id: BlankText | None = None,
        max_rejects: RowsOrShare | None = None,
        dry_run: bool = False,
        other_countries: Literal["leave_out", "split"] = "leave_out",
        not_called_within_days: Days | None = None,
        max_attempts: Count | None = None,
        attempts_within: tuple[Count, Span] | None = None,
        history_table: str | None = None,
        history_table_may_be_missing: bool = False,
        max_rows_per_list: Count | None = None,
        purpose: Purpose | None = None,
        calling_hours: str | Mapping[str, Any] | None = None,
        no_rule: Literal["refuse", "hold", "allow"] = "refuse",
        blackout_dates: Sequence[date | str] = (),
        waves: Sequence[Share] = (),
        rehearsal: Sequence[PlusText] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = sql_conn_id
        self.state_conn_id = state_conn_id
        self.sql = sql
        self.agent_id = agent_id
        self.campaign_name = campaign_name
        self.phone_column = phone_column
        self.country_code = country_code
        self._parameters = Private("parameters", parameters)
        self.hook_params = hook_params
        self.campaign_start_time = campaign_start_time
        self.campaign_end_time = campaign_end_time
        self.contact_key = contact_key
        self.timezone_column = timezone_column
        self.region_column = region_column
        self.suppression_sql = suppression_sql
        self.state_suppression_sql = state_suppression_sql
        self.contacts_table = contacts_table
        self.rejects_path = rejects_path
        self.launch_key = launch_key
        self.ledger_conn_id = ledger_conn_id
        self.max_rejects = max_rejects
        self.is_dry_run = dry_run  # BaseOperator has a method of the shorter name
        self.other_countries = other_countries
        self.not_called_within_days = not_called_within_days
        self.max_attempts = max_attempts
        self.attempts_within = attempts_within
        self.history_table = history_table
        self.history_table_may_be_missing = history_table_may_be_missing
        self.max_rows_per_list = max_rows_per_list
        self.purpose = purpose
        self.calling_hours = calling_hours
        self.no_rule = no_rule
        self.blackout_dates = blackout_dates
        self.waves = waves
        self._rehearsal = Private("rehearsal", rehearsal)

    @property
    @abstractmethod
    def hook(self) -> PlatformHook[Any, Any]:
        """The connection's hook."""

    @staticmethod
    def describe_history(name: str) -> sa.Table:
        """The platform's table of calls, by its name."""
        from ringg_provider.history.tables import calls_table

        return calls_table(name)

    def describe_attempts(self) -> sa.Table | None:
        """The platform's table of attempts, beside that of calls; None where it has none."""
        return None

    @abstractmethod
    def destination(self, client: Any, options: ListOptions, scratch: Scratch) -> Destination:
        """Where the lists go; refuses here what is wrong with the campaign or its agent."""

    @with_checked_arguments
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Look whether the key was launched; if not: read, clean, upload, and note who is on which list."""
        result = self._run(context)
        context["ti"].xcom_push(key="summary", value=result.summary)
        self._tell(context, result.summary)
        # Under a key the ledger tells what was launched, and its lists may be older than the run's last clear.
        clears = 0 if self.launch_key else clears_of(context)
        return [replace(item, clear_number=clears or None).as_xcom() for item in result.items]

    #: What came of the run; None until it has ended well.
    _summary: Mapping[str, Any] | None = None

    @property
    def _uploaded(self) -> int | None:
        """How many people were put on lists by this very run; None while that is not known."""
        if self._summary is None:
            return None
        nothing_new = self._summary["already_launched"] or self._summary["dry_run"]
        # The phones of a rehearsal are nobody of the query.
        return 0 if nothing_new else sum(item["rows"] or 0 for item in self._summary["lists"] if item.get("wave") != 0)

    def _tell(self, context: Context, summary: Mapping[str, Any]) -> None:
        """Count what was uploaded, and tell those who wait for it."""
        from ringg_provider.contacts.reasons import Disposition
        from ringg_provider.lineage.assets import announce

        self._summary = summary
        platform, uploaded = self.hook.conn_type, self._uploaded or 0
        if not summary["already_launched"] and not summary["dry_run"]:
            LISTS.send(len(summary["lists"]), platform=platform)
            LISTED.send(uploaded, platform=platform)
            for reason, count in summary["reasons"].items():
                if reason != Disposition.LISTED:
                    LEFT_OUT.send(count, platform=platform, reason=reason)
        announce(self.outlets, context, {"contacts": uploaded}, self._assets, is_news=uploaded > 0)
        self.tell_hook_lineage()

    def _assets(self) -> Iterator[Asset]:
        """What an alias among the outlets stands for."""
        from ringg_provider.lineage.assets import asset_of, table_asset
        from ringg_provider.lineage.datasets import campaigns_of

        yield asset_of(campaigns_of(self.hook, self.agent_id))
        if self.contacts_table:
            yield table_asset(self.state.conn_id, self.contacts_table, hook_params=self.state.hook_params)

    def reads_and_writes(self) -> Lineage:
        """The tables of the queries and of calls in; campaigns, and the tables of people and launches, out."""
        from ringg_provider.launch.table import launches
        from ringg_provider.lineage.datasets import InDatabase, Lineage, campaigns_of

        state, summary = self.state, self._summary
        rows = None if summary is None else summary.get("rows")
        kept = self._ledger
        in_state = partial(InDatabase, state.conn_id, hook_params=state.hook_params)
        return Lineage(
            inputs=[
                InDatabase(self.chosen_from, _given(self.sql, self.suppression_sql), hook_params=self.hook_params),
                in_state(queries=_given(self.state_suppression_sql), tables=dict.fromkeys(self._history_tables())),
            ],
            outputs=[
                campaigns_of(self.hook, self.agent_id, self._uploaded),
                in_state(tables={self.contacts_table: rows} if self.contacts_table else {}),
                *([InDatabase(kept.conn_id, tables={launches.name: None})] if kept else []),
            ],
            run={} if summary is None else {"ringg_contacts": {"platform": self.hook.conn_type, **_counts(summary)}},
        )

    def _history_tables(self) -> list[str]:
        """The tables of calls that are read."""
        attempts = self.describe_attempts() if self._has_cap else None
        calls = [self.history_table or self.default_history_table] if self._reads_history else []
        return calls if attempts is None else [*calls, attempts.fullname]

    def on_kill(self) -> None:
        """Remove the temporary files at once: this runs in a signal handler, and a SIGKILL may follow."""
        scratch = getattr(self, "_scratch", None)
        if scratch is not None:
            scratch.discard()

    @property
    def state(self) -> StateConnection:
        """The connection of the state database."""
        return StateConnection.of(self.state_conn_id, self.sql_conn_id, self.hook_params)

    @property
    def chosen_from(self) -> str:
        """The connection of the database that people are chosen from."""
        return self.sql_conn_id

    @property
    def _ledger(self) -> StateConnection | None:
        return ledger_connection(self.launch_key, self.ledger_conn_id, self.state_conn_id)

    @property
    def _reads_history(self) -> bool:
        return self._has_cap

    @property
    def _has_cap(self) -> bool:
        return any(each is not None for each in (self.not_called_within_days, self.max_attempts, self.attempts_within))

    def check(self) -> None:
        """Refuse what can be known to be wrong before a row is read, and a database that cannot hold the state."""
        if self.attempts_within is not None and not self.attempts_within[1]:
            raise InvalidRequest(
                "attempts_within: the length of time must be above 0, or nobody would be protected.",
                field="attempts_within",
            )
        needed: dict[Kept, object] = {
            "people": self.contacts_table,
            "cap": self._has_cap,
            "outcomes": self.state_suppression_sql,
        }
        self.state.require(*(kept for kept, is_needed in needed.items() if is_needed))

    def _run(self, context: Context) -> PipelineResult:
        # Loaded when a task runs, and not with every DAG file.
        from ringg_provider.contacts.pipeline import ContactPipeline, ListOptions
        from ringg_provider.contacts.results import already_launched
        from ringg_provider.contacts.scratch import Scratch

        kept = self._ledger
        given = {one.name: getattr(self, one.name) for one in fields(ListOptions)}
        given |= {"dry_run": self.is_dry_run, "ledger_conn_id": kept.conn_id if kept else self.ledger_conn_id}
        options = ListOptions(**given)
        self.check()
        parameters = self._parameters.rendered(self, context)
        rehearsal = self._rehearsal.rendered(self, context)
        ledger = open_ledger(kept.conn_id, kept.field) if kept else None
        if ledger is not None and (launched := ledger.started_set(str(self.launch_key))) is not None:
            return already_launched(options, ledger, launched, launcher_of(context, self.hook.conn_id))
        if not self.is_dry_run:
            self.refuse_if_stale(context, "Nothing was uploaded.")
        with self.hook as hook, Scratch() as self._scratch:
            return ContactPipeline(
                options=options,
                destination=self.destination(hook.client, options, self._scratch),
                scratch=self._scratch,
                connect=lambda: sql_connection(self.sql_conn_id, hook_params=self.hook_params),
                connect_state=self.state.connection,
                state=self.state.engine,
                people_key=self.launch_key or task_key(context),
                parameters=parameters,
                cap=self._frequency_cap(),
                rejects=object_path(self.rejects_path, "rejects_path") if self.rejects_path else None,
                ledger=ledger,
                launcher=launcher_of(context, hook.conn_id),
                most_lists=self._most_lists(context),
                rehearsal=rehearsal,
            ).run()

    def _frequency_cap(self) -> Callable[..., None] | None:
        if not self._has_cap:
            return None
        from ringg_provider.history.cap import FrequencyCap

        return FrequencyCap(
            self.describe_history(self.history_table or self.default_history_table),
            self.not_called_within_days,
            self.max_attempts,
            self.attempts_within,
            self.describe_attempts(),
            may_be_missing=self.history_table_may_be_missing,
        ).exclude

    def _most_lists(self, context: Context) -> int | None:
        """How many items Airflow takes of a task that another one is mapped over; None where none is."""
        is_mapped = context["ti"].map_index not in (None, -1)
        if self.get_dag() is None or is_mapped or next(self.iter_mapped_dependants(), None) is None:
            return None
        most: int = conf.getint("core", "max_map_length", fallback=1024)
        return most


def _given(*queries: str | None) -> list[str]:
    return [query for query in queries if query]


def _counts(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a run, without the ids of its lists."""
    return {
        "flow": summary.get("flow"),
        "lists": len(summary["lists"]),
        "rows": summary.get("rows"),
        "reasons": summary.get("reasons", {}),
        "dryRun": summary.get("dry_run", False),
        "alreadyLaunched": summary["already_launched"],
    }

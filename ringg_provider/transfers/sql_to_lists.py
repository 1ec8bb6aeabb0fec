"""A warehouse query -> lists of people on a calling platform, and a reason for every row left out.

What every platform shares: looking whether the key was launched, cleaning, suppression, the frequency cap, calling
hours, the ledgers. A subclass says what a list is on its platform and how it gets there.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import sqlalchemy as sa
from airflow.providers.common.compat.sdk import BaseOperator, ObjectStoragePath

from ringg_provider.api.arguments import BlankText, Count, Days, DialPrefix, Parameters, RowsOrShare
from ringg_provider.contacts.lists import ContactList, Form, ListWriter
from ringg_provider.contacts.people import MAX_KEY, PeopleLedger, PeopleSpool, write_rejects
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Layout, Planner, Sifter
from ringg_provider.exceptions import InvalidContacts, InvalidRequest, PermanentError
from ringg_provider.history.cap import FrequencyCap
from ringg_provider.history.tables import CALLS, calls_table
from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.hooks.sql import sql_connection, sql_engine
from ringg_provider.hours.plan import Held
from ringg_provider.hours.planner import WindowPlanner
from ringg_provider.hours.rules import Purpose, load_rules
from ringg_provider.hours.schedule import DailyWindow, Schedule, Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.errors import failing_without_retry
from ringg_provider.operators.launching import launcher_of, open_ledger
from ringg_provider.operators.private import Private
from ringg_provider.sql.reading import open_rows

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Parameters that only the rules of calling hours read.
_NEED_A_PURPOSE = ("timezone_column", "region_column", "calling_hours", "blackout_dates")
Invalid = Mapping[str, Mapping[str, str]]


class Lists(Protocol):
    """How one run's lists look on a platform, and how they get there."""

    form: Form
    variables: Mapping[str, str]
    may_be_empty: frozenset[str]

    def planner(self) -> Planner | None:
        """Plans each contact's calling window; None when the campaign's own window holds for everybody."""

    def prepare(self, sifter: Sifter) -> None:
        """What else is to be known before the query is read, such as whom the platform knows as do-not-call."""

    def begin(self, lists: Sequence[ContactList]) -> str:
        """Take notice of all lists, before the first is uploaded; returns the flow they take."""

    def item(self, contacts: ContactList, of: int) -> LaunchItem:
        """What is returned for a list that is not uploaded."""

    def upload(self, contacts: ContactList, of: int) -> LaunchItem:
        """Upload one list, of so many; returns its item."""

    def refused(self, sifter: Sifter, items: Sequence[LaunchItem]) -> tuple[Sequence[LaunchItem], Invalid]:
        """The items with what the platform refused counted, and list id -> phone -> why, as far as it tells."""


class SqlToListsOperator(BaseOperator):
    """Base of the operators that turn a query into lists; nobody is called by them.

    Everything is prepared on the worker's disk first and uploaded when the whole query was read, so a query that fails,
    or too many bad rows, leave nothing on the platform.

    :param sql_conn_id: connection of the database; any ``DbApiHook``.
    :param sql: one SELECT. PostgreSQL and MySQL are read through a server-side cursor.
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
    :param contacts_table: table that says who was put on which list, and why the others were not, in ``sql_conn_id``'s
        database. Default none.
    :param rejects_path: a CSV, at a path or any ``ObjectStoragePath`` address, of the rows that are on no list. It has
        numbers in it. Default none.
    :param launch_key: what the lists stand for. With ``ledger_conn_id``: if it was launched before, nothing is uploaded
        and the lists of then are returned.
    :param ledger_conn_id: connection to the database with the launch ledger. Default none.
    :param max_rejects: how many rows may be bad (an int), or which share of them (a float) before the task fails and
        nothing is uploaded. Suppressed people, and those whom the frequency cap or the hours protect, do not count.
        Default: any number, but not all rows: when every row is bad, the task fails.
    :param dry_run: do everything but upload; ``list_id`` is None in the result. Default False.
    :param other_countries: ``leave_out`` numbers of other countries than ``country_code`` (default), or ``split`` them
        off into lists of their own. They are never sent under the wrong code.
    :param not_called_within_days: leave out numbers that ``history_table`` has a call to in the last so many days, or
        one that is still open.
    :param max_attempts: leave out numbers that ``history_table`` has so many calls to, or more.
    :param history_table: table of ``RinggCallsToSqlOperator``, in the same database. Default ``ringg_calls``.
    :param history_table_may_be_missing: with a frequency cap: there is no ``history_table`` yet, and nobody counts as
        called. Default False: a cap that cannot be checked fails the task.
    :param max_rows_per_list: contacts per list at most; the workspace's row allowance. Default: as many as 20 MB
        hold.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: split lists by the hours in which their
        contacts may be called for it. Default: the hours of ``call_config`` hold for everybody.
    :param calling_hours: your own rules instead of the shipped ones: path of a TOML file, or a dict; needs ``purpose``.
    :param no_rule: for a country without a rule: ``refuse`` (default), ``hold`` its contacts, or ``allow``.
    :param blackout_dates: local dates on which nobody is called, as dates or ISO strings; needs ``purpose``.
    """

    shared_template_fields: Sequence[str] = (
        "sql_conn_id",
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
    describe_history: ClassVar[Callable[..., sa.Table]] = staticmethod(calls_table)
    template_fields_renderers = {"sql": "sql", "suppression_sql": "sql"}

    def __init__(
        self,
        *,
        sql_conn_id: str,
        sql: str,
        agent_id: str,
        campaign_name: str,
        phone_column: str,
        country_code: DialPrefix,
        parameters: Parameters | None = None,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        contact_key: str | None = None,
        timezone_column: str | None = None,
        region_column: str | None = None,
        suppression_sql: str | None = None,
        contacts_table: str | None = None,
        rejects_path: str | None = None,
        launch_key: str | None = None,
        ledger_conn_id: BlankText | None = None,
        max_rejects: RowsOrShare | None = None,
        dry_run: bool = False,
        other_countries: Literal["leave_out", "split"] = "leave_out",
        not_called_within_days: Days | None = None,
        max_attempts: Count | None = None,
        history_table: str | None = None,
        history_table_may_be_missing: bool = False,
        max_rows_per_list: Count | None = None,
        purpose: Purpose | None = None,
        calling_hours: str | Mapping[str, Any] | None = None,
        no_rule: Literal["refuse", "hold", "allow"] = "refuse",
        blackout_dates: Sequence[date | str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = sql_conn_id
        self.sql = sql
        self.agent_id = agent_id
        self.campaign_name = campaign_name
        self.phone_column = phone_column
        self.country_code = country_code
        self._parameters = Private("parameters", parameters)
        self.campaign_start_time = campaign_start_time
        self.campaign_end_time = campaign_end_time
        self.contact_key = contact_key
        self.timezone_column = timezone_column
        self.region_column = region_column
        self.suppression_sql = suppression_sql
        self.contacts_table = contacts_table
        self.rejects_path = rejects_path
        self.launch_key = launch_key
        self.ledger_conn_id = ledger_conn_id
        self.max_rejects = max_rejects
        self.is_dry_run = dry_run  # BaseOperator has a method of the shorter name
        self.other_countries = other_countries
        self.not_called_within_days = not_called_within_days
        self.max_attempts = max_attempts
        self.history_table = history_table
        self.history_table_may_be_missing = history_table_may_be_missing
        self.max_rows_per_list = max_rows_per_list
        self.purpose = purpose
        self.calling_hours = calling_hours
        self.no_rule = no_rule
        self.blackout_dates = blackout_dates

    @property
    @abstractmethod
    def hook(self) -> PlatformHook[Any, Any]:
        """The connection's hook."""

    @abstractmethod
    def lists_on(self, client: Any) -> Lists:
        """How this run's lists look; refuses here what is wrong with the campaign or its agent."""

    @with_checked_arguments
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Look whether the key was launched; if not: read, clean, upload, and note who is on which list."""
        with failing_without_retry():
            self.check()
            parameters = self._parameters.rendered(self, context)
            ledger = open_ledger(self.ledger_conn_id) if self.ledger_conn_id else None
            if ledger is not None and (launched := ledger.started_set(str(self.launch_key))) is not None:
                return self._already_launched(context, launched)
            with self.hook as hook, Scratch() as self._scratch:
                return self._transfer(context, self.lists_on(hook.client), ledger, parameters)

    def on_kill(self) -> None:
        """Remove the temporary files at once: this runs in a signal handler, and a SIGKILL may follow."""
        scratch = getattr(self, "_scratch", None)
        if scratch is not None:
            scratch.discard()

    @contextmanager
    def unless_stopped(self) -> Iterator[None]:
        """Say "stopped" of an error that only comes of files which `on_kill` has taken away."""
        try:
            yield
        except PermanentError:
            self._scratch.check()
            raise

    def check(self) -> None:
        """Refuse what can be known to be wrong without asking anybody."""
        if self.launch_key and self.ledger_conn_id is not None and not self.ledger_conn_id.strip():
            raise InvalidRequest(
                "ledger_conn_id: is blank, so nothing would protect launch_key.", field="ledger_conn_id"
            )
        if self.ledger_conn_id and not self.launch_key:
            raise InvalidRequest("launch_key: the launch ledger needs a key to look up.", field="launch_key")
        useless = [name for name in _NEED_A_PURPOSE if getattr(self, name)]
        if useless and not self.purpose:
            raise InvalidRequest(
                f"purpose: {', '.join(useless)} would do nothing without it; the rules differ by purpose.",
                field="purpose",
            )

    def _already_launched(self, context: Context, launched: Sequence[LaunchItem]) -> list[dict[str, Any]]:
        self.log.info(
            "Launch key %r was launched before: nothing new is to be called, its %d lists stand.",
            self.launch_key,
            len(launched),
        )
        summary = {"already_launched": True, "lists": [in_summary(item) for item in launched]}
        context["ti"].xcom_push(key="summary", value=summary)
        # Whoever starts one of them asks this ledger first, whatever was noted when it was listed.
        key, ledger = self.launch_key, self.ledger_conn_id
        return [replace(item, launch_key=key, ledger_conn_id=ledger).as_xcom() for item in launched]

    def _transfer(
        self, context: Context, platform: Lists, ledger: LaunchLedger | None, parameters: Any
    ) -> list[dict[str, Any]]:
        run = Run(
            self._people_key(context),
            Sifter(
                Layout(
                    phone=self.phone_column,
                    variables=platform.variables,
                    contact_key=self.contact_key,
                    timezone=self.timezone_column,
                    region=self.region_column,
                    may_be_empty=platform.may_be_empty,
                ),
                PhoneCleaner(self.country_code),
                ListWriter(self._scratch, platform.form, max_rows=self.max_rows_per_list),
                PeopleSpool(self._scratch) if self.contacts_table or self.rejects_path else None,
                split_countries=self.other_countries == "split",
                planner=platform.planner(),
            ),
        )
        platform.prepare(run.sifter)
        self._read(run.sifter, parameters)
        try:
            self._require_contacts(run.sifter)
        except InvalidContacts:
            run.note(self, {}, {}, "too many other rows were rejected", "refused")
            raise
        lists = run.sifter.writer.lists
        flow = platform.begin(lists)
        if self.is_dry_run:
            items = [platform.item(contacts, len(lists)) for contacts in lists]
            run.note(self, {}, {}, "a dry run", "dry run")
            self._summarise(context, run.sifter, flow, items)
            return [item.as_xcom() for item in items]
        items = []
        for contacts in lists:
            self._scratch.check()
            items.append(platform.upload(contacts, len(lists)))
            contacts.path.unlink(missing_ok=True)
        self._scratch.check()
        judged, invalid = platform.refused(run.sifter, items) if run.sifter.spool is not None else (items, {})
        standing = judged if ledger is None else ledger.replace_set(str(self.launch_key), judged, launcher_of(context))
        if [item.list_id for item in standing] != [item.list_id for item in judged]:
            return self._already_launched(context, standing)
        list_ids = {contacts.number: str(item.list_id) for contacts, item in zip(lists, judged, strict=True)}
        run.note(self, list_ids, invalid)
        self._summarise(context, run.sifter, flow, judged)
        return [item.as_xcom() for item in judged]

    def _read(self, sifter: Sifter, parameters: Any) -> None:
        """Run the queries, and let the sifter put every row somewhere."""
        if self.not_called_within_days is not None or self.max_attempts is not None:
            cap = FrequencyCap(
                type(self).describe_history(self.history_table or self.default_history_table),
                self.not_called_within_days,
                self.max_attempts,
                may_be_missing=self.history_table_may_be_missing,
            )
            with sql_engine(self.sql_conn_id) as engine:
                cap.exclude(engine, sifter.exclusions, sifter.cleaner)
        with sql_connection(self.sql_conn_id) as connection:
            if self.suppression_sql:
                with open_rows(connection, self.suppression_sql, field="suppression_sql") as rows:
                    sifter.exclusions.suppress(rows, sifter.cleaner, with_keys=self.contact_key is not None)
                if unreadable := sifter.exclusions.unreadable:
                    self.log.warning("suppression_sql: %d values are no telephone numbers.", unreadable)
            with open_rows(connection, self.sql, parameters) as rows:
                sifter.run(rows, between=self._scratch.check)
        if sifter.spool is not None:
            sifter.spool.close()

    def _require_contacts(self, sifter: Sifter) -> None:
        """Refuse a result that is too bad to be used."""
        bad = sum(count for reason, count in sifter.counts.items() if reason.is_defect)
        reasons = ", ".join(f"{count} {reason}" for reason, count in sifter.counts.most_common() if reason.is_defect)
        if bad and bad == sifter.rows:
            raise InvalidContacts(f"None of the query's {sifter.rows} rows can be called: {reasons}.")
        if self.max_rejects is None:
            return
        allowed = self.max_rejects * sifter.rows if isinstance(self.max_rejects, float) else self.max_rejects
        if bad > allowed:
            raise InvalidContacts(
                f"{bad} of {sifter.rows} rows are rejected and max_rejects allows {self.max_rejects}: {reasons}."
                " Nothing was uploaded."
            )

    def window_planner(
        self,
        window: DailyWindow,
        schedule: Schedule,
        *,
        most_slots: int = 0,
    ) -> Planner | None:
        """Plans each contact's calling window by `purpose`; None when the campaign's own window holds for everybody."""
        if not self.purpose:
            return None
        planner = WindowPlanner(
            load_rules(self.calling_hours),
            purpose=self.purpose,
            window=window,
            schedule=schedule,
            most_slots=most_slots,
            no_rule=self.no_rule,
            blackout_dates=self.blackout_dates,
        )

        def plan(e164: str, timezone: Any, region: Any) -> Any:
            outcome = planner.plan_contact(e164, timezone, region)
            if isinstance(outcome, Held):
                return Rejection(Disposition.OUTSIDE_CALLING_HOURS, f"{outcome.code}: {outcome.detail}")
            return outcome

        return plan

    def _people_key(self, context: Context) -> str:
        """The key of the run's people: the launch key, or else this very task of this run, whatever is retried."""
        ti = context["ti"]
        key = self.launch_key or f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
        # Room for what is added to it, and short enough for every database's index.
        return key if len(key) <= MAX_KEY - 20 else f"{key[:180]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def _summarise(self, context: Context, sifter: Sifter, flow: str, items: Sequence[LaunchItem]) -> None:
        reasons = {str(reason): count for reason, count in sifter.counts.most_common()}
        summary = {
            "rows": sifter.rows,
            "reasons": reasons,
            "flow": flow,
            "lists": [in_summary(item) for item in items],
            "dry_run": self.is_dry_run,
            "already_launched": False,
        }
        context["ti"].xcom_push(key="summary", value=summary)
        self.log.info("%d rows: %s. Lists: %d (%s flow).", sifter.rows, reasons, len(items), flow)


@dataclass(frozen=True)
class Run:
    """The people of one run, and where it is noted what became of them."""

    key: str
    sifter: Sifter

    def note(
        self,
        task: SqlToListsOperator,
        list_ids: Mapping[int, str],
        invalid: Mapping[str, Mapping[str, str]],
        why_not_uploaded: str = "",
        mark: str = "",
    ) -> None:
        """Write the people ledger and the rejects file, as far as asked for.

        A run that uploaded nothing goes under a key of its own (`mark`): lists of an earlier run may still stand.
        """
        spool = self.sifter.spool
        if spool is None:
            return
        if task.contacts_table:
            with sql_engine(task.sql_conn_id) as engine, task.unless_stopped():
                PeopleLedger(engine, task.contacts_table).replace(
                    f"{self.key} ({mark})" if mark else self.key,
                    spool,
                    list_ids,
                    invalid,
                    why_not_uploaded=why_not_uploaded,
                    instead_of=None if mark else f"{self.key} (refused)",
                )
        if task.rejects_path:
            write_rejects(spool, ObjectStoragePath(task.rejects_path), list_ids, invalid)


def in_summary(item: LaunchItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("list_id", "country_code", "rows", "rejected")}

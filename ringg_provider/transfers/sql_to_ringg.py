"""A warehouse query -> contact lists on Ringg AI, ready to be started, and a reason for every row left out."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, ObjectStoragePath

from ringg_provider.campaign.calling_hours import Held, WindowPlan, WindowPlanner
from ringg_provider.campaign.calling_rules import load_rules
from ringg_provider.campaign.ledger import LaunchLedger
from ringg_provider.campaign.preflight import check_agent, check_variables
from ringg_provider.campaign.schedule import DailyWindow, Schedule
from ringg_provider.contacts.csv_check import PHONE_VARIABLE
from ringg_provider.contacts.invalid_rows import fetch_invalid_rows
from ringg_provider.contacts.people import MAX_KEY, PeopleLedger, PeopleSpool, write_rejects
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.contacts.ringg_csv import PHONE_HEADER, ContactList, Form, ListGroup, ListWriter, without_cells
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Layout, Planner, Sifter
from ringg_provider.contacts.source import BATCH_ROWS, open_rows
from ringg_provider.exceptions import (
    InsufficientBalance,
    InvalidContacts,
    InvalidRequest,
    PermanentError,
    RinggProviderError,
    TransientError,
    UnexpectedResponse,
)
from ringg_provider.history.tables import CALLS, calls_table
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.operators.launching import failing_without_retry, open_ledger
from ringg_provider.operators.ringg import Time, as_call_config, schedule_of
from ringg_provider.ringg.campaigns import Flow
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.requests import CallConfig, CampaignSpec
from ringg_provider.ringg.responses import UploadStatus
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Lists of this many contacts and more, all together, go through the large flow when the operator may choose.
LARGE_FLOW_ROWS = 5_000


class SqlToRinggOperator(BaseOperator):
    """Run a query and upload the people in it as contact lists, cleaned, without duplicates, one country to a list.

    Nobody is called: give each item of the result to ``RinggLaunchOperator``. Everything is prepared on the worker's
    disk first and uploaded when the whole query was read, so a query that fails, or too many bad rows, leave nothing on
    the platform. See ``docs/contacts.md`` for what is cleaned, and what becomes of each row. Follows
    https://docs.ringg.ai/documentation/deploy/campaigns/calling-list.

    Returns a list with one dict per contact list: ``{"list_id", "flow", "agent_id", "country_code", "call_config",
    "campaign_start_time", "campaign_end_time", "rows", "rejected", "launch_key", "ledger_conn_id"}``, and
    ``call_slots`` where the large flow has several windows. ``rejected`` are rows of that list that the platform
    refused. The counts of the whole run, by reason, go to XCom ``summary``. A query without rows returns an empty list.

    :param sql_conn_id: connection of the database; any ``DbApiHook``.
    :param sql: one SELECT. PostgreSQL and MySQL are read through a server-side cursor.
    :param parameters: values for the query, in the driver's style. Never logged, and no template field.
    :param ringg_conn_id: the connection. Default ``ringg_default``.
    :param agent_id: the outbound agent that speaks.
    :param campaign_name: a label for people; lists of one run are numbered after it.
    :param phone_column: column with the telephone numbers, in any spelling.
    :param variables_map: agent variable -> query column. Every variable of the agent must be in it, ``mobile_number``
        excepted, which is ``phone_column``.
    :param country_code: ``+91``: what a number without a code belongs to.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param campaign_start_time: aware datetime, ISO string, or naive in the campaign's zone. Default: two minutes from
        now inside the daily window, otherwise its next opening.
    :param campaign_end_time: the same forms. Default: the closing of the start's day.
    :param contact_key: column that names a person in your tables. Default: the number.
    :param timezone_column: column with the contact's IANA zone, where it is known; needs ``purpose``.
    :param region_column: column with the contact's region, such as ``US-FL``; needs ``purpose``.
    :param suppression_sql: a query, in the same database, of people who must not be called: numbers in any spelling, or
        contact keys.
    :param flow: ``standard`` (``campaign/save``), ``large`` (``upload-csv``), or ``auto``: large from 5,000 contacts,
        decided once for the whole run.
    :param contacts_table: table that says who was put on which list, and why the others were not, in ``sql_conn_id``'s
        database. Default none.
    :param rejects_path: a CSV, at a path or any ``ObjectStoragePath`` address, of the rows that are on no list. It has
        numbers in it. Default none.
    :param launch_key: what the lists stand for. With ``ledger_conn_id``: if it was launched before, nothing is uploaded
        and the lists of then are returned.
    :param ledger_conn_id: connection to the database with the launch ledger. Default none.
    :param max_rejects: how many rows may be bad (an int), or which share of them (a float) before the task fails and
        nothing is uploaded. Suppressed people, and those whom the frequency cap or the hours protect, do not count.
        Default: any, as long as one can be called.
    :param dry_run: do everything but upload; ``list_id`` is None in the result. Default False.
    :param other_countries: ``leave_out`` numbers of other countries than ``country_code`` (default), or ``split`` them
        off into lists of their own. They are never sent under the wrong code.
    :param may_be_empty: agent variables whose cell may be empty; an empty cell of any other leaves the row out.
    :param unreadable_variables: what to do when the agent's variables cannot be read: ``fail`` (default) or
        ``continue``.
    :param not_called_within_days: leave out numbers that ``history_table`` has a call to in the last so many days.
    :param max_attempts: leave out numbers that ``history_table`` has so many calls to, or more.
    :param history_table: table of ``RinggCallsToSqlOperator``, in the same database. Default ``ringg_calls``, which
        need not exist yet.
    :param max_rows_per_list: contacts per list at most; the workspace's row allowance. Default: as many as 20 MB
        hold.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: split lists by the hours in which their
        contacts may be called for it. Default: the hours of ``call_config`` hold for everybody.
    :param calling_hours: your own rules instead of the shipped ones: path of a TOML file, or a dict.
    :param no_rule: for a country without a rule: ``refuse`` (default), ``hold`` its contacts, or ``allow``.
    :param blackout_dates: local dates on which nobody is called, as dates or ISO strings.
    :param use_call_slots: let the large flow send exact spans where one daily window would lose minutes. Default False.
    :param invalid_rows_timeout: seconds to wait for the platform's check of a large upload, so that its report of
        invalid rows gets into ``contacts_table`` or ``rejects_path``. Default 300.
    :param phone_header: header of the phone column in what is uploaded. Default ``Mobile Number``.
    :param transliterate_callee_name: write the name in the agent's script. Default False.
    :param transliterate_fields: further agent variables to write in the agent's script. Default none.
    """

    template_fields: Sequence[str] = (
        "sql_conn_id",
        "sql",
        "ringg_conn_id",
        "agent_id",
        "campaign_name",
        "phone_column",
        "variables_map",
        "country_code",
        "call_config",
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
        "launch_key",
        "ledger_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "suppression_sql": "sql"}
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        sql_conn_id: str,
        sql: str,
        agent_id: str,
        campaign_name: str,
        phone_column: str,
        variables_map: dict[str, str],
        country_code: str,
        call_config: dict[str, Any] | CallConfig,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        ringg_conn_id: str = RinggHook.default_conn_name,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        contact_key: str | None = None,
        timezone_column: str | None = None,
        region_column: str | None = None,
        suppression_sql: str | None = None,
        flow: Literal["auto", "standard", "large"] = "auto",
        contacts_table: str | None = None,
        rejects_path: str | None = None,
        launch_key: str | None = None,
        ledger_conn_id: str | None = None,
        max_rejects: int | float | None = None,
        dry_run: bool = False,
        other_countries: Literal["leave_out", "split"] = "leave_out",
        may_be_empty: Sequence[str] = (),
        unreadable_variables: Literal["fail", "continue"] = "fail",
        not_called_within_days: float | None = None,
        max_attempts: int | None = None,
        history_table: str | None = None,
        max_rows_per_list: int | None = None,
        purpose: str | None = None,
        calling_hours: str | Mapping[str, Any] | None = None,
        no_rule: Literal["refuse", "hold", "allow"] = "refuse",
        blackout_dates: Sequence[date | str] = (),
        use_call_slots: bool = False,
        invalid_rows_timeout: float = 300,
        phone_header: str = PHONE_HEADER,
        transliterate_callee_name: bool = False,
        transliterate_fields: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = sql_conn_id
        self.sql = sql
        self.agent_id = agent_id
        self.campaign_name = campaign_name
        self.phone_column = phone_column
        self.variables_map = variables_map
        self.country_code = country_code
        self.call_config = call_config
        self.parameters = parameters
        self.ringg_conn_id = ringg_conn_id
        self.campaign_start_time = campaign_start_time
        self.campaign_end_time = campaign_end_time
        self.contact_key = contact_key
        self.timezone_column = timezone_column
        self.region_column = region_column
        self.suppression_sql = suppression_sql
        self.flow = flow
        self.contacts_table = contacts_table
        self.rejects_path = rejects_path
        self.launch_key = launch_key
        self.ledger_conn_id = ledger_conn_id
        self.max_rejects = max_rejects
        self.is_dry_run = dry_run  # BaseOperator has a method of the shorter name
        self.other_countries = other_countries
        self.may_be_empty = may_be_empty
        self.unreadable_variables = unreadable_variables
        self.not_called_within_days = not_called_within_days
        self.max_attempts = max_attempts
        self.history_table = history_table
        self.max_rows_per_list = max_rows_per_list
        self.purpose = purpose
        self.calling_hours = calling_hours
        self.no_rule = no_rule
        self.blackout_dates = blackout_dates
        self.use_call_slots = use_call_slots
        self.invalid_rows_timeout = invalid_rows_timeout
        self.phone_header = phone_header
        self.transliterate_callee_name = transliterate_callee_name
        self.transliterate_fields = transliterate_fields

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Look whether the key was launched; if not: read, clean, upload, and note who is on which list."""
        with failing_without_retry():
            self._check()
            ledger = open_ledger(self.ledger_conn_id) if self.ledger_conn_id else None
            if ledger is not None and (launched := ledger.started_set(str(self.launch_key))) is not None:
                return self._already_launched(context, launched)
            with RinggHook(self.ringg_conn_id) as hook, Scratch() as self._scratch:
                return self._transfer(context, hook.client, ledger)

    def on_kill(self) -> None:
        """Remove the temporary files at once: this runs in a signal handler, and a SIGKILL may follow."""
        scratch = getattr(self, "_scratch", None)
        if scratch is not None:
            scratch.discard()

    def _check(self) -> None:
        """Refuse what can be known to be wrong without asking anybody."""
        for name, value, allowed in (
            ("flow", self.flow, ("auto", "standard", "large")),
            ("other_countries", self.other_countries, ("leave_out", "split")),
            ("unreadable_variables", self.unreadable_variables, ("fail", "continue")),
        ):
            if value not in allowed:
                raise InvalidRequest(f"{name}: must be one of {', '.join(allowed)}.", field=name)
        for name, number in (("max_rows_per_list", self.max_rows_per_list), ("max_attempts", self.max_attempts)):
            if number is not None and number < 1:
                raise InvalidRequest(f"{name}: must be at least 1.", field=name)
        if self.ledger_conn_id and not self.launch_key:
            raise InvalidRequest("launch_key: the launch ledger needs a key to look up.", field="launch_key")
        if (self.timezone_column or self.region_column) and not self.purpose:
            raise InvalidRequest(
                "purpose: timezone_column and region_column have no use without it; the rules differ by purpose.",
                field="purpose",
            )
        limit = self.max_rejects
        if limit is not None and (limit < 0 or (isinstance(limit, float) and limit > 1)):
            raise InvalidRequest(
                "max_rejects: must be a number of rows (int) or a share from 0.0 to 1.0 (float).", field="max_rejects"
            )
        if self.variables_map.get(PHONE_VARIABLE, self.phone_column) != self.phone_column:
            raise InvalidRequest(
                f"variables_map: {PHONE_VARIABLE} is mapped to another column than phone_column.", field="variables_map"
            )
        strangers = set(self.may_be_empty) - set(self.variables_map)
        if strangers:
            raise InvalidRequest(
                f"may_be_empty: not in variables_map: {', '.join(sorted(strangers))}.", field="may_be_empty"
            )

    def _already_launched(self, context: Context, launched: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.log.info(
            "Launch key %r was launched before: nothing new is to be called, its %d lists stand.",
            self.launch_key,
            len(launched),
        )
        summary = {"already_launched": True, "lists": [_in_summary(item) for item in launched]}
        context["ti"].xcom_push(key="summary", value=summary)
        return launched

    def _transfer(self, context: Context, client: RinggClient, ledger: LaunchLedger | None) -> list[dict[str, Any]]:
        variables = {name: column for name, column in self.variables_map.items() if name != PHONE_VARIABLE}
        needed = check_variables(
            check_agent(client, self.agent_id),
            {**variables, PHONE_VARIABLE: self.phone_column},
            allow_unreadable=self.unreadable_variables == "continue",
        )
        form = Form(tuple(variables), self.phone_header)
        campaigns = _Campaigns(self, form)
        run = _Run(
            self._people_key(context),
            Sifter(
                Layout(
                    phone=self.phone_column,
                    variables=variables,
                    contact_key=self.contact_key,
                    timezone=self.timezone_column,
                    region=self.region_column,
                    may_be_empty=frozenset(self.may_be_empty) | (variables.keys() - needed),
                ),
                PhoneCleaner(self.country_code),
                ListWriter(self._scratch, form, max_rows=self.max_rows_per_list),
                PeopleSpool(self._scratch) if self.contacts_table or self.rejects_path else None,
                split_countries=self.other_countries == "split",
                planner=campaigns.planner(),
            ),
        )
        self._read(run.sifter)
        try:
            self._require_contacts(run.sifter)
        except InvalidContacts:
            run.note(self, {}, {}, "too many other rows were rejected", "refused")
            raise
        lists = run.sifter.writer.lists
        flow = self._choose_flow(sum(contacts.rows for contacts in lists))
        if self.is_dry_run:
            items = []
            for contacts in lists:
                spec = campaigns.spec(contacts.group, contacts.number, len(lists))
                items.append(_item(self, spec, contacts, flow, None))
            run.note(self, {}, {}, "a dry run", "dry run")
            self._summarise(context, run.sifter, flow, items)
            return items
        items = []
        for contacts in lists:
            self._scratch.check()
            spec = campaigns.spec(contacts.group, contacts.number, len(lists))
            items.append(self._upload(client, spec, contacts, flow))
            contacts.path.unlink(missing_ok=True)
        self._scratch.check()
        invalid = self._invalid_rows(client, run.sifter, items) if run.sifter.spool is not None else {}
        standing = items if ledger is None else ledger.replace_set(str(self.launch_key), items)
        if [item["list_id"] for item in standing] != [item["list_id"] for item in items]:
            return self._already_launched(context, standing)
        run.note(self, {contacts.number: item["list_id"] for contacts, item in zip(lists, items, strict=True)}, invalid)
        self._summarise(context, run.sifter, flow, items)
        return items

    def _read(self, sifter: Sifter) -> None:
        """Run the queries, and let the sifter put every row somewhere."""
        hook = BaseHook.get_hook(self.sql_conn_id)
        if not hasattr(hook, "get_conn") or not hasattr(hook, "get_sqlalchemy_engine"):
            raise InvalidRequest(
                f"sql_conn_id: connection {self.sql_conn_id!r} is not a SQL database.", field="sql_conn_id"
            )
        if self.not_called_within_days is not None or self.max_attempts is not None:
            self._protect_from_too_many_calls(sifter, hook.get_sqlalchemy_engine())
        with closing(hook.get_conn()) as connection:
            if self.suppression_sql:
                with open_rows(connection, self.suppression_sql, field="suppression_sql") as rows:
                    sifter.exclusions.suppress(rows, sifter.cleaner, with_keys=self.contact_key is not None)
                if unreadable := sifter.exclusions.unreadable:
                    self.log.warning("suppression_sql: %d values are no telephone numbers.", unreadable)
            with open_rows(connection, self.sql, self.parameters) as rows:
                sifter.run(rows, between=self._scratch.check)
        if sifter.spool is not None:
            sifter.spool.close()

    def _protect_from_too_many_calls(self, sifter: Sifter, engine: sa.Engine) -> None:
        schema, _, name = (self.history_table or CALLS).rpartition(".")
        calls = calls_table(name, schema=schema or None)
        if not sa.inspect(engine).has_table(name, schema=schema or None):
            if self.history_table:
                raise InvalidRequest(f"history_table: there is no table {self.history_table}.", field="history_table")
            self.log.warning("There is no table %s yet, so nobody counts as called before.", name)
            return
        number = calls.c.to_number_e164
        some = sa.select(number).where(number.is_not(None))
        limits = []
        if self.not_called_within_days is not None:
            since = datetime.now(UTC) - timedelta(days=self.not_called_within_days)
            limits.append((some.where(calls.c.created_at >= since), sifter.exclusions.called_recently))
        if self.max_attempts is not None:
            often = some.group_by(number).having(sa.func.count() >= self.max_attempts)
            limits.append((often, sifter.exclusions.exhausted))
        with engine.connect().execution_options(stream_results=True, yield_per=BATCH_ROWS) as connection:
            for query, people in limits:
                for batch in connection.execute(query).scalars().partitions():
                    people.add(sifter.cleaner.numbers_of(batch))

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

    def _choose_flow(self, rows: int) -> Flow:
        if self.flow != "auto":
            return self.flow
        return "large" if rows >= LARGE_FLOW_ROWS else "standard"

    def _upload(self, client: RinggClient, spec: CampaignSpec, contacts: ContactList, flow: Flow) -> dict[str, Any]:
        """Upload one list; returns its item of the result."""
        try:
            if flow == "large":
                list_id, refused = client.upload_csv(spec, contacts.path).bulk_list_id, 0
            else:
                saved = client.save_campaign(spec, contacts.path)
                list_id, refused = saved.list_id, saved.failed_rows or 0
        except InsufficientBalance as error:
            allowance = re.search(r"up to ([0-9][0-9,]*) contacts", str(error))
            if allowance is None:
                raise
            raise InvalidRequest(
                f"max_rows_per_list: the workspace takes at most {allowance[1]} contacts per list and this one has"
                f" {contacts.rows}: set max_rows_per_list={allowance[1].replace(',', '')}.",
                field="max_rows_per_list",
            ) from error
        except RinggProviderError as error:
            error.args = (without_cells(str(error), contacts.path), *error.args[1:])
            raise
        self.log.info("List %s: %d contacts of %s.", list_id, contacts.rows, spec.country_code)
        return _item(self, spec, contacts, flow, list_id, refused)

    def _invalid_rows(
        self, client: RinggClient, sifter: Sifter, items: Sequence[dict[str, Any]]
    ) -> dict[str, dict[str, str]]:
        """Fetch the platform's own reports of invalid rows, and correct the items' counts by them."""
        found: dict[str, dict[str, str]] = {}
        deadline = time.monotonic() + self.invalid_rows_timeout
        for item in items:
            if item["flow"] == "standard" and not item["rejected"]:
                continue
            status = self._checked_upload(client, item["list_id"], deadline)
            if status is None:
                continue
            if status.invalid_rows:
                item["rows"] += item["rejected"] - status.invalid_rows
                item["rejected"] = status.invalid_rows
            if status.invalid_rows and status.invalid_rows_csv_url:
                try:
                    found[item["list_id"]] = fetch_invalid_rows(
                        status.invalid_rows_csv_url, sifter.cleaner, self.phone_header
                    )
                except RinggProviderError as error:
                    self.log.warning("List %s: its report of invalid rows: %s", item["list_id"], error)
            missing = item["rejected"] - len(found.get(item["list_id"], ()))
            if missing > 0:
                self.log.warning(
                    "List %s: the platform refused %d rows without saying which; they are noted as listed.",
                    item["list_id"],
                    missing,
                )
        return found

    def _checked_upload(self, client: RinggClient, list_id: str, deadline: float) -> UploadStatus | None:
        """The list's status once the platform has checked it; None when it did not in time, or cannot be asked."""
        pause = 0.5
        while True:
            try:
                status = client.get_upload_status(list_id)
            except (TransientError, PermanentError, UnexpectedResponse) as error:
                self.log.warning("List %s: its status cannot be read: %s", list_id, error)
                return None
            if judge_upload(status) is not UploadVerdict.PENDING:
                return status
            if time.monotonic() >= deadline:
                self.log.warning("List %s is still being checked; rows that fail it stay 'listed'.", list_id)
                return None
            self._scratch.check()
            time.sleep(pause)
            pause = min(pause * 2, 10.0)

    def _people_key(self, context: Context) -> str:
        """The key of the run's people: the launch key, or else this very task of this run, whatever is retried."""
        ti = context["ti"]
        key = self.launch_key or f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
        # Room for what is added to it, and short enough for every database's index.
        return key if len(key) <= MAX_KEY - 20 else f"{key[:180]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def _summarise(self, context: Context, sifter: Sifter, flow: str, items: Sequence[Mapping[str, Any]]) -> None:
        reasons = {str(reason): count for reason, count in sifter.counts.most_common()}
        summary = {
            "rows": sifter.rows,
            "reasons": reasons,
            "flow": flow,
            "lists": [_in_summary(item) for item in items],
            "dry_run": self.is_dry_run,
            "already_launched": False,
        }
        context["ti"].xcom_push(key="summary", value=summary)
        self.log.info("%d rows: %s. Lists: %d (%s flow).", sifter.rows, reasons, len(items), flow)


@dataclass(frozen=True)
class _Run:
    """The people of one run, and where it is noted what became of them."""

    key: str
    sifter: Sifter

    def note(
        self,
        task: SqlToRinggOperator,
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
            engine = BaseHook.get_hook(task.sql_conn_id).get_sqlalchemy_engine()
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


@dataclass(frozen=True)
class _Campaigns:
    """What is said about each list: name, window, dates."""

    task: SqlToRinggOperator
    form: Form
    schedule: Schedule = field(init=False)
    call_config: CallConfig = field(init=False)

    def __post_init__(self) -> None:
        call_config = as_call_config(self.task.call_config)
        schedule = schedule_of(call_config, self.task.campaign_start_time, self.task.campaign_end_time)
        object.__setattr__(self, "call_config", call_config)
        object.__setattr__(self, "schedule", schedule)
        self.spec(
            ListGroup(self.task.country_code), 1, 1
        )  # what is wrong with the campaign is told before a row is read

    def planner(self) -> Planner | None:
        """Plans each contact's calling window; None when the campaign's own window holds for everybody."""
        task = self.task
        if not task.purpose:
            return None
        times = self.call_config.call_time
        planner = WindowPlanner(
            load_rules(task.calling_hours),
            purpose=task.purpose,  # type: ignore[arg-type]  # it checks the word itself
            window=DailyWindow.from_call_time(times.call_start_time, times.call_end_time, times.timezone),
            schedule=self.schedule,
            flow="large" if task.flow == "large" else "standard",
            use_call_slots=task.use_call_slots,
            no_rule=task.no_rule,
            blackout_dates=[date.fromisoformat(day) if isinstance(day, str) else day for day in task.blackout_dates],
        )

        def plan(e164: str, timezone: Any, region: Any) -> Any:
            outcome = planner.plan_contact(e164, timezone, region)
            if isinstance(outcome, Held):
                return Rejection(Disposition.OUTSIDE_CALLING_HOURS, f"{outcome.code}: {outcome.detail}")
            return outcome

        return plan

    def spec(self, group: ListGroup, number: int, of: int) -> CampaignSpec:
        """The campaign of a list, with dates as of now: a start that has passed meanwhile is as soon as possible."""
        task = self.task
        call_config, schedule = self.call_config, self.schedule
        if isinstance(group.plan, WindowPlan):
            call_config = CallConfig(**group.plan.call_config(call_config.wire()))
            schedule = group.plan.schedule
        schedule = schedule_of(call_config, schedule.start, schedule.end, late_start_ok=True)
        return CampaignSpec(
            campaign_name=task.campaign_name if of == 1 else f"{task.campaign_name} ({number} of {of})",
            agent_id=task.agent_id,
            country_code=group.country_code,
            variables_map=dict(self.form.variables_map),
            call_config=call_config,
            campaign_start_time=schedule.wire_start,
            campaign_end_time=schedule.wire_end,
            # What is wrong was left out already; should the platform see it otherwise, one row must not sink the list.
            remove_invalid_rows=True,
            transliterate_callee_name=task.transliterate_callee_name,
            transliterate_fields=task.transliterate_fields,
        )


def _item(
    task: SqlToRinggOperator,
    spec: CampaignSpec,
    contacts: ContactList,
    flow: Flow,
    list_id: str | None,
    refused: int = 0,
) -> dict[str, Any]:
    """What is returned for a list."""
    item = {
        "list_id": list_id,
        "flow": flow,
        "agent_id": spec.agent_id,
        "country_code": spec.country_code,
        "call_config": spec.call_config.wire(),
        "campaign_start_time": spec.campaign_start_time,
        "campaign_end_time": spec.campaign_end_time,
        "rows": contacts.rows - refused,
        "rejected": refused,
        "launch_key": task.launch_key,
        # Whoever starts the list must ask this ledger first, also where a DAG forgets to say so.
        "ledger_conn_id": task.ledger_conn_id,
    }
    slots = contacts.group.plan.wire_slots() if isinstance(contacts.group.plan, WindowPlan) else None
    return item if slots is None else item | {"call_slots": slots}


def _in_summary(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item.get(name) for name in ("list_id", "country_code", "rows", "rejected")}

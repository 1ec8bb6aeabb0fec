"""A warehouse query -> contact lists on Ringg AI, ready to be started, and a reason for every row left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseHook, BaseOperator

from ringg_provider.campaign.ledger import LaunchLedger
from ringg_provider.campaign.preflight import check_agent, check_variables
from ringg_provider.campaign.schedule import Schedule
from ringg_provider.contacts.csv_check import PHONE_VARIABLE
from ringg_provider.contacts.people import PeopleLedger, PeopleSpool
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.ringg_csv import PHONE_HEADER, ContactList, Form, ListGroup, ListWriter
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Layout, Sifter
from ringg_provider.contacts.source import open_rows
from ringg_provider.exceptions import InsufficientBalance, InvalidContacts, InvalidRequest
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.operators.launching import failing_without_retry, open_ledger
from ringg_provider.operators.ringg import Time, as_call_config, schedule_of
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.requests import CallConfig, CampaignSpec

if TYPE_CHECKING:
    import sqlalchemy as sa
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
    "campaign_start_time", "campaign_end_time", "rows", "rejected", "launch_key"}``; ``rejected`` are rows of that list
    that the platform refused. The counts of the whole run, by reason, go to XCom ``summary``. A query without rows
    returns an empty list.

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
    :param suppression_sql: a query, in the same database, of people who must not be called: numbers in any spelling, or
        contact keys.
    :param flow: ``standard`` (``campaign/save``), ``large`` (``upload-csv``), or ``auto``: large from 5,000 contacts,
        decided once for the whole run.
    :param contacts_table: table that says who was put on which list, and why the others were not, in ``sql_conn_id``'s
        database. Default none.
    :param launch_key: what the lists stand for; needs ``ledger_conn_id``. If it was launched before, nothing is
        uploaded and the lists of then are returned.
    :param ledger_conn_id: connection to the database with the launch ledger.
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
        max_rows_per_list: int | None = None,
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
        self.max_rows_per_list = max_rows_per_list
        self.phone_header = phone_header
        self.transliterate_callee_name = transliterate_callee_name
        self.transliterate_fields = transliterate_fields

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Look whether the key was launched; if not, read, clean, upload, and note who is on which list."""
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
        """What can be known to be wrong without asking anybody."""
        for field, value, allowed in (
            ("flow", self.flow, ("auto", "standard", "large")),
            ("other_countries", self.other_countries, ("leave_out", "split")),
            ("unreadable_variables", self.unreadable_variables, ("fail", "continue")),
        ):
            if value not in allowed:
                raise InvalidRequest(f"{field}: must be one of {', '.join(allowed)}.", field=field)
        if self.ledger_conn_id and not self.launch_key:
            raise InvalidRequest("launch_key: the launch ledger needs a key to look up.", field="launch_key")
        if self.max_rows_per_list is not None and self.max_rows_per_list < 1:
            raise InvalidRequest("max_rows_per_list: must be at least 1.", field="max_rows_per_list")
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
            "Launch key %r was launched before: nothing is uploaded, its %d lists stand.",
            self.launch_key,
            len(launched),
        )
        summary = {"already_launched": True, "lists": [_in_summary(item) for item in launched]}
        context["ti"].xcom_push(key="summary", value=summary)
        return launched

    def _transfer(self, context: Context, client: RinggClient, ledger: LaunchLedger | None) -> list[dict[str, Any]]:
        variables = {name: column for name, column in self.variables_map.items() if name != PHONE_VARIABLE}
        form = Form(tuple(variables), self.phone_header)
        needed = check_variables(
            check_agent(client, self.agent_id),
            {**variables, PHONE_VARIABLE: self.phone_column},
            allow_unreadable=self.unreadable_variables == "continue",
        )
        upload = _Upload(client, self, form)
        upload.spec(ListGroup(self.country_code), 1, 1)  # refuses what is wrong with the campaign before a row is read
        scratch = self._scratch
        spool = PeopleSpool(scratch) if self.contacts_table or self.rejects_path else None
        sifter = Sifter(
            Layout(
                phone=self.phone_column,
                variables=variables,
                contact_key=self.contact_key,
                timezone=self.timezone_column,
                region=self.region_column,
                may_be_empty=frozenset(self.may_be_empty) | (variables.keys() - needed),
            ),
            PhoneCleaner(self.country_code),
            ListWriter(scratch, form, max_rows=self.max_rows_per_list),
            spool,
            split_countries=self.other_countries == "split",
        )
        with self._database() as connection:
            if self.suppression_sql:
                with open_rows(connection, self.suppression_sql, field="suppression_sql") as rows:
                    sifter.exclusions.suppress(rows, sifter.cleaner, with_keys=self.contact_key is not None)
            with open_rows(connection, self.sql, self.parameters) as rows:
                sifter.run(rows, between=scratch.check)
        if spool is not None:
            spool.close()
        self._require_contacts(sifter)
        lists = sifter.writer.lists
        flow = self._choose_flow(sum(contacts.rows for contacts in lists))
        items = []
        for contacts in lists:
            scratch.check()
            items.append(upload.send(contacts, flow, len(lists)))
            contacts.path.unlink()
        standing = items if ledger is None else ledger.replace_set(str(self.launch_key), items)
        if [item["list_id"] for item in standing] != [item["list_id"] for item in items]:
            return self._already_launched(context, standing)
        if spool is not None and self.contacts_table:
            ids = {contacts.number: item["list_id"] for contacts, item in zip(lists, items, strict=True)}
            PeopleLedger(self._engine(), self.contacts_table).replace(self._people_key(context), spool, ids)
        self._summarise(context, sifter, flow, items)
        return items

    @contextmanager
    def _database(self) -> Iterator[Any]:
        hook = BaseHook.get_hook(self.sql_conn_id)
        if not hasattr(hook, "get_conn") or not hasattr(hook, "get_sqlalchemy_engine"):
            raise InvalidRequest(
                f"sql_conn_id: connection {self.sql_conn_id!r} is not a SQL database.", field="sql_conn_id"
            )
        with closing(hook.get_conn()) as connection:
            yield connection

    def _engine(self) -> sa.Engine:
        return BaseHook.get_hook(self.sql_conn_id).get_sqlalchemy_engine()  # type: ignore[no-any-return]

    def _people_key(self, context: Context) -> str:
        """The key of the run's people: the launch key, or else this very task of this run, whatever is retried."""
        ti = context["ti"]
        return self.launch_key or f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"

    def _require_contacts(self, sifter: Sifter) -> None:
        """Refuse a result that is too bad to be used."""
        bad = sum(count for reason, count in sifter.counts.items() if reason.is_defect)
        reasons = ", ".join(f"{count} {reason}" for reason, count in sifter.counts.most_common() if reason.is_defect)
        if bad and bad == sifter.rows:
            raise InvalidContacts(f"None of the query's {sifter.rows} rows can be called: {reasons}.")
        if self.max_rejects is None:
            return
        limit = self.max_rejects
        allowed = limit * sifter.rows if isinstance(limit, float) else limit
        if bad > allowed:
            raise InvalidContacts(
                f"{bad} of {sifter.rows} rows are rejected and max_rejects allows {limit}: {reasons}. Nothing was"
                " uploaded."
            )

    def _choose_flow(self, rows: int) -> str:
        if self.flow != "auto":
            return self.flow
        return "large" if rows >= LARGE_FLOW_ROWS else "standard"

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
class _Upload:
    """Sends one list after the other."""

    client: RinggClient
    task: SqlToRinggOperator
    form: Form

    def spec(self, group: ListGroup, number: int, of: int) -> CampaignSpec:
        """The campaign of a list."""
        task = self.task
        call_config, schedule = self.timing(group)
        return CampaignSpec(
            campaign_name=task.campaign_name if of == 1 else f"{task.campaign_name} ({number} of {of})",
            agent_id=task.agent_id,
            country_code=group.country_code,
            variables_map=self.form.variables_map,
            call_config=call_config,
            campaign_start_time=schedule.wire_start,
            campaign_end_time=schedule.wire_end,
            # What is wrong was left out already; should the platform see it otherwise, one row must not sink the list.
            remove_invalid_rows=True,
            transliterate_callee_name=task.transliterate_callee_name,
            transliterate_fields=task.transliterate_fields,
        )

    def timing(self, group: ListGroup) -> tuple[CallConfig, Schedule]:
        """The calling window and the dates of a list; a start that was left out is counted from now."""
        call_config = as_call_config(self.task.call_config)
        return call_config, schedule_of(call_config, self.task.campaign_start_time, self.task.campaign_end_time)

    def send(self, contacts: ContactList, flow: str, of: int) -> dict[str, Any]:
        """Upload one list; returns its item of the result."""
        spec = self.spec(contacts.group, contacts.number, of)
        try:
            if flow == "large":
                list_id, refused = self.client.upload_csv(spec, contacts.path).bulk_list_id, 0
            else:
                saved = self.client.save_campaign(spec, contacts.path)
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
        self.task.log.info("List %s: %d contacts, %s.", list_id, contacts.rows, spec.country_code)
        return {
            "list_id": list_id,
            "flow": flow,
            "agent_id": spec.agent_id,
            "country_code": spec.country_code,
            "call_config": spec.call_config.wire(),
            "campaign_start_time": spec.campaign_start_time,
            "campaign_end_time": spec.campaign_end_time,
            "rows": contacts.rows - refused,
            "rejected": refused,
            "launch_key": self.task.launch_key,
        }


def _in_summary(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item.get(name) for name in ("list_id", "country_code", "rows", "rejected")}

"""The pass from a query to uploaded lists: read, leave out, clean, judge, upload, and note what became of every row.

What a list is on a platform, and how it gets there, is its `Destination`. Databases, ledger and frequency cap are
handed in.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Literal, Protocol

import sqlalchemy as sa

from ringg_provider import wording
from ringg_provider.contacts.exclusions import Exclusions, read_suppression
from ringg_provider.contacts.lists import ContactList, Form, ListWriter
from ringg_provider.contacts.people import PeopleLedger, PeopleSpool, Person, WritableFile, shortened_key, write_rejects
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.contacts.results import PipelineResult, already_launched, left_out, uploaded
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Layout, Planner, Sifter
from ringg_provider.contacts.waves import REHEARSAL, WaveDealer, check_waves, read_rehearsal
from ringg_provider.exceptions import InvalidContacts, InvalidRequest, PermanentError, RinggProviderError
from ringg_provider.hours.plan import Held
from ringg_provider.hours.planner import WindowPlanner
from ringg_provider.hours.purposes import Purpose
from ringg_provider.hours.rules import load_rules
from ringg_provider.hours.schedule import DailyWindow, Schedule, Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger, SetNotes
from ringg_provider.launch.table import Launcher
from ringg_provider.sql.reading import Rows, open_rows
from ringg_provider.tracing import span

log = logging.getLogger(__name__)

#: How many different reasons of the calling hours are told; the people's table has all.
_MOST_WHYS = 3

#: List id -> phone -> why the platform refused it.
Refusals = Mapping[str, Mapping[str, str]]

#: Options that only the rules of calling hours read.
_NEED_A_PURPOSE = ("timezone_column", "region_column", "calling_hours", "blackout_dates")


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """What a run is asked for; `SqlToListsOperator` documents each."""

    sql: str
    agent_id: str
    campaign_name: str
    phone_column: str
    country_code: str
    campaign_start_time: Time = None
    campaign_end_time: Time = None
    contact_key: str | None = None
    timezone_column: str | None = None
    region_column: str | None = None
    suppression_sql: str | None = None
    state_suppression_sql: str | None = None
    contacts_table: str | None = None
    launch_key: str | None = None
    ledger_conn_id: str | None = None
    max_rejects: int | float | None = None
    dry_run: bool = False
    other_countries: Literal["leave_out", "split"] = "leave_out"
    max_rows_per_list: int | None = None
    purpose: Purpose | None = None
    calling_hours: str | Mapping[str, Any] | None = None
    no_rule: Literal["refuse", "hold", "allow"] = "refuse"
    blackout_dates: Sequence[date | str] = ()
    waves: Sequence[float] = ()

    def __post_init__(self) -> None:
        check_waves(self.waves)
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

    def list_name(self, number: int, of: int, wave: int | None = None) -> str:
        """What one of so many lists is called."""
        name = self.campaign_name
        if wave is not None:
            name += ", rehearsal" if wave == REHEARSAL else f", wave {wave}"
        return name if of == 1 else f"{name} ({number} of {of})"

    def planner(self, window: DailyWindow, schedule: Schedule, *, most_slots: int = 0) -> Planner | None:
        """Plans each contact's calling window by `purpose`; None when the campaign's own window holds for everybody.

        :param window: the campaign's daily window.
        :param schedule: its start and end.
        :param most_slots: see `WindowPlanner`.
        """
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


class Destination(Protocol):
    """How one run's lists look on a platform, and how they get there.

    :param form: the columns of a list.
    :param variables: agent variable -> column of the query, without the phone.
    :param variables_field: the operator's parameter that `variables` came from, for errors.
    :param may_be_empty: agent variables whose cell may be empty.
    """

    form: Form
    variables: Mapping[str, str]
    variables_field: ClassVar[str]
    may_be_empty: frozenset[str]

    def planner(self) -> Planner | None:
        """Plans each contact's calling window; None when the campaign's own window holds for everybody."""

    def exclude(self, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
        """Add whom the platform itself knows as do-not-call."""

    def choose_flow(self, rows: int) -> str:
        """Which flow all lists of the run take, with so many contacts on them."""

    def item(self, contacts: ContactList, of: int) -> LaunchItem:
        """What is returned for a list that is not uploaded."""

    def upload(self, contacts: ContactList, of: int) -> LaunchItem:
        """Upload one list, of so many; returns its item."""

    def judge(self, items: Sequence[LaunchItem], cleaner: PhoneCleaner) -> tuple[Sequence[LaunchItem], Refusals]:
        """The items with what the platform refused counted, and why, as far as it tells."""


@dataclass(kw_only=True)
class ContactPipeline:
    """One run. Everything is prepared on the disk first and uploaded when the whole query was read, so that a query
    which fails, or too many bad rows, leave nothing on the platform.

    :param options: what is asked for.
    :param destination: where the lists go.
    :param scratch: keeps the files; entered.
    :param connect: opens a DB-API connection to the database that people are chosen from.
    :param connect_state: the same to the state database, which may be another one.
    :param state: opens an engine of the state database.
    :param people_key: what the people are noted under in `contacts_table`.
    :param parameters: values for the query.
    :param cap: adds whom the history protects; None without a frequency cap.
    :param rejects: the CSV of those who are on no list; None for none.
    :param ledger: the launch ledger; None without one.
    :param launcher: the task that runs, for the ledger.
    :param most_lists: how many lists may come of the run; None for any number.
    :param rehearsal: phones of one's own that are called first. Default none.
    :param rows: opens the rows of the people, where they are not those of the query. Then a run of which every row is
        bad uploads nothing and ends well.
    :param tell: is told what became of everybody, and the ids of the lists by their numbers, once these stand; what it
        raises ends the run. Default nobody is.
    """

    options: ListOptions
    destination: Destination
    scratch: Scratch
    connect: Callable[[], AbstractContextManager[Any]]
    connect_state: Callable[[], AbstractContextManager[Any]]
    state: Callable[[], AbstractContextManager[sa.Engine]]
    people_key: str
    parameters: Mapping[str, Any] | Sequence[Any] | None = None
    cap: Callable[[sa.Engine, Exclusions, PhoneCleaner], None] | None = None
    rejects: WritableFile | None = None
    ledger: LaunchLedger | None = None
    launcher: Launcher | None = None
    most_lists: int | None = None
    rehearsal: Sequence[str] = field(default=(), repr=False)
    rows: Callable[[], AbstractContextManager[Rows]] | None = None
    tell: Callable[[Iterable[Person], Mapping[int, str], Refusals], None] | None = None

    def run(self) -> PipelineResult:
        """Read, clean, upload, and note who is on which list.

        :raises InvalidContacts: too many rows are bad.
        :raises InvalidRequest: an option is wrong, or a protection could not be checked.
        :raises QueryFailed, DatabaseUnavailable: a database did not do what was asked.
        """
        self._try_out()
        sifter = self._sifter()
        self.destination.exclude(sifter.exclusions, sifter.cleaner)
        with span("ringg.contacts.read") as reading:
            self._read(sifter)
            reading.set_attribute("ringg.rows", sifter.rows)
        # In the order in which they are to be launched.
        lists = sorted(sifter.writer.lists, key=lambda contacts: (contacts.group.wave or 0, contacts.number))
        try:
            self._require_contacts(sifter)
            self._require_few_lists(lists)
        except RinggProviderError as refusal:
            self._note_refused(sifter, refusal)
            raise
        flow = self.destination.choose_flow(
            sum(contacts.rows for contacts in lists if contacts.group.wave != REHEARSAL)
        )
        if self.options.dry_run:
            items: Sequence[LaunchItem] = [self.destination.item(contacts, len(lists)) for contacts in lists]
            self._note(sifter, lists, unused="dry run", why="a dry run")
            return uploaded(self.options, sifter, flow, items)
        if self.rejects is not None and sifter.spool is not None:
            # What cannot be written is told before the upload; it is written again with what the platform refuses.
            write_rejects(sifter.spool, self.rejects, {}, {})
        items = self._upload(lists)
        refusals: Refusals = {}
        if sifter.spool is not None:
            items, refusals = self.destination.judge(items, sifter.cleaner)
        if self.ledger is not None:
            notes = self._notes(sifter, lists, items, refusals)
            standing = self.ledger.replace_set(str(self.options.launch_key), items, self.launcher, notes)
            if [item.list_id for item in standing] != [item.list_id for item in items]:
                return already_launched(self.options, self.ledger, standing, self.launcher)
        list_ids = {contacts.number: str(item.list_id) for contacts, item in zip(lists, items, strict=True)}
        if self.tell is not None and sifter.spool is not None:
            self.tell(sifter.spool, list_ids, refusals)
        self._note(sifter, lists, list_ids, refusals, undone_if=lambda connection: self._is_replaced(items, connection))
        return uploaded(self.options, sifter, flow, items)

    def _notes(
        self, sifter: Sifter, lists: Sequence[ContactList], items: Sequence[LaunchItem], refusals: Refusals
    ) -> SetNotes:
        """What people are shown of the set: the counts are those of the rows that `contacts_table` gets."""
        names = {
            str(item.list_id): self.options.list_name(contacts.number, len(lists), contacts.group.wave)
            for contacts, item in zip(lists, items, strict=True)
        }
        refused = 0
        if refusals and sifter.spool is not None:
            # Counted person by person: a report may name numbers that are not on its list.
            list_ids = {contacts.number: str(item.list_id) for contacts, item in zip(lists, items, strict=True)}
            refused = sum(
                person.list_number is not None and person.phone in refusals.get(list_ids[person.list_number], ())
                for person in sifter.spool
                if person.disposition is Disposition.LISTED
            )
        reasons = sifter.counts - Counter({Disposition.LISTED: refused})
        reasons += Counter({Disposition.REJECTED_BY_PLATFORM: refused})
        return SetNotes(names, {str(reason): count for reason, count in reasons.most_common()})

    def _is_replaced(self, items: Sequence[LaunchItem], connection: sa.Connection) -> bool:
        """Whether another run's lists have taken the place of ours: then its people are noted, and not ours."""
        if self.ledger is None or self.ledger.stands(str(self.options.launch_key), items, connection):
            return False
        log.warning("Another run's lists took the place of these: its people are noted under the key, and not these.")
        return True

    def _try_out(self) -> None:
        """Make sure that what became of everybody can be noted, or every attempt would upload the lists once more."""
        if self.options.contacts_table:
            with self.state() as engine:
                PeopleLedger(engine, self.options.contacts_table).try_out(self.scratch)
        if self.ledger is not None:
            self.ledger.try_out()

    def _sifter(self) -> Sifter:
        options, destination = self.options, self.destination
        cleaner = PhoneCleaner(options.country_code)
        rehearsal = read_rehearsal(self.rehearsal, cleaner)
        return Sifter(
            Layout(
                phone=options.phone_column,
                variables=destination.variables,
                contact_key=options.contact_key,
                timezone=options.timezone_column,
                region=options.region_column,
                may_be_empty=destination.may_be_empty,
                variables_field=destination.variables_field,
            ),
            cleaner,
            ListWriter(self.scratch, destination.form, max_rows=options.max_rows_per_list),
            PeopleSpool(self.scratch) if options.contacts_table or self.rejects or self.tell else None,
            split_countries=options.other_countries == "split",
            planner=destination.planner(),
            dealer=WaveDealer(options.waves, self.people_key) if options.waves or rehearsal else None,
            rehearsal=rehearsal,
        )

    def _read(self, sifter: Sifter) -> None:
        """Run the queries, and let the sifter put every row somewhere."""

        def suppress(connection: Any, field: str, sql: str) -> None:
            with_keys = self.options.contact_key is not None
            found = read_suppression(connection, sql, sifter.cleaner, with_keys=with_keys, field=field)
            sifter.exclusions.add_suppressed(found)

        if self.cap is not None:
            with self.state() as engine:
                self.cap(engine, sifter.exclusions, sifter.cleaner)
        if self.options.state_suppression_sql:
            with self.connect_state() as connection:
                suppress(connection, "state_suppression_sql", self.options.state_suppression_sql)
        with self.connect() as connection:
            if self.options.suppression_sql:
                suppress(connection, "suppression_sql", self.options.suppression_sql)
            opened = open_rows(connection, self.options.sql, self.parameters) if self.rows is None else self.rows()
            with opened as rows:
                sifter.run(rows, between=self.scratch.check)
        if sifter.spool is not None:
            sifter.spool.close()
        if sifter.without_key:
            log.warning(
                "contact_key: no query can tell afterwards that those were called who have none, only the frequency cap"
                " can: %s.",
                wording.counted(sifter.without_key, "person", "people"),
            )

    def _require_contacts(self, sifter: Sifter) -> None:
        """Refuse a result that is too bad to be used, and say aloud when nobody is to be called."""
        counts, rows, limit = sifter.counts, sifter.rows, self.options.max_rejects
        bad = sum(count for reason, count in counts.items() if reason.is_defect)
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common() if reason.is_defect)
        if bad and bad == rows and self.rows is None:
            raise InvalidContacts(f"None of the query's {rows} rows can be called: {reasons}.")
        if limit is not None and bad > (limit * rows if isinstance(limit, float) else limit):
            raise InvalidContacts(
                f"{bad} of {rows} rows are rejected and max_rejects allows {limit}: {reasons}. Nothing was uploaded."
            )
        if not rows:
            log.warning(
                "The query returned no row, so nobody is to be called. Look at what its templates and parameters came"
                " to; see the runbook, 'Nobody is called, and the run is green'."
            )
        elif not counts[Disposition.LISTED]:
            log.warning(
                "Nobody is to be called: the query's %s left out (%s). See the runbook, 'Nobody is called,"
                " and the run is green'.",
                "only row is" if rows == 1 else f"{rows:,} rows are all",
                wording.tallied(left_out(sifter.counts)),
            )
        for why, people in sifter.held.most_common(_MOST_WHYS):
            (log.info if counts[Disposition.LISTED] else log.warning)(
                "%s held for the calling hours: %s",
                "1 person is" if people == 1 else f"{people:,} people are",
                why,
            )

    def _require_few_lists(self, lists: Sequence[ContactList]) -> None:
        """Refuse more lists than can be passed on, while none of them is uploaded."""
        if self.most_lists is None or len(lists) <= self.most_lists:
            return
        rows = sum(contacts.rows for contacts in lists)
        raise InvalidRequest(
            f"max_rows_per_list: {rows} contacts make {len(lists)} lists, and a task may be mapped over"
            f" {self.most_lists} at most. Nothing was uploaded. Allow more rows per list, or raise Airflow's"
            f" [core] max_map_length to {len(lists)} or more.",
            field="max_rows_per_list",
        )

    def _upload(self, lists: Sequence[ContactList]) -> list[LaunchItem]:
        items = []
        for contacts in lists:
            self.scratch.check()
            with span("ringg.contacts.upload", rows=contacts.rows) as uploading:
                item = self.destination.upload(contacts, len(lists))
                uploading.set_attribute("ringg.list_id", str(item.list_id))
            items.append(item)
            contacts.path.unlink(missing_ok=True)
        self.scratch.check()
        return items

    def _note_refused(self, sifter: Sifter, refusal: RinggProviderError) -> None:
        """Note the people of a run that is refused; whether or not they can be, the refusal is what is told."""
        why = "too many other rows were rejected" if isinstance(refusal, InvalidContacts) else "too many lists"
        try:
            self._note(sifter, sifter.writer.lists, unused="refused", why=why)
        except RinggProviderError as error:
            log.warning("What became of the rows could not be noted: %s", error)

    def _note(
        self,
        sifter: Sifter,
        lists: Sequence[ContactList],
        list_ids: Mapping[int, str] | None = None,
        refusals: Refusals | None = None,
        *,
        unused: Literal["", "refused", "dry run"] = "",
        why: str = "",
        undone_if: Callable[[sa.Connection], bool] = lambda _: False,
    ) -> None:
        """Write the people ledger and the rejects file, as far as asked for.

        A run that uploaded nothing (`unused`) goes under a key of its own: lists of an earlier run may still stand.
        """
        spool, key = sifter.spool, shortened_key(self.people_key)
        if spool is None:
            return
        list_ids, refusals = list_ids or {}, refusals or {}
        if self.options.contacts_table:
            with span("ringg.contacts.note"), self.state() as engine, self._unless_stopped():
                PeopleLedger(engine, self.options.contacts_table).replace(
                    f"{key} ({unused})" if unused else key,
                    spool,
                    list_ids,
                    refusals,
                    waves={contacts.number: contacts.group.wave for contacts in lists},
                    why_not_uploaded=why,
                    instead_of=None if unused else f"{key} (refused)",
                    undone_if=undone_if,
                )
        if self.rejects is not None:
            write_rejects(spool, self.rejects, list_ids, refusals)

    @contextmanager
    def _unless_stopped(self) -> Iterator[None]:
        """Say "stopped" of an error that only comes of files which were discarded."""
        try:
            yield
        except PermanentError:
            self.scratch.check()
            raise

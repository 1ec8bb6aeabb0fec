"""One run without Airflow and without a platform: what is uploaded, refused, noted and said."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import ObjectStoragePath

from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.lists import ContactList, Form
from ringg_provider.contacts.people import people_table
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.pipeline import ContactPipeline, ListOptions, Refusals
from ringg_provider.contacts.results import PipelineResult
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import InvalidContacts, InvalidRequest, QueryFailed
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.table import launches
from ringg_provider.sql.creating import create_tables
from tests.support.databases import Warehouse

ASHA, RAVI, MEENA = "+919876543210", "+919876543211", "+919876543212"


@dataclass
class Folder:
    """A destination that keeps lists as files; it refuses the contacts that it is told to."""

    place: Path
    refuses: Mapping[str, str] = field(default_factory=dict)
    form: Form = field(default_factory=lambda: Form(("name",), "phone", 10_000))
    variables: Mapping[str, str] = field(default_factory=lambda: {"name": "name"})
    variables_field: str = "variables_map"
    may_be_empty: frozenset[str] = frozenset()

    def planner(self) -> None:
        """Everybody may be called at any hour."""

    def exclude(self, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
        """It knows nobody."""

    def choose_flow(self, rows: int) -> str:
        return "standard"

    def item(self, contacts: ContactList, of: int, list_id: str | None = None) -> LaunchItem:
        country = contacts.group.country_code
        return LaunchItem(list_id=list_id, flow="standard", agent_id="a", country_code=country, rows=contacts.rows)

    def upload(self, contacts: ContactList, of: int) -> LaunchItem:
        number = len(self.lists()) + 1
        (self.place / f"list {number}").write_bytes(contacts.path.read_bytes())
        return self.item(contacts, of, f"list {number}")

    def judge(self, items: Sequence[LaunchItem], cleaner: PhoneCleaner) -> tuple[Sequence[LaunchItem], Refusals]:
        refused = {str(item.list_id): self.refuses for item in items}
        return [self._judged(item) for item in items], refused

    def _judged(self, item: LaunchItem) -> LaunchItem:
        on_it = (self.place / str(item.list_id)).read_text()
        rejected = sum(phone in on_it for phone in self.refuses)
        return replace(item, rows=(item.rows or 0) - rejected, rejected=rejected)

    def lists(self) -> list[list[str]]:
        """The numbers on each list."""
        return [
            [line.partition(",")[0] for line in file.read_text().splitlines()[1:]]
            for file in sorted(self.place.iterdir())
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    place = tmp_path / "lists"
    place.mkdir()
    return Folder(place)


@pytest.fixture
def people(sqlite_warehouse: Warehouse) -> Warehouse:
    """Three people, and a table of opt-outs with nobody in it."""
    sqlite_warehouse.execute("CREATE TABLE people (id INTEGER, phone TEXT, name TEXT)")
    rows = [{"id": number, "phone": phone} for number, phone in enumerate((ASHA, RAVI, MEENA), 1)]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:id, :phone, 'x')", rows)
    sqlite_warehouse.execute("CREATE TABLE opted_out (who TEXT)")
    return sqlite_warehouse


def run(database: Warehouse, folder: Folder, more: dict[str, Any] | None = None, **options: Any) -> PipelineResult:
    """One run; `more` goes to the pipeline itself."""
    given = {"sql": "SELECT * FROM people", "agent_id": "a", "campaign_name": "c", "phone_column": "phone"}

    @contextmanager
    def engine() -> Iterator[sa.Engine]:
        yield database.engine

    with Scratch() as scratch:
        return ContactPipeline(
            options=ListOptions(**{**given, "country_code": "+91", **options}),
            destination=folder,
            scratch=scratch,
            connect=lambda: closing(sqlite3.connect(str(database.engine.url.database))),
            connect_state=lambda: closing(sqlite3.connect(str(database.engine.url.database))),
            state=engine,
            people_key="run",
            **more or {},
        ).run()


def noted(database: Warehouse) -> dict[str, str]:
    rows = database.query("SELECT launch_key, phone, disposition FROM people_ledger")
    return {f"{row['launch_key']} {row['phone']}": row["disposition"] for row in rows}


def test_everybody_is_on_a_list_and_noted(people: Warehouse, folder: Folder) -> None:
    folder.refuses = {RAVI: "no such line"}
    result = run(people, folder, contacts_table="people_ledger", max_rows_per_list=2)
    assert folder.lists() == [[ASHA, RAVI], [MEENA]]
    assert [item.list_id for item in result.items] == ["list 1", "list 2"]
    assert result.summary["reasons"] == {"listed": 2, "rejected_by_platform": 1}
    assert noted(people) == {
        f"run {ASHA}": "listed",
        f"run {RAVI}": "rejected_by_platform",
        f"run {MEENA}": "listed",
    }


def test_the_ledger_counts_what_became_of_the_rows_as_the_table_of_people_does(
    people: Warehouse, folder: Folder
) -> None:
    folder.refuses = {RAVI: "no such line"}
    people.execute("INSERT INTO people VALUES (4, 'nobody', 'x')")
    key = {"launch_key": "tonight", "ledger_conn_id": "warehouse", "contacts_table": "people_ledger"}
    run(people, folder, {"ledger": LaunchLedger(people.engine)}, **key, max_rows_per_list=2)
    with people.engine.connect() as connection:
        rows = connection.execute(sa.select(launches.c.list_id, launches.c.name, launches.c.reasons)).all()
    assert {row.list_id: row.name for row in rows} == {"list 1": "c (1 of 2)", "list 2": "c (2 of 2)"}
    assert [row.reasons for row in rows] == [Counter(noted(people).values())] * 2
    assert Counter(noted(people).values()) == {"listed": 2, "rejected_by_platform": 1, "phone_unreadable": 1}


def test_what_is_refused_is_noted_under_a_key_of_its_own_and_nothing_is_uploaded(
    people: Warehouse, folder: Folder
) -> None:
    people.execute("INSERT INTO people VALUES (4, 'nobody', 'x')")
    with pytest.raises(InvalidContacts, match="1 of 4 rows are rejected and max_rejects allows 0"):
        run(people, folder, contacts_table="people_ledger", max_rejects=0)
    assert folder.lists() == []
    assert noted(people)[f"run (refused) {ASHA}"] == "not_uploaded"
    run(people, folder, contacts_table="people_ledger")
    assert {key.partition(" +")[0] for key in noted(people)} == {"run", "run None"}


def test_a_refusal_is_told_even_if_the_people_cannot_be_noted(
    people: Warehouse, folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    create_tables(people.engine, people_table("people_ledger"))
    people.execute(
        "CREATE TRIGGER no_refusals BEFORE INSERT ON people_ledger WHEN new.launch_key LIKE '%refused%' "
        "BEGIN SELECT RAISE(FAIL, 'no'); END"
    )
    with pytest.raises(InvalidRequest, match="max_rows_per_list"):
        run(people, folder, {"most_lists": 1}, contacts_table="people_ledger", max_rows_per_list=2)
    assert "What became of the rows could not be noted" in caplog.text


def test_a_table_that_cannot_be_written_is_told_before_anything_is_read_or_uploaded(
    people: Warehouse, folder: Folder
) -> None:
    people.execute("CREATE TABLE people_ledger (launch_key INTEGER, owner TEXT NOT NULL)")
    with pytest.raises(QueryFailed, match="people_ledger"):
        run(people, folder, contacts_table="people_ledger", sql="SELECT nonsense")
    assert folder.lists() == []


def test_a_ledger_that_cannot_be_written_is_told_before_anything_is_uploaded(people: Warehouse, folder: Folder) -> None:
    ledger = LaunchLedger(people.engine)
    people.execute("CREATE TRIGGER closed BEFORE INSERT ON ringg_launches BEGIN SELECT RAISE(FAIL, 'no'); END")
    with pytest.raises(QueryFailed, match="ringg_launches"):
        run(people, folder, {"ledger": ledger}, launch_key="key", ledger_conn_id="warehouse")
    assert folder.lists() == []


def test_a_file_of_rejects_that_cannot_be_written_is_told_before_anything_is_uploaded(
    people: Warehouse, folder: Folder, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        run(people, folder, {"rejects": ObjectStoragePath(f"file://{tmp_path}/nowhere/rejects.csv")})
    assert folder.lists() == []


def test_what_was_only_tried_leaves_nothing(people: Warehouse, folder: Folder) -> None:
    ledger = LaunchLedger(people.engine)
    with pytest.raises(QueryFailed):
        run(
            people,
            folder,
            {"ledger": ledger},
            sql="SELECT nonsense",
            contacts_table="people_ledger",
            launch_key="key",
            ledger_conn_id="warehouse",
        )
    assert people.query("SELECT * FROM people_ledger") == people.query("SELECT * FROM ringg_launches") == []


def test_a_dry_run_notes_and_uploads_nothing(people: Warehouse, folder: Folder) -> None:
    result = run(people, folder, contacts_table="people_ledger", dry_run=True)
    assert [item.list_id for item in result.items] == [None]
    assert folder.lists() == []
    assert noted(people)[f"run (dry run) {ASHA}"] == "not_uploaded"


def test_a_key_that_was_launched_meanwhile_keeps_its_lists(people: Warehouse, folder: Folder) -> None:
    ledger = LaunchLedger(people.engine)
    key = {"launch_key": "key", "ledger_conn_id": "warehouse"}
    first = run(people, folder, {"ledger": ledger}, **key)
    people.execute("UPDATE ringg_launches SET state = 'start_sent'")
    again = run(people, folder, {"ledger": ledger}, **key)
    assert [item.list_id for item in again.items] == [item.list_id for item in first.items]
    assert [(item.launch_key, item.ledger_conn_id) for item in again.items] == [("key", "warehouse")]
    assert again.summary["already_launched"] is True


def test_the_cap_gets_the_engine_and_leaves_people_out(people: Warehouse, folder: Folder) -> None:
    def cap(engine: sa.Engine, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
        assert engine is people.engine
        exclusions.exhausted.add(cleaner.numbers_of([ASHA]))

    assert run(people, folder, {"cap": cap}).summary["reasons"] == {"listed": 2, "too_many_attempts": 1}


class TestMoreListsThanATaskIsMappedOver:
    """Airflow refuses a longer result after everything was uploaded, and each retry would upload it all again."""

    def test_they_are_refused_before_the_first_upload(self, people: Warehouse, folder: Folder) -> None:
        with pytest.raises(InvalidRequest) as caught:
            run(people, folder, {"most_lists": 2}, max_rows_per_list=1)
        assert caught.value.field == "max_rows_per_list"
        for word in ("3 contacts make 3 lists", "2 at most", "more rows per list", "max_map_length to 3"):
            assert word in str(caught.value)
        assert folder.lists() == []

    def test_a_dry_run_tells_it_too(self, people: Warehouse, folder: Folder) -> None:
        with pytest.raises(InvalidRequest, match="max_rows_per_list"):
            run(people, folder, {"most_lists": 2}, max_rows_per_list=1, dry_run=True)

    def test_as_many_as_fit_are_fine(self, people: Warehouse, folder: Folder) -> None:
        assert len(run(people, folder, {"most_lists": 3}, max_rows_per_list=1).items) == 3


class TestWhatIsSaidAloud:
    """A run in which nobody is called, or a protection that protects nobody, is no quiet success."""

    def warnings(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    def test_a_query_without_rows(self, people: Warehouse, folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
        assert run(people, folder, sql="SELECT * FROM people WHERE id > 99").items == []
        assert self.warnings(caplog) == [
            (
                "The query returned no row, so nobody is to be called. Look at what its templates and parameters came"
                " to; see the runbook, 'Nobody is called, and the run is green'."
            )
        ]

    def test_rows_of_whom_nobody_is_left(
        self, people: Warehouse, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert run(people, folder, suppression_sql="SELECT phone FROM people").items == []
        assert self.warnings(caplog) == [
            (
                "Nobody is to be called: the query's 3 rows are all left out (3 suppressed). See the runbook, 'Nobody"
                " is called, and the run is green'."
            )
        ]

    def test_what_was_uploaded_is_one_line(
        self, people: Warehouse, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        run(people, folder, suppression_sql=f"SELECT '{ASHA}' AS phone")
        assert caplog.messages[-1] == (
            "Uploaded: 2 people on 1 list (standard flow), from 3 rows of the query. Left out: 1 suppressed."
        )
        run(people, folder, dry_run=True)
        assert caplog.messages[-1] == (
            "Dry run, nothing was uploaded: 3 people on 1 list (standard flow), from 3 rows of the query. Left out:"
            " nobody."
        )

    def test_a_suppression_query_that_returns_nobody(
        self, people: Warehouse, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(people, folder, suppression_sql="SELECT who FROM opted_out")
        (said,) = self.warnings(caplog)
        assert said.startswith("suppression_sql returned no row and leaves nobody out.")

    @pytest.mark.parametrize("values", [[None, ""], ["n/a", "Asha Rao"]])
    def test_a_suppression_query_of_which_nothing_can_be_read_uploads_nothing(
        self, people: Warehouse, folder: Folder, values: list[Any]
    ) -> None:
        people.execute("INSERT INTO opted_out VALUES (:who)", [{"who": value} for value in values])
        with pytest.raises(InvalidRequest, match="suppression_sql: none of its 2 rows holds a telephone number"):
            run(people, folder, suppression_sql="SELECT who FROM opted_out")
        assert folder.lists() == []

    def test_a_suppression_query_of_which_something_can_be_read_is_used(
        self, people: Warehouse, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        people.execute("INSERT INTO opted_out VALUES (:who)", [{"who": "n/a"}, {"who": ASHA}])
        run(people, folder, suppression_sql="SELECT who FROM opted_out")
        assert folder.lists() == [[RAVI, MEENA]]
        (said,) = self.warnings(caplog)
        assert "no valid telephone numbers: 1 value." in said

    def test_contacts_that_no_query_will_find_again(
        self, people: Warehouse, folder: Folder, caplog: pytest.LogCaptureFixture
    ) -> None:
        sql = "SELECT phone, name, CASE id WHEN 1 THEN NULL WHEN 2 THEN '' ELSE 'C-3' END AS key FROM people"
        run(people, folder, sql=sql, contact_key="key", suppression_sql=f"SELECT '{ASHA}' AS phone")
        assert folder.lists() == [[RAVI, MEENA]]
        (said,) = self.warnings(caplog)
        assert said.startswith("contact_key: no query can tell")
        assert said.endswith(": 1 person.")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"launch_key": "k", "ledger_conn_id": " "}, "ledger_conn_id"),
        ({"ledger_conn_id": "warehouse"}, "launch_key"),
        ({"region_column": "region"}, "purpose"),
        ({"blackout_dates": ["2026-12-25"]}, "purpose"),
    ],
)
def test_options_that_would_leave_somebody_unprotected_are_refused(
    people: Warehouse, folder: Folder, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        run(people, folder, **wrong)
    assert caught.value.field == field


class Overtaken(LaunchLedger):
    """A ledger in which another run replaces the set, and notes its people, as soon as ours stands."""

    other_run: Callable[[], Any]

    def replace_set(
        self, launch_key: str, items: Sequence[LaunchItem], launcher: Any = None, notes: Any = None
    ) -> list[LaunchItem]:
        stands = super().replace_set(launch_key, items, launcher, notes)
        self.other_run()
        return stands


def test_a_run_whose_lists_were_replaced_does_not_note_its_people_over_those_of_the_winner(
    people: Warehouse, folder: Folder
) -> None:
    key = {"launch_key": "tonight", "ledger_conn_id": "warehouse", "contacts_table": "noted"}
    ours, select = Overtaken(people.engine), "SELECT phone, name FROM people WHERE id "
    others = {"ledger": LaunchLedger(people.engine)}
    ours.other_run = lambda: run(people, folder, others, sql=f"{select} = 3", **key)
    result = run(people, folder, {"ledger": ours}, sql=f"{select} < 3", **key)
    assert [item.list_id for item in result.items] == ["list 1"]
    assert people.query("SELECT phone, list_id FROM noted") == [{"phone": MEENA, "list_id": "list 2"}]
    assert people.query("SELECT list_id FROM ringg_launches WHERE state = 'listed'") == [{"list_id": "list 2"}]


class TestRehearsal:
    """Phones of one's own, which hear what the first people will hear."""

    OURS, COLLEAGUE = "+919812345678", "+447911123456"

    @pytest.fixture
    def named(self, people: Warehouse) -> Warehouse:
        people.execute("UPDATE people SET name = 'person ' || id")
        return people

    def rows(self, folder: Folder) -> list[list[str]]:
        return [file.read_text().splitlines()[1:] for file in sorted(folder.place.iterdir())]

    def test_they_come_first_country_by_country_with_the_variables_of_the_first_people(
        self, named: Warehouse, folder: Folder
    ) -> None:
        query = {"sql": "SELECT * FROM people ORDER BY id", "suppression_sql": f"SELECT '{ASHA}'"}
        run(named, folder, {"rehearsal": [self.OURS, self.COLLEAGUE]}, **query)
        first, second, rest = self.rows(folder)
        assert (first, second) == ([f"{self.OURS},person 2"], [f"{self.COLLEAGUE},person 3"])
        assert rest == [f"{RAVI},person 2", f"{MEENA},person 3"], "and the people themselves are called as well"

    def test_one_person_is_enough_for_several_phones(self, named: Warehouse, folder: Folder) -> None:
        more = {"rehearsal": [self.OURS, "+919812345679"]}
        run(named, folder, more, sql="SELECT * FROM people WHERE id = 2")
        assert self.rows(folder)[0] == [f"{self.OURS},person 2", "+919812345679,person 2"]

    def test_nobody_makes_no_rehearsal(self, named: Warehouse, folder: Folder) -> None:
        result = run(named, folder, {"rehearsal": [self.OURS]}, sql="SELECT * FROM people WHERE id < 0")
        assert (result.items, folder.lists()) == ([], [])

    def test_they_are_not_in_the_pipelines_own_text(self, named: Warehouse, folder: Folder) -> None:
        given: Any = dict.fromkeys(("options", "destination", "scratch", "connect", "connect_state", "state"))
        assert self.OURS not in repr(ContactPipeline(**given, people_key="run", rehearsal=[self.OURS]))

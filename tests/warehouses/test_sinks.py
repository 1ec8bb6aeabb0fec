"""What each warehouse does for a publication: emulators of Snowflake and BigQuery; Redshift's SQL on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

from ringg_provider.contacts.people import people_table
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import InvalidRequest, QueryFailed
from ringg_provider.history.outcomes import OUTCOMES, outcomes
from ringg_provider.history.tables import calls_table
from ringg_provider.publish.schema import PublishedColumn, PublishedTable, published
from ringg_provider.publish.sinks import redshift
from ringg_provider.publish.sinks.bigquery import BigQuerySink
from ringg_provider.publish.sinks.redshift import RedshiftSink
from ringg_provider.publish.sinks.snowflake import SnowflakeSink
from ringg_provider.publish.spool import Spool

NOW = dt.datetime(2026, 11, 26, 1, 2, 3, 456789, tzinfo=dt.UTC)
SECRET = "+919812345678 of Asha"
TABLE = PublishedTable(
    "ringg_things",
    ("thing_id", "part"),
    (
        PublishedColumn("thing_id", "text", 191),
        PublishedColumn("part", "integer"),
        PublishedColumn("note", "text"),
        PublishedColumn("cost", "decimal", precision=18, scale=6),
        PublishedColumn("reached", "boolean"),
        PublishedColumn("called_at", "timestamp"),
        PublishedColumn("day", "date"),
        PublishedColumn("raw", "json"),
        PublishedColumn("published_at", "timestamp"),
        PublishedColumn("publication", "integer"),
    ),
)


def thing(thing_id: str, publication: int = 1, **more: Any) -> dict[str, Any]:
    """A row with a value of every kind, each one that some path could spoil."""
    return {
        "thing_id": thing_id,
        "part": 2**40,
        "note": 'it\'s \\ "said"\t\n नमस्ते %s %(x)s 🙂',
        "cost": Decimal("-123456789012.000001"),
        "reached": False,
        "called_at": NOW,
        "day": dt.date(1999, 12, 31),
        "raw": {"a": [1, None, "x'\\\"\n"], "ünï": {"deep": 1.5}, "empty": {}},
        "published_at": NOW,
        "publication": publication,
        **more,
    }


def gone(thing_id: str, publication: int) -> dict[str, Any]:
    """What is spooled of a row that is not there any more."""
    return {"thing_id": thing_id, "part": 2**40, "publication": publication, "deleted": True}


@dataclass
class Place:
    """A sink, and how to look at its warehouse by another way."""

    sink: Any
    query: Any
    make: Any

    def put(self, *rows: dict[str, Any], whole: bool = False, twice: bool = False) -> None:
        """Publish rows."""
        with staged(self.sink, *rows) as staging:
            for _ in range(1 + twice):
                (self.sink.replace if whole else self.sink.merge)(TABLE, staging)

    def rows(self) -> dict[str, dict[str, Any]]:
        """What stands there, documents decoded."""
        read = {row["thing_id"]: dict(row) for row in self.sink.read(TABLE)}
        for row in read.values():
            row["raw"] = json.loads(row["raw"]) if isinstance(row["raw"], str) else row["raw"]
        return read


@contextmanager
def staged(sink: Any, *rows: dict[str, Any]) -> Iterator[str]:
    with Scratch() as scratch:
        with Spool(TABLE, scratch, sink.file_format) as spool:
            for row in rows:
                spool.add({name: value for name, value in row.items() if name != "deleted"}, deleted="deleted" in row)
        staging = sink.load(TABLE, spool)
        yield staging
        sink.drop(staging)


def spooled_empty(scratch: Scratch) -> Spool:
    with Spool(TABLE, scratch, "parquet") as spool:
        return spool


class OnPostgres(RedshiftSQLHook):
    """Redshift's hook, whose statements a PostgreSQL answers."""

    url = ""

    def get_conn(self) -> Any:
        return psycopg.connect(self.url)


@pytest.fixture(params=["snowflake", "bigquery", "redshift"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "redshift":
        warehouse = request.getfixturevalue("warehouse")
        for statement in (
            "CREATE DOMAIN super AS jsonb",
            "CREATE FUNCTION json_parse(text) RETURNS jsonb LANGUAGE SQL AS 'SELECT $1::jsonb'",
            "CREATE SCHEMA calling",
        ):
            warehouse.execute(statement)
        monkeypatch.setitem(redshift._ALIASES, "JSONB", "SUPER")
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT", json.dumps({"conn_type": "redshift"}))
        hook = OnPostgres("redshift")
        hook.url = warehouse.url.replace("+psycopg", "")

        def make(schema: str | None = "calling", **options: Any) -> Any:
            return RedshiftSink(hook, schema, **options)

        def query(statement: str) -> list[tuple[Any, ...]]:
            return [tuple(row.values()) for row in warehouse.query(statement)]

    else:
        emulated = request.getfixturevalue(request.param)

        def make(schema: str | None = emulated.schema, **options: Any) -> Any:
            return (SnowflakeSink if request.param == "snowflake" else BigQuerySink)(emulated.hook, schema, **options)

        query = emulated.query
    sink = make()
    sink.check()
    yield Place(sink, query, make)
    sink.close()


def test_every_kind_of_value_arrives_as_it_was(place: Place) -> None:
    assert place.sink.ensure(TABLE)
    place.put(thing("a"), {"thing_id": "b", "part": 2**40, "published_at": NOW, "publication": 1})
    rows = place.rows()
    assert rows["a"] == thing("a")
    # (The emulator of Snowflake reads a NULL with a time zone back as 1970.)
    assert {name for name, value in rows["b"].items() if value is not None} - {"called_at"} == {
        "thing_id",
        "part",
        "published_at",
        "publication",
    }
    (missing,) = place.query(f"SELECT COUNT(*) FROM {place.sink.target(TABLE.name)} WHERE called_at IS NULL")
    assert missing == (1,)


def test_the_newest_staged_row_of_a_key_counts_and_a_merge_may_be_repeated(place: Place) -> None:
    place.sink.ensure(TABLE)
    place.put(thing("a", note="first"), thing("b"), thing("a", note="second"), twice=True)
    assert {key: row["note"] for key, row in place.rows().items()} == {"a": "second", "b": thing("b")["note"]}
    assert place.sink.totals(TABLE) == (2, 2)


def test_what_is_gone_leaves_and_what_was_published_later_stays(place: Place) -> None:
    place.sink.ensure(TABLE)
    place.put(thing("changed"), thing("erased"), thing("later", 9))
    place.put(thing("changed", 2, note="new"), gone("erased", 2), gone("never there", 2), thing("later", 2, note="old"))
    assert {key: (row["publication"], row["note"]) for key, row in place.rows().items()} == {
        "changed": (2, "new"),
        "later": (9, thing("later")["note"]),
    }


def test_no_rows_are_loaded_too(place: Place) -> None:
    place.sink.ensure(TABLE)
    place.put(thing("a"))
    place.put()
    assert set(place.rows()) == {"a"}
    place.put(whole=True)
    assert place.rows() == {}


def test_all_rows_are_replaced_at_once(place: Place) -> None:
    place.sink.ensure(TABLE)
    place.put(thing("a"), thing("b", 7))
    place.put(thing("b", 2), thing("c", 2), gone("d", 2), whole=True, twice=True)
    assert {key: row["publication"] for key, row in place.rows().items()} == {"b": 2, "c": 2}


def test_a_table_grows_by_the_columns_of_a_newer_version_and_says_so(place: Place) -> None:
    assert place.sink.ensure(TABLE)
    assert not place.sink.ensure(TABLE)
    grown = replace(TABLE, columns=(*TABLE.columns, PublishedColumn("more", "json"), PublishedColumn("yes", "boolean")))
    assert place.sink.ensure(grown)
    assert not place.sink.ensure(grown)


def test_an_altered_table_is_refused_by_the_names_of_its_columns(place: Place) -> None:
    made = [replace(each, kind="text") if each.name in ("part", "reached") else each for each in TABLE.columns]
    place.sink.ensure(replace(TABLE, columns=tuple(made)))
    with pytest.raises(InvalidRequest, match=r"ringg_things in the warehouse was altered: part is .* reached is"):
        place.sink.ensure(TABLE)


def test_a_view_in_the_place_of_a_table_is_refused_and_stays(place: Place) -> None:
    view = place.sink.target(TABLE.name)
    place.sink.send("view", f"CREATE VIEW {view} AS SELECT 1 AS n")
    with pytest.raises(InvalidRequest, match="is a view"):
        place.sink.ensure(TABLE)
    assert place.query(f"SELECT n FROM {view}") == [(1,)]


def test_the_view_of_outcomes_stands_and_is_made_again(place: Place) -> None:
    contacts, calls = people_table(schema=place.sink.schema), calls_table(schema=place.sink.schema)
    for table in (contacts, calls):
        place.sink.ensure(published(table))
    for _ in range(2):
        place.sink.create_view(OUTCOMES, outcomes(contacts, calls))
    assert place.query(f"SELECT COUNT(*) FROM {place.sink.target(OUTCOMES)}") == [(0,)]


def test_a_schema_that_is_not_there_is_told_before_anything_is_read(place: Place) -> None:
    other = place.make("nowhere")
    with pytest.raises(InvalidRequest, match=r"(?i)schema: there is no (schema|dataset) .*nowhere") as told:
        other.check()
    assert told.value.field == "schema"
    other.close()


@pytest.mark.parametrize("schema", ["a b", "a;DROP TABLE x", "a.b.c.d", "'", ""])
def test_a_schema_that_is_no_name_is_refused(place: Place, schema: str) -> None:
    with pytest.raises(InvalidRequest, match="schema: "):
        place.make(schema)


@pytest.mark.parametrize("place", ["snowflake", "redshift"], indirect=True)
def test_an_error_of_a_merge_tells_no_value_of_a_row(place: Place) -> None:
    place.sink.ensure(TABLE)
    number = {"snowflake": "NUMBER", "redshift": "BIGINT"}[place.sink.name]
    with staged(place.sink, thing("a", note=SECRET)) as staging:
        # As if somebody altered the table between the look and the merge.
        target, note = place.sink.target(TABLE.name), place.sink.grammar.quote("note")
        for change in (f"DROP COLUMN {note}", f"ADD COLUMN {note} {number}"):
            place.sink.send("table", f"ALTER TABLE {target} {change}")
        with pytest.raises(QueryFailed) as told:
            place.sink.merge(TABLE, staging)
    assert SECRET[1:] not in str(told.value) + repr(told.value.__cause__) + repr(told.value.__context__)
    assert place.sink.totals(TABLE) == (0, 0)


@pytest.mark.parametrize("place", ["bigquery"], indirect=True)
def test_an_error_of_a_load_tells_no_value_of_a_row(place: Place) -> None:
    with Scratch() as scratch:
        with Spool(TABLE, scratch, "ndjson") as spool:
            spool.add(thing("a"))
        (path,) = spool.paths
        path.write_text(path.read_text().replace(f'"part": {2**40}', f'"part": "{SECRET}"'))
        with pytest.raises(QueryFailed) as told:
            place.sink.load(TABLE, spool)
    assert SECRET[1:] not in str(told.value) + repr(told.value.__cause__) + repr(told.value.__context__)


def test_nothing_is_left_behind(place: Place) -> None:
    place.sink.ensure(TABLE)
    place.put(thing("a"))
    if place.sink.name == "bigquery":
        names = place.query(f"SELECT table_name FROM `{place.sink.schema}`.INFORMATION_SCHEMA.TABLES")
    elif place.sink.name == "snowflake":
        names = [(row[1],) for row in place.query(f"SHOW TABLES IN SCHEMA {place.sink.schema}")]
    else:
        names = place.query("SELECT table_name FROM information_schema.tables WHERE table_schema LIKE 'calling'")
    assert {str(name).lower() for (name,) in names} == {"ringg_things"}


def test_the_statements_are_counted_and_few(place: Place) -> None:
    place.sink.ensure(TABLE)
    before = place.sink.statements
    place.put(*(thing(str(number)) for number in range(300)))
    # (Redshift's merge is a transaction of four.)
    assert 3 <= place.sink.statements - before <= 7
    assert place.sink.totals(TABLE) == (300, 300)


def test_many_files_are_loaded_as_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringg_provider.publish.spool._PART_BYTES", 10_000)
    monkeypatch.setattr("ringg_provider.publish.spool._ROWS_AT_ONCE", 20)
    place.sink.ensure(TABLE)
    before = place.sink.statements
    # The newest of a key is in another file than the older ones.
    place.put(*(thing(str(number % 100), note=str(number)) for number in range(300)))
    assert {key: row["note"] for key, row in place.rows().items()} == {str(n): str(n + 200) for n in range(100)}
    if place.sink.name == "bigquery":
        assert place.sink.statements - before > 5, "a job for each file"


@pytest.mark.parametrize("place", ["snowflake"], indirect=True)
def test_snowflake_drops_what_a_killed_publication_left(place: Place) -> None:
    old, young = "ringg_calls_staging_20260101000000_0123abcd", "ringg_calls_staging_29990101000000_0123abcd"
    for name in (old, young, "my_staging_table"):
        place.sink.send("table", f"CREATE TABLE {place.sink.target(name)} (n INT)")
    place.sink.check()
    names = {row[1].lower() for row in place.query(f"SHOW TABLES IN SCHEMA {place.sink.schema}")}
    assert names == {young, "my_staging_table"}


@pytest.mark.parametrize("place", ["snowflake"], indirect=True)
def test_snowflake_loads_through_a_stage_of_yours_and_misses_one_by_name(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.sink.ensure(TABLE)
    place.sink.send("stage", f"CREATE STAGE {place.sink.schema}.files")
    through = place.make(place.sink.schema, stage=f"{place.sink.schema}.files")
    through.check()
    monkeypatch.setattr(place, "sink", through)
    place.put(thing("a"))
    assert place.rows()["a"] == thing("a")
    # What a killed publication left goes a day later.
    with Scratch() as scratch:
        (path,) = spooled_empty(scratch).paths
        for name in ("ringg_calls_staging_20260101000000_0123abcd", "mine"):
            through.send("stage", f"PUT 'file://{path}' @{place.sink.schema}.files/{name} AUTO_COMPRESS = FALSE")
    told: list[str] = []
    execute = through._execute
    monkeypatch.setattr(through, "_execute", lambda statement: told.append(statement) or execute(statement))
    through.check()
    # (The emulator removes nothing, and says so.)
    assert [statement for statement in told if statement.startswith("REMOVE")] == [
        f"REMOVE @{place.sink.schema}.files/ringg_calls_staging_20260101000000_0123abcd/"
    ]
    through.close()
    missing = place.make(place.sink.schema, stage="not_there")
    with pytest.raises(InvalidRequest, match="stage: there is no stage not_there"):
        missing.check()
    missing.close()


@pytest.mark.parametrize("place", ["redshift"], indirect=True)
def test_redshift_cuts_texts_at_what_a_column_holds_and_refuses_to_cut_documents(place: Place) -> None:
    place.sink.ensure(TABLE)
    place.put(thing("a", note="न" * 30_000), thing("b"))
    assert place.rows()["a"]["note"] == "न" * 21_845
    with pytest.raises(InvalidRequest, match=r"bucket: a document in column raw has more than 65535 bytes"):
        place.put(thing("c", raw={"transcript": SECRET * 5_000}))
    assert set(place.rows()) == {"a", "b"}


@pytest.mark.parametrize("place", ["bigquery"], indirect=True)
def test_bigquery_staging_expires_by_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    create = place.sink._client.create_table
    # The emulator forgets this again, so it is looked at on its way.
    monkeypatch.setattr(place.sink._client, "create_table", lambda table: made.append(table) or create(table))
    with staged(place.sink, thing("a")):
        (staging,) = made
    assert dt.timedelta(hours=23) < staging.expires - dt.datetime.now(dt.UTC) < dt.timedelta(hours=25)

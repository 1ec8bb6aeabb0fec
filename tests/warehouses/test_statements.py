"""What is sent to the warehouses that no engine is at hand for: parsed in their language, and run on relatives."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import duckdb
import pytest
import redshift_connector
import sqlglot
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
from airflow.providers.databricks.hooks.databricks_sql import DatabricksSqlHook
from google.api_core.exceptions import InternalServerError, ServiceUnavailable, TooManyRequests
from moto.server import ThreadedMotoServer
from snowflake.connector import errors as snowflake_errors
from sqlglot import exp

from ringg_provider.contacts.people import people_table
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import DatabaseUnavailable, InvalidRequest, QueryFailed
from ringg_provider.history.outcomes import OUTCOMES, outcomes
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.launch.table import launches
from ringg_provider.publish.schema import PUBLICATIONS, published
from ringg_provider.publish.sinks import bigquery, databricks, snowflake
from ringg_provider.publish.sinks.bigquery import BigQuerySink
from ringg_provider.publish.sinks.databricks import DatabricksSink
from ringg_provider.publish.sinks.redshift import RedshiftSink
from ringg_provider.publish.sinks.snowflake import SnowflakeSink
from ringg_provider.publish.spool import Spool
from tests.support.databases import Warehouse

TABLES = [*map(published, (calls_table(), campaigns_table(), people_table(), launches)), PUBLICATIONS]
FORBIDDEN = re.compile(r"\b(JSONB|COLLATE|CREATE INDEX|FROM STDIN|SERIAL|IDENTITY|UNIQUE|PRIMARY KEY)\b", re.IGNORECASE)
#: Statements of a driver, or of a console, that no grammar of a query has.
NO_QUERY = re.compile(r"PUT|REMOVE|LIST|SHOW|BEGIN|COMMIT|ROLLBACK|SET")


class Recorder:
    """A connection that keeps what it is told, and answers what a look at an empty schema would."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.sent: list[str] = []
        self.answers = answers or {}
        self.description: Any = None
        self.autocommit = False
        self._rows: list[Any] = []

    def cursor(self) -> Recorder:
        return self

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def execute(self, statement: str, values: Any = None) -> Recorder:
        self.sent.append(statement)
        given = next((answer for start, answer in self.answers.items() if statement.startswith(start)), [])
        if isinstance(given, Exception):
            raise given
        given = given(self) if callable(given) else given
        self._rows, self.description = given, [("column",)]
        return self

    def fetchall(self) -> list[Any]:
        return self._rows


def publish_everything(sink: Any) -> None:
    """Every kind of statement that a publication sends."""
    sink.check()
    for table in TABLES:
        sink.ensure(table)
        with Scratch() as scratch:
            with Spool(table, scratch, sink.file_format) as spool:
                key = {column.name: 1 if column.kind == "integer" else "k" for column in table.columns}
                moments = {
                    column.name: dt.datetime.now(dt.UTC) for column in table.columns if column.kind == "timestamp"
                }
                spool.add({name: value for name, value in (key | moments).items() if name in {*table.key, *moments}})
            staging = sink.load(table, spool)
        sink.merge(table, staging)
        sink.replace(table, staging)
        sink.drop(staging)
    sink.create_view(OUTCOMES, outcomes(people_table(schema=sink.schema), calls_table(schema=sink.schema)))
    sink.close()


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 on a socket, with a bucket, known to Airflow as `aws_default`."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    account = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(account))
    client = boto3.client("s3", aws_access_key_id="key", aws_secret_access_key="secret", **extra)
    client.create_bucket(Bucket="calls-to-load")
    yield client
    server.stop()


@pytest.fixture
def redshift_hook(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Recorder]:
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT", json.dumps({"conn_type": "redshift"}))
    hook, told = RedshiftSQLHook("redshift"), Recorder({"SELECT has_schema": [(True,)]})
    monkeypatch.setattr(hook, "get_conn", lambda: told)
    return hook, told


@pytest.fixture
def databricks_hook(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Recorder]:
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS", json.dumps({"conn_type": "databricks"}))
    hook, told = DatabricksSqlHook("databricks"), Recorder()
    monkeypatch.setattr(hook, "get_conn", lambda: told)
    return hook, told


def require_valid(statements: list[str], dialect: str) -> None:
    assert statements
    for statement in statements:
        assert not FORBIDDEN.search(statement), statement
        if not NO_QUERY.match(statement):
            (parsed,) = sqlglot.parse(statement.replace("%s", "NULL"), read=dialect)
            assert not isinstance(parsed, exp.Command) or statement.startswith(("ALTER", "DESCRIBE", "COPY")), statement


@pytest.mark.parametrize("bucket", [None, "s3://calls-to-load/ringg"])
def test_every_statement_for_redshift_is_its_language(
    redshift_hook: tuple[Any, Recorder], amazon: Any, bucket: str | None
) -> None:
    hook, told = redshift_hook
    publish_everything(RedshiftSink(hook, "calling", bucket))
    require_valid(told.sent, "redshift")
    kinds = {" ".join(statement.split()[:2]) for statement in told.sent}
    assert {"CREATE TABLE", "CREATE TEMP", "DELETE FROM", "INSERT INTO", "CREATE OR"} <= kinds
    copies = [statement for statement in told.sent if statement.startswith("COPY")]
    assert len(copies) == (len(TABLES) if bucket else 0)
    assert all("IAM_ROLE default FORMAT JSON 'auto' GZIP" in statement for statement in copies)
    # Nothing stays in the bucket.
    assert amazon.list_objects_v2(Bucket="calls-to-load")["KeyCount"] == 0


def test_every_statement_for_databricks_is_its_language(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, told = databricks_hook
    publish_everything(DatabricksSink(hook, "main.calling", "main.calling.files"))
    require_valid(told.sent, "databricks")
    assert sum(statement.startswith("MERGE INTO main.calling.") for statement in told.sent) == len(TABLES)
    puts = [statement for statement in told.sent if statement.startswith("PUT ")]
    removed = [statement for statement in told.sent if statement.startswith("REMOVE ")]
    assert len(puts) == len(removed) == len(TABLES) + 1
    assert all("/Volumes/main/calling/files/" in statement for statement in puts + removed)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    """Rows in more than one file."""
    monkeypatch.setattr("ringg_provider.publish.spool._PART_BYTES", 2_000)
    monkeypatch.setattr("ringg_provider.publish.spool._ROWS_AT_ONCE", 10)
    with Scratch() as scratch:
        with Spool(TABLES[0], scratch, "ndjson") as spool:
            for number in range(50):
                spool.add({"call_id": f"{number}", "read_at": dt.datetime.now(dt.UTC), "raw": {"n": number}})
        assert len(spool.paths) > 1
        yield spool


def test_redshift_loads_many_files_by_one_copy(redshift_hook: tuple[Any, Recorder], amazon: Any, calls: Spool) -> None:
    hook, told = redshift_hook
    uploaded: list[Any] = []

    def look(_: Any) -> list[Any]:
        listed = amazon.list_objects_v2(Bucket="calls-to-load", Prefix=prefix_of(told.sent[-1]))["Contents"]
        uploaded.extend(each["Key"] for each in listed)
        return []

    told.answers["COPY"] = look
    RedshiftSink(hook, "calling", "s3://calls-to-load/ringg").load(TABLES[0], calls)
    assert len(uploaded) == len(calls.paths)
    assert amazon.list_objects_v2(Bucket="calls-to-load")["KeyCount"] == 0
    assert sorted(path.suffix for path in calls.paths[0].parent.iterdir()) == [".ndjson"] * len(calls.paths)


def prefix_of(statement: str) -> str:
    found = re.search(r" FROM 's3://calls-to-load/([^']+)' ", statement)
    assert found
    return found[1]


def test_databricks_loads_many_files_by_one_copy(databricks_hook: tuple[Any, Recorder], calls: Spool) -> None:
    hook, told = databricks_hook
    staging = DatabricksSink(hook, "main.calling", "main.calling.files").load(TABLES[0], calls)
    names = [f"{staging}.{number}.parquet" for number in range(len(calls.paths))]
    (copy,) = (statement for statement in told.sent if statement.startswith("COPY INTO"))
    assert f"FROM '/Volumes/main/calling/files' FILEFORMAT = PARQUET FILES = ({', '.join(map(repr, names))})" in copy
    for path, name in zip(calls.paths, names, strict=True):
        place = f"'/Volumes/main/calling/files/{name}'"
        assert f"PUT '{path}' INTO {place} OVERWRITE" in told.sent
        assert told.sent.index(f"REMOVE {place}") > told.sent.index(copy)


def test_databricks_removes_the_files_that_a_killed_publication_left(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, told = databricks_hook
    old, young = "ringg_calls_staging_20260101000000_0123abcd.0.parquet", "a_staging_29990101000000_0123abcd.0.parquet"
    told.answers["LIST"] = [("dbfs:/x", name, 1, 1) for name in (old, young, "theirs.parquet", f"x' or {old}")]
    DatabricksSink(hook, "main.calling", "main.calling.files").check()
    probe, *removed = [statement for statement in told.sent if statement.startswith("REMOVE")]
    assert "ringg_probe" in probe
    assert removed == [f"REMOVE '/Volumes/main/calling/files/{old}'"]


@pytest.mark.parametrize(
    ("module", "dialect"),
    [(snowflake, "snowflake"), (bigquery, "bigquery"), (databricks, "databricks")],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_merge_does_the_same_on_postgresql_and_duckdb(
    module: Any, dialect: str, table: Any, warehouse: Warehouse
) -> None:
    """The statement itself, only spelt for another database."""
    text = module.GRAMMAR.merge(table, "target", "staging")
    require_valid([text], dialect)
    found = []
    columns = [(column.name, _like(column.kind)) for column in table.columns]
    staged = [*columns, ("deleted", "boolean"), ("spool_position", "bigint")]
    setup = [
        "CREATE TABLE target (" + ", ".join(f'"{name}" {kind}' for name, kind in columns) + ")",
        "CREATE TABLE staging (" + ", ".join(f'"{name}" {kind}' for name, kind in staged) + ")",
        *(_stored(table, *row) for row in (("same", 1), ("erased", 1), ("later", 9))),
        *(
            _staged(table, *row)
            for row in (
                ("same", 2, False, 0),
                ("same", 3, False, 1),
                ("erased", 2, True, 2),
                ("later", 2, False, 3),
                ("new", 2, False, 4),
                ("never", 2, True, 5),
            )
        ),
    ]
    query = f'SELECT "{table.key[0]}", publication FROM target ORDER BY 1'
    for engine in ("postgres", "duckdb"):
        # The names of all three are one name here; a document is its text.
        plain = re.sub(r'["`](\w+)["`]', lambda name: name[1].lower(), text)
        plain = re.sub(r"PARSE_JSON\((\w+)(, wide_number_mode => 'round')?\)", r"\1", plain)
        plain = _quoted(plain, table)
        if engine == "postgres":
            for statement in [*setup, plain]:
                warehouse.execute(statement)
            found.append([tuple(row.values()) for row in warehouse.query(query)])
        else:
            with duckdb.connect() as connection:
                for statement in [*setup, plain]:
                    connection.execute(statement)
                found.append(connection.execute(query).fetchall())
    assert found == [[("later", 9), ("new", 2), ("same", 3)]] * 2


def _like(kind: str) -> str:
    return {"integer": "bigint", "decimal": "numeric(18,6)", "boolean": "boolean", "timestamp": "timestamptz"}.get(
        kind, "date" if kind == "date" else "text"
    )


def _quoted(text: str, table: Any) -> str:
    """Every column in quotes, as some are words of the language."""
    for column in (*table.names, "deleted", "spool_position", "spool_place"):
        text = re.sub(rf"(?<![\w\"]){column}(?![\w\"])", f'"{column}"', text)
    return text


def _stored(table: Any, key: str, publication: int) -> str:
    rest = ", ".join(f'"{name}"' for name in (*table.key, "publication"))
    keys = ", ".join([f"'{key}'", *("0" for _ in table.key[1:])])
    return f"INSERT INTO target ({rest}) VALUES ({keys}, {publication})"


def _staged(table: Any, key: str, publication: int, deleted: bool, position: int) -> str:
    rest = ", ".join(f'"{name}"' for name in (*table.key, "publication", "deleted", "spool_position"))
    keys = ", ".join([f"'{key}'", *("0" for _ in table.key[1:])])
    return f"INSERT INTO staging ({rest}) VALUES ({keys}, {publication}, {deleted}, {position})"


def test_a_bucket_that_is_not_there_is_told_by_name(redshift_hook: tuple[Any, Recorder], amazon: Any) -> None:
    with pytest.raises(InvalidRequest, match="bucket: not-there is not there") as told:
        RedshiftSink(redshift_hook[0], "calling", "s3://not-there/x").check()
    assert told.value.field == "bucket"


def test_a_schema_of_redshift_without_the_right_to_create(redshift_hook: tuple[Any, Recorder]) -> None:
    hook, told = redshift_hook
    told.answers = {"SELECT has_schema": [(False,)]}
    with pytest.raises(InvalidRequest, match="schema: the connection's user may not create tables in calling"):
        RedshiftSink(hook, "calling").check()


def test_a_volume_that_is_not_writable_is_told_by_name(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, told = databricks_hook
    told.answers = {"PUT": _error("ServerOperationError")}
    with pytest.raises(InvalidRequest, match=r"volume: /Volumes/a/b/c is not there, or"):
        DatabricksSink(hook, "a.b", "a.b.c").check()


def test_a_schema_of_databricks_that_is_not_there(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, told = databricks_hook
    told.answers = {"SHOW TABLES": _error("ServerOperationError")}
    with pytest.raises(InvalidRequest, match=r"schema: there is no schema a\.b"):
        DatabricksSink(hook, "a.b", "a.b.c").check()


def test_databricks_without_a_volume_is_refused(databricks_hook: tuple[Any, Recorder]) -> None:
    with pytest.raises(InvalidRequest, match="volume: Databricks loads files from a volume"):
        DatabricksSink(databricks_hook[0], "a.b")


def test_a_warehouse_that_sleeps_or_is_slow_is_tried_again(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, told = databricks_hook
    told.answers = {"SHOW TABLES": _error("RequestError", "OperationalError")}
    with pytest.raises(DatabaseUnavailable):
        DatabricksSink(hook, "a.b", "a.b.c").check()


def test_an_altered_table_of_databricks_is_refused(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, told = databricks_hook
    rows = [(column.name, "string", None) for column in PUBLICATIONS.columns]
    told.answers = {"SHOW TABLES": [("calling", "ringg_publications", False)], "DESCRIBE": [*rows, ("", "", "")]}
    sink = DatabricksSink(hook, "main.calling", "main.calling.files")
    with pytest.raises(InvalidRequest, match="published_at is STRING instead of TIMESTAMP; publication is STRING"):
        sink.ensure(PUBLICATIONS)
    told.answers["DESCRIBE"] = [*rows[:1], ("", "", ""), ("Type", "VIEW", "")]
    with pytest.raises(InvalidRequest, match="is a view"):
        sink.ensure(PUBLICATIONS)


def _error(*names: str) -> Exception:
    """An exception of Databricks' driver: the last name is a base of DB-API."""
    kind: type[Exception] = Exception
    for name in reversed(names if len(names) > 1 else (*names, "DatabaseError")):
        kind = type(name, (kind,), {"__module__": "databricks.sql.exc"})
    return kind("[SCHEMA_NOT_FOUND] something")


def test_a_query_that_fails_for_good_stays_one(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, told = databricks_hook
    told.answers = {"MERGE": _error("ServerOperationError")}
    sink = DatabricksSink(hook, "a.b", "a.b.c")
    with pytest.raises(QueryFailed, match=r"table a\.b\.ringg_publications"):
        sink.merge(PUBLICATIONS, "staged")


def test_the_hook_of_databricks_may_send_files_from_the_temporary_folder(databricks_hook: tuple[Any, Recorder]) -> None:
    hook, _ = databricks_hook
    DatabricksSink(hook, "a.b", "a.b.c").check()
    with Scratch() as scratch:
        path, _ = scratch.create("x")
        assert str(path).startswith(hook.additional_params["staging_allowed_local_path"])


@pytest.mark.parametrize(
    ("errno", "state"),
    [(606, "57P03"), (630, "57014"), (604, "57014"), (250001, "08001")],
    ids=["no warehouse runs", "waited too long", "took too long", "not reached"],
)
def test_a_warehouse_of_snowflake_that_sleeps_or_is_slow_is_tried_again(errno: int, state: str) -> None:
    kind = snowflake_errors.ProgrammingError if state.startswith("57") else snowflake_errors.OperationalError
    told = Recorder({"MERGE": kind(msg="SQL execution canceled", errno=errno, sqlstate=state)})
    sink = SnowflakeSink(SimpleNamespace(get_conn=lambda: told), "calling", timeout=dt.timedelta(minutes=5))
    with pytest.raises(DatabaseUnavailable, match=state):
        sink.merge(PUBLICATIONS, "staged")
    assert "STATEMENT_TIMEOUT_IN_SECONDS = 300, STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 300" in told.sent[0]


def test_a_statement_of_redshift_that_took_too_long_is_tried_again(redshift_hook: tuple[Any, Recorder]) -> None:
    hook, told = redshift_hook
    fields = {"S": "ERROR", "C": "57014", "M": "Query cancelled on user's request"}
    told.answers = {"INSERT": redshift_connector.ProgrammingError(fields)}
    with pytest.raises(DatabaseUnavailable, match="57014"):
        RedshiftSink(hook, "calling").merge(PUBLICATIONS, "staged")
    # Nothing half is left: the transaction is undone.
    assert [statement.split()[0] for statement in told.sent] == ["SET", "BEGIN", "DELETE", "INSERT", "ROLLBACK"]


def test_a_job_of_bigquery_that_took_too_long_is_cancelled_and_tried_again() -> None:
    cancelled = []

    def result(timeout: float) -> None:
        raise concurrent.futures.TimeoutError

    job = SimpleNamespace(result=result, cancel=lambda: cancelled.append(True))
    client = SimpleNamespace(query=lambda _: job, project="proj")
    hook = SimpleNamespace(project_id="proj", location="US", get_client=lambda **_: client)
    with pytest.raises(DatabaseUnavailable, match=r"table calling\.ringg_publications"):
        BigQuerySink(hook, "calling").merge(PUBLICATIONS, "staged")
    assert cancelled == [True]


@pytest.mark.parametrize("status", [ServiceUnavailable, TooManyRequests, InternalServerError])
def test_a_bigquery_that_is_away_for_a_moment_is_tried_again(status: Any) -> None:
    def query(_: str) -> None:
        raise status("come again")

    client = SimpleNamespace(query=query, project="proj")
    hook = SimpleNamespace(project_id="proj", location="US", get_client=lambda **_: client)
    with pytest.raises(DatabaseUnavailable):
        BigQuerySink(hook, "calling").merge(PUBLICATIONS, "staged")

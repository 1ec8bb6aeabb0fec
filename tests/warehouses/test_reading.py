"""What is read from a warehouse is what stands in it, whatever its hook's own cursor makes of that."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from ringg_provider.hooks.sql import sql_connection, sql_hook
from ringg_provider.sql.reading import open_rows
from tests.support.emulators import Emulated
from tests.support.kinds import Kind, check, kinds_of


@pytest.mark.parametrize(("kind", "expression"), kinds_of("snowflake"))
def test_snowflake(snowflake: Emulated, kind: Kind, expression: str) -> None:
    # The emulator makes 1970 of a NULL among times, and is out of order with other types.
    check(sql_connection("snowflake"), kind, expression, beside_null=False)


@pytest.mark.parametrize(("kind", "expression"), kinds_of("bigquery"))
def test_bigquery(bigquery: Emulated, kind: Kind, expression: str) -> None:
    # It has no NULL among arrays, but an empty one.
    check(sql_connection("bigquery"), kind, expression, beside_null=kind.name != "array")


def read(conn_id: str, sql: str, parameters: Any = None, **options: Any) -> list[list[tuple[Any, ...]]]:
    """The batches of a query."""
    with sql_connection(conn_id) as connection, open_rows(connection, sql, parameters, **options) as rows:
        return [[tuple(row) for row in batch] for batch in rows.batches]


def test_a_page_is_all_that_bigquery_hands_out_at_a_time(bigquery: Emulated) -> None:
    series = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25)) AS n ORDER BY n"
    assert [len(batch) for batch in read("bigquery", series, batch_rows=10)] == [10, 10, 5]


@pytest.mark.parametrize("sql", ["SELECT @name, @n, '%'", "SELECT %(name)s, %(n)s, '%%'"])
def test_parameters_of_bigquery_are_bound_by_name(bigquery: Emulated, sql: str) -> None:
    assert read("bigquery", sql, {"name": "O'Hara", "n": 7}) == [[("O'Hara", 7, "%")]]


def test_the_connection_that_everybody_has_reads_bigquery_too(
    bigquery: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"project": "proj", "is_anonymous": True}
    for kind in ("google_cloud_platform", "gcpbigquery"):
        monkeypatch.setenv("AIRFLOW_CONN_BIGQUERY", json.dumps({"conn_type": kind, "extra": extra}))
        assert read("bigquery", "SELECT DATE '2026-11-20' AS due") == [[(date(2026, 11, 20),)]]  # no legacy SQL
        assert sql_hook("bigquery").use_legacy_sql is False
        assert sql_hook("bigquery", hook_params={"use_legacy_sql": True}).use_legacy_sql is True
        assert sql_hook("bigquery", hook_params={"location": "EU"}).location == "EU"


@pytest.mark.parametrize(
    "value",
    [True, 7, 0.5, Decimal("1.25"), "O'Hara", date(2026, 11, 20), datetime.fromisoformat("2026-11-20T18:30"),
     time(18, 30), datetime(2026, 11, 20, 18, 30, tzinfo=UTC), ["a", "b"], [1, 2]],
)  # fmt: skip
def test_every_type_of_parameter_arrives_as_it_is(bigquery: Emulated, value: Any) -> None:
    assert read("bigquery", "SELECT @given AS given", {"given": value}) == [[(value,)]]
    assert read("bigquery", "SELECT ? AS given", [value]) == [[(value,)]]


def test_the_last_statement_of_a_script_gives_the_rows(bigquery: Emulated) -> None:
    assert read("bigquery", "DECLARE n INT64 DEFAULT 7; SELECT n AS n;") == [[(7,)]]

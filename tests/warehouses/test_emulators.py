"""The emulators are as strict as the warehouses where a mistake of ours would show."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest

from tests.support.emulators import Emulated


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM ringg_calls", "must be qualified with a dataset"),
        ("WITH a AS (SELECT 1 AS n) SELECT * FROM a, ringg_calls", "must be qualified with a dataset"),
        ("CREATE TEMPORARY TABLE staged (n INT64)", "requires a script or session"),
    ],
)
def test_bigquery_refuses_what_the_real_one_refuses(bigquery: Emulated, query: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        bigquery.query(query)


def test_bigquery_runs_what_is_qualified(bigquery: Emulated) -> None:
    bigquery.query(f"CREATE TABLE {bigquery.schema}.a (n INT64)")
    query = f"WITH b AS (SELECT 1 AS n) SELECT b.n FROM b LEFT JOIN {bigquery.schema}.a USING (n)"
    assert bigquery.query(query) == [(1,)]


def test_snowflake_speaks_in_upper_case(snowflake: Emulated) -> None:
    snowflake.query(f"CREATE TABLE {snowflake.schema}.a (n INT)")
    assert snowflake.query(f'SELECT "N" FROM {snowflake.schema.upper()}."A"') == []

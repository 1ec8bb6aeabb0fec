"""What a value becomes in a cell, by the type of its column: one table for every database, and for docs/contacts.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from ringg_provider.contacts.cells import column_texts
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.sql.reading import open_rows


@dataclass(frozen=True)
class Kind:
    """A kind of values.

    Attributes:
        name: as docs/contacts.md has it.
        cell: what the value becomes; None where the column is refused.
        written: database -> an expression with the value.
    """

    name: str
    cell: str | None
    written: Mapping[str, str]


def everywhere(expression: str, **others: str) -> dict[str, str]:
    """One expression for all databases, and those that want it otherwise."""
    names = ("postgresql", "mariadb", "sqlite", "duckdb", "snowflake", "bigquery")
    return {**dict.fromkeys(names, expression), **others}


DOCUMENT = '{"a": [1.25, null, true], "नाम": "आशा"}'
KINDS = [
    Kind(
        "whole number",
        "7000000000",
        everywhere("CAST(7000000000 AS bigint)", mariadb="CAST(7000000000 AS signed)", snowflake="7000000000::NUMBER"),
    ),
    # BigQuery keeps no zeros at the end, and SQLite no decimals.
    Kind(
        "decimal",
        "1250.50",
        dict.fromkeys(("postgresql", "mariadb", "duckdb", "snowflake"), "CAST('1250.50' AS decimal(10, 2))"),
    ),
    Kind(
        "decimal", "0.123456789", everywhere("CAST('0.123456789' AS decimal(10, 9))", bigquery="NUMERIC '0.123456789'")
    ),
    Kind(
        "floating point",
        "0.00001",
        everywhere("CAST(0.00001 AS double precision)", mariadb="1e-5", bigquery="1e-5", snowflake="0.00001::FLOAT"),
    ),
    Kind(
        "floating point",
        "12",
        everywhere("CAST(12 AS double precision)", mariadb="12e0", bigquery="12e0", snowflake="12::FLOAT"),
    ),
    Kind("boolean", "true", dict.fromkeys(("postgresql", "duckdb", "snowflake", "bigquery"), "TRUE")),
    Kind("boolean", "1", dict.fromkeys(("mariadb", "sqlite"), "TRUE")),
    Kind("text", " O'Hara, आशा ", everywhere("' O''Hara, आशा '", bigquery='" O\'Hara, आशा "')),
    Kind("date", "2026-11-20", everywhere("DATE '2026-11-20'", sqlite="date('2026-11-20')")),
    Kind("time", "09:05:00", everywhere("TIME '09:05:00'", sqlite="time('09:05:00')", snowflake="'09:05:00'::TIME")),
    Kind(
        "timestamp without zone",
        "2026-11-20 18:30:00",
        everywhere(
            "TIMESTAMP '2026-11-20 18:30:00'",
            sqlite="datetime('2026-11-20 18:30:00')",
            bigquery="DATETIME '2026-11-20 18:30:00'",
            snowflake="'2026-11-20 18:30:00'::TIMESTAMP_NTZ",
        ),
    ),
    Kind(
        "timestamp without zone",
        "2026-11-20 18:30:00.250000",
        {
            **dict.fromkeys(("postgresql", "mariadb", "duckdb"), "TIMESTAMP '2026-11-20 18:30:00.25'"),
            "bigquery": "DATETIME '2026-11-20 18:30:00.25'",
            "snowflake": "'2026-11-20 18:30:00.25'::TIMESTAMP_NTZ",
        },
    ),
    Kind(
        "timestamp with zone",
        "2026-11-20 13:00:00+00:00",
        {
            "postgresql": "TIMESTAMPTZ '2026-11-20 18:30:00+05:30'",
            "duckdb": "TIMESTAMPTZ '2026-11-20 18:30:00+05:30'",
            "bigquery": "TIMESTAMP '2026-11-20 18:30:00+05:30'",
            "snowflake": "'2026-11-20 13:00:00+00:00'::TIMESTAMP_TZ",
        },
    ),
    Kind(
        "array",
        '[1.25, null, "a"]',
        {
            "postgresql": "jsonb_build_array(1.25, NULL, 'a')",
            "snowflake": "PARSE_JSON('[1.25, null, \"a\"]')::ARRAY",
        },
    ),
    Kind(
        "array",
        "[1.25, 2]",
        {
            "postgresql": "ARRAY[1.25, 2]",
            "duckdb": "[1.25::double, 2::double]",
            "bigquery": "[1.25, 2]",
            "snowflake": "PARSE_JSON('[1.25, 2]')::ARRAY",
        },
    ),
    Kind(
        "array",
        '["2026-11-20", "2026-11-21"]',
        {
            name: f"{array}[DATE '2026-11-20', DATE '2026-11-21']"
            for name, array in {"postgresql": "ARRAY", "duckdb": "", "bigquery": ""}.items()
        },
    ),
    Kind(
        "struct, object",
        '{"a": 1, "b": "z"}',
        {
            "duckdb": "{'a': 1, 'b': 'z'}",
            "bigquery": "STRUCT(1 AS a, 'z' AS b)",
            "snowflake": "OBJECT_CONSTRUCT('a', 1, 'b', 'z')",
            "mariadb": "JSON_OBJECT('a', 1, 'b', 'z')",
        },
    ),
    Kind(
        "JSON, VARIANT",
        DOCUMENT,
        {
            "postgresql": f"CAST('{DOCUMENT}' AS json)",
            "duckdb": f"CAST('{DOCUMENT}' AS json)",
            "bigquery": f"JSON '{DOCUMENT}'",
            "snowflake": f"PARSE_JSON('{DOCUMENT}')",
        },
    ),
    Kind(
        "JSON, VARIANT",
        "Asha",
        {
            "postgresql": "CAST('\"Asha\"' AS jsonb)",
            "duckdb": "CAST('\"Asha\"' AS json)",
            "bigquery": "JSON '\"Asha\"'",
            "snowflake": "PARSE_JSON('\"Asha\"')",
        },
    ),
    Kind(
        "JSON, VARIANT",
        "1.25",
        {
            "postgresql": "CAST('1.25' AS jsonb)",
            "duckdb": "CAST('1.25' AS json)",
            "bigquery": "JSON '1.25'",
            "snowflake": "PARSE_JSON('1.25')",
        },
    ),
    Kind(
        "JSON, VARIANT",
        "",
        {
            "postgresql": "CAST('null' AS jsonb)",
            "duckdb": "CAST('null' AS json)",
            "bigquery": "JSON 'null'",
            "snowflake": "PARSE_JSON('null')",
        },
    ),
    Kind(
        "UUID",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        {
            "postgresql": "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uuid)",
            "duckdb": "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uuid)",
        },
    ),
    Kind("interval", "7 days, 0:00:00", dict.fromkeys(("postgresql", "duckdb"), "INTERVAL '7 days'")),
    Kind("NULL", "", everywhere("NULL")),
    Kind(
        "bytes",
        None,
        {
            "postgresql": r"'\x7a'::bytea",
            "mariadb": "CAST('z' AS binary)",
            "sqlite": "x'7a'",
            "duckdb": "'z'::blob",
            "bigquery": "b'z'",
            "snowflake": "TO_BINARY('7a', 'HEX')",
        },
    ),
    Kind("array", None, {"postgresql": r"ARRAY['\x7a'::bytea]", "duckdb": "['z'::blob]", "bigquery": "[b'z']"}),
    # Neither emulator has this type; see test_values.py.
    Kind("geography, geometry", None, {}),
]


def kinds_of(*databases: str) -> Iterator[Any]:
    """Parameters for a test: a kind, and how one of the databases writes it."""
    for kind in KINDS:
        for name in databases:
            if name in kind.written:
                yield pytest.param(kind, kind.written[name], id=f"{kind.name}: {kind.cell}")


def check(connecting: AbstractContextManager[Any], kind: Kind, expression: str, *, beside_null: bool = True) -> None:
    """Read a value as the transfers do, and look at the cell.

    Args:
        connecting: opens a DB-API connection.
        kind: what is expected.
        expression: how the database writes the value.
        beside_null: whether there is a NULL in the same column.
    """
    sql = f"SELECT {expression} AS given"
    if beside_null:
        numbers = "(SELECT 1 AS n UNION ALL SELECT 2) numbers"
        sql = f"SELECT CASE WHEN n = 1 THEN {expression} END AS given FROM {numbers} ORDER BY n"
    with connecting as connection, open_rows(connection, sql) as rows:
        column = [row[0] for batch in rows.batches for row in batch]
    if kind.cell is None:
        with pytest.raises(InvalidRequest, match=r"column 'given' has values of type .*, which are no text; cast it"):
            column_texts(column, "given")
        return
    assert list(column_texts(column, "given")) == [kind.cell, ""][: len(column)], column

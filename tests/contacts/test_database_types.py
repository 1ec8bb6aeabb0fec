"""What real databases make of telephone numbers and of contact keys, by the type of the column."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.contacts.cells import MAX_KEY
from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.lists import Form, ListWriter
from ringg_provider.contacts.people import PeopleLedger, PeopleSpool
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Layout, Sifter
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.tables import calls_table
from ringg_provider.ringg.limits import MAX_CSV_BYTES, PHONE_HEADER
from ringg_provider.sql.reading import Rows, open_rows
from ringg_provider.warehouse import create_ringg_tables
from tests.support.databases import engines

INDIA = PhoneCleaner("+91")
DOCS = Path(__file__).parents[2] / "docs"


engine = engines("psycopg", "psycopg2", "sqlite", "duckdb", "mariadb")


def only(engine: sa.Engine, *dialects: str) -> None:
    """Skip what the database has no type for."""
    if engine.dialect.name not in dialects:
        pytest.skip(f"{engine.dialect.name} has no such type")


def in_cast(engine: sa.Engine, kind: str) -> str:
    """A type as the database spells it in CAST."""
    if engine.dialect.name != "mysql":
        return kind
    words = {"bigint": "signed", "double precision": "double", "numeric": "decimal(20)", "text": "char"}
    words |= {"integer": "signed", "real": "float"}
    return words.get(kind) or kind.replace("varchar", "char").replace("numeric", "decimal")


def read(engine: sa.Engine, sql: str, use: Callable[[Rows], Any]) -> Any:
    """Run a query as the transfers do, on the driver's own connection."""
    with closing(engine.raw_connection()) as pooled, open_rows(pooled.driver_connection, sql) as rows:
        return use(rows)


def column(engine: sa.Engine, *expressions: str) -> list[Any]:
    """The values of a column, cleaned."""
    sql = " UNION ALL ".join(f"SELECT {expression} AS phone" for expression in expressions)
    cells = read(engine, sql, lambda rows: [row[0] for batch in rows.batches for row in batch])
    found = INDIA.column(cells)
    return [found.rejections.get(position, number) for position, number in enumerate(found.numbers)]


def is_rounded(read_as: Any) -> bool:
    return isinstance(read_as, Rejection) and read_as.detail.startswith("rounded")


# --- numbers


@pytest.mark.parametrize("kind", ["real", "double precision", "numeric", "text"])
def test_a_number_that_was_rounded_is_none(engine: sa.Engine, kind: str) -> None:
    spelled = "'9.19877E+11'" if kind == "text" else "9.19877E+11"
    (found,) = column(engine, f"CAST({spelled} AS {in_cast(engine, kind)})")
    assert isinstance(found, Rejection)
    assert found.disposition is Disposition.PHONE_UNREADABLE


@pytest.mark.parametrize("kind", ["double precision", "numeric", "bigint", "text"])
def test_a_number_that_is_whole_in_its_type_is_read(engine: sa.Engine, kind: str) -> None:
    kind = in_cast(engine, kind)
    assert column(engine, f"CAST(919876543210 AS {kind})", f"CAST(9876543211 AS {kind})") == [
        919876543210,
        919876543211,
    ]


def test_a_column_of_single_precision_has_no_numbers(engine: sa.Engine) -> None:
    only(engine, "postgresql", "duckdb")
    numbers = [9876543210, 9123456789, 919876543210, 9800000001]
    assert all(map(is_rounded, column(engine, *(f"CAST({number} AS real)" for number in numbers))))


def test_what_single_precision_was_before_is_none_either(engine: sa.Engine) -> None:
    only(engine, "postgresql", "duckdb")
    casts = ["CAST(CAST(9876543210 AS real) AS double precision)", "CAST(CAST(9123456789 AS real) AS double precision)"]
    assert all(map(is_rounded, column(engine, *casts)))


_NUMBERS = st.integers(919_000_000_000, 919_999_999_999) | st.integers(9_000_000_000, 9_999_999_999)


def single(number: int) -> float:
    """The number of single precision that is the nearest, as DuckDB hands it out."""
    (nearest,) = struct.unpack("f", struct.pack("f", number))
    return float(nearest)


def printed(number: int) -> float:
    """The same as PostgreSQL prints it."""
    return next(
        value
        for digits in range(1, 10)
        if single(value := float(f"{single(number):.{digits}g}")) == single(number)  # type: ignore[arg-type]
    )


@given(st.lists(_NUMBERS, min_size=1), st.sampled_from([single, printed]))
def test_no_number_of_single_precision_is_ever_taken_for_a_telephones(
    numbers: list[int], stored: Callable[[int], float]
) -> None:
    cells = [stored(number) for number in numbers]
    assert all(map(is_rounded, INDIA.column(cells).rejections.values()))
    assert len(INDIA.column(cells).rejections) == len(cells)


@given(st.lists(_NUMBERS.filter(lambda number: number % 1000), min_size=5, unique=True))
def test_a_column_of_double_precision_is_read_as_whole_numbers_are(numbers: list[int]) -> None:
    known = [*numbers, 919876543210]  # which single precision has not
    assert INDIA.column(list(map(float, known))).numbers == INDIA.column(known).numbers


@given(st.integers(1, 9_999_999), st.integers(3, 8), st.sampled_from([float, "{}.0".format, "{}.00".format]))
def test_seven_digits_and_zeros_are_none_where_a_machine_may_have_rounded(
    digits: int, zeros: int, stored: Callable[[int], Any]
) -> None:
    read_as = INDIA.clean(stored(digits * 10**zeros))
    assert isinstance(read_as, Rejection)


def test_text_and_whole_numbers_are_taken_at_their_word() -> None:
    assert INDIA.clean("+91 98770 00000") == INDIA.clean(919877000000) == 919877000000


def test_an_opt_out_that_was_rounded_is_counted(engine: sa.Engine) -> None:
    only(engine, "postgresql", "duckdb")
    for expression in ("CAST(9876543210 AS real)", "CAST(9.19877E+11 AS double precision)", "'9.19877E+11'"):
        found = Exclusions()
        sql = f"SELECT {expression} AS phone"
        read(engine, sql, lambda rows, found=found: found.suppress(rows, INDIA, with_keys=False))
        assert found.unreadable == 1


# --- keys


def tonight(engine: sa.Engine) -> sa.TextClause:
    """The query that the documents recommend for finding those who were not reached yet."""
    (query,) = re.findall(r"<!-- tonight's query -->\n```sql\n(.*?)```", (DOCS / "tables.md").read_text(), re.DOTALL)
    return sa.text(query.replace("varchar(250)", in_cast(engine, "varchar(250)")))


def call_everybody(engine: sa.Engine, sql: str = "SELECT contact_id, phone, name FROM contacts") -> None:
    """One campaign: the query's people are listed, and all of them reached."""
    create_ringg_tables(engine)
    with Scratch() as scratch:
        spool = PeopleSpool(scratch)
        layout = Layout("phone", {"callee_name": "name"}, contact_key="contact_id")
        writer = ListWriter(scratch, Form(("callee_name",), PHONE_HEADER, MAX_CSV_BYTES))
        sifter = Sifter(layout, INDIA, writer, spool)
        read(engine, sql, sifter.run)
        spool.close()
        PeopleLedger(engine).replace("run", spool, {1: "list"})
        assert sifter.counts == {Disposition.LISTED: 2}
    calls = calls_table()
    with engine.begin() as connection:
        for number in (919876543210, 919876543211):
            call = {"call_id": str(number), "bulk_list_id": "list", "to_number_e164": f"+{number}"}
            connection.execute(sa.insert(calls).values(**call, status="completed", history_state="complete"))


def contacts(engine: sa.Engine, kind: str, first: Any, second: Any) -> None:
    """A table of two people with keys of a type, written as literals of the database."""
    utf8 = " CHARSET utf8mb4" if engine.dialect.name == "mysql" else ""
    with engine.begin() as connection:
        columns = f"contact_id {kind}, phone varchar(20), name varchar(20)"
        connection.execute(sa.text(f"CREATE TABLE contacts ({columns}){utf8}"))
        for number, key in enumerate((first, second)):
            connection.execute(
                sa.text(f"INSERT INTO contacts VALUES (CAST(:key AS {in_cast(engine, kind)}), :phone, 'Asha')"),
                {"key": key, "phone": f"+91987654321{number}"},
            )


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("varchar(20)", ("A1", "A2")),
        ("varchar(20)", ("A1 ", " A1")),
        ("varchar(20)", ("7", "7.00")),
        ("text", ("\tA1\n", "A1\u00a0")),
        ("text", (" ", "A")),
        ("text", ("x" * MAX_KEY, "नेहा 👩‍💻")),
        ("integer", ("7", "-8")),
        ("bigint", ("900719925474099312", "8")),
        ("numeric(10,2)", ("7.00", "8.50")),
        ("numeric(12,0)", ("700000000000", "8")),
        ("numeric(12,6)", ("0.000001", "7")),
    ],
)
def test_who_was_reached_is_not_chosen_again(engine: sa.Engine, kind: str, keys: tuple[str, str]) -> None:
    if engine.dialect.name == "sqlite" and kind in ("numeric(10,2)", "numeric(12,6)"):
        pytest.skip("SQLite keeps fractions in floating point: see below")
    contacts(engine, kind, *keys)
    with engine.connect() as connection:
        create_ringg_tables(engine)
        assert len(connection.execute(tonight(engine)).all()) == 2
    call_everybody(engine)
    with engine.connect() as connection:
        assert connection.execute(tonight(engine)).all() == []


def test_a_uuid_joins_too(engine: sa.Engine) -> None:
    only(engine, "postgresql", "duckdb")
    contacts(engine, "uuid", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "00000000-0000-0000-0000-000000000001")
    call_everybody(engine)
    with engine.connect() as connection:
        assert connection.execute(tonight(engine)).all() == []


@pytest.mark.parametrize(
    ("dialects", "kind", "keys"),
    [
        (("postgresql", "sqlite", "duckdb"), "double precision", (7.0, 8.5)),
        (("postgresql", "duckdb"), "real", (7.0, 8.5)),
        (("sqlite",), "numeric(10,2)", (7.5, 8.5)),
        (("postgresql",), "char(10)", ("A1", "A2")),
        (("postgresql", "duckdb"), "boolean", (True, False)),
        (("postgresql", "duckdb"), "date", ("2026-11-20", "2026-11-21")),
        (("postgresql", "duckdb"), "timestamp", ("2026-11-20 10:00:00", "2026-11-21 10:00:00")),
        (("postgresql", "sqlite", "duckdb"), "text", ("x" * (MAX_KEY + 1), "A2")),
    ],
)
def test_a_key_that_would_not_join_is_refused_before_anybody_is_called(
    engine: sa.Engine, dialects: tuple[str, ...], kind: str, keys: tuple[Any, Any]
) -> None:
    only(engine, *dialects)
    contacts(engine, kind, *keys)
    with pytest.raises(InvalidRequest, match="contact_key: column 'contact_id'") as caught:
        call_everybody(engine)
    assert caught.value.field == "contact_key"


def test_what_is_cast_in_the_query_joins_where_it_is_cast_alike(engine: sa.Engine) -> None:
    contacts(engine, "double precision", 7.0, 8.0)
    whole = in_cast(engine, "bigint")
    call_everybody(engine, f"SELECT CAST(contact_id AS {whole}) AS contact_id, phone, name FROM contacts")
    query = str(tonight(engine)).replace("c.contact_id", f"CAST(c.contact_id AS {whole})")
    with engine.connect() as connection:
        assert connection.execute(sa.text(query)).all() == []


def test_blanks_that_postgresql_adds_are_cast_away_as_the_error_says(warehouse: Any) -> None:
    contacts(warehouse.engine, "char(10)", "A1", "A2")
    call_everybody(warehouse.engine, "SELECT CAST(contact_id AS varchar(250)) AS contact_id, phone, name FROM contacts")
    assert warehouse.query(str(tonight(warehouse.engine))) == []

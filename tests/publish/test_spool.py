"""A spooled row comes back as it went in, in either format, in little memory, and nobody else can read the file."""

from __future__ import annotations

import datetime as dt
import json
import random
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringg_provider.contacts.people import people_table
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.history.smartalex import callbacks_table, smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.launch.table import launches
from ringg_provider.publish.schema import (
    DELETED,
    POSITION,
    PUBLICATIONS,
    PublishedColumn,
    PublishedTable,
    published,
)
from ringg_provider.publish.spool import FileFormat, Spool

FORMATS: list[FileFormat] = ["parquet", "ndjson"]
CALLS = published(calls_table())
AT = dt.datetime(2026, 11, 26, 7, 0, 0, 123456, dt.UTC)

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": _TEXT,
    "integer": st.integers(-(2**63), 2**63 - 1),
    "decimal": st.decimals(-(10**11), 10**11, places=3),
    "boolean": st.booleans(),
    "timestamp": st.datetimes(timezones=st.just(dt.UTC)),
    "json": st.recursive(
        st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
        max_leaves=6,
    ).filter(lambda document: document is not None),
}


def row_of(table: PublishedTable) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {column.name: _VALUES[column.kind] for column in table.columns if column.name in table.key},
        optional={column.name: _VALUES[column.kind] for column in table.columns if column.name not in table.key},
    )


def spooled(scratch: Scratch, table: PublishedTable, file_format: FileFormat, rows: list[dict[str, Any]]) -> Spool:
    with Spool(table, scratch, file_format) as spool:
        for row in rows:
            spool.add(row)
    return spool


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(
    "described",
    [calls_table(), campaigns_table(), people_table(), launches, smartalex_calls_table(), callbacks_table()],
    ids=lambda table: table.name,
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_what_goes_in_comes_out(described: Any, file_format: FileFormat, data: st.DataObject) -> None:
    table = published(described)
    rows = data.draw(st.lists(row_of(table), max_size=5))
    documents = {column.name for column in table.columns if column.kind == "json"}
    with Scratch() as scratch:
        read = list(spooled(scratch, table, file_format, rows))
    assert [row.pop(POSITION) for row in read] == list(range(len(rows)))
    assert not any(row.pop(DELETED) for row in read)
    got = [{name: json.loads(value) if name in documents else value for name, value in row.items()} for row in read]
    assert got == rows


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_drivers_make_of_values_is_made_equal(file_format: FileFormat) -> None:
    east = AT.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    rows = [
        {"call_id": "a", "read_at": AT.replace(tzinfo=None), "cost": 0.1, "is_final": 1},
        {"call_id": "a", "read_at": east, "cost": Decimal("0.1"), "is_final": True},
    ]
    with Scratch() as scratch:
        first, second = spooled(scratch, CALLS, file_format, rows)
    assert first | {POSITION: 1} == second
    assert second["read_at"] == AT
    assert second["read_at"].utcoffset() == dt.timedelta(0)
    assert str(second["cost"]) == "0.100000"


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_key_that_is_gone_needs_no_more_than_itself(file_format: FileFormat) -> None:
    with Scratch() as scratch:
        with Spool(CALLS, scratch, file_format) as spool:
            spool.add({"call_id": "gone"}, deleted=True)
        assert list(spool) == [{"call_id": "gone", DELETED: True, POSITION: 0}]
        assert (spool.rows, spool.bytes) == (1, spool.paths[0].stat().st_size)


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_file_is_private_and_goes_with_the_folder(file_format: FileFormat) -> None:
    with Scratch() as scratch:
        spool = spooled(scratch, CALLS, file_format, [{"call_id": "a"}])
        (path,) = spool.paths
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_file_is_longer_than_what_a_driver_may_hold(
    file_format: FileFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringg_provider.publish.spool._PART_BYTES", 100_000)
    monkeypatch.setattr("ringg_provider.publish.spool._ROWS_AT_ONCE", 50)
    rows = [
        {"call_id": f"call-{number}", "summary": random.Random(number).randbytes(500).hex()} for number in range(500)
    ]
    with Scratch() as scratch:
        spool = spooled(scratch, CALLS, file_format, rows)
        sizes = [path.stat().st_size for path in spool.paths]
        assert len(sizes) > 2
        assert max(sizes) < 200_000
        assert (sum(sizes), spool.rows) == (spool.bytes, 500)
        assert [(row["call_id"], row[POSITION]) for row in spool] == [
            (row["call_id"], place) for place, row in enumerate(rows)
        ]


@pytest.mark.parametrize("file_format", FORMATS)
def test_memory_stays_flat(file_format: FileFormat) -> None:
    def peak(rows: int) -> int:
        tracemalloc.start()
        with Scratch() as scratch, Spool(CALLS, scratch, file_format) as spool:
            for number in range(rows):
                transcript = [{"speaker": "user", "text": f"{number} " + "word " * 100}] * 10
                spool.add({"call_id": f"call-{number}", "transcript": transcript, "read_at": AT})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(12_000) < 1.3 * peak(4_000) + 1_000_000


def test_the_file_says_what_the_columns_are() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with Scratch() as scratch:
        schema = parquet.read_schema(spooled(scratch, CALLS, "parquet", [{"call_id": "a"}]).paths[0])
    assert str(schema.field("read_at").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("cost").type) == "decimal128(18, 6)"
    assert schema.names == [column.name for column in CALLS.staging_columns]


def test_every_table_has_its_key_and_every_column_a_kind() -> None:
    assert CALLS.key == ("call_id",)
    assert published(people_table()).key == ("launch_key", "contact_key", "occurrence")
    assert PublishedColumn("call_id", "text", 191) in CALLS.columns
    assert PublishedColumn("duration_seconds", "decimal", precision=18, scale=3) in CALLS.columns
    assert CALLS.names[-2:] == PUBLICATIONS.names[-2:] == ("published_at", "publication")

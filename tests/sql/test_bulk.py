"""Rows come out of a table as they went in, by COPY of each driver and by statements."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ringg_provider.sql.bulk import NULL, can_copy, copy_file, escaped, insert_in_batches, unescaped
from tests.support.databases import Warehouse

TEXTS = ["", "N", "\\N", "\\", "a\tb", "a\nb", "a\rb", "a\\tb", "\\\\n"]
TEXTS += ["'quoted'", '"', "यह é \u200d", "%s %(x)s", " "]


@pytest.fixture(params=["psycopg", "psycopg2"])
def postgresql(request: pytest.FixtureRequest, warehouse: Warehouse) -> Iterator[sa.Engine]:
    """PostgreSQL through each driver."""
    engine = sa.create_engine(sa.make_url(warehouse.url).set(drivername=f"postgresql+{request.param}"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_back_from_its_field(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not {"\t", "\n", "\r"} & set(escaped(text))


def test_null_is_no_text_and_a_nul_is_left_out() -> None:
    assert unescaped(NULL) is None
    assert escaped("\\N") != NULL
    assert escaped("a\0b") == "ab"


def test_copy_reads_what_was_escaped(postgresql: sa.Engine) -> None:
    table = sa.Table("odd names", sa.MetaData(), sa.Column("Id", sa.Integer), sa.Column("a text", sa.Text))
    table.create(postgresql)
    lines = [f"{place}\t{escaped(text)}\n" for place, text in enumerate(TEXTS)] + [f"99\t{NULL}\n"]
    with postgresql.begin() as connection:
        assert can_copy(connection)
        copy_file(connection, table, ["Id", "a text"], io.BytesIO("".join(lines).encode()))
        stored = connection.execute(sa.select(table.c["a text"]).order_by(table.c.Id)).scalars().all()
    assert stored == [*TEXTS, None]


def test_batches_take_every_row(engine: sa.Engine) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer))
    table.create(engine)
    with engine.begin() as connection:
        insert_in_batches(connection, table, ({"id": number} for number in range(25)), size=10)
        insert_in_batches(connection, table, [])
        stored = connection.execute(sa.select(table.c.id)).scalars().all()
    assert sorted(stored) == list(range(25))

"""What changed: the rows that do not stand in the warehouse as they stand here, and the keys that are gone from here.

The state remembers a fingerprint of every row that was published. So nothing depends on a clock, on the order of
commits, or on who changed a row and how: what a retention job erased by hand is found as well as what a load wrote.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from more_itertools import chunked
from sqlalchemy.dialects import postgresql

from ringg_provider.contacts.scratch import Scratch
from ringg_provider.publish.schema import PUBLICATION, PUBLISHED_AT, published
from ringg_provider.publish.spool import Spool
from ringg_provider.sql.creating import add_missing_columns, create_tables, described
from ringg_provider.sql.dialects import database_of
from ringg_provider.sql.errors import without_driver_errors
from ringg_provider.sql.merge import merge_rows
from ringg_provider.sql.types import Json

#: What is published of a table is noted in a table of its own beside it.
NOTED = "_published"

_FINGERPRINT = "fingerprint"
_LENGTH = 32
# Between the columns of a fingerprint, and for NULL: no text has these.
_BETWEEN, _NULL = "\x1f", "\x1e"
_ROWS_AT_ONCE = 1_000


def noted_table(table: sa.Table) -> sa.Table:
    """Describe the table of what was published of another one: its key, where it stands, and how it stood here.

    :param table: of the state database.
    """
    keys = [sa.Column(key.name, key.type, primary_key=True, autoincrement=False) for key in table.primary_key]
    return described(
        f"{table.name}{NOTED}",
        sa.Column("target", sa.String(16), primary_key=True),
        *keys,
        sa.Column(_FINGERPRINT, sa.String(_LENGTH), nullable=False),
        sa.Column(PUBLICATION, sa.BigInteger, nullable=False),
        schema=table.schema,
    )


class Changes:
    """What one table of the state has that one warehouse has not.

    :param engine: the state database.
    :param table: of the state.
    :param target: which warehouse; see `Marks`.
    :param scratch: the folder for files.
    """

    def __init__(self, engine: sa.Engine, table: sa.Table, target: str, scratch: Scratch | None = None) -> None:
        self.engine = engine
        self.table = table
        self.published = published(table)
        self.rows = self.gone = 0
        self._about = f"table {table.fullname!r}"
        self._noted = noted_table(table)
        self._here = self._noted.c.target == target
        self._target = target
        self._scratch = scratch
        self._is_whole = False
        self._number = 0

    def prepare(self) -> None:
        """Make the table of what was published where it is missing, and give an older version's table its columns."""
        add_missing_columns(self.engine, self.table)
        create_tables(self.engine, self._noted)

    def totals(self) -> tuple[int, int]:
        """How many rows stand in the warehouse, and the sum of their `publication`, as far as was noted."""
        numbers = sa.func.coalesce(sa.func.sum(self._noted.c[PUBLICATION]), 0)
        query = sa.select(sa.func.count(), numbers).select_from(self._noted).where(self._here)
        with self.engine.connect() as connection:
            rows, total = connection.execute(query).one()
        return int(rows), int(total)

    def unpublished(self, condition: sa.ColumnElement[bool]) -> int:
        """How many rows of the table that fulfil a condition do not stand in the warehouse as they stand here."""
        differing, _ = self._differing()
        query = sa.select(sa.func.count()).select_from(differing.where(condition).subquery())
        with _reading(self.engine) as connection:
            return int(connection.execute(query).scalar_one())

    def spool(self, spool: Spool, *, whole: bool, begun_at: dt.datetime, number: int) -> None:
        """Write what changed into a file, and remember what was written.

        :param spool: of `published`.
        :param whole: all rows, whatever was noted.
        :param begun_at: of the publication.
        :param number: of the publication.
        """
        assert self._scratch is not None
        self._is_whole, self._number = whole, number
        of_all = {PUBLISHED_AT: begun_at, PUBLICATION: number}
        keys = [key.name for key in self.table.primary_key]
        self._notes, notes = self._scratch.create(f"{self.table.name}.notes")
        with notes, _reading(self.engine) as connection:

            def note(row: Any, fingerprint: str | None) -> None:
                notes.write(json.dumps([fingerprint, *(row[key] for key in keys)]).encode() + b"\n")

            def read(query: sa.Select[Any]) -> Iterator[Any]:
                return iter(connection.execute(query).mappings())

            # Before the rows: what is deleted and written anew meanwhile comes last with what it has become.
            if not whole:
                for row in without_driver_errors(self._about, read, self._missing()):
                    spool.add({**row, **of_all}, deleted=True)
                    note(row, None)
                    self.gone += 1
            differing, everything = self._differing()
            for row in without_driver_errors(self._about, read, everything if whole else differing):
                spool.add({**row, **of_all})
                note(row, row[_FINGERPRINT])
                self.rows += 1

    def note(self) -> None:
        """Note that what was spooled stands in the warehouse; what a later publication noted stays as it is."""
        without_driver_errors(self._about, self._note)

    def _note(self) -> None:
        not_later = self._noted.c[PUBLICATION] <= self._number
        if self._is_whole:
            with self.engine.begin() as connection:
                connection.execute(sa.delete(self._noted).where(self._here, not_later))
        keys = [key.name for key in self._noted.primary_key]
        merge_rows(
            self.engine,
            self._noted,
            (row for row in self._read_notes() if row[_FINGERPRINT]),
            keys=keys,
            supersedes=lambda stored, staged: stored[PUBLICATION] <= staged[PUBLICATION],
        )
        this = sa.and_(not_later, *(self._noted.c[key] == sa.bindparam(f"this_{key}") for key in keys))
        for gone in chunked((row for row in self._read_notes() if not row[_FINGERPRINT]), _ROWS_AT_ONCE):
            with self.engine.begin() as connection:
                connection.execute(
                    sa.delete(self._noted).where(this), [{f"this_{key}": row[key] for key in keys} for row in gone]
                )

    def _read_notes(self) -> Iterator[dict[str, Any]]:
        with self._notes.open(encoding="utf-8") as file:
            for line in file:
                fingerprint, *key = json.loads(line)
                names = (column.name for column in self.table.primary_key)
                yield {
                    "target": self._target,
                    **dict(zip(names, key, strict=True)),
                    _FINGERPRINT: fingerprint,
                    PUBLICATION: self._number,
                }

    def _same(self) -> sa.ColumnElement[bool]:
        keys = (key.name for key in self.table.primary_key)
        return sa.and_(self._here, *(self._noted.c[key] == self.table.c[key] for key in keys))

    def _differing(self) -> tuple[sa.Select[Any], sa.Select[Any]]:
        """The rows that stand otherwise in the warehouse, or not at all; and all of them."""
        fingerprint = _fingerprint(self.table, self.engine)
        rows = sa.select(*self.table.columns, fingerprint.label(_FINGERPRINT))
        noted = self._noted.c[_FINGERPRINT]
        joined = rows.select_from(self.table.outerjoin(self._noted, self._same()))
        return joined.where(sa.or_(noted.is_(None), noted != fingerprint)), rows

    def _missing(self) -> sa.Select[Any]:
        """The keys that stand in the warehouse and not here."""
        keys = [key.name for key in self.table.primary_key]
        return (
            sa.select(*(self._noted.c[key] for key in keys))
            .select_from(self._noted.outerjoin(self.table, self._same()))
            .where(self._here, self.table.c[keys[0]].is_(None))
        )


@contextmanager
def _reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that gives rows one after the other, and has a hash."""
    with engine.connect().execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE) as connection:
        if engine.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.create_function("sha256", 1, _sha256, deterministic=True)
        yield connection


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint(table: sa.Table, engine: sa.Engine) -> sa.ColumnElement[str]:
    """A hash of a row, made in the database: of what each column says, documents too, since one may be masked."""
    name = database_of(engine).name
    parts: list[sa.ColumnElement[Any]] = []
    for column in table.columns:
        text = sa.func.coalesce(_as_text(column, name), _NULL)
        parts += [text] if not parts else [sa.literal(_BETWEEN), text]
    row = parts[0]
    for part in parts[1:]:
        row = row.concat(part)
    if name == "postgresql":
        hashed = sa.func.encode(sa.func.sha256(sa.func.convert_to(row, "UTF8")), "hex")
    elif name in ("mysql", "mariadb"):
        hashed = sa.func.sha2(row, 256)
    else:
        hashed = sa.func.sha256(row)
    return sa.func.substr(hashed, 1, _LENGTH, type_=sa.String(_LENGTH))


def _as_text(column: sa.Column[Any], database: str) -> sa.ColumnElement[Any]:
    if isinstance(column.type, Json | sa.JSON) and database == "postgresql":
        # What its own hash indexes are made by; several times as fast as writing the document out.
        return sa.cast(sa.func.jsonb_hash_extended(sa.cast(column, postgresql.JSONB), 0), sa.String(40))
    if isinstance(column.type, Json | sa.JSON) and database != "sqlite":
        return sa.cast(column, sa.Text)
    if isinstance(column.type, Json | sa.JSON | sa.String):
        return sa.type_coerce(column, sa.String)
    if database == "postgresql" and not isinstance(column.type, sa.Numeric | sa.Integer | sa.Boolean):
        # Whatever zone the session is in.
        return sa.cast(sa.extract("epoch", column), sa.String(40))
    return sa.cast(column, sa.String(40))

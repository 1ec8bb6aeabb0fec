"""Merge rows into a table by key: a staging table, then one transaction that never moves a row backwards.

The statements are portable (no `MERGE`, no upsert), so that one code path serves every SQL database. What is
merged may be read ten times and in any order: the table ends the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ringg_provider.sql.bulk import stage
from ringg_provider.sql.creating import existing, temporary_table
from ringg_provider.sql.dialects import Database, database_of
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.tracing import span

Columns = Mapping[str, sa.ColumnElement[Any]]
"""Column name -> SQL expression: a stored row, a staged row, or the row as it will stand."""


@dataclass(frozen=True)
class MergeCounts:
    """What a merge did.

    :param inserted: rows whose key was not in the table.
    :param updated: rows that replaced a stored one.
    :param kept: rows left out, because the stored one is further on.
    :param changed: of the updated ones, those that bring news; 0 where it was not asked what news is.
    """

    inserted: int = 0
    updated: int = 0
    kept: int = 0
    changed: int = 0

    def __add__(self, other: MergeCounts) -> MergeCounts:
        return MergeCounts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.kept + other.kept,
            self.changed + other.changed,
        )


def merge_rows(
    engine: sa.Engine,
    table: sa.Table,
    rows: Iterable[Mapping[str, Any]],
    *,
    keys: Sequence[str],
    supersedes: Callable[[Columns, Columns], sa.ColumnElement[bool]] | None = None,
    carry_over: Iterable[str] = (),
    derive: Callable[[Columns, Columns, Columns], Columns] | None = None,
    news: Callable[[Columns, Columns], sa.ColumnElement[bool]] | None = None,
    batch_size: int = 2_000,
) -> MergeCounts:
    """Insert new rows and replace stored ones that have the same key, in one transaction.

    Rows are first copied into a temporary staging table, batch by batch, in constant memory and without a lock
    on `table`; then all of them replace at once. Two merges at once end like one after the other.

    :param engine: where the table lives; one connection of it is used.
    :param table: must exist. Columns that a row does not give are NULL.
    :param rows: one mapping of column name to value per row. When a key comes twice, its last row wins.
    :param keys: the columns that identify a row; never NULL.
    :param supersedes: `supersedes(stored, staged)` says in SQL whether a staged row may replace the stored one
        with its key; NULL counts as no. Left out: always. This is what "never backwards" is made of.
    :param carry_over: columns that keep their stored value where the staged row has NULL.
    :param derive: `derive(stored, staged, merged)` gives columns that are computed from the others; `stored` is
        all NULL for a new row, `merged` is what will stand after `carry_over`.
    :param news: `news(stored, merged)` says in SQL whether a row that replaces a stored one counts as changed. Left
        out: none does.
    :param batch_size: rows per round trip while staging.
    :return: how many rows were inserted, replaced, left out, and changed.
    :raises QueryFailed, DatabaseUnavailable: the database refused. The error carries no value of any row.
    """
    work = _Work(table, tuple(keys), supersedes, frozenset(carry_over), derive, news)
    # What the source of the rows raises is not for the database to explain.
    errors = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
    with span("ringg.sql.merge", table=table.fullname) as merging:
        counts: MergeCounts = without_driver_errors(
            f"table {table.fullname!r}", work.run, engine, rows, batch_size, errors=errors
        )
        merging.set_attribute("ringg.inserted", counts.inserted)
    return counts


def statements(
    table: sa.Table,
    *,
    keys: Sequence[str],
    supersedes: Callable[[Columns, Columns], sa.ColumnElement[bool]] | None = None,
    carry_over: Iterable[str] = (),
    derive: Callable[[Columns, Columns, Columns], Columns] | None = None,
    news: Callable[[Columns, Columns], sa.ColumnElement[bool]] | None = None,
    database: Database,
) -> list[sa.Executable]:
    """List every statement of a merge in its order, to see what a database will be asked for.

    Parameters as for `merge_rows`.

    :param database: which one.
    """
    work = _Work(table, tuple(keys), supersedes, frozenset(carry_over), derive, news)
    drops = [sa.schema.DropTable(work.merged), sa.schema.DropTable(work.staging)]
    return [
        sa.schema.CreateTable(work.staging),
        sa.schema.CreateTable(work.merged),
        sa.insert(work.staging),
        work.count_offered(),
        work.compute(),
        work.count_merged(),
        *([] if news is None else [work.count_changed(news)]),
        work.delete(database),
        work.insert(),
        *drops,
    ]


_POSITION = "staging_position"
_FIRST = "staging_first"


class _Work:
    """One merge: its two temporary tables, and the statements between them and the target."""

    def __init__(
        self,
        table: sa.Table,
        keys: tuple[str, ...],
        supersedes: Callable[[Columns, Columns], sa.ColumnElement[bool]] | None,
        carry_over: frozenset[str],
        derive: Callable[[Columns, Columns, Columns], Columns] | None,
        news: Callable[[Columns, Columns], sa.ColumnElement[bool]] | None,
    ) -> None:
        self.table = table
        self.keys = keys
        self.supersedes = supersedes
        self.carry_over = carry_over
        self.derive = derive
        self.news = news
        self.names = [column.name for column in table.columns]
        # The rows as they came, and the rows as they will stand.
        position = sa.Column(_POSITION, sa.BigInteger, primary_key=True, autoincrement=False)
        self.staging = self.like(f"{table.name}_staging", position)
        self.merged = self.like(f"{table.name}_merged", keys=self.keys)

    def like(self, name: str, *more: sa.Column[Any], keys: Sequence[str] = ()) -> sa.Table:
        """A temporary table with the columns of the target, and a key, without which some servers take no table."""
        columns = [
            sa.Column(column.name, column.type, primary_key=column.name in keys, autoincrement=False)
            for column in self.table.columns
        ]
        return temporary_table(name, *columns, *more)

    def run(self, engine: sa.Engine, rows: Iterable[Mapping[str, Any]], batch_size: int) -> MergeCounts:
        """Stage, replace, and leave no temporary table behind on a pooled connection."""
        batches = _batches(rows, batch_size)
        first = next(batches, None)
        if first is None:
            return MergeCounts()
        with (
            # The names of the temporary tables are new each time: statements kept for next time would only pile up.
            engine.connect().execution_options(compiled_cache=None) as connection,
            # Made and filled outside the transaction that replaces: a slow source of rows must not hold a lock.
            existing(connection, self.staging, self.merged),
        ):
            staged = 0
            for batch in itertools.chain([first], batches):
                with connection.begin():
                    stage(connection, self.staging, self.names, _POSITION, batch, staged)
                staged += len(batch)
            return begin_again(lambda: self.replace(connection))

    def replace(self, connection: sa.Connection) -> MergeCounts:
        """Put the staged rows in place, in one transaction."""
        with connection.begin():
            lock_writers(connection, self.table)
            offered = connection.execute(self.count_offered()).scalar_one()
            connection.execute(self.compute())
            standing = connection.execute(self.count_merged()).scalar_one()
            changed = 0 if self.news is None else connection.execute(self.count_changed(self.news)).scalar_one()
            deleted = connection.execute(self.delete(database_of(connection))).rowcount
            connection.execute(self.insert())
        replaced = min(deleted, standing)  # fewer than were deleted where a key was stored twice
        return MergeCounts(inserted=standing - replaced, updated=replaced, kept=offered - standing, changed=changed)

    @property
    def replaced(self) -> sa.ColumnElement[bool]:
        """Which stored row a row replaces that will be written."""
        return sa.and_(*(self.merged.c[key] == self.table.c[key] for key in self.keys))

    def count_offered(self) -> sa.Select[Any]:
        """How many different keys were staged."""
        distinct = sa.select(*(self.staging.c[key] for key in self.keys)).distinct().subquery("offered")
        return sa.select(sa.func.count()).select_from(distinct)

    def count_merged(self) -> sa.Select[Any]:
        """How many rows will be written."""
        return sa.select(sa.func.count()).select_from(self.merged)

    def count_changed(self, news: Callable[[Columns, Columns], sa.ColumnElement[bool]]) -> sa.Select[Any]:
        """How many rows bring news of the stored one that they will replace."""
        # A key that is stored twice counts once.
        brings_news = sa.exists().where(self.replaced, news(dict(self.table.c.items()), dict(self.merged.c.items())))
        return sa.select(sa.func.count()).select_from(self.merged).where(brings_news)

    def delete(self, database: Database) -> sa.Delete:
        """Take away the stored rows that are replaced, by an index of the stored or a hash of the new ones."""
        if database.joins_to_delete:
            return sa.delete(self.table).where(self.replaced)
        if len(self.keys) == 1:
            (key,) = self.keys
            return sa.delete(self.table).where(self.table.c[key].in_(sa.select(self.merged.c[key])))
        return sa.delete(self.table).where(sa.exists().where(self.replaced))

    def insert(self) -> sa.Insert:
        """Put the rows in place."""
        rows = sa.select(*(self.merged.c[name] for name in self.names))
        return sa.insert(self.table).from_select(self.names, rows)

    def compute(self) -> sa.Insert:
        """Fill the second table: the staged rows that may stand, with what they carry over from the stored ones."""
        staging, table = self.staging, self.table.alias("stored")
        # Where a key is stored twice, because nothing enforces it, one of the two counts, and both are replaced: the
        # one that may not be, if there is one.
        order: list[sa.ColumnElement[Any]] = [staging.c[_POSITION].desc()]
        if self.supersedes is not None:
            order.append(sa.case((self.supersedes(dict(table.c.items()), dict(staging.c.items())), 1), else_=0))
        first = sa.func.row_number().over(partition_by=[staging.c[key] for key in self.keys], order_by=order)
        same = sa.and_(*(staging.c[key] == table.c[key] for key in self.keys))
        pairs = (
            sa.select(
                *(staging.c[name].label(f"staged_{name}") for name in self.names),
                *(table.c[name].label(f"stored_{name}") for name in self.names),
                first.label(_FIRST),
            )
            .select_from(staging.outerjoin(table, same))
            .subquery("pairs")
        )
        staged = {name: pairs.c[f"staged_{name}"] for name in self.names}
        stored = {name: pairs.c[f"stored_{name}"] for name in self.names}
        merged: dict[str, sa.ColumnElement[Any]] = {
            name: sa.func.coalesce(staged[name], stored[name]) if name in self.carry_over else staged[name]
            for name in self.names
        }
        if self.derive is not None:
            merged |= self.derive(stored, staged, dict(merged))
        query = sa.select(*(merged[name].label(name) for name in self.names)).where(pairs.c[_FIRST] == 1)
        if self.supersedes is not None:
            query = query.where(sa.or_(stored[self.keys[0]].is_(None), self.supersedes(stored, staged)))
        return sa.insert(self.merged).from_select(self.names, query)


def _batches(rows: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def lock_writers(connection: sa.Connection, table: sa.Table) -> None:
    """Let one merge into a table at a time; elsewhere a collision is begun again."""
    statement = database_of(connection).lock
    if statement is not None:
        name = connection.dialect.identifier_preparer.format_table(table)
        connection.exec_driver_sql(statement.format(table=name))

"""Tables and views that are made where they are missing, temporary ones that leave nothing behind, and names."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.sql.dialects import database_of
from ringg_provider.sql.errors import begin_again, database_failure, without_driver_errors

log = logging.getLogger(__name__)

# What MySQL and MariaDB would otherwise take from the server's settings. Text is compared byte by byte, as other
# databases do: by the rules of a language, `A1` and `a1` would be the same key.
# https://dev.mysql.com/doc/refman/8.4/en/create-table.html
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
_OPTIONS: dict[str, Any] = {
    f"{dialect}_{name}": value for dialect in ("mysql", "mariadb") for name, value in _MYSQL.items()
}
# A database may have thousands, and asking each takes its time.
_SCHEMAS_SEARCHED = 50


def described(
    name: str,
    *items: sa.schema.SchemaItem,
    schema: str | None = None,
    metadata: sa.MetaData | None = None,
    field: str = "table",
) -> sa.Table:
    """Describe a table that may have its schema in its name; nothing is created.

    :param name: `table` or `schema.table`.
    :param items: its columns and constraints.
    :param schema: where it lives; default what the name says, else the connection's own.
    :param metadata: to add it to; its own when left out.
    :param field: the parameter that names it, for the error. Default `table`.
    :raises InvalidRequest: both say where, or a part of the name is empty.
    """
    where, dot, table = name.rpartition(".")
    if not table or (dot and not where):
        raise InvalidRequest(f"{field}: must be a table's name, with or without its schema.", field=field)
    if dot and schema is not None:
        raise InvalidRequest(f"{field}: has a schema in its name, and another one is given.", field=field)
    return sa.Table(
        table, metadata if metadata is not None else sa.MetaData(), *items, schema=where or schema, **_OPTIONS
    )


def is_there(engine: sa.Engine, table: sa.Table) -> bool:
    """Whether a table, or a view in its place, exists."""
    with engine.connect() as connection:
        return sa.inspect(connection).has_table(table.name, schema=connection.schema_for_object(table))


def namesakes(engine: sa.Engine, table: sa.Table) -> list[str]:
    """Tables and views that differ from one by schema or case only, for the error that it is missing.

    :param engine: the database.
    :param table: what was looked for.
    :return: their names with their schemas.
    """
    inspector = sa.inspect(engine)
    found = []
    try:
        for schema in islice(inspector.get_schema_names(), _SCHEMAS_SEARCHED):
            names = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)}
            found += [f"{schema}.{name}" for name in sorted(names) if name.lower() == table.name.lower()]
    except (DBAPIError, NotImplementedError):
        pass  # what cannot be listed helps nobody to find the table
    return found


def create_tables(engine: sa.Engine, *tables: sa.Table) -> None:
    """Create what does not exist yet, and give an older version's tables what they lack; two runs may do so at once.

    :param engine: the database.
    :param tables: see `described`; what was not there from the beginning must be nullable.
    :raises QueryFailed, DatabaseUnavailable: a column is missing and cannot be added; see `add_missing_columns`.
    """
    for table in tables:
        if is_there(engine, table) or not _make(
            partial(table.create, engine, checkfirst=False), partial(is_there, engine, table)
        ):
            add_missing_columns(engine, table)


def add_missing_columns(engine: sa.Engine, table: sa.Table) -> None:
    """Add the columns and indexes that an older version's table lacks; two runs may do so at once.

    Nothing is ever dropped, nor is a column's type changed.

    :param engine: the database.
    :param table: see `described`; what was not there from the beginning must be nullable.
    :raises QueryFailed, DatabaseUnavailable: a column cannot be added; the message names it, and the statements for
        whoever may alter the table.
    """
    if columns := _missing_columns(engine, table):
        statements = [_alter(engine, table, column) for column in columns]
        names = ", ".join(column.name for column in columns)
        about = (
            f"table {table.fullname!r} was made by an older version and lacks {names}, which could not be added. "
            f"Let a user who may alter it run: {'; '.join(statements)}. What happened"
        )
        for column, statement in zip(columns, statements, strict=True):
            is_made = partial(_is_added, engine, table, column)
            without_driver_errors(about, _make, partial(_execute, engine, statement), is_made)
    _add_missing_indexes(engine, table)


def _missing_columns(engine: sa.Engine, table: sa.Table) -> list[sa.Column[Any]]:
    present = columns_of(engine, table)
    return [column for column in table.columns if column.name not in present]


def _is_added(engine: sa.Engine, table: sa.Table, column: sa.Column[Any]) -> bool:
    return column.name in columns_of(engine, table)


def _alter(engine: sa.Engine, table: sa.Table, column: sa.Column[Any]) -> str:
    preparer = engine.dialect.identifier_preparer
    with engine.connect() as connection:
        schema = connection.schema_for_object(table)
    name = f"{preparer.quote_schema(schema)}." if schema else ""
    as_ddl = sa.schema.CreateColumn(column).compile(dialect=engine.dialect)
    return f"ALTER TABLE {name}{preparer.quote(table.name)} ADD {as_ddl}"


def _add_missing_indexes(engine: sa.Engine, table: sa.Table) -> None:
    """Add the indexes that are missing; without one, everything works and some things are slow."""
    if not table.indexes or not database_of(engine).lists_indexes:
        return

    def indexed() -> set[tuple[str | None, ...]]:
        with engine.connect() as connection:
            schema = connection.schema_for_object(table)
        # By their columns: a name may have been cut, and somebody may have made the index under another one.
        found = sa.inspect(engine).get_indexes(table.name, schema=schema)
        return {tuple(index["column_names"]) for index in found}

    there = indexed()
    for index in table.indexes:
        wanted = tuple(index.columns.keys())
        if wanted in there:
            continue
        try:
            _make(partial(index.create, engine), lambda wanted=wanted: wanted in indexed())  # type: ignore[misc]
        except DBAPIError as error:
            log.warning(
                "Table %s has no index on %s, and reading it may be slow: %s",
                table.fullname,
                ", ".join(wanted),
                database_failure("CREATE INDEX", error),
            )


def columns_of(engine: sa.Engine, table: sa.Table) -> set[str]:
    """The names of a table's columns, as it has them by now."""
    # What SQLAlchemy asks of the catalogue is not there on every database that it takes for PostgreSQL.
    none: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(table).where(sa.false())
    # SQLAlchemy would keep the names with the statement, and another run may add one.
    with engine.connect().execution_options(compiled_cache=None) as connection:
        return set(connection.execute(none).keys())


def create_view(engine: sa.Engine, view: sa.Table, query: sa.Select[Any]) -> str | None:
    """Create a view that does not exist yet; two runs may do so at once.

    :param engine: the database.
    :param view: its name, see `described`.
    :param query: what it selects.
    :return: the statement of the view that there was already, as far as the database tells it; None when it was made.
    """
    if not has_view(engine, view):
        selected = query.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
        name = engine.dialect.identifier_preparer.format_table(view)
        made = _make(partial(_execute, engine, f"CREATE VIEW {name} AS {selected}"), partial(has_view, engine, view))
        if made:
            return None
    return sa.inspect(engine).get_view_definition(view.name, schema=view.schema) or ""


def _execute(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def _make(make: Callable[[], None], is_made: Callable[[], bool]) -> bool:
    """Make something; False when another run has done so between the look and the attempt."""
    try:
        begin_again(make)
    except DBAPIError:
        if not is_made():
            raise
        return False
    return True


def has_view(engine: sa.Engine, view: sa.Table) -> bool:
    """Whether a view exists."""
    return view.name in sa.inspect(engine).get_view_names(schema=view.schema)


def temporary_table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """Describe a temporary table, under a name that no other has.

    :param name: what its name begins with.
    """
    return sa.Table(f"{name}_{secrets.token_hex(4)}", sa.MetaData(), *columns, prefixes=["TEMPORARY"], **_OPTIONS)


@contextmanager
def existing(connection: sa.Connection, *tables: sa.Table) -> Iterator[None]:
    """Create temporary tables and drop them at the end, so that a pooled connection keeps none.

    :param connection: outside a transaction, since some databases commit at every CREATE.
    :param tables: see `temporary_table`.
    """
    with connection.begin():
        for table in tables:
            table.create(connection, checkfirst=False)
    try:
        yield
    except BaseException:
        try:
            _drop(connection, tables)
        except Exception:  # noqa: BLE001 - of a driver, on a connection that is of no use any more
            # The error that matters is the one before, and the tables are gone with the connection.
            connection.invalidate()
        raise
    _drop(connection, tables)


def _drop(connection: sa.Connection, tables: tuple[sa.Table, ...]) -> None:
    connection.rollback()
    with connection.begin():
        for table in tables:
            table.drop(connection, checkfirst=False)

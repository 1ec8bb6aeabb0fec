"""Processes that are killed, and publications that are overtaken, at any statement."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ringg_provider.exceptions import DatabaseUnavailable, QueryFailed
from tests.publish.copies import CALLS, CONTACTS, Copy

NO_LEASE = dt.timedelta(0)  # whoever comes takes over: far worse than what a lease allows
TABLES = [CONTACTS, CALLS]


class Killed(BaseException):
    """The process is gone: no `except Exception` sees it, and nothing is cleaned up."""


class Steps:
    """Every statement, before and after it is executed, and every commit, on some engines, is a step."""

    def __init__(self, *engines: sa.Engine) -> None:
        self.taken = 0
        self.at: dict[int, Callable[[], None]] = {}
        self.dead = False
        for engine in engines:
            for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
                sa.event.listen(engine, name, self._step)

    def _step(self, *_: Any) -> None:
        if self.dead:
            raise Killed
        self.taken += 1
        if call := self.at.pop(self.taken, None):
            call()

    def kill(self) -> None:
        """From now on nothing reaches a database."""
        self.dead = True
        raise Killed

    def begin(self, **at: Callable[[], None]) -> None:
        """Count from here."""
        self.taken, self.dead = 0, False
        self.at = {int(step.removeprefix("step")): call for step, call in at.items()}


#: The fixtures with the servers, by the kind of database.
SERVERS = {"postgresql": "postgres", "mariadb": "mariadb"}


def _engine(kind: str, folder: Path, fixture: Callable[[str], Any], name: str) -> sa.Engine:
    if kind == "postgresql":
        url = sa.make_url(fixture(SERVERS[kind]).create_database(name))
        url = url.update_query_dict({"options": "-c lock_timeout=300ms"})
        return sa.create_engine(url, poolclass=sa.pool.NullPool)
    if kind == "mariadb":
        return _impatient_mariadb(fixture(SERVERS[kind]).create_database(name))
    if kind == "duckdb":
        return sa.create_engine(f"duckdb:///{folder / name}.db")
    return _quick_sqlite(f"sqlite:///{folder / name}.db")


_IMPATIENT = "SET lock_wait_timeout = 1, innodb_lock_wait_timeout = 1"


def _impatient_mariadb(url: Any) -> sa.Engine:
    """One thread cannot wait for a lock that it has itself, however long a publication would wait."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"init_command": _IMPATIENT})

    def impatient(*told: Any) -> tuple[str, Any]:
        _, _, statement, values, _, _ = told
        return re.sub(r"innodb_lock_wait_timeout = \d+", "innodb_lock_wait_timeout = 1", statement), values

    sa.event.listen(engine, "before_cursor_execute", impatient, retval=True)
    return engine


def _quick_sqlite(url: Any) -> sa.Engine:
    """A file that nobody waits for to be on the disk; one thread cannot wait for itself either."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"timeout": 0.05})
    sa.event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA synchronous = OFF"))
    return engine


_made = itertools.count()


@contextlib.contextmanager
def copies(
    pair: str, folder: Path, fixture: Callable[[str], Any], tables: Sequence[sa.Table] = TABLES
) -> Iterator[tuple[Copy, Copy, Steps]]:
    """A state and its copy, the same through other connections, and the steps that are taken in the first."""
    number = next(_made)
    state_kind, kind = pair.split("-")
    names = f"state_{number}", f"copy_{number}"
    state, warehouse = (
        _engine(each, folder, fixture, name) for each, name in zip((state_kind, kind), names, strict=True)
    )
    Copy(state, warehouse, list(tables))  # which makes the tables
    # DuckDB's file belongs to one engine of a process; its connections are as good.
    others = [
        engine
        if engine.dialect.name == "duckdb"
        else _quick_sqlite(engine.url)
        if engine.dialect.name == "sqlite"
        else _impatient_mariadb(engine.url)
        if engine.dialect.name == "mysql"
        else sa.create_engine(engine.url, poolclass=sa.pool.NullPool)
        for engine in (state, warehouse)
    ]
    watched = [engine.execution_options() for engine in (state, warehouse)]
    other = Copy.__new__(Copy)
    other.__dict__.update(state=others[0], warehouse=others[1], tables=list(tables), schema=None)
    seen = Copy.__new__(Copy)
    seen.__dict__.update(state=watched[0], warehouse=watched[1], tables=list(tables), schema=None)
    try:
        yield seen, other, Steps(*watched)
    finally:
        for engine in (state, warehouse, *others):
            engine.dispose()
        for name, each in zip(names, (state_kind, kind), strict=True):
            if each in SERVERS:
                fixture(SERVERS[each]).drop_database(name)


def publish(copy: Copy, holder: str = "task") -> None:
    with contextlib.suppress(Killed, DatabaseUnavailable, QueryFailed):
        copy.publish(holder, lease=NO_LEASE)
    gc.collect()  # the end of a process ends its transactions, whatever still refers to them

"""The state database, as a page reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from ringg_provider.ui.settings import Settings
from ringg_provider.ui.tables import Tables


@dataclass(frozen=True)
class State:
    """An open connection.

    :param connection: to the state database.
    :param tables: what is there.
    :param settings: of the control room.
    """

    connection: Connection
    tables: Tables
    settings: Settings

    @property
    def bare(self) -> str | None:
        """The connection whose database has none of our tables: nothing was done yet, or it is another one."""
        return None if self.tables.columns else self.settings.state_conn_id


@contextmanager
def open_state() -> Iterator[State]:
    """Open the state database for one answer.

    :raises InvalidRequest: no connection is named in the configuration.
    """
    settings = Settings.read()
    with settings.engine() as engine, engine.connect() as connection:
        tables = Tables.found(
            connection,
            schema=settings.schema,
            calls=settings.calls_table,
            campaigns=settings.campaigns_table,
            contacts=settings.contacts_table,
            smartalex_calls=settings.smartalex_calls_table,
            inbox=settings.inbox_table,
            callbacks=settings.callbacks_table,
        )
        yield State(connection, tables, settings)

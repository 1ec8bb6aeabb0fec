"""What section ``[ringg]`` of Airflow's configuration says: where the tables are, and what is served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException, conf

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.get_provider_info import get_provider_info
from ringg_provider.hooks.sql import unpooled_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

SECTION = "ringg"


@dataclass(frozen=True)
class Settings:
    """The section, read.

    :param state_conn_id: the connection of the database that holds the tables; None where it was not said.
    :param schema: the tables' schema; None for the connection's own.
    :param calls_table: of Ringg's calls.
    :param campaigns_table: of Ringg's campaigns.
    :param contacts_table: of people.
    :param smartalex_calls_table: of SmartAlex's calls.
    :param callbacks_table: of promises to call people back.
    :param allow_stop: whether who may trigger a DAG may also stop its campaigns here.
    :param inbox: whether the API server takes webhooks.
    :param inbox_table: of their deliveries.
    """

    state_conn_id: str | None
    schema: str | None
    calls_table: str
    campaigns_table: str
    contacts_table: str
    smartalex_calls_table: str
    callbacks_table: str
    allow_stop: bool
    inbox: bool
    inbox_table: str

    @classmethod
    def read(cls) -> Settings:
        """Read it as it is now.

        :raises AirflowConfigException: ``allow_stop`` or ``inbox`` is neither true nor false.
        """
        options = get_provider_info()["config"][SECTION]["options"]

        def text(option: str) -> str:
            return (conf.get(SECTION, option, fallback=None) or options[option]["default"] or "").strip()

        return cls(
            state_conn_id=text("state_conn_id") or None,
            schema=text("schema") or None,
            calls_table=text("calls_table"),
            campaigns_table=text("campaigns_table"),
            contacts_table=text("contacts_table"),
            smartalex_calls_table=text("smartalex_calls_table"),
            callbacks_table=text("callbacks_table"),
            allow_stop=conf.getboolean(SECTION, "allow_stop", fallback=True),
            inbox=conf.getboolean(SECTION, "inbox", fallback=False),
            inbox_table=text("inbox_table"),
        )

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Open the state database for one answer.

        :raises InvalidRequest: no connection is named, there is none of that name, or it is not one of a SQL database.
        """
        if self.state_conn_id is None:
            raise InvalidRequest(
                "state_conn_id: name the connection of the database that holds the tables, in section [ringg] of "
                "Airflow's configuration (AIRFLOW__RINGG__STATE_CONN_ID).",
                field="state_conn_id",
            )
        try:
            engine = unpooled_engine(self.state_conn_id, field="state_conn_id")
        except AirflowNotFoundException as error:
            raise InvalidRequest(
                f"state_conn_id: section [ringg] of Airflow's configuration names {self.state_conn_id!r}, and the API"
                " server finds no such connection in its environment, a secrets backend, or Airflow's database.",
                field="state_conn_id",
            ) from error
        yield engine

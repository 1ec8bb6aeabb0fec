"""Which launch ledger a task has, and how the task is named in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringg_provider.hooks.sql import StateConnection, unpooled_engine

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from ringg_provider.launch.ledger import LaunchLedger
    from ringg_provider.launch.table import Launcher


def launcher_of(context: Context, conn_id: str) -> Launcher:
    """This task, as the launch ledger notes it, and the connection by which it reaches the platform."""
    # The ledger is loaded when a task runs, here and below, and not with every DAG file.
    from ringg_provider.launch.table import Launcher

    ti = context["ti"]
    return Launcher(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index, conn_id)


def task_key(context: Context) -> str:
    """This task of this run, whichever of its attempts; mapped instances and iterations of a loop are told apart."""
    ti = context["ti"]
    # From Airflow 3.4 on. Clearing gives a loop's later iterations new regions, so their numbers are what lasts.
    loop: Any = context.get("loop")
    iteration = "" if loop is None else f"/{loop.index}"
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}{iteration}"


def ledger_connection(
    launch_key: str | None, ledger_conn_id: str | None, state_conn_id: str | None
) -> StateConnection | None:
    """Where the launch ledger of a task is; None where it has none.

    The state database has one only for a task with a launch key, since ``state_conn_id`` is given to tasks without.
    """
    if ledger_conn_id:
        return StateConnection(ledger_conn_id, "ledger_conn_id")
    if launch_key and state_conn_id and ledger_conn_id is None:
        return StateConnection(state_conn_id, "state_conn_id")
    return None


def open_ledger(conn_id: str, field: str = "ledger_conn_id") -> LaunchLedger:
    """The launch ledger in the database of an Airflow connection, which the parameter ``field`` named."""
    from ringg_provider.launch.ledger import LaunchLedger

    StateConnection(conn_id, field).require("ledger")
    # A launch waits for minutes between two entries, in which an open connection could break.
    return LaunchLedger(unpooled_engine(conn_id, field=field), field=field)

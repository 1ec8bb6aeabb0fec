"""Finding a connection, wherever the code runs: in a task, a triggerer or Airflow's API server."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, Connection


def connection_of(conn_id: str) -> Connection:
    """Find a connection in the environment, the secrets backends or Airflow's database.

    :param conn_id: the connection.
    :raises AirflowNotFoundException: there is none of that name.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except ImportError as error:
        # Airflow 3.1.0, where no task runs: none has it, and there is no supervisor to ask, which it takes for granted.
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined") from error

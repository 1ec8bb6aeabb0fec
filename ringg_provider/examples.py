"""What the example DAGs share: the guard that keeps them from ever calling a stranger, and a notifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook, BaseNotifier, Variable, task

from ringg_provider.api.addresses import is_loopback

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Set this Airflow Variable to "yes" to let the examples talk to the real platform, which rings real phones.
LIVE_VARIABLE = "ringg_examples_live"


@task
def sandbox_only(conn_id: str = "ringg_sandbox") -> None:
    """First task of every example: refuse a platform that is not on this machine.

    Airflow loads a provider's examples by itself, and somebody will unpause one out of curiosity.

    :param conn_id: the connection that the example uses, of type `ringg` or `smartalex`.
    """
    host = urlsplit(BaseHook.get_hook(conn_id).base_url).hostname or ""
    if is_loopback(host) or str(Variable.get(LIVE_VARIABLE, default="")).strip().lower() in {"yes", "true", "1"}:
        return
    raise AirflowFailException(
        f"This example uses connection {conn_id!r}, whose host is not this machine, and would call real people. Point "
        f"it at a sandbox (ringg-sandbox), or set the Variable {LIVE_VARIABLE} to yes if that is what you want."
    )


class LogNotifier(BaseNotifier):
    """Writes an alert into the log: stands where your paging system's notifier goes, and needs nothing.

    A DAG's failure callback runs in the DAG processor, a deadline's in the triggerer, a task's in its worker; each
    writes into its own log.

    :param message: what is told; the DAG and the run are put before it.
    """

    def __init__(self, message: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message = message

    def notify(self, context: Context) -> None:
        """Of a failure or a skip."""
        self.log.warning("ALERT %s: %s", _run_of(context), self.message)

    async def async_notify(self, context: Context) -> None:
        """Of a deadline."""
        self.notify(context)


def _run_of(context: Context) -> str:
    """Which run, whether Airflow tells of it as an object, as a dict, or (3.1) not at all."""
    run: Any = context.get("dag_run") or {}
    known = run if isinstance(run, dict) else {"dag_id": run.dag_id, "dag_run_id": run.run_id}
    return f"{known.get('dag_id', 'a DAG')} {known.get('dag_run_id', known.get('run_id', ''))}".strip()

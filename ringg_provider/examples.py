"""What the example DAGs share: the guard that keeps them from ever calling a stranger."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook, Variable, task

from ringg_provider.api.addresses import is_loopback

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

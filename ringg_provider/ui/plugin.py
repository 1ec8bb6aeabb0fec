"""What Airflow finds by the entry point ``airflow.plugins``.

Every process of Airflow imports this module: workers, triggerers and the DAG processor too. So the rest of the room is
imported when the API server asks for the app, and what the extra ``ui`` brings is only looked for.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

#: Where the app is mounted, below the path of ``[api] base_url``.
PREFIX = "/ringg"
#: What the pages need beyond Airflow itself; without it, nothing is added to Airflow.
NEEDED = ("fastapi", "jinja2")


class RinggPlugin(AirflowPlugin):
    """*Browse > Ringg campaigns*, a tab on every DAG run, and where webhooks come in if ``[ringg] inbox`` says so."""

    name = "ringg"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The apps; made when the API server asks for them."""
        apps = []
        if _takes_webhooks():
            from ringg_provider.ui.inbox import PATH, mounted_app

            # The longer path first: the one below would take it too.
            apps.append({"name": "Ringg inbox", "app": mounted_app(), "url_prefix": PATH})
        if _installed():
            from ringg_provider.ui.app import build_app

            apps.append({"name": "Ringg campaigns", "app": build_app(), "url_prefix": PREFIX})
        return apps

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Where Airflow's own pages show ours. Ids are parts of the path: Airflow 3.1 does not encode a query."""
        if not _installed():
            return []
        pages = f"{_base_path()}{PREFIX}/page"
        return [
            {
                "name": "Ringg campaigns",
                "href": f"{pages}/",
                "url_route": "ringg",
                "destination": "nav",
                "category": "browse",
            },
            {
                "name": "Ringg",
                "href": f"{pages}/run/{{DAG_ID}}/{{RUN_ID}}",
                "url_route": "ringg_run",
                "destination": "dag_run",
            },
        ]


def _installed() -> bool:
    return all(find_spec(module) is not None for module in NEEDED)


def _takes_webhooks() -> bool:
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean("ringg", "inbox", fallback=False))


def _base_path() -> str:
    """The path that Airflow is served below; empty where it has a host of its own."""
    from urllib.parse import urlsplit

    from airflow.providers.common.compat.sdk import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")

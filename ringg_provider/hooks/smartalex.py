"""The SmartAlex connection: an API client from a connection of type ``smartalex``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ringg_provider.hooks.options import ConnectionOptions
from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.smartalex import AsyncSmartAlexClient, SmartAlexClient

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from ringg_provider.history.reach import Reach


class SmartAlexHook(PlatformHook[SmartAlexClient, AsyncSmartAlexClient]):
    """Reach a SmartAlex workspace through an Airflow connection of type ``smartalex``.

    The API key is the connection's password and the base URL its host (empty for production). See
    https://docs.getsmartalex.com/api-reference/introduction.

    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    conn_name_attr = "smartalex_conn_id"
    default_conn_name = "smartalex_default"
    conn_type = "smartalex"
    hook_name = "SmartAlex"
    client_class = SmartAlexClient
    async_client_class = AsyncSmartAlexClient
    dashboard_url = "https://app.getsmartalex.com/campaigns/{campaign_id}"

    def __init__(self, smartalex_conn_id: str = default_conn_name) -> None:
        super().__init__(smartalex_conn_id)
        self.smartalex_conn_id = smartalex_conn_id

    def client_options(self, connection: Connection, options: ConnectionOptions) -> dict[str, Any]:
        """The clients' arguments out of a connection."""
        made = super().client_options(connection, options)
        given = {
            "requests_per_minute": options.number("requests_per_minute"),
            "generation": options.get("generation"),
            # As text, so that two clients can be told to be the same.
            "paths": paths if isinstance(paths := options.get("paths"), str | None) else json.dumps(paths),
        }
        return made | {name: value for name, value in given.items() if value is not None}

    def reach_of(self, campaign_id: str, enough: int | None = None) -> Reach:
        """Look at the campaign's calls."""
        # What reads a history is loaded when a task runs, and not with every DAG file.
        from ringg_provider.history.reach import reach_of_smartalex

        return reach_of_smartalex(self.client, campaign_id, enough=enough)

    def workspace_in_words(self) -> str:
        """Whether the key is taken, and an agent that it can see."""
        agent = self.client.check_key()
        return "The key is accepted; " + ("there is no agent." if agent is None else f"first agent: {agent.name!r}.")

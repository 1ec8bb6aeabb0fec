"""The Ringg AI connection: an API client from a connection of type ``ringg``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.hooks.options import ConnectionOptions
from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.ringg import AsyncRinggClient, RinggClient
from ringg_provider.ringg.limits import HISTORY_PERIOD, HISTORY_REQUESTS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from ringg_provider.history.reach import Reach

_HISTORY_PACE = "history_requests_per_minute"


class RinggHook(PlatformHook[RinggClient, AsyncRinggClient]):
    """Reach a Ringg AI workspace through an Airflow connection of type ``ringg``.

    The API key is the connection's password and the base URL its host (empty for production). See
    https://docs.ringg.ai/api-reference/quick-start/authentication.

    :param ringg_conn_id: the connection. Default ``ringg_default``.
    """

    conn_name_attr = "ringg_conn_id"
    default_conn_name = "ringg_default"
    conn_type = "ringg"
    hook_name = "Ringg AI"
    client_class = RinggClient
    async_client_class = AsyncRinggClient
    dashboard_url = "https://www.ringg.ai/dashboard/campaigns/{campaign_id}"

    def __init__(self, ringg_conn_id: str = default_conn_name) -> None:
        super().__init__(ringg_conn_id)
        self.ringg_conn_id = ringg_conn_id

    def client_options(self, connection: Connection, options: ConnectionOptions) -> dict[str, Any]:
        """The clients' arguments out of a connection."""
        options.number(_HISTORY_PACE)
        return super().client_options(connection, options)

    def history_pacer(self) -> Pacer:
        """The pace at which the call history may be read: the vendor's, or the connection's own."""
        per_minute = ConnectionOptions.of(self.get_connection(self.conn_id)).number(_HISTORY_PACE)
        period = HISTORY_PERIOD if per_minute is None else 60.0 * HISTORY_REQUESTS / per_minute
        return Pacer(HISTORY_REQUESTS, period)

    def reach_of(self, campaign_id: str, enough: int | None = None) -> Reach:
        """Look at the campaign's history, at its own pace."""
        # What reads a history is loaded when a task runs, and not with every DAG file.
        from ringg_provider.history.reach import reach_of

        return reach_of(self.client, campaign_id, self.history_pacer(), enough=enough)

    def workspace_in_words(self) -> str:
        """Whose workspace it is and what it may still spend."""
        workspace = self.client.get_workspace()
        credit = workspace.spendable_credits
        return f"Workspace {workspace.name!r}; spendable credits: {'unknown' if credit is None else f'{credit:f}'}."

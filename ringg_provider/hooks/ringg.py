"""The Ringg AI connection: an API client from a connection of type ``ringg``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import BaseHook

from ringg_provider.exceptions import AuthenticationError, InvalidRequest, RinggProviderError
from ringg_provider.http import Timeouts, is_loopback
from ringg_provider.ringg import PRODUCTION, AsyncRinggClient, RinggClient

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

#: Where a person sees a campaign; ``{campaign_id}`` is replaced. No page of the vendor documents the address of a
#: single campaign, so it can be set in the connection.
DASHBOARD_URL = "https://www.ringg.ai/dashboard/campaigns/{campaign_id}"


class RinggHook(BaseHook):
    """Reach a Ringg AI workspace through an Airflow connection of type ``ringg``.

    The API key is the connection's password and the base URL its host (empty for production). See
    https://docs.ringg.ai/api-reference/quick-start/authentication.

    :param ringg_conn_id: the connection. Default ``ringg_default``.
    """

    conn_name_attr = "ringg_conn_id"
    default_conn_name = "ringg_default"
    conn_type = "ringg"
    hook_name = "Ringg AI"

    def __init__(self, ringg_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.ringg_conn_id = ringg_conn_id
        self._client: RinggClient | None = None
        self._dashboard_url: str | None = None

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What the connection form shows; the same as the provider info says."""
        return {
            "hidden_fields": ["schema", "login", "port", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL"},
            "placeholders": {"password": "rg_live_...", "host": PRODUCTION},
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's extra fields; the same as the provider info says. Needs flask-appbuilder, as Airflow's do."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import IntegerField, StringField

        return {
            "timeout": IntegerField("Timeout in seconds", widget=BS3TextFieldWidget()),
            "history_requests_per_minute": IntegerField("History requests per minute", widget=BS3TextFieldWidget()),
            "dashboard_url": StringField("Campaign page", widget=BS3TextFieldWidget()),
        }

    @property
    def client(self) -> RinggClient:
        """The client, made at the first use and closed with the hook.

        :raises AuthenticationError: the connection has no API key.
        :raises InvalidRequest: its host is not a usable base URL.
        """
        if self._client is None:
            connection = self.get_connection(self.ringg_conn_id)
            self._client = RinggClient(**self._client_options(connection, connection.extra_dejson))
        return self._client

    @property
    def base_url(self) -> str:
        """Where the connection points, without the key."""
        return _base_url(self.get_connection(self.ringg_conn_id))

    async def aclient(self) -> AsyncRinggClient:
        """A client for an event loop; the caller closes it. Raises what :attr:`client` raises."""
        return AsyncRinggClient(**await self.aclient_options())

    async def aclient_options(self) -> dict[str, Any]:
        """What :meth:`aclient` makes its client from, ``api_key`` and ``base_url`` among it."""
        connection = await get_async_connection(self.ringg_conn_id, hook=type(self))
        return self._client_options(connection, await get_async_extra_dejson(connection))

    def get_conn(self) -> RinggClient:
        """The same as :attr:`client`, by Airflow's name for it."""
        return self.client

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign: the connection's ``dashboard_url``, a sandbox's page, or the dashboard."""
        if self._dashboard_url is None:
            connection = self.get_connection(self.ringg_conn_id)
            base = urlsplit(_base_url(connection))
            default = f"{base.scheme}://{base.netloc}/" if is_loopback(base.hostname or "") else DASHBOARD_URL
            self._dashboard_url = connection.extra_dejson.get("dashboard_url") or default
        return self._dashboard_url.replace("{campaign_id}", campaign_id)

    def test_connection(self) -> tuple[bool, str]:
        """Make one cheap authenticated read and say whose workspace it is and what it may still spend."""
        try:
            workspace = self.client.get_workspace()
        except RinggProviderError as error:
            return False, str(error)
        finally:
            self.close()
        credit = workspace.spendable_credits
        spendable = "unknown" if credit is None else f"{credit:f}"
        return True, f"Workspace {workspace.name!r}; spendable credits: {spendable}."

    def close(self) -> None:
        """Close the client, if one was made."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> RinggHook:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _client_options(self, connection: Connection, extra: dict[str, Any]) -> dict[str, Any]:
        if not connection.password:
            raise AuthenticationError(
                f"Connection {self.ringg_conn_id!r} has no API key: put the workspace's key into its password."
            )
        options: dict[str, Any] = {"api_key": connection.password, "base_url": _base_url(connection)}
        timeout = extra.get("timeout")
        if timeout not in (None, ""):
            try:
                options["timeout"] = Timeouts(read=float(timeout), write=float(timeout))
            except (TypeError, ValueError) as error:
                raise InvalidRequest(
                    f"Connection {self.ringg_conn_id!r}: timeout must be a number of seconds.", field="timeout"
                ) from error
        return options


def _base_url(connection: Connection) -> str:
    """The base URL that a connection means, however its parts were entered (form, URI or JSON)."""
    host = (connection.host or "").strip()
    if not host:
        return PRODUCTION
    if "://" not in host:
        # A connection URI keeps the scheme apart: ringg://:key@http%3A%2F%2F... is the other spelling.
        scheme = connection.schema if connection.schema in ("http", "https") else "https"
        host = f"{scheme}://{host}"
    parts = urlsplit(host)
    netloc = parts.netloc
    if connection.port and parts.port is None:
        netloc = f"{netloc}:{connection.port}"
    path = parts.path.rstrip("/") or urlsplit(PRODUCTION).path
    return urlunsplit((parts.scheme, netloc, path, "", ""))

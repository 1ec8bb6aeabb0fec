"""What the connections of both platforms share: a key, a base URL, a client that is closed with the hook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import BaseHook

from ringg_provider.api.addresses import is_loopback
from ringg_provider.api.client import ApiClient, AsyncApiClient
from ringg_provider.api.messages import Timeouts
from ringg_provider.exceptions import AuthenticationError, InvalidRequest, RinggProviderError
from ringg_provider.get_provider_info import get_provider_info
from ringg_provider.hooks.connections import connection_of
from ringg_provider.hooks.options import LONGEST, ConnectionOptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from ringg_provider.history.reach import Reach

C = TypeVar("C", bound=ApiClient)
A = TypeVar("A", bound=AsyncApiClient)


class PlatformHook(BaseHook, ABC, Generic[C, A]):
    """Base of the hooks. The key is the connection's password and the base URL its host (empty for production).

    :param conn_id: the connection.
    """

    conn_name_attr: ClassVar[str]
    #: The clients of the platform.
    client_class: ClassVar[type[Any]]
    async_client_class: ClassVar[type[Any]]
    conn_type: ClassVar[str]
    #: Where a person sees a campaign; ``{campaign_id}`` is replaced. No page of either vendor documents the address of
    #: a single campaign, so it can be set in the connection.
    dashboard_url: ClassVar[str]

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._client: C | None = None
        self._campaign_page: str | None = None

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Find a connection, also where no task runs.

        :raises AirflowNotFoundException: there is none of that name.
        """
        return connection_of(conn_id)

    @classmethod
    def _form(cls) -> dict[str, Any]:
        """What the provider info says of the connection's form; Airflow below 3.2 asks the hook for it."""
        forms = get_provider_info()["connection-types"]
        return next(form for form in forms if form["connection-type"] == cls.conn_type)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What the connection form shows."""
        return {name.replace("-", "_"): value for name, value in cls._form()["ui-field-behaviour"].items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's extra fields. Needs flask-appbuilder, as Airflow's do."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import IntegerField, PasswordField, StringField

        def widget(label: str, schema: dict[str, Any]) -> Any:
            if schema.get("format") == "password":
                return PasswordField(label, widget=BS3PasswordFieldWidget())
            return (StringField if "string" in schema["type"] else IntegerField)(label, widget=BS3TextFieldWidget())

        return {name: widget(field["label"], field["schema"]) for name, field in cls._form()["conn-fields"].items()}

    @abstractmethod
    def workspace_in_words(self) -> str:
        """Make one cheap authenticated read and say what it found."""

    @abstractmethod
    def reach_of(self, campaign_id: str, enough: int | None = None) -> Reach:
        """Look at the calls of a campaign until enough people were reached.

        :param campaign_id: the campaign.
        :param enough: how many people that are. Default one, for whom some pages are looked at.
        """

    @property
    def client(self) -> C:
        """The client, made at the first use and closed with the hook.

        :raises AuthenticationError: the connection has no API key.
        :raises InvalidRequest: its host is not a usable base URL, or an option breaks its rule.
        """
        if self._client is None:
            connection = self.get_connection(self.conn_id)
            made: C = self.client_class(**self.client_options(connection, ConnectionOptions.of(connection)))
            self._client = made
        return self._client

    @property
    def base_url(self) -> str:
        """Where the connection points, without the key."""
        return self._base_url(self.get_connection(self.conn_id))

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign: the connection's ``dashboard_url``, a sandbox's page, or the dashboard."""
        if self._campaign_page is None:
            connection = self.get_connection(self.conn_id)
            self._campaign_page = self._page_of(connection, ConnectionOptions.of(connection))
        return self._campaign_page.replace("{campaign_id}", campaign_id)

    def _page_of(self, connection: Connection, options: ConnectionOptions) -> str:
        base = urlsplit(self._base_url(connection))
        sandbox = f"{base.scheme}://{base.netloc}/campaigns/{{campaign_id}}"
        default = sandbox if is_loopback(base.hostname or "") else self.dashboard_url
        return options.url("dashboard_url") or default

    async def aclient(self) -> A:
        """A client for an event loop; the caller closes it. Raises what :attr:`client` raises."""
        made: A = self.async_client_class(**await self.aclient_options())
        return made

    async def aclient_options(self) -> dict[str, Any]:
        """What :meth:`aclient` makes its client from, ``api_key`` and ``base_url`` among it."""
        connection = await get_async_connection(self.conn_id, hook=type(self))
        return self.client_options(connection, await ConnectionOptions.aof(connection))

    def get_conn(self) -> C:
        """The same as :attr:`client`, by Airflow's name for it."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Make one cheap authenticated read and say what it found."""
        try:
            return True, self.workspace_in_words()
        except RinggProviderError as error:
            return False, str(error)
        finally:
            self.close()

    def close(self) -> None:
        """Close the client, if one was made."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def client_options(self, connection: Connection, options: ConnectionOptions) -> dict[str, Any]:
        """The clients' arguments out of a connection."""
        if not connection.password:
            raise AuthenticationError(
                f"Connection {self.conn_id!r} has no API key: put the workspace's key into its password."
            )
        # Read while nothing has been sent: who has just launched a campaign must not fail over its page.
        self._campaign_page = self._page_of(connection, options)
        made: dict[str, Any] = {
            "api_key": connection.password,
            "base_url": self._base_url(connection),
            "verify": options.certificates("verify"),
        }
        timeout = options.number("timeout", unit=" of seconds", most=LONGEST)
        if timeout is not None:
            made["timeout"] = Timeouts(read=timeout, write=timeout)
        return made

    def _base_url(self, connection: Connection) -> str:
        """The base URL that a connection means, however its parts were entered (form, URI or JSON)."""
        production: str = self.client_class.production
        host = (connection.host or "").strip()
        if not host:
            return production
        if "://" not in host:
            # A connection URI keeps the scheme apart: ringg://:key@http%3A%2F%2F... is the other spelling.
            scheme = connection.schema if connection.schema in ("http", "https") else "https"
            host = f"{scheme}://{host}"
        try:
            parts = urlsplit(host)
            port = parts.port or connection.port
        except ValueError:
            raise InvalidRequest(
                f"Connection {self.conn_id!r}: host must be a base URL such as {production}.", field="host"
            ) from None
        netloc = parts.netloc if parts.port or not port else f"{parts.netloc}:{port}"
        path = parts.path.rstrip("/") or urlsplit(production).path
        return urlunsplit((parts.scheme, netloc, path, "", ""))

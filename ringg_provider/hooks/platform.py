"""What the connections of both platforms share: a key, a base URL, a client that is closed with the hook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import BaseHook

from ringg_provider.api.addresses import is_loopback
from ringg_provider.api.client import ApiClient, AsyncApiClient
from ringg_provider.api.messages import Timeouts
from ringg_provider.exceptions import AuthenticationError, InvalidRequest, RinggProviderError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

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
    #: What the form shows in the empty key field.
    key_placeholder: ClassVar[str]
    #: Where a person sees a campaign; ``{campaign_id}`` is replaced. No page of either vendor documents the address of
    #: a single campaign, so it can be set in the connection.
    dashboard_url: ClassVar[str]

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._client: C | None = None
        self._campaign_page: str | None = None

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What the connection form shows; the same as the provider info says."""
        return {
            "hidden_fields": ["schema", "login", "port", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL"},
            "placeholders": {"password": cls.key_placeholder, "host": cls.client_class.production},
        }

    @abstractmethod
    def workspace_in_words(self) -> str:
        """Make one cheap authenticated read and say what it found."""

    @property
    def client(self) -> C:
        """The client, made at the first use and closed with the hook.

        :raises AuthenticationError: the connection has no API key.
        :raises InvalidRequest: its host is not a usable base URL.
        """
        if self._client is None:
            connection = self.get_connection(self.conn_id)
            made: C = self.client_class(**self.client_options(connection, connection.extra_dejson))
            self._client = made
        return self._client

    @property
    def base_url(self) -> str:
        """Where the connection points, without the key."""
        return self._base_url(self.get_connection(self.conn_id))

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign: the connection's ``dashboard_url``, a sandbox's page, or the dashboard."""
        if self._campaign_page is None:
            base = urlsplit(self.base_url)
            default = f"{base.scheme}://{base.netloc}/" if is_loopback(base.hostname or "") else self.dashboard_url
            self._campaign_page = str(self.get_connection(self.conn_id).extra_dejson.get("dashboard_url") or default)
        return self._campaign_page.replace("{campaign_id}", campaign_id)

    async def aclient(self) -> A:
        """A client for an event loop; the caller closes it. Raises what :attr:`client` raises."""
        made: A = self.async_client_class(**await self.aclient_options())
        return made

    async def aclient_options(self) -> dict[str, Any]:
        """What :meth:`aclient` makes its client from, ``api_key`` and ``base_url`` among it."""
        connection = await get_async_connection(self.conn_id, hook=type(self))
        return self.client_options(connection, await get_async_extra_dejson(connection))

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

    def client_options(self, connection: Connection, extra: dict[str, Any]) -> dict[str, Any]:
        """The clients' arguments out of a connection."""
        if not connection.password:
            raise AuthenticationError(
                f"Connection {self.conn_id!r} has no API key: put the workspace's key into its password."
            )
        options: dict[str, Any] = {"api_key": connection.password, "base_url": self._base_url(connection)}
        timeout = self.number_in(extra, "timeout", "a number of seconds")
        if timeout is not None:
            options["timeout"] = Timeouts(read=timeout, write=timeout)
        return options

    def number_in(self, extra: dict[str, Any], name: str, what: str = "a number") -> float | None:
        """A number among the connection's options; None when it is left out.

        :raises InvalidRequest: it is something else.
        """
        given = extra.get(name)
        if given in (None, ""):
            return None
        try:
            return float(given)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"Connection {self.conn_id!r}: {name} must be {what}.", field=name) from error

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
        parts = urlsplit(host)
        netloc = parts.netloc
        if connection.port and parts.port is None:
            netloc = f"{netloc}:{connection.port}"
        path = parts.path.rstrip("/") or urlsplit(production).path
        return urlunsplit((parts.scheme, netloc, path, "", ""))

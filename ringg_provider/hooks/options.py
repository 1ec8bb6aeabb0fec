"""The kinds of options that a connection's extra may hold, each with its rule; which there are, the hooks say.

A value that breaks its rule is one error that names the option: in the form, and in whatever uses the connection.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.connection import get_async_extra_dejson

from ringg_provider.exceptions import InvalidRequest

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

# What an Authorization header carries as it is, and nobody guesses.
_SECRET = re.compile("[\\x21-\\x7e]{16,500}")
#: The longest time, in seconds, that one request may be told to take.
LONGEST = 86_400.0


class ConnectionOptions:
    """The options of a connection; what is left out, or empty as in a form, is None.

    :param conn_id: the connection, for errors.
    :param given: its decoded extra.

    Every method raises `InvalidRequest` for an option that breaks its rule.
    """

    def __init__(self, conn_id: str, given: Mapping[str, Any]) -> None:
        self._conn_id = conn_id
        self._given = given

    @classmethod
    def of(cls, connection: Connection) -> ConnectionOptions:
        """Read them out of a connection. Raises `InvalidRequest` when its extra is not a JSON object."""
        _check(connection)
        return cls(connection.conn_id, connection.extra_dejson)

    @classmethod
    async def aof(cls, connection: Connection) -> ConnectionOptions:
        """The same on an event loop, where masking secrets must not block."""
        _check(connection)
        return cls(connection.conn_id, await get_async_extra_dejson(connection))

    def get(self, name: str) -> Any:
        """An option as it was given."""
        value = self._given.get(name)
        return None if value == "" else value

    def number(self, name: str, *, unit: str = "", most: float = math.inf) -> float | None:
        """A finite number above 0, as a number or as text."""
        given = self.get(name)
        if given is None:
            return None
        try:
            found = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if not 0 < found <= most or math.isinf(found):
            limit = "" if math.isinf(most) else f", at most {most:.0f}"
            raise self._broken(name, f"must be a number{unit} above 0{limit}")
        return found

    def url(self, name: str) -> str | None:
        """An address for people."""
        given = self.get(name)
        if given is None:
            return None
        try:
            parts = urlsplit(str(given))
        except ValueError:
            parts = urlsplit("")
        if not isinstance(given, str) or parts.scheme not in ("http", "https") or not parts.netloc:
            raise self._broken(name, "must be a URL such as https://host/path")
        return given

    def certificates(self, name: str) -> str | None:
        """The path of CA certificates; None for the usual ones, which *true* asks for as well."""
        given = self.get(name)
        if given is None or str(given).lower() == "true":
            return None
        if not isinstance(given, str) or given.lower() == "false":
            raise self._broken(
                name,
                "must be the path of a file or folder of CA certificates; it cannot be switched off, because whoever "
                "stands in for the platform would get the key",
            )
        return given

    def webhook_secrets(self) -> tuple[str, ...]:
        """What deliveries of webhooks prove themselves with: the present secret, then the former one.

        :return: empty where there is none. A former one alone is none.
        """
        present, former = (self._secret(name) for name in ("webhook_secret", "webhook_secret_before"))
        if present is None:
            return ()
        return (present,) if former is None else (present, former)

    def _secret(self, name: str) -> str | None:
        given = self.get(name)
        if given is None:
            return None
        if not isinstance(given, str) or not _SECRET.fullmatch(given):
            raise self._broken(name, "must be 16 to 500 characters of ASCII without spaces")
        return given

    def _broken(self, name: str, rule: str) -> InvalidRequest:
        return InvalidRequest(f"Connection {self._conn_id!r}: {name} {rule}.", field=name)


def _check(connection: Connection) -> None:
    """Airflow takes an extra that is no JSON for an empty one, which would lose what it says."""
    try:
        fine = not connection.extra or isinstance(json.loads(connection.extra), dict)
    except ValueError:
        fine = False
    if not fine:
        raise InvalidRequest(f"Connection {connection.conn_id!r}: extra must be a JSON object.", field="extra")

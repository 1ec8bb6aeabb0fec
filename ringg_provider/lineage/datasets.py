"""What a task reads and writes, before anybody's names for it: tables of a connection, and things on a platform.

Nothing personal can be in it: no value of a query, no row, no key of a contact or of a workspace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ringg_provider.hooks.platform import PlatformHook


def qualified(table: str, schema: str | None) -> str:
    """A table's name with its schema, unless it has one or there is none to add."""
    return f"{schema}.{table}" if schema and "." not in table else table


def parts(name: str) -> list[str]:
    """The parts of a qualified name as the database has them: without the quotes of any dialect.

    :param name: such as ``schema.table`` or ``"My lake".calls.ringg_calls``.
    """
    return ["".join(part) for part in re.findall(r'"([^"]*)"|`([^`]*)`|([^.]+)', name)]


@dataclass(frozen=True)
class InDatabase:
    """Tables behind one Airflow connection.

    :param conn_id: the connection.
    :param queries: SQL whose tables are meant, without its values.
    :param tables: the names of further tables -> how many rows of them were written; None where that is not known.
    :param schema: of those tables. Default the connection's own.
    :param hook_params: more arguments for its hook.
    """

    conn_id: str
    queries: Sequence[str] = ()
    tables: Mapping[str, int | None] = field(default_factory=dict)
    schema: str | None = None
    hook_params: Mapping[str, Any] | None = None

    def qualified(self, table: str) -> str:
        """A table's name with its schema, where one is known."""
        return qualified(table, self.schema)


@dataclass(frozen=True)
class OnPlatform:
    """Something on a calling platform.

    :param platform: ``ringg`` or ``smartalex``.
    :param host: of its API.
    :param name: such as ``calls``, or ``campaigns`` with the agent.
    :param rows: how many were written or read; None where that is not known.
    """

    platform: str
    host: str
    name: str
    rows: int | None = None

    @property
    def namespace(self) -> str:
        """OpenLineage's namespace, and the beginning of the asset's address."""
        return f"{self.platform}://{self.host}"


@dataclass
class Lineage:
    """What one task reads and writes, and what came of it.

    :param inputs: what it reads.
    :param outputs: what it writes.
    :param run: facets of this run, by their names: counts and ids of lists.
    :param job: facets of every run, by their names.
    """

    inputs: Sequence[InDatabase | OnPlatform] = ()
    outputs: Sequence[InDatabase | OnPlatform] = ()
    run: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    job: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def campaigns_of(hook: PlatformHook[Any, Any], agent_id: str, rows: int | None = None) -> OnPlatform:
    """The campaigns of an agent: what lists become, and what a launch starts."""
    return OnPlatform(hook.conn_type, _host(hook), f"campaigns/{agent_id}", rows)


def calls_of(hook: PlatformHook[Any, Any], rows: int | None = None) -> OnPlatform:
    """The calls of a workspace: what a launch makes, and what its history is read from."""
    return OnPlatform(hook.conn_type, _host(hook), "calls", rows)


def callbacks_of(hook: PlatformHook[Any, Any]) -> OnPlatform:
    """The callbacks that a workspace still has to make."""
    return OnPlatform(hook.conn_type, _host(hook), "callbacks")


def _host(hook: PlatformHook[Any, Any]) -> str:
    """Who may see it knows the address anyway; whoever wrote a password into it did not mean it for others."""
    return urlsplit(hook.base_url).netloc.rpartition("@")[2]

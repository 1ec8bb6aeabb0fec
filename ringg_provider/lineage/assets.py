"""Airflow's assets: what is on a platform (schemes ``ringg`` and ``smartalex``), and tables as Airflow names them.

A table's address says where it is, in the spelling of Airflow's own providers, such as
``postgres://host:5432/database/schema/table``, and not which connection leads there: another DAG, or another Airflow,
then means the same asset by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit

from airflow.providers.common.compat.sdk import Asset, AssetAlias, BaseHook

from ringg_provider.lineage.datasets import parts, qualified

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from openlineage.client.event_v2 import Dataset

    from ringg_provider.lineage.datasets import OnPlatform

log = logging.getLogger(__name__)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check an address such as ``ringg://prod-api.ringg.ai/campaigns/<agent>``; Airflow calls it for each asset.

    :raises ValueError: it names no host, or nothing there; or it has somebody's credentials in it.
    """
    if not uri.netloc or "@" in uri.netloc:
        raise ValueError(f"URI format {uri.scheme}:// must contain the host of the API, and no credentials")
    if not uri.path.strip("/"):
        raise ValueError(f"URI format {uri.scheme}:// must name what is meant, such as campaigns/<agent> or calls")
    return uri._replace(path="/" + uri.path.strip("/"))


def create_asset(*, platform: str, host: str, name: str, extra: dict[str, Any] | None = None) -> Asset:
    """Make the asset of something on a platform.

    :param platform: ``ringg`` or ``smartalex``.
    :param host: of its API, such as ``prod-api.ringg.ai``.
    :param name: ``campaigns/<agent>``, ``calls`` or ``callbacks``.
    :param extra: of the asset. Default none.
    """
    return Asset(uri=f"{platform}://{host}/{name}", extra=extra or {})


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:  # noqa: ARG001 - as Airflow calls it
    """The asset as OpenLineage knows it: the same dataset as in the facets of the operators."""
    from openlineage.client.event_v2 import Dataset

    uri = urlsplit(asset.uri)
    return Dataset(namespace=f"{uri.scheme}://{uri.netloc}", name=uri.path.lstrip("/"))


def asset_of(thing: OnPlatform) -> Asset:
    """The asset of something on a platform."""
    return create_asset(platform=thing.platform, host=thing.host, name=thing.name)


def table_asset(
    conn_id: str,
    table: str,
    schema: str | None = None,
    hook_params: Mapping[str, Any] | None = None,
    *,
    may_ask: bool = True,
) -> Asset:
    """The asset of a table, under the address that Airflow's providers give it.

    :param conn_id: the connection to its database.
    :param table: its name; ``schema.table`` is understood too.
    :param schema: where it lives. Default the connection's own.
    :param hook_params: more arguments for the connection's hook, which may lead to another database. Default none.
    :param may_ask: open the database for what this process does not know of it yet. Default True.
    :return: where nobody has an address for such a database (SQLite, DuckDB), one made of the connection's name.
    :raises LookupError: it would have to be asked, and may not be.
    """
    *given, name = parts(qualified(table, schema))
    connection = BaseHook.get_connection(conn_id)
    known = _ADDRESSES.get(connection.conn_type or "")
    address = None if known is None else known(_Place(conn_id, connection, hook_params or {}, given, may_ask))
    if address is None or None in address or "" in address:
        full = _in_uri(".".join([*given, name]))
        return Asset(name=f"{conn_id}.{full}", uri=f"x-ringg-sql://{conn_id}/{full}")
    base, *path = address
    return Asset(uri="/".join([str(base), *(_in_uri(str(part)) for part in (*path, name))]))


def announce(
    outlets: Sequence[Any],
    context: Context,
    counts: Mapping[str, int],
    assets: Callable[[], Iterable[Asset]],
    *,
    is_news: bool,
) -> None:
    """Give the events of a task's outlets their counts.

    :param outlets: of the task. An ``Asset`` gets an event at every run; an ``AssetAlias`` one for each asset, only
        when there is news.
    :param context: of the task.
    :param counts: for their ``extra``; whoever may read assets reads them.
    :param assets: makes what an alias stands for, one after the other; asked only where it is needed. It may have to
        ask a database, and what it cannot make is not told: the task has done its work, and another attempt, which
        would do it again, has no better name for it.
    :param is_news: whether anything was written.
    """
    for outlet in outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(counts)
        elif isinstance(outlet, AssetAlias) and is_news:
            try:
                for asset in assets():
                    context["outlet_events"][outlet].add(asset, extra=dict(counts))
            except Exception as error:  # noqa: BLE001 - the text of a driver may quote anything
                log.warning(
                    "An asset of the alias %r could not be named (%s). Its event is missing, and those that would come"
                    " after it; what is scheduled by them does not begin by itself.",
                    outlet.name,
                    type(error).__name__,
                )


def _in_uri(part: str) -> str:
    """A part of an address, in which Airflow takes a slash or a question mark for its end, and refuses an umlaut."""
    return quote(part, safe="$")


@dataclass(frozen=True)
class _Place:
    """Where a table is said to be.

    :param conn_id: the connection's id.
    :param connection: the connection.
    :param hook_params: what its hook is told beside it.
    :param given: the parts of the table's name before the last one.
    :param may_ask: whether its database may be opened.
    """

    conn_id: str
    connection: Any
    hook_params: Mapping[str, Any]
    given: Sequence[str]
    may_ask: bool

    def told(self, name: str) -> str | None:
        """A field of the connection's extra, also where Airflow's forms stored it under a long name; or the hook's."""
        extra = self.connection.extra_dejson
        long = f"extra__{self.connection.conn_type}__{name}"
        found = self.hook_params.get(name) or extra.get(name) or extra.get(long)
        return None if found is None else str(found)

    @property
    def schema(self) -> str | None:
        """What comes right before the table's name, where the connection's field of this name is that."""
        found: str | None = self.given[-1] if self.given else self.hook_params.get("schema") or self.connection.schema
        return found

    def above_schema(self, otherwise: str | None) -> str | None:
        """What comes before that, unless the table's name says it."""
        return self.given[0] if len(self.given) > 1 else otherwise


# Each gives the address and the path before the table's name; None where something is not known.


def _postgres(place: _Place) -> tuple[str | None, ...] | None:
    connection = place.connection
    if not connection.host or connection.extra_dejson.get("redshift"):
        return None
    schema = place.given[-1] if place.given else _default_schema(place)
    database = place.above_schema(place.hook_params.get("database") or connection.schema)
    return f"postgres://{connection.host}:{connection.port or 5432}", database, schema


def _mysql(place: _Place) -> tuple[str | None, ...]:
    connection = place.connection
    return f"mysql://{connection.host or 'localhost'}:{connection.port or 3306}", place.schema


def _snowflake(place: _Place) -> tuple[str | None, ...] | None:
    account = place.told("account")
    if not account:
        return None
    if region := place.told("region"):
        account = f"{account}.{region}"
    return f"snowflake://{account}", place.above_schema(place.told("database")), place.schema


def _bigquery(place: _Place) -> tuple[str | None, ...] | None:
    project = place.above_schema(place.told("project"))
    return None if not project or not place.given else (f"bigquery://{project}", place.given[-1])


def _databricks(place: _Place) -> tuple[str | None, ...] | None:
    host = urlsplit(place.connection.host or "").hostname or place.connection.host
    return None if not host else (f"databricks://{host}", place.above_schema(place.told("catalog")), place.schema)


def _default_schema(place: _Place) -> str | None:
    from ringg_provider.hooks.sql import default_schema, sql_engine

    if (seen := default_schema(place.conn_id, place.hook_params)) is not None:
        return seen
    if not place.may_ask:
        raise LookupError("the default schema is not known yet")
    with sql_engine(place.conn_id, hook_params=place.hook_params) as engine, engine.connect():
        return engine.dialect.default_schema_name


_ADDRESSES: Mapping[str, Callable[[_Place], tuple[str | None, ...] | None]] = {
    "postgres": _postgres,
    "mysql": _mysql,
    "snowflake": _snowflake,
    "google_cloud_platform": _bigquery,
    "gcpbigquery": _bigquery,
    "databricks": _databricks,
}

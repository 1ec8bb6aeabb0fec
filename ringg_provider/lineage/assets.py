"""Airflow's assets: what is on a platform (schemes ``ringg`` and ``smartalex``), and tables as Airflow names them.

A table's address says where it is, in the spelling of Airflow's own providers, such as
``postgres://host:5432/database/schema/table``, and not which connection leads there: another DAG, or another Airflow,
then means the same asset by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow.providers.common.compat.sdk import Asset, AssetAlias, BaseHook

from ringg_provider.lineage.datasets import qualified

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from openlineage.client.event_v2 import Dataset

    from ringg_provider.lineage.datasets import OnPlatform


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


def table_asset(conn_id: str, table: str, schema: str | None = None) -> Asset:
    """The asset of a table, under the address that Airflow's providers give it.

    :param conn_id: the connection to its database.
    :param table: its name; ``schema.table`` is understood too.
    :param schema: where it lives. Default the connection's own.
    :return: where nobody has an address for such a database (SQLite, DuckDB), one made of the connection's name.
    """
    full = qualified(table, schema)
    *given, name = (part.strip('"`') for part in full.split("."))
    connection = BaseHook.get_connection(conn_id)
    known = _ADDRESSES.get(connection.conn_type or "")
    address = None if known is None else known(connection, conn_id, given)
    if address is None or None in address or "" in address:
        return Asset(name=f"{conn_id}.{full}", uri=f"x-ringg-sql://{conn_id}/{full}")
    base, *path = address
    return Asset(uri="/".join([str(base), *map(str, path), name]))


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
    :param assets: makes what an alias stands for; asked only where it is needed.
    :param is_news: whether anything was written.
    """
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            for asset in assets() if is_news else ():
                context["outlet_events"][outlet].add(asset, extra=dict(counts))
        elif isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(counts)


# Each gives the address and the path before the table's name; None where something is not known.


def _postgres(connection: Any, conn_id: str, given: Sequence[str]) -> tuple[str | None, ...] | None:
    extra = connection.extra_dejson
    if not connection.host or extra.get("redshift"):
        return None
    schema = given[-1] if given else _default_schema(conn_id)
    database = given[0] if len(given) > 1 else connection.schema
    return f"postgres://{connection.host}:{connection.port or 5432}", database, schema


def _mysql(connection: Any, conn_id: str, given: Sequence[str]) -> tuple[str | None, ...]:  # noqa: ARG001
    where = f"mysql://{connection.host or 'localhost'}:{connection.port or 3306}"
    return where, given[-1] if given else connection.schema


def _snowflake(connection: Any, conn_id: str, given: Sequence[str]) -> tuple[str | None, ...] | None:  # noqa: ARG001
    account = _extra(connection, "account")
    if not account:
        return None
    if region := _extra(connection, "region"):
        account = f"{account}.{region}"
    database = given[0] if len(given) > 1 else _extra(connection, "database")
    return f"snowflake://{account}", database, given[-1] if given else connection.schema


def _bigquery(connection: Any, conn_id: str, given: Sequence[str]) -> tuple[str | None, ...] | None:  # noqa: ARG001
    project = given[0] if len(given) > 1 else _extra(connection, "project")
    return None if not project or not given else (f"bigquery://{project}", given[-1])


def _databricks(connection: Any, conn_id: str, given: Sequence[str]) -> tuple[str | None, ...] | None:  # noqa: ARG001
    host = urlsplit(connection.host or "").hostname or connection.host
    catalog = given[0] if len(given) > 1 else _extra(connection, "catalog")
    return None if not host else (f"databricks://{host}", catalog, given[-1] if given else connection.schema)


def _extra(connection: Any, name: str) -> str | None:
    """A field of a connection's extra, also where Airflow's forms stored it under a long name."""
    extra = connection.extra_dejson
    found = extra.get(name) or extra.get(f"extra__{connection.conn_type}__{name}")
    return None if found is None else str(found)


def _default_schema(conn_id: str) -> str | None:
    from ringg_provider.hooks.sql import sql_engine

    with sql_engine(conn_id) as engine, engine.connect():
        return engine.dialect.default_schema_name


_ADDRESSES: Mapping[str, Callable[[Any, str, Sequence[str]], tuple[str | None, ...] | None]] = {
    "postgres": _postgres,
    "mysql": _mysql,
    "snowflake": _snowflake,
    "google_cloud_platform": _bigquery,
    "gcpbigquery": _bigquery,
    "databricks": _databricks,
}

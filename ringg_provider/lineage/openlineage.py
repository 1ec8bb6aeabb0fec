"""OpenLineage's words for what a task reads and writes; the only module that imports OpenLineage.

A table has the name that Airflow's own SQL operators give it on the same connection, because their code names it. A
database that they give none, such as SQLite, has none here. Of a query only its tables are told: not its text, in which
an author may have written a number, and not its values.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from airflow.providers.common.compat.openlineage.utils.sql import get_openlineage_facets_with_sql
from airflow.providers.openlineage.extractors import OperatorLineage
from attrs import define
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
)

from ringg_provider.hooks.sql import sql_hook
from ringg_provider.lineage.datasets import InDatabase, Lineage, OnPlatform, parts

log = logging.getLogger(__name__)

#: What drivers want written for a value, or for a percent sign beside one. The parser of OpenLineage takes most of it
#: for an error, and then it knows no table of the query.
_OF_DRIVERS = re.compile(r"(?P<list>\bIN\s+)?%(?:\([^)]*\)[sbt]|[sbt]\b)|%%", re.IGNORECASE)
#: Dialects that quote a name in backticks; the others take the standard's quotes.
_BACKTICKS = frozenset({"bigquery", "databricks", "mysql"})


@define
class ContactsRunFacet(RunFacet):
    """What became of the rows of a query; counts only."""

    platform: str
    flow: str | None
    lists: int
    rows: int | None
    reasons: dict[str, int]
    dryRun: bool  # noqa: N815 - as facets are spelt
    alreadyLaunched: bool  # noqa: N815


@define
class CountsRunFacet(RunFacet):
    """What a load of the history, of the inbox or of promises, or a publication, did: `LoadCounts` or so."""

    platform: str
    counts: dict[str, int]


@define
class CampaignRunFacet(RunFacet):
    """The campaign that a launch is about."""

    campaignId: str | None  # noqa: N815
    contacts: int | None


@define
class LaunchJobFacet(JobFacet):
    """What a launch starts, whichever list it is."""

    platform: str
    flow: str
    agentId: str | None  # noqa: N815


RUN_FACETS: dict[str, type[RunFacet]] = {
    "ringg_contacts": ContactsRunFacet,
    "ringg_history": CountsRunFacet,
    "ringg_inbox": CountsRunFacet,
    "ringg_promises": CountsRunFacet,
    "ringg_publication": CountsRunFacet,
    "ringg_campaign": CampaignRunFacet,
}
JOB_FACETS: dict[str, type[JobFacet]] = {"ringg_launch": LaunchJobFacet}


def facets(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """The same in OpenLineage's words.

    :param lineage: what a task reads and writes.
    """
    return OperatorLineage(
        inputs=_distinct(InputDataset, lineage.inputs),
        outputs=_distinct(OutputDataset, lineage.outputs),
        run_facets={name: RUN_FACETS[name](**values) for name, values in lineage.run.items()},
        job_facets={name: JOB_FACETS[name](**values) for name, values in lineage.job.items()},
    )


def _distinct(kind: type[InputDataset | OutputDataset], things: Sequence[InDatabase | OnPlatform]) -> list[Any]:
    found: dict[tuple[str, str], Any] = {}
    for thing in things:
        for made in _in_database(kind, thing) if isinstance(thing, InDatabase) else [_on_platform(kind, thing)]:
            found.setdefault((made.namespace, made.name), made)
    return list(found.values())


def _on_platform(kind: type[InputDataset | OutputDataset], thing: OnPlatform) -> Any:
    return _dataset(kind, Dataset(namespace=thing.namespace, name=thing.name), thing.rows)


def _in_database(kind: type[InputDataset | OutputDataset], place: InDatabase) -> list[Any]:
    """The tables of a connection; what cannot be named now keeps no other from being told."""
    if not place.queries and not place.tables:
        return []
    try:
        return [_dataset(kind, table, rows) for table, rows in _tables(place)]
    except Exception as error:  # noqa: BLE001 - lineage fails no task, and the text of a driver may quote anything
        log.info("The tables of connection %r have no lineage (%s).", place.conn_id, type(error).__name__)
        return []


def _tables(place: InDatabase) -> list[tuple[Dataset, int | None]]:
    """The tables of all statements, and how many rows of each are known to be meant.

    Of several tables in one question the database knows, Airflow's code tells none that it does not know: a
    materialized view, or a table that is still to be made. So the parser is asked for the tables of each statement by
    itself. The database, which costs a connection, is asked once, for all of them: what it adds are columns, and the
    case in which it keeps a name.
    """
    hook = sql_hook(place.conn_id, hook_params=place.hook_params)
    # PostgreSQL opens a connection to tell it.
    hook.get_openlineage_default_schema = cache(hook.get_openlineage_default_schema)

    def named(*statements: str, in_database: bool = False) -> dict[tuple[str, str], Dataset]:
        found = get_openlineage_facets_with_sql(
            hook=hook, sql=list(statements), conn_id=place.conn_id, database=None, use_connection=in_database
        )
        tables = [] if found is None else found.inputs
        return {_key(table): table for table in tables if not _has_no_schema(table)}

    queries = [_OF_DRIVERS.sub(_for_the_parser, query) for query in place.queries]
    ours = _selects(place, hook)
    known = named(*queries, *ours, in_database=True)
    meant, rows = dict(known), dict.fromkeys(known, None)
    for statement in (*queries, *ours):
        for key, table in named(statement).items():
            meant.setdefault(key, table)
            rows[key] = ours.get(statement, rows.get(key))
    return [(table, rows[key]) for key, table in meant.items()]


def _key(table: Dataset) -> tuple[str, str]:
    """By what a table is known again: the parser keeps the case in which a query has its name."""
    return table.namespace, table.name.lower()


def _has_no_schema(table: Dataset) -> bool:
    """Whether the name is one of nowhere: MySQL's hook knows no schema but of a table that is there."""
    return "none" in table.name.lower().split(".")[:-1]


def _selects(place: InDatabase, hook: Any) -> dict[str, int | None]:
    """A statement for each of our own tables -> how many rows of it are meant."""
    if not place.tables:
        return {}
    connection = hook.get_connection(place.conn_id)
    dialect = hook.get_openlineage_database_dialect(connection)
    # Without it MySQL tells a table of this name in any database.
    schema = hook.schema or connection.schema if dialect == "mysql" else None
    mark = "`" if dialect in _BACKTICKS else '"'

    def quoted(table: str) -> str:
        """The name as a query must have it; its schema may hold capitals, or a hyphen."""
        names = parts(place.qualified(table))
        full = [schema, *names] if schema and len(names) == 1 else names
        return ".".join(f"{mark}{name.replace(mark, mark * 2)}{mark}" for name in full if name)

    return {f"SELECT 1 FROM {quoted(table)}": rows for table, rows in place.tables.items()}


def _for_the_parser(match: re.Match[str]) -> str:
    if match[0] == "%%":
        return "%"
    return "NULL" if match["list"] is None else f"{match['list']}(NULL)"


def _dataset(kind: type[InputDataset | OutputDataset], named: Dataset, rows: int | None) -> Any:
    facets = dict(named.facets or {})
    if kind is OutputDataset:
        written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
        told: Any = {} if rows is None else {"outputStatistics": written}
        return OutputDataset(namespace=named.namespace, name=named.name, facets=facets, outputFacets=told)
    read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)
    told = {} if rows is None else {"inputStatistics": read}
    return InputDataset(namespace=named.namespace, name=named.name, facets=facets, inputFacets=told)

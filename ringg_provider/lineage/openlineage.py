"""OpenLineage's words for what a task reads and writes; the only module that imports OpenLineage.

A table has the name that Airflow's own SQL operators give it on the same connection, because their code names it. A
database that they give none, such as SQLite, has none here. Of a query only its tables are told: not its text, in which
an author may have written a number, and not its values.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
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
from ringg_provider.lineage.datasets import InDatabase, Lineage, OnPlatform

log = logging.getLogger(__name__)

#: Drivers' own marks for a value, which the parser of OpenLineage takes for an error.
_PLACEHOLDERS = re.compile(r"%\(\w+\)s|%s")


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
        named = _tables(place)
    except Exception as error:  # noqa: BLE001 - lineage fails no task, and the text of a driver may quote anything
        log.info("The tables of connection %r have no lineage (%s).", place.conn_id, type(error).__name__)
        return []
    rows = {_last(name): count for name, count in place.tables.items()}
    return [_dataset(kind, table, rows.get(_last(table.name))) for table in named]


def _tables(place: InDatabase) -> Sequence[Dataset]:
    ours = {_last(table): f"SELECT 1 FROM {place.qualified(table)}" for table in place.tables}
    hook = sql_hook(place.conn_id, hook_params=place.hook_params)

    def named(statements: list[str]) -> list[Dataset]:
        found = get_openlineage_facets_with_sql(hook=hook, sql=statements, conn_id=place.conn_id, database=None)
        # A table that is not there yet has no database in MySQL.
        return [] if found is None else [table for table in found.inputs if not table.name.startswith("None.")]

    there = named([*(_PLACEHOLDERS.sub("NULL", query) for query in place.queries), *ours.values()])
    seen = {_last(table.name) for table in there}
    # Beside tables that are there, one that this very task is about to make is passed over; alone it has a name.
    return [*there, *(table for name, query in ours.items() if name not in seen for table in named([query]))]


def _last(name: str) -> str:
    return name.rpartition(".")[2].strip('"`').lower()


def _dataset(kind: type[InputDataset | OutputDataset], named: Dataset, rows: int | None) -> Any:
    facets = dict(named.facets or {})
    if kind is OutputDataset:
        written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
        told: Any = {} if rows is None else {"outputStatistics": written}
        return OutputDataset(namespace=named.namespace, name=named.name, facets=facets, outputFacets=told)
    read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)
    told = {} if rows is None else {"inputStatistics": read}
    return InputDataset(namespace=named.namespace, name=named.name, facets=facets, inputFacets=told)

"""What a task reads and writes, for the plugins that read Airflow's hook lineage.

Assets only: what Airflow's SQL hooks send beside them is the text of a query and its values. So of a query nothing is
told here; its tables are among OpenLineage's facets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import Asset, BaseHook

from ringg_provider.hooks.sql import sql_hook
from ringg_provider.lineage.assets import asset_of, table_asset
from ringg_provider.lineage.datasets import InDatabase, Lineage, OnPlatform

log = logging.getLogger(__name__)


def report(reads_and_writes: Callable[[], Lineage]) -> None:
    """Add the assets to what Airflow collects for this task.

    :param reads_and_writes: says what the task reads and writes; asked only where somebody reads the collection.
    """
    try:
        collector: Any = get_hook_lineage_collector()
        if type(collector).__name__ == "NoOpCollector":
            return
        lineage = reads_and_writes()
        for things, add in ((lineage.inputs, collector.add_input_asset), (lineage.outputs, collector.add_output_asset)):
            for thing in things:
                for hook, asset in _assets(thing):
                    add(context=hook, uri=asset.uri)
    except Exception as error:  # noqa: BLE001 - lineage fails no task, and the text of a driver may quote anything
        log.info("The hook lineage of this task is not complete (%s).", type(error).__name__)


def _assets(thing: InDatabase | OnPlatform) -> Iterator[tuple[BaseHook, Asset]]:
    if isinstance(thing, OnPlatform):
        yield BaseHook(), asset_of(thing)
    elif thing.tables:
        hook = sql_hook(thing.conn_id, hook_params=thing.hook_params)
        for table in thing.tables:
            # No database is opened: it may not answer, and a campaign that has begun would be waited for no more.
            with suppress(LookupError):
                yield hook, table_asset(thing.conn_id, table, thing.schema, thing.hook_params, may_ask=False)

"""The metrics that tasks send through Airflow's own ``Stats``: StatsD or OpenTelemetry, whichever ``[metrics]`` names.

All of them are in :data:`METRICS`, which ``docs/observability.md`` lists too. A tag has few values, and none of them is
an id, a name or a number of anybody. Counters of several workspaces add up; a gauge says by its connection whose it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

log = logging.getLogger(__name__)

#: What a gauge is told apart by, of which two workspaces would otherwise overwrite one another's.
_OF_A_WORKSPACE = ("platform", "conn_id")


@dataclass(frozen=True)
class Metric:
    """One metric.

    :param name: as Airflow is given it; ``[metrics] statsd_prefix`` comes before it.
    :param kind: a counter is added to, a gauge is set.
    :param meaning: what it says.
    :param tags: what it is told apart by.
    """

    name: str
    kind: Literal["counter", "gauge"]
    meaning: str
    tags: tuple[str, ...] = ("platform",)

    def send(self, value: int = 1, **tags: str) -> None:
        """Add to a counter, or set a gauge. What cannot be sent is dropped: no campaign depends on it.

        :param value: how much. Default 1.
        :param tags: exactly those of :attr:`tags`.
        """
        assert tags.keys() == set(self.tags), self.name
        if self.kind == "counter" and not value:
            return
        # Loaded when a task runs, and not with every DAG file.
        from airflow.providers.common.compat.sdk import Stats

        stats: Any = Stats
        try:
            (stats.incr if self.kind == "counter" else stats.gauge)(self.name, value, tags=tags)
        except Exception as error:  # noqa: BLE001 - a server that is not there, or a client that is not installed
            log.debug("The metric %s could not be sent (%s).", self.name, type(error).__name__)


def set_up() -> None:
    """Let metrics be sent from a process that Airflow runs no task in.

    From Airflow 3.2 on, ``Stats`` sends nothing before it is told where to. Airflow tells its tasks' own; of its API
    server it tells another one than providers use.
    """
    try:
        from airflow.providers.common.compat.sdk import Stats, conf
        from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
    except ImportError:
        return  # Airflow 3.1: it finds out by itself
    stats: Any = Stats
    choose: Any = get_stats_factory
    try:
        try:
            legacy = conf.getboolean("metrics", "legacy_names_on", fallback=True)
            stats.initialize(factory=choose(), export_legacy_names=legacy)
        except TypeError:  # Airflow 3.2
            stats.initialize(factory=choose(stats))
    except Exception as error:  # noqa: BLE001 - nothing that is counted depends on being counted
        log.warning("No metrics are sent (%s).", type(error).__name__)


LISTED = Metric("ringg.contacts.listed", "counter", "people who were put on a list that was uploaded")
LEFT_OUT = Metric(
    "ringg.contacts.left_out", "counter", "rows that are on no list, by the reason", tags=("platform", "reason")
)
LISTS = Metric("ringg.contacts.lists", "counter", "lists that were uploaded")
STARTED = Metric("ringg.launch.started", "counter", "campaigns that were started")
ADOPTED = Metric("ringg.launch.adopted", "counter", "launches that found the campaign started before, and sent nothing")
UNKNOWN = Metric("ringg.launch.unknown", "counter", "launches of which it cannot be told whether they were started")
REFUSED = Metric(
    "ringg.launch.refused", "counter", "launches that ended before a start, by the error's class", ("platform", "error")
)
ENDED = Metric(
    "ringg.campaign.ended", "counter", "campaigns that a task saw end, by how they ended", ("platform", "stage")
)
HISTORY_ROWS = Metric(
    "ringg.history.rows", "counter", "calls that are new in the table, or changed", ("platform", "change")
)
HISTORY_REQUESTS = Metric("ringg.history.requests", "counter", "list requests that loading the history took")
HISTORY_SAVED = Metric("ringg.history.requests_saved", "counter", "list requests that webhooks made needless")
HISTORY_OPEN = Metric("ringg.history.open", "gauge", "calls in the table that still lack something", _OF_A_WORKSPACE)
HISTORY_INCOMPLETE = Metric(
    "ringg.history.incomplete", "gauge", "calls in the table that were given up", _OF_A_WORKSPACE
)
INBOX_REQUESTS = Metric(
    "ringg.inbox.requests",
    "counter",
    "requests to the inbox, by what became of them",
    ("platform", "outcome"),
)
INBOX_ODD = Metric("ringg.inbox.odd", "counter", "deliveries that were stored and are odd", ("platform", "kind"))
CALLBACKS_PENDING = Metric("ringg.callbacks.pending", "gauge", "callbacks that are still to be made", _OF_A_WORKSPACE)
PROMISES = Metric(
    "ringg.promises", "counter", "promises to call back, by what became of them", tags=("platform", "outcome")
)
PROMISES_STANDING = Metric(
    "ringg.promises.standing",
    "gauge",
    "promises that are still to be kept, by their state",
    (*_OF_A_WORKSPACE, "state"),
)
INBOX_DELIVERIES = Metric(
    "ringg.inbox.deliveries", "counter", "deliveries that were applied, or given up", tags=("platform", "outcome")
)
PUBLISH_ROWS = Metric("ringg.publish.rows", "counter", "rows that were written into the warehouse")
PUBLISH_GONE = Metric("ringg.publish.gone", "counter", "keys that left the warehouse's copy")
PUBLISH_BYTES = Metric("ringg.publish.bytes", "counter", "of the files that were loaded into the warehouse")

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        LISTED,
        LEFT_OUT,
        LISTS,
        STARTED,
        ADOPTED,
        UNKNOWN,
        REFUSED,
        ENDED,
        HISTORY_ROWS,
        HISTORY_REQUESTS,
        HISTORY_SAVED,
        HISTORY_OPEN,
        HISTORY_INCOMPLETE,
        INBOX_REQUESTS,
        INBOX_ODD,
        CALLBACKS_PENDING,
        PROMISES,
        PROMISES_STANDING,
        INBOX_DELIVERIES,
        PUBLISH_ROWS,
        PUBLISH_GONE,
        PUBLISH_BYTES,
    )
}

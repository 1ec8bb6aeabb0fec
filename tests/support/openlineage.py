"""Events that OpenLineage's provider wrote to a file, and whether they are what its specification asks for.

The specification is read off the classes of its own Python client, which are generated from it.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from openlineage.client import generated

#: Of every facet, whatever else is in it.
_META = {"_producer", "_schemaURL", "_deleted"}


def told_to(file: Path, *, full: str = "True") -> dict[str, str]:
    """What an Airflow's environment needs, so that its events are written to a file.

    Args:
        file: that one.
        full: whether they hold whatever is found on an operator, as Airflow's configuration has it.
    """
    transport = {"type": "file", "log_file_path": str(file), "append": True}
    return {
        "AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO": full,
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
    }


def events_in(file: Path) -> list[dict[str, Any]]:
    """All events, the oldest first."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def event_of(events: list[dict[str, Any]], job: str, kind: str = "COMPLETE") -> dict[str, Any]:
    """The one event of a kind that a job sent."""
    (found,) = [event for event in events if event["job"]["name"] == job and event["eventType"] == kind]
    return found


def names(datasets: list[dict[str, Any]]) -> set[str]:
    """What datasets are called, with their namespaces."""
    return {f"{each['namespace']}/{each['name']}" for each in datasets}


def require_specified(event: dict[str, Any]) -> None:
    """Fail where an event is not what the specification asks for, its facets included."""
    assert dt.datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert event["eventType"] in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
    UUID(event["run"]["runId"])
    assert event["job"]["namespace"]
    assert event["job"]["name"]
    for uri in (event["producer"], event["schemaURL"]):
        assert urlsplit(uri).scheme
    for dataset in [*event["inputs"], *event["outputs"]]:
        assert dataset["namespace"]
        assert dataset["name"]
        assert dataset.keys() <= {"namespace", "name", "facets", "inputFacets", "outputFacets"}
    classes = _classes()
    for name, facet in _facets(event):
        assert {"_producer", "_schemaURL"} <= facet.keys(), name
        stated = facet["_schemaURL"].rpartition("/")[2]
        if (kind := classes[stated]).__module__ != "openlineage.client.generated.base":
            # Refuses what it does not know, and demands what is required.
            kind(**{key: value for key, value in facet.items() if key not in _META})


def _facets(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    holders = [event["run"].get("facets"), event["job"].get("facets")]
    for dataset in [*event["inputs"], *event["outputs"]]:
        holders += [dataset.get(kind) for kind in ("facets", "inputFacets", "outputFacets")]
    for holder in holders:
        yield from (holder or {}).items()


def _classes() -> dict[str, Any]:
    modules = [
        importlib.import_module(f"{generated.__name__}.{each.name}")
        for each in pkgutil.iter_modules(generated.__path__)
    ]
    return {name: value for module in modules for name, value in vars(module).items() if isinstance(value, type)}

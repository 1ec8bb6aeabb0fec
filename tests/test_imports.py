"""Airflow imports operators at every parse of every DAG file: what only a running task needs is not loaded by that."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ringg_provider.get_provider_info import get_provider_info

_SCRIPT = """
import importlib, json, sys
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator
before = set(sys.modules)
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
print(json.dumps(sorted(set(sys.modules) - before)))
"""

#: What costs much, and what only running tasks use: of others, and of ours.
FOREIGN = (
    "dateparser",
    "flint",
    "holidays",
    "httpx",
    "more_itertools",
    "openlineage",
    "opentelemetry",
    "pandas",
    "phonenumbers",
    "psycopg",
    "pyroaring",
    "sqlalchemy.dialects",
    "tomllib",
)
OURS = (
    "callbacks.words",
    "contacts",
    "history.closing",
    "history.load",
    "history.smartalex",
    "history.tables",
    "hours.planner",
    "hours.rules",
    "launch.keyed",
    "launch.ledger",
    "launch.table",
    "lineage.assets",
    "lineage.datasets",
    "lineage.hook_lineage",
    "lineage.openlineage",
    "numbers",
    "preflight.estimates",
    "ringg.csv_check",
    "ringg.destination",
    "ringg.launch_check",
    "sandbox",
    "smartalex.destination",
    "sql",
)


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    """All that importing every operator, sensor, transfer, trigger and hook loads beyond `airflow.sdk`."""
    info = get_provider_info()
    entries = [entry for kind in ("operators", "sensors", "triggers", "hooks") for entry in info[kind]]
    modules = [module for entry in entries for module in entry["python-modules"]]
    modules += [entry["python-module"] for entry in info["transfers"]]
    arguments = [sys.executable, "-W", "ignore", "-c", _SCRIPT, json.dumps(modules)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_no_operator_loads_a_heavy_library(loaded: list[str], name: str) -> None:
    assert [module for module in loaded if f"{module}.".startswith(f"{name}.")] == []


@pytest.mark.parametrize("name", OURS)
def test_no_operator_loads_a_room_that_only_running_tasks_need(loaded: list[str], name: str) -> None:
    assert [module for module in loaded if f"{module}.".startswith(f"ringg_provider.{name}.")] == []

"""Warehouses for one test each: an empty schema on an emulator, known to Airflow as a connection.

Run by `make test-warehouses` in an environment of its own, where the warehouses' Airflow providers are.
"""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.support import emulators
from tests.support.emulators import Emulated

if find_spec("fakesnow") is None:
    collect_ignore_glob = ["test_*.py"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def snowflake_port() -> Iterator[int]:
    with emulators.snowflake_emulator() as port:
        yield port


@pytest.fixture(scope="session")
def bigquery_origin() -> Iterator[str]:
    with emulators.bigquery_emulator() as origin:
        yield origin


@pytest.fixture
def snowflake(snowflake_port: int, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """A schema of its own."""
    connector = importlib.import_module("snowflake.connector")
    monkeypatch.setattr(connector, "connect", connector.connect)  # put back at the end
    emulators.point_snowflake_at(snowflake_port)
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE", json.dumps(emulators.SNOWFLAKE))
    hooks = importlib.import_module("airflow.providers.snowflake.hooks.snowflake")
    made = Emulated("snowflake", f"calling_{next(_numbers)}", hooks.SnowflakeHook("snowflake"))
    made.query(f"CREATE SCHEMA {made.schema}")
    return made


@pytest.fixture
def bigquery(bigquery_origin: str, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """A dataset of its own; the client library itself knows how to find an emulator."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_origin)
    monkeypatch.setenv("AIRFLOW_CONN_BIGQUERY", json.dumps(emulators.BIGQUERY))
    hooks = importlib.import_module("airflow.providers.google.cloud.hooks.bigquery")
    made = Emulated("bigquery", f"calling_{next(_numbers)}", hooks.BigQueryHook(gcp_conn_id="bigquery"))
    emulators.make_dataset(bigquery_origin, made.schema)
    return made

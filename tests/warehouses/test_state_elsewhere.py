"""Campaigns whose people are chosen in a warehouse, each by its own hook, and whose state is in PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Warehouse
from tests.support.emulators import Emulated
from tests.transfers.test_state_elsewhere import PEOPLE, two_nights


@pytest.mark.parametrize("kind", ["snowflake", "bigquery"])
def test_the_second_night_calls_nobody_whom_the_first_one_reached(
    kind: str, warehouse: Warehouse, sandbox: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated: Emulated = request.getfixturevalue(kind)
    monkeypatch.setenv("AIRFLOW_CONN_STATE", warehouse.connection)
    number, text = ("INT64", "STRING") if kind == "bigquery" else ("INTEGER", "VARCHAR")
    people = f"{emulated.schema}.people"
    emulated.query(f"CREATE TABLE {people} (id {number}, phone {text}, name {text})")
    rows = ", ".join(f"({row}, '{phone}', '{name}')" for row, (phone, name) in enumerate(PEOPLE, 1))
    emulated.query(f"INSERT INTO {people} (id, phone, name) VALUES {rows}")
    two_nights(kind, people, warehouse)

"""`docs/tables.md` says what the tables are; the columns in it are written by this file, the SQL in it is run here."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.campaign.ledger import launches
from ringg_provider.contacts.people import people_table
from ringg_provider.history.outcomes import create_outcomes_view
from ringg_provider.history.smartalex import callbacks_table, smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table
from tests.support.databases import Warehouse

DOCUMENT = Path(__file__).parents[2] / "docs" / "tables.md"
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LONG_AGO = NOW - dt.timedelta(days=400)


def described(table: sa.Table) -> str:
    """The columns of a table as the document lists them."""
    lines = ["| column | type | source | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        source, meaning = column.info["source"], column.info["meaning"]
        key = " (key)" if column.primary_key else ""
        lines.append(f"| `{column.name}`{key} | {_type_name(column.type)} | {source} | {meaning} |")
    return "\n".join(lines)


def _type_name(column_type: Any) -> str:
    name = type(column_type).__name__
    return {
        "String": "text, up to 191",
        "Text": "text",
        "Boolean": "boolean",
        "BigInteger": "bigint",
        "Integer": "integer",
        "UtcDateTime": "timestamp, UTC",
        "Json": "JSON",
        "Numeric": f"numeric({getattr(column_type, 'precision', '')}, {getattr(column_type, 'scale', '')})",
    }[name]


TABLES = [calls_table(), campaigns_table(), smartalex_calls_table(), callbacks_table()]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_in_the_document_as_it_is_in_the_code(table: sa.Table) -> None:
    assert described(table) in DOCUMENT.read_text(), "copy this into docs/tables.md:\n" + described(table)


@pytest.mark.parametrize("table", [people_table(), launches], ids=lambda table: table.name)
def test_every_column_of_the_other_tables_is_mentioned(table: sa.Table) -> None:
    section = DOCUMENT.read_text().partition(f"## `{table.name}`")[2].partition("\n## ")[0]
    for column in table.columns:
        assert f"`{column.name}`" in section, f"{table.name}.{column.name}"


def snippet(name: str) -> list[str]:
    """The statements of one named block of SQL in the document."""
    block = re.search(rf"<!-- {name} -->\n```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert block, f"the document has no SQL named {name}"
    return [statement for statement in block[1].split(";") if statement.strip()]


def _people(engine: sa.Engine) -> tuple[sa.Table, sa.Table]:
    contacts, calls = people_table(), calls_table()
    contacts.create(engine)
    calls.create(engine)
    with engine.begin() as connection:
        for days, who in ((400, "+919800000001"), (2, "+919800000002")):
            at = NOW - dt.timedelta(days=days)
            connection.execute(
                sa.insert(calls).values(
                    call_id=f"call-{days}",
                    bulk_list_id="list",
                    to_number=who,
                    to_number_e164=who,
                    callee_name="Asha Rao",
                    status="completed",
                    is_final=True,
                    created_at=at,
                    attempted_at=at,
                    duration_seconds=20,
                    transcript=[{"speaker": "user", "text": "my secret"}],
                    summary="my secret",
                    platform_analysis={"summary": "my secret"},
                    client_analysis={"why": "my secret"},
                    recording_url="https://x.example/my-secret",
                    recording_path="s3://bucket/my-secret",
                    raw={"name": "Asha Rao", "to_number": who},
                    details_raw={"said": "my secret"},
                    history_state="complete",
                )
            )
            connection.execute(
                sa.insert(contacts).values(
                    launch_key="k",
                    contact_key=f"person-{days}",
                    occurrence=1,
                    list_id="list",
                    phone=who,
                    disposition="listed",
                    recorded_at=at,
                )
            )
    return contacts, calls


def _run(engine: sa.Engine, name: str, **parameters: Any) -> None:
    with engine.begin() as connection:
        for statement in snippet(name):
            bound = {key: value for key, value in parameters.items() if f":{key}" in statement}
            typed = [sa.bindparam(key, type_=calls_table().c.created_at.type) for key in bound if key == "before"]
            connection.execute(sa.text(statement).bindparams(*typed), bound)


def _everything(engine: sa.Engine, *tables: sa.Table) -> dict[str, str]:
    with engine.connect() as connection:
        return {row[0]: repr(row) for table in tables for row in connection.execute(sa.select(table))}


def test_erasing_what_was_said_takes_old_calls_and_leaves_new_ones(engine: sa.Engine) -> None:
    _, calls = _people(engine)
    _run(engine, "erase what was said", before=NOW - dt.timedelta(days=90))
    found = _everything(engine, calls)
    assert "my secret" not in found["call-400"]
    assert "my-secret" not in found["call-400"]
    assert "Asha" not in found["call-400"]
    assert "my secret" in found["call-2"]
    with engine.connect() as connection:
        erased = connection.execute(sa.select(calls.c.call_id).where(calls.c.erased_at.is_not(None))).scalars().all()
    assert erased == ["call-400"]


def test_hashing_numbers_takes_the_number_and_keeps_the_join(warehouse: Warehouse) -> None:
    contacts, calls = _people(warehouse.engine)
    create_outcomes_view(warehouse.engine, contacts, calls)
    _run(warehouse.engine, "hash numbers", before=NOW - dt.timedelta(days=90), salt="pepper")
    with warehouse.engine.connect() as connection:
        everything = repr(connection.execute(sa.select(calls)).all()) + repr(
            connection.execute(sa.select(contacts)).all()
        )
    assert "9800000001" not in everything
    assert "9800000002" in everything
    outcomes = {row["contact_key"]: row["calls"] for row in warehouse.query("SELECT * FROM ringg_outcomes")}
    assert outcomes == {"person-400": 1, "person-2": 1}


def test_the_recordings_to_delete_can_be_listed(engine: sa.Engine) -> None:
    _people(engine)
    with engine.connect() as connection:
        (statement,) = snippet("recordings to delete")
        before = sa.bindparam("before", NOW - dt.timedelta(days=90), type_=calls_table().c.created_at.type)
        assert connection.execute(sa.text(statement).bindparams(before)).scalars().all() == ["s3://bucket/my-secret"]


def test_those_who_were_not_called_can_be_found(engine: sa.Engine) -> None:
    contacts, _ = _people(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(contacts).values(
                launch_key="k",
                contact_key="left out",
                occurrence=1,
                list_id="list",
                phone="+919800000003",
                disposition="listed",
                recorded_at=NOW,
            )
        )
    with engine.connect() as connection:
        (statement,) = snippet("finish the rest")
        rows = connection.execute(sa.text(statement), {"list_id": "list"}).all()
    assert [row.contact_key for row in rows] == ["left out"]

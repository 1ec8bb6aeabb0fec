"""What the README and the docs promise is there: names, links, the DAG to paste, the runbook's SQL."""

from __future__ import annotations

import inspect
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ringg_provider.exceptions
from ringg_provider.exceptions import PermanentError, RinggProviderError, TransientError
from ringg_provider.warehouse import create_ringg_tables
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()


def test_the_dag_to_paste_is_short_and_loads_as_it_stands(run_dag: DagRunner) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(source.splitlines()) <= 25
    dag = run_dag.load(source)
    assert {task.operator_name for task in dag.tasks} == {
        "SqlToRinggOperator",
        "RinggLaunchOperator",
        "RinggCallsToSqlOperator",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_error_that_a_user_can_meet_has_its_place_in_the_runbook() -> None:
    bases = {RinggProviderError, TransientError, PermanentError}
    ours = [
        error
        for _, error in inspect.getmembers(ringg_provider.exceptions, inspect.isclass)
        if issubclass(error, RinggProviderError) and error not in bases
    ]
    assert len(ours) > 10
    missing = [error.__name__ for error in ours if not re.search(rf"\b{error.__name__}\b", RUNBOOK)]
    assert missing == []


def test_every_section_of_the_runbook_that_a_message_names_exists() -> None:
    named: set[str] = set()
    for source in (ROOT / "ringg_provider").rglob("*.py"):
        text = re.sub(r'"\s*\n\s*f?"', "", source.read_text())
        named |= set(re.findall(r"runbook, '([^']+)'", text))
    assert named
    assert named <= {line.removeprefix("## ") for line in RUNBOOK.splitlines()}


def test_the_runbooks_way_to_finish_a_stopped_campaign_selects_who_was_not_called(warehouse: Warehouse) -> None:
    (query,) = [sql for sql in re.findall(r"```sql\n(.*?)```", RUNBOOK, re.DOTALL) if "stopped list" in sql]
    create_ringg_tables(warehouse.engine)
    with warehouse.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE contacts (contact_id text, phone text)"))
        for number, status in enumerate(["completed", "cancelled", "failed", "registered", None], start=1):
            key, phone = f"C{number}", f"+91984500000{number}"
            connection.execute(sa.text("INSERT INTO contacts VALUES (:key, :phone)"), {"key": key, "phone": phone})
            _insert(connection, "ringg_contacts", _contact(connection, key, phone))
            if status is not None:
                _insert(connection, "ringg_calls", _call(key, phone, status))
        rest = connection.execute(sa.text(query.replace("<the stopped list>", "L"))).scalars().all()
    assert sorted(rest) == ["C2", "C4", "C5"]


def _insert(connection: sa.Connection, table: str, row: dict[str, Any]) -> None:
    columns = {column["name"] for column in sa.inspect(connection).get_columns(table)}
    known = {name: value for name, value in row.items() if name in columns}
    names = ", ".join(known)
    connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(known)})"), known)


def _contact(connection: sa.Connection, key: str, phone: str) -> dict[str, Any]:
    row: dict[str, Any] = {"contact_key": key, "list_id": "L", "phone": phone, "disposition": "listed"}
    for column in sa.inspect(connection).get_columns("ringg_contacts"):
        if not column["nullable"] and column["name"] not in row and column.get("default") is None:
            kind = column["type"].python_type
            row[column["name"]] = 0 if kind is int else "2026-11-20T00:00:00Z" if kind is not str else "key"
    return row


def _call(key: str, phone: str, status: str) -> dict[str, Any]:
    return {"call_id": key, "bulk_list_id": "L", "to_number_e164": phone, "status": status}


def test_no_host_of_a_package_registry_is_named_anywhere() -> None:
    hosts = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    kinds = {".md", ".py", ".toml", ".cfg", ".txt", ".csv", ""}
    # What git does not track is not ours: virtual environments, caches, the demo's data.
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in (ROOT / name for name in tracked.splitlines()):
        if path.suffix in kinds and path.is_file():
            text = path.read_text(errors="ignore")
            assert not any(host in text for host in hosts), path

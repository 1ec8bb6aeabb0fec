"""What the README and the docs promise is there: names, links, the DAG to paste, the runbook's SQL."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import BaseHook

import ringg_provider
from ringg_provider import exceptions
from ringg_provider.exceptions import PermanentError, RinggProviderError, TransientError
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.warehouse import create_ringg_tables
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse
from tests.support.provided import NOT_HERE, offered_operators

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = PAGES[0].read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_the_dag_to_paste_is_short_and_calls_everybody_once_as_it_stands(
    database: str,
    run_dag: DagRunner,
    sandbox: Any,
    warehouse: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in source.splitlines() if line]) <= 12
    engine = warehouse.engine
    if database == "sqlite":
        engine = sa.create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
        file = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")})
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", file)
    (people,) = re.findall(r"executescript\('''(.*?)'''\)", README, re.DOTALL)
    with engine.begin() as connection:
        for statement in filter(str.strip, people.split(";")):
            connection.execute(sa.text(statement))
    for _ in range(2):
        run = run_dag(source)
        assert run.state == "success", run
    with engine.connect() as connection:
        calls = connection.execute(sa.text("SELECT to_number_e164 FROM ringg_calls WHERE is_final")).scalars().all()
    engine.dispose()
    assert calls == ["+919845000001"]
    assert sandbox.dials()["max_calls_per_number"] == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_error_that_a_user_can_meet_has_its_place_in_the_runbook() -> None:
    bases = {RinggProviderError, TransientError, PermanentError}
    for module in pkgutil.walk_packages(ringg_provider.__path__, "ringg_provider."):
        if not module.name.endswith("__main__") and module.name not in NOT_HERE:
            importlib.import_module(module.name)
    names = {error.__name__ for error in _subclasses(RinggProviderError) - bases}
    ours = {name for name in names if not name.startswith("_")}
    assert ours <= set(vars(exceptions)), "a public error that is not in exceptions.py"
    assert {"HistoryNotCurrent", "LaunchInterrupted", "QueryFailed", "Stopped", "WrongState"} <= ours
    assert {name for name in ours if not re.search(rf"\b{name}\b", RUNBOOK)} == set()


def _subclasses(kind: type[Exception]) -> set[type[Exception]]:
    found: set[type[Exception]] = {
        below for below in kind.__subclasses__() if below.__module__.startswith("ringg_provider.")
    }
    return found.union(*map(_subclasses, found))


def test_every_operator_sensor_and_transfer_is_named_in_the_documentation() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    public = {operator.__name__ for operator in offered_operators()}
    assert len(public) > 15
    assert {name for name in public if not re.search(rf"\b{name}\b", text)} == set()


def test_the_connections_in_the_documentation_can_be_used_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    found = dict(re.findall(r"AIRFLOW_CONN_(\w+)='(.*?)'", text, re.DOTALL))
    assert {"RINGG_DEFAULT", "RINGG_SANDBOX", "SMARTALEX_DEFAULT", "SMARTALEX_SANDBOX"} <= set(found)
    for name, value in found.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", value)
        conn_type = BaseHook.get_connection(name.lower()).conn_type
        if conn_type not in ("ringg", "smartalex"):
            assert conn_type in value  # it is read, as JSON or as an address; its Airflow provider is another one's
            continue
        hook = RinggHook(name.lower()) if conn_type == "ringg" else SmartAlexHook(name.lower())
        with hook:
            assert hook.client is not None


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
        connection.execute(sa.text("CREATE TABLE contacts (contact_id integer, phone text)"))
        for number, status in enumerate(["completed", "cancelled", "failed", "registered", None], start=1):
            key, phone = str(number), f"+91984500000{number}"
            connection.execute(sa.text("INSERT INTO contacts VALUES (:key, :phone)"), {"key": number, "phone": phone})
            _insert(connection, "ringg_contacts", _contact(connection, key, phone))
            if status is not None:
                _insert(connection, "ringg_calls", _call(key, phone, status))
        rest = connection.execute(sa.text(query.replace("<the stopped list>", "L"))).scalars().all()
    assert sorted(rest) == [2, 4, 5]


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
    kinds = {".md", ".py", ".toml", ".cfg", ".txt", ".csv", ".yml", ".yaml", ".css", ".js", ""}
    # What git does not track is not ours: virtual environments, caches, the demo's data.
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in (ROOT / name for name in tracked.splitlines()):
        if path.suffix in kinds and path.is_file():
            text = path.read_text(errors="ignore")
            assert not any(host in text for host in hosts), path


def test_the_map_shows_every_room_and_no_file_that_is_not_there() -> None:
    # The first table names the files of a room without the room.
    table, _, walks = (ROOT / "docs" / "architecture.md").read_text().partition("\n## ")
    package = ROOT / "ringg_provider"
    assert {f"{path.parent.name}/" for path in package.glob("*/__init__.py")} <= set(re.findall(r"`(\w+/)`", table))
    assert [name for name in re.findall(r"`([\w/]+\.py)`", walks) if not (package / name).is_file()] == []
    for row in re.findall(r"^\| `(\w+/)` \|.*$", table, re.MULTILINE):
        files = re.findall(r"`(\w+\.py)`", table[table.index(f"| `{row}`") :].partition("\n")[0])
        assert [name for name in files if not (package / row / name).is_file()] == []

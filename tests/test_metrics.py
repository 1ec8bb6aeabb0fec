"""The metrics of a night, as a StatsD server gets them from a real Airflow; the documentation lists them all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringg_provider import metrics
from ringg_provider.metrics import LEFT_OUT, METRICS, STARTED, set_up
from tests.support.airflow_home import home_of
from tests.support.databases import Warehouse
from tests.support.statsd import StatsdServer, ours, statsd_server

ROOT = Path(__file__).parents[1]
NUMBER, NAME = "9876543987", "Zyxmarkedname"
OPEN = "ringg.history.open,platform=ringg,conn_id=ringg_sandbox"

DAG = """
from datetime import datetime
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.ringg_publish import RinggPublishOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
LAUNCH = dict(
    ringg_conn_id="ringg_sandbox", state_conn_id="warehouse", from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
)
LISTS = dict(
    ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222", sql_conn_id="warehouse",
    variables_map={"callee_name": "name"}, call_config={"call_time": HOURS}, state_conn_id="warehouse",
    sql="SELECT phone, name FROM people", phone_column="phone", country_code="+91", campaign_name="Marked",
    contacts_table="ringg_contacts",
)

with DAG("marked", schedule=None, start_date=datetime(2026, 1, 1), default_args={"trigger_rule": "all_done"}):
    lists = SqlToRinggOperator(task_id="lists", launch_key="key", **LISTS)
    others = SqlToRinggOperator(task_id="others", launch_key="other", **LISTS)
    launch = RinggLaunchOperator.partial(task_id="launch", **LAUNCH).expand(launch=lists.output)
    again = RinggLaunchOperator.partial(task_id="again", **LAUNCH).expand(launch=lists.output)
    refused = RinggLaunchOperator.partial(
        task_id="refused", **LAUNCH | {"from_numbers": ["nobody"]}
    ).expand(launch=others.output)
    calls = RinggCallsToSqlOperator(task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="warehouse")
    publish = RinggPublishOperator(task_id="publish", state_conn_id="warehouse", warehouse_conn_id="copy")
    lists >> launch >> again >> others >> refused >> calls >> publish
"""


@pytest.fixture
def statsd() -> Iterator[StatsdServer]:
    with statsd_server() as server:
        yield server


@pytest.mark.slow
def test_a_night_is_counted(
    sandbox_factory: Any, sqlite_warehouse: Warehouse, statsd: StatsdServer, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sandbox_factory("g3", history_rate_window_seconds=0)
    monkeypatch.setenv("AIRFLOW_CONN_COPY", f'{{"conn_type": "sqlite", "host": "{tmp_path / "copy.db"}"}}')
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    people = [NUMBER, NUMBER, "12", "nonsense"]
    sqlite_warehouse.execute(
        "INSERT INTO people VALUES (:phone, :name)", [{"phone": phone, "name": NAME} for phone in people]
    )
    home = home_of(
        tmp_path,
        DAG,
        **statsd.environment,
    )
    output = home.airflow("dags", "test", "marked")
    assert [task for task, state in home.task_states() if state != "success"] == ["refused"], [
        line for line in output.splitlines() if "Exception:" in line or "Error:" in line
    ]
    lines = statsd.lines()
    assert not [line for line in lines if NUMBER in line or NAME in line]
    sent = ours(lines)
    assert sent.pop("ringg.publish.bytes,platform=ringg") > 1000
    assert sent.pop("ringg.history.requests,platform=ringg") >= 1
    assert sent == {
        "ringg.contacts.lists,platform=ringg": 2,
        "ringg.contacts.listed,platform=ringg": 2,
        "ringg.contacts.left_out,platform=ringg,reason=duplicate": 2,
        "ringg.contacts.left_out,platform=ringg,reason=phone_not_dialable": 2,
        "ringg.contacts.left_out,platform=ringg,reason=phone_unreadable": 2,
        "ringg.launch.started,platform=ringg": 1,
        "ringg.launch.adopted,platform=ringg": 1,
        "ringg.launch.refused,platform=ringg,error=InvalidRequest": 1,
        "ringg.history.rows,platform=ringg,change=new": 1,
        OPEN: sent[OPEN],
        "ringg.history.incomplete,platform=ringg,conn_id=ringg_sandbox": 0,
        "ringg.publish.rows,platform=ringg": sent["ringg.publish.rows,platform=ringg"],
    }
    assert sent["ringg.publish.rows,platform=ringg"] >= 4


def test_the_documentation_lists_every_metric() -> None:
    page = (ROOT / "docs" / "observability.md").read_text().partition("## Metrics")[2].partition("## Traces")[0]
    rows = re.findall(r"^\| `(ringg\.[a-z_.]+)` \| (\w+) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert {name: (kind, set(re.findall(r"`(\w+)`", tags)), meaning) for name, kind, tags, meaning in rows} == {
        metric.name: (metric.kind, set(metric.tags), metric.meaning) for metric in METRICS.values()
    }


def test_every_metric_is_sent_from_somewhere() -> None:
    sources = "\n".join(
        path.read_text() for path in (ROOT / "ringg_provider").rglob("*.py") if path.name != "metrics.py"
    )
    names = [name for name, value in vars(metrics).items() if isinstance(value, metrics.Metric)]
    assert len(names) == len(METRICS)
    assert [name for name in names if f"{name}.send(" not in sources and f"{name} " not in sources] == []


def test_a_metric_that_cannot_be_sent_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no such host")

    monkeypatch.setattr("airflow.providers.common.compat.sdk.Stats.incr", broken)
    STARTED.send(platform="ringg")


def test_metrics_that_cannot_be_set_up_fail_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise OSError("no such host")

    monkeypatch.setattr("airflow.providers.common.compat.sdk.Stats.initialize", broken, raising=False)
    set_up()


def test_only_the_tags_that_are_listed_can_be_sent() -> None:
    with pytest.raises(AssertionError, match=r"ringg\.contacts\.left_out"):
        LEFT_OUT.send(platform="ringg", number=NUMBER)


def test_a_gauge_says_of_which_workspace_it_is() -> None:
    assert {
        metric.name for metric in METRICS.values() if metric.kind == "gauge" and "conn_id" not in metric.tags
    } == set()

"""The closing of the calling hours as a point in time that a deadline counts from."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ringg_provider.exceptions import InvalidRequest

deadlines = pytest.importorskip(
    "ringg_provider.deadlines", reason="Airflow 3.1 has no references but its own", exc_type=ImportError
)
CLOSE = deadlines.CallingHoursClose("19:00", "Asia/Kolkata")


@pytest.mark.parametrize(
    ("due", "closing"),
    [
        ("2026-11-20T02:00+05:30", "2026-11-20T19:00+05:30"),
        ("2026-11-20T18:59+05:30", "2026-11-20T19:00+05:30"),
        ("2026-11-20T19:00+05:30", "2026-11-21T19:00+05:30"),
        ("2026-11-19T20:30+00:00", "2026-11-20T19:00+05:30"),
    ],
)
def test_it_is_the_first_closing_after_the_run_is_due(due: str, closing: str) -> None:
    assert CLOSE.after(datetime.fromisoformat(due)) == datetime.fromisoformat(closing)


def test_a_closing_on_the_day_the_clocks_change_is_at_its_wall_clock_time() -> None:
    close = deadlines.CallingHoursClose("20:00", "Europe/Berlin")
    assert close.after(datetime(2026, 3, 29, 0, 0, tzinfo=UTC)) == datetime(2026, 3, 29, 18, 0, tzinfo=UTC)
    assert close.after(datetime(2026, 10, 25, 0, 0, tzinfo=UTC)) == datetime(2026, 10, 25, 19, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("7 pm", "Asia/Kolkata"), "closes"),
        (("24:00", "Asia/Kolkata"), "closes"),
        (("9:00", "Asia/Kolkata"), "closes"),
        ((19, "Asia/Kolkata"), "closes"),
        (("19:00", "India"), "timezone"),
        (("19:00", "+05:30"), "timezone"),
    ],
)
def test_what_is_no_time_of_day_or_zone_is_refused_when_the_dag_is_read(arguments: Any, field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: must be") as caught:
        deadlines.CallingHoursClose(*arguments)
    assert caught.value.field == field


def test_it_is_stored_as_plain_json_and_comes_back_equal() -> None:
    stored = json.loads(json.dumps(CLOSE.serialize_reference()))
    assert stored == {"reference_type": "CallingHoursClose", "closes": "19:00", "timezone": "Asia/Kolkata"}
    assert deadlines.CallingHoursClose.deserialize_reference(stored) == CLOSE
    assert deadlines.CallingHoursClose("18:00", "Asia/Kolkata") != CLOSE


def test_airflow_finds_it_by_a_plugin_evaluates_it_for_a_run_and_adds_the_interval(run_dag: Any) -> None:
    from airflow import plugins_manager
    from airflow.models.dagrun import DagRun
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert
    from airflow.serialization.decoders import decode_deadline_alert
    from airflow.serialization.encoders import encode_deadline_alert
    from airflow.utils.session import create_session

    from ringg_provider.examples import LogNotifier

    alert = DeadlineAlert(CLOSE, timedelta(hours=-1), AsyncCallback(LogNotifier, {"message": "late"}))
    assert "ringg_provider.deadlines.CallingHoursClose" in plugins_manager.get_deadline_references_plugins()
    decoded = decode_deadline_alert(encode_deadline_alert(alert))
    run = run_dag(
        "from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\n"
        "with DAG('due'):\n    EmptyOperator(task_id='task')\n"
    )
    with create_session() as session:
        found = session.query(DagRun).filter_by(dag_id="due", run_id=run.run_id).one()
        when = decoded.reference.evaluate_with(
            session=session, interval=decoded.interval, dag_id="due", run_id=run.run_id
        )
        assert when == CLOSE.after(found.run_after) - timedelta(hours=1)
        assert (
            decoded.reference.evaluate_with(session=session, interval=decoded.interval, dag_id="x", run_id="y") is None
        )


def test_the_plugin_costs_a_worker_next_to_nothing() -> None:
    code = """
import sys
import airflow.sdk.definitions.deadline, pendulum
from airflow.providers.common.compat.sdk import AirflowPlugin
before = set(sys.modules)
import ringg_provider.plugin
print(*set(sys.modules) - before)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(printed.splitlines()[-1].split())
    heavy = {"httpx", "fastapi", "sqlalchemy", "phonenumbers", "holidays", "pydantic"}
    assert not {name.partition(".")[0] for name in loaded} & heavy
    assert not [name for name in loaded if name.startswith("ringg_provider.ui")]

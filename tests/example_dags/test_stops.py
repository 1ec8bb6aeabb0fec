"""The examples that stop calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from demo.contacts import load
from tests.example_dags.examples import CONTACTS_CSV, changed, most_dials
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse
from tests.support.sandbox import where_it_is

STOPS: dict[str, Callable[[str], dict[str, str]]] = {
    "campaign": lambda list_id: {"campaign_id": list_id},
    "agent": lambda _: {"agent_id": "22222222-2222-4222-8222-222222222222"},
    "numbers": lambda _: {"sql": "SELECT '98450 00001' UNION SELECT '+919845000002'"},
}


def launch_of_the_evening() -> str:
    """A DAG that starts a campaign where it is evening: nobody has been called when a stop comes, whatever the hour."""
    launch = changed("ringg_csv_campaign", "wait_for_completion=True", "wait_for_completion=False")
    hours = '"call_end_time": "19:00", "timezone": "{}"'
    assert hours.format("Asia/Kolkata") in launch
    return launch.replace(hours.format("Asia/Kolkata"), hours.format(where_it_is(20)))


@pytest.mark.parametrize("what", STOPS)
def test_the_emergency_stop_stops_what_it_is_told(
    what: str, run_dag: DagRunner, sandbox_factory: Any, warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory("g3", speed=1)
    started = run_dag(launch_of_the_evening(), conf={"contacts": CONTACTS_CSV})
    assert started.state == "success", started
    stopped = run_dag("ringg_emergency_stop", conf=STOPS[what](started.xcom("save_campaign")))
    assert stopped.state == "success", stopped
    calls = sandbox.state()["calls"]
    cancelled = [call for call in calls if call["status"] == "cancelled"]
    assert len(cancelled) == (2 if what == "numbers" else 5)


def test_the_emergency_stop_refuses_two_targets(run_dag: DagRunner, sandbox: Any, warehouse: Warehouse) -> None:
    run = run_dag("ringg_emergency_stop", conf={"campaign_id": "a", "agent_id": "b"})
    assert run.state == "failed"
    assert run.tasks["choose"] == "failed"


def test_who_opts_out_while_a_campaign_runs_is_not_called(
    run_dag: DagRunner, sandbox_factory: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 50)
    sandbox = sandbox_factory("g3", speed=1)
    started = run_dag(launch_of_the_evening(), conf={"contacts": CONTACTS_CSV})
    assert started.state == "success", started

    def opt_out(*spelled: str) -> None:
        rows = [{"phone": phone} for phone in spelled]
        warehouse.execute("INSERT INTO do_not_call VALUES (:phone, 'asked on a call', now())", rows)

    def cancelled() -> int:
        return [call["status"] for call in sandbox.state()["calls"]].count("cancelled")

    def stop() -> int:
        run = run_dag("ringg_late_opt_outs")
        assert run.state == "success", run
        return int(run.xcom("stop_opted_out"))

    # Whoever opted out long ago is on no list.
    warehouse.execute("UPDATE do_not_call SET added_at = now() - interval '30 days'")
    assert (stop(), cancelled()) == (0, 0)
    opt_out("098450-00001", "0091 98450 00002", "(+91) 98450.00002")
    assert (stop(), cancelled()) == (2, 2)
    # The next run looks an hour further back than the last success, and no further.
    warehouse.execute("UPDATE do_not_call SET added_at = added_at - interval '50 minutes' WHERE phone LIKE '0091%'")
    warehouse.execute("UPDATE do_not_call SET added_at = added_at - interval '3 hours' WHERE phone LIKE '%0-%'")
    opt_out("9845000003", *(f"+9198460{number:05d}" for number in range(200)))
    assert (stop(), cancelled()) == (202, 3)
    assert [request["method"] for request in sandbox.requests()].count("PATCH") >= 4
    assert most_dials(sandbox) == 1

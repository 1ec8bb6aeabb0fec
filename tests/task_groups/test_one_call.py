"""A campaign in one call: the same tasks as the long examples, and the same end of a night."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zlib import crc32

import pendulum
import pytest
from airflow import sdk
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from jinja2 import Template

from demo.contacts import load
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.operators.ringg import RinggRolloutOperator
from ringg_provider.task_groups import RinggCampaign, Rollout, SmartAlexCampaign
from ringg_provider.task_groups.campaign import ITERATION
from tests.support.dags import EXAMPLES, DagRunner
from tests.support.databases import Warehouse

HEAD = """
import pendulum
from airflow.sdk import DAG, dag, task
from ringg_provider.task_groups import RINGG_DAY, RinggCampaign, SmartAlexCampaign

FIRST = pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata")
RINGG = dict(
    sql_conn_id="warehouse", sql="SELECT * FROM contacts WHERE segment = 'renewal' ORDER BY contact_id",
    suppression_sql="SELECT phone FROM do_not_call", purpose="promotional", phone_column="phone", country_code="+91",
    contact_key="contact_id", variables_map={"callee_name": "full_name"},
    agent_id="22222222-2222-4222-8222-222222222222", from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
    call_config={"call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"}},
    ringg_conn_id="ringg_sandbox", poll_interval=2,
)
SMARTALEX = dict(
    sql_conn_id="warehouse", sql="SELECT contact_id, full_name, phone FROM contacts ORDER BY contact_id",
    suppression_sql="SELECT phone FROM do_not_call", purpose=None, phone_column="phone", country_code="+91",
    contact_key="contact_id", contact_columns={"first_name": "full_name"}, agent_id="agent_survey",
    settings={"calling_hours_start": "09:00", "calling_hours_end": "20:00", "timezone": "Asia/Kolkata",
              "concurrent_calls": 10, "max_retries": 1},
    smartalex_conn_id="smartalex_sandbox", poll_interval=2,
)
"""


def one_call(call: str, head: str = HEAD) -> str:
    # One id a DAG: Airflow 3.1 keeps the first of a name in mind for as long as the process lives.
    dag_id = f"one_call_{crc32((head + call).encode()):x}"
    return f'{head}\nwith DAG("{dag_id}", schedule=None, start_date=FIRST, catchup=False):\n    {call}\n'


def hour_of_today(hour: int) -> dict[str, Any]:
    """When a run is due: today where the audience lives, whatever midnight passes between two runs."""
    instant = pendulum.today("Asia/Kolkata").add(hours=hour)
    return {"run_after": instant, "logical_date": instant}


GIVEN: dict[Any, dict[str, Any]] = {
    RinggCampaign: {
        "sql_conn_id": "warehouse",
        "sql": "SELECT 1",
        "suppression_sql": None,
        "purpose": None,
        "agent_id": "agent",
        "phone_column": "phone",
        "country_code": "+91",
        "variables_map": {},
        "call_config": {},
        "from_numbers": ["number"],
    },
    SmartAlexCampaign: {
        "sql_conn_id": "warehouse",
        "sql": "SELECT 1",
        "suppression_sql": None,
        "purpose": None,
        "agent_id": "agent",
        "phone_column": "phone",
        "country_code": "+91",
        "settings": {},
    },
}

#: What says where a task stands, or is filled in by the DAG around it.
PLACES = {"task_id", "dag", "task_group", "start_date", "upstream_task_ids", "downstream_task_ids", "logger_name"}


def arguments(task: Any) -> dict[str, Any]:
    """Everything that a task was given, in a form that can be compared."""
    given = {**task.partial_kwargs, **task.expand_input.value} if task.is_mapped else vars(task)
    private = {name.lstrip("_"): value for name, value in given.items() if name.strip("_") not in PLACES}
    return {name: _plain(value) for name, value in private.items() if not name.startswith("BaseOperator__")}


def _plain(value: Any) -> Any:
    if hasattr(value, "operator"):  # the result of a task
        return f"result of {value.operator.task_id.rpartition('.')[2]}"
    if callable(value):
        return getattr(value, "__qualname__", repr(value)).rpartition(".")[2]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    if isinstance(value, (str, int, float, bool, timedelta, type(None))):
        return value
    return repr(vars(value)) if hasattr(value, "__dict__") else repr(value)


def last(ids: Any) -> set[str]:
    return {each.rpartition(".")[2] for each in ids} - {"sandbox_only"}


LONG = {
    "ringg_nightly_campaign": """RinggCampaign(
        sql_conn_id="warehouse", sql=long.CONTACTS, suppression_sql="SELECT phone FROM do_not_call",
        purpose="promotional", agent_id="11111111-1111-4111-8111-111111111111",
        campaign_name=f"Renewals {RINGG_DAY}", launch_key=f"renewals-{RINGG_DAY}", phone_column="phone",
        variables_map={"callee_name": "full_name", "policy_id": "policy_id", "due_date": "due_date"},
        country_code="+91", contact_key="contact_id", not_called_within_days=2, from_numbers=long.CALLERS,
        call_config={
            "call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"},
            "call_retry_config": {"retry_count": 2, "retry_busy": 30, "retry_not_picked": 60, "retry_failed": 30},
        },
        history_pool="ringg_history", poll_interval=long.POLL_SECONDS,
    )""",
    "smartalex_nightly_campaign": """SmartAlexCampaign(
        sql_conn_id="warehouse", sql="SELECT contact_id, full_name, phone FROM contacts ORDER BY contact_id",
        suppression_sql="SELECT phone FROM do_not_call", purpose=None, agent_id="agent_survey",
        campaign_name=f"Survey {RINGG_DAY}", launch_key=f"smartalex-survey-{RINGG_DAY}", phone_column="phone",
        contact_columns={"first_name": "full_name"}, country_code="+91", contact_key="contact_id",
        settings={
            "calling_hours_start": "09:00", "calling_hours_end": "20:00", "timezone": "Asia/Kolkata",
            "concurrent_calls": 10, "max_retries": 1,
        },
        not_called_within_days=30, poll_interval=long.POLL_SECONDS,
    )""",
}


@pytest.mark.parametrize("dag_id", LONG)
def test_its_tasks_and_their_arguments_are_those_of_the_long_example(dag_id: str, run_dag: DagRunner) -> None:
    conn_id = f"{dag_id.partition('_')[0]}_conn_id"
    head = f"""
import importlib.util, sys
{HEAD}
spec = importlib.util.spec_from_file_location("long_example", {str(EXAMPLES / f"{dag_id}.py")!r})
long = importlib.util.module_from_spec(spec)
sys.modules["long_example"] = long
"""
    source = f"""{head}
spec.loader.exec_module(long)
with DAG("one_call", schedule=None, start_date=FIRST, default_args={{"{conn_id}": long.{conn_id[:-8].upper()}}}):
    {LONG[dag_id]}
"""
    short = {task.task_id.rpartition(".")[2]: task for task in run_dag.load(source, "one_call").tasks}
    long = {task.task_id: task for task in run_dag.load(dag_id).tasks if task.task_id != "sandbox_only"}
    assert set(short) == set(long)
    for task_id, task in long.items():
        assert short[task_id].operator_name == task.operator_name, task_id
        assert last(short[task_id].downstream_task_ids) == last(task.downstream_task_ids), task_id
        if task.operator_name.startswith("@task"):  # its parameters are the group's
            assert short[task_id].retries == task.retries
            continue
        expected = arguments(task)
        if dag_id.startswith("smartalex") and task_id == "create_drafts":
            expected["state_suppression_sql"] = " ".join(expected["state_suppression_sql"].split())
        assert arguments(short[task_id]) == expected, task_id


@pytest.mark.slow
@pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
def test_a_night_calls_everybody_once_and_brings_every_call_back(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 200)
    dag = one_call("RinggCampaign(**RINGG)")
    morning, noon = hour_of_today(9), hour_of_today(12)
    first = run_dag(dag, **morning)
    assert first.state == "success", first
    listed = warehouse.count("SELECT count(*) FROM ringg_contacts WHERE disposition = 'listed'")
    assert listed > 30
    assert warehouse.count("SELECT count(*) FROM ringg_calls WHERE is_final") == listed
    assert first.xcom("campaign.preflight")["level"] in ("ok", "warning")
    # The same day again: the launch key; the next night, the cap.
    assert run_dag(dag, **noon).state == "success"
    assert warehouse.count("SELECT count(*) FROM ringg_calls") == listed
    assert int(sandbox.dials()["max_calls_per_number"]) == 1
    assert {row["task_id"] for row in warehouse.query("SELECT task_id FROM ringg_launches")} == {"campaign.launch"}


def test_a_launch_that_fails_fails_the_run_and_its_calls_are_loaded(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    for _ in range(2):
        sandbox.fault(method="POST", path="/campaign/start", kind="status", when="before", status=400, times=1)
    run = run_dag(one_call("RinggCampaign(**RINGG, launch={'retries': 0})"))
    assert run.tasks["campaign.launch", 0] == "failed"
    assert run.tasks["campaign.load_calls"] == "success"
    assert run.tasks["campaign.campaign_ended"] == "upstream_failed"
    assert run.state == "failed"


def test_a_night_with_nobody_to_call_is_green_and_launches_nothing(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 20)
    warehouse.execute("UPDATE contacts SET segment = 'nobody'")
    run = run_dag(one_call("RinggCampaign(**RINGG)"))
    assert run.state == "success", run
    assert sandbox.dials()["numbers"] == {}


def test_what_stands_behind_the_group_waits_for_the_calls(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    report = """RinggCampaign(**RINGG) >> calls()"""
    head = f"""{HEAD}
@task
def calls():
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook
    return BaseHook.get_hook("warehouse").get_first("SELECT count(*) FROM ringg_calls WHERE is_final")[0]
"""
    run = run_dag(one_call(report, head))
    assert run.state == "success", run
    assert run.xcom("calls") == warehouse.count("SELECT count(*) FROM ringg_calls") > 10


@pytest.mark.slow
@pytest.mark.parametrize("way", ["partial", "task_group"])
def test_segments_each_get_a_campaign_of_their_own(
    way: str, run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 120)
    head = f"""{HEAD}
from airflow.sdk import task_group
SHARED = {{name: value for name, value in RINGG.items() if name not in ("sql", "suppression_sql")}}
SQL = [f"SELECT * FROM contacts WHERE segment = '{{each}}' ORDER BY contact_id" for each in ("renewal", "survey")]
OUT = RINGG["suppression_sql"]
NOT = [OUT, OUT + " UNION ALL SELECT phone FROM contacts WHERE segment = 'renewal'"]
SEGMENTS = [{{"sql": sql, "suppression_sql": others}} for sql, others in zip(SQL, NOT)]

@task_group
def campaigns(sql, suppression_sql):
    RinggCampaign(**SHARED, sql=sql, suppression_sql=suppression_sql)
"""
    call = {
        "partial": 'RinggCampaign.partial("campaigns", **SHARED).expand_kwargs(SEGMENTS)',
        "task_group": "campaigns.expand_kwargs(SEGMENTS)",
    }[way]
    for due in (hour_of_today(9), hour_of_today(12)):
        run = run_dag(one_call(call, head), **due)
        assert run.state == "success", run
        assert run.tasks["campaigns.campaign.load_calls", 1] == "success"
    keys = {row["launch_key"] for row in warehouse.query("SELECT launch_key FROM ringg_launches")}
    assert len(keys) == 2, keys
    assert warehouse.count("SELECT count(*) FROM ringg_calls WHERE is_final") > 60
    assert int(sandbox.dials()["max_calls_per_number"]) == 1


def test_a_step_is_left_out_replaced_or_given_arguments(run_dag: DagRunner) -> None:
    head = f"""{HEAD}
from ringg_provider.operators.ringg import RinggPreflightOperator

class MyPreflight(RinggPreflightOperator):
    pass
"""
    call = (
        "RinggCampaign('mine', **RINGG, load_earlier=False, history_within=None, preflight=MyPreflight, approval=True,"
        " upload={'max_rejects': 0.1, 'retries': 5}, launch={'concurrency_percentage': 20},"
        " load_calls=False, apply_inbox=False)"
    )
    dag = run_dag.load(one_call(call, head))
    tasks = {task.task_id: task for task in dag.tasks}
    assert list(tasks) == [
        "mine.upload_contacts",
        "mine.preflight",
        "mine.approve",
        "mine.launch",
        "mine.campaign_ended",
    ]
    assert tasks["mine.preflight"].operator_name == "MyPreflight"
    upload = tasks["mine.upload_contacts"]
    assert (upload.max_rejects, upload.retries) == (0.1, 5)
    assert tasks["mine.launch"].partial_kwargs["concurrency_percentage"] == 20
    assert "mine.preflight" in tasks["mine.approve"].body


def test_a_person_is_asked_where_there_is_no_report_too_and_by_whom_the_dag_says(run_dag: DagRunner) -> None:
    head = f"""{HEAD}
from airflow.providers.standard.operators.hitl import ApprovalOperator

class MyApproval(ApprovalOperator):
    pass
"""
    call = (
        "RinggCampaign('bare', **RINGG, preflight=False, approval=True);"
        " SmartAlexCampaign('alex', **SMARTALEX, approval={'subject': 'Go?'});"
        " RinggCampaign('mine', **RINGG, approval=MyApproval)"
    )
    tasks = {task.task_id: task for task in run_dag.load(one_call(call, head)).tasks}
    assert (tasks["bare.approve"].body, tasks["alex.approve"].body) == (None, None)
    assert (tasks["alex.approve"].subject, tasks["alex.approve"].defaults) == ("Go?", ["Reject"])
    assert tasks["mine.approve"].operator_name == "MyApproval"
    assert "mine.preflight" in tasks["mine.approve"].body


def test_the_key_is_the_groups_and_the_days(run_dag: DagRunner) -> None:
    dag = run_dag.load(one_call("RinggCampaign('one', **RINGG); SmartAlexCampaign('two', **SMARTALEX)"))
    keys = {task.task_id: getattr(task, "launch_key", None) for task in dag.tasks}
    day = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
    assert keys["one.upload_contacts"] == "{{ dag.dag_id }}-one-" + day + ITERATION
    assert keys["two.create_drafts"] == "{{ dag.dag_id }}-two-" + day + ITERATION
    assert Template(ITERATION).render() == Template(ITERATION).render(loop=None) == ""


def test_the_dags_own_default_args_come_before_the_groups(run_dag: DagRunner) -> None:
    source = one_call("RinggCampaign(**RINGG)").replace("catchup=False", "default_args={'retries': 7}")
    assert {task.retries for task in run_dag.load(source).tasks} == {0, 7}
    assert {task.retries for task in run_dag.load(one_call("RinggCampaign(**RINGG)")).tasks} == {0, 2}


def test_smartalex_calls_everybody_once_however_often_it_runs(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory(speed=86_400)
    load(warehouse.engine, 60)
    for due in (hour_of_today(9), hour_of_today(12)):
        run = run_dag(one_call("SmartAlexCampaign(**SMARTALEX)"), **due)
        assert run.state == "success", run
    assert int(sandbox.dials()["max_calls_per_number"]) == 1
    assert warehouse.count("SELECT count(*) FROM smartalex_calls WHERE is_final") >= len(sandbox.dials()["numbers"]) > 0


class TestWhatCannotBe:
    """One clear error when the file is read, which names the argument."""

    @pytest.mark.parametrize(
        ("changed", "field", "rule"),
        [
            ({"upload": False}, "upload", "cannot be left out"),
            ({"launch": False}, "launch", "cannot be left out"),
            ({"upload": None}, "upload", "must be True, False, a dict of arguments, or a callable"),
            ({"launch": "no"}, "launch", "must be True, False"),
            ({"approval": None}, "approval", "must be True, False"),
            ({"rollout": {"waves": (0.1,)}}, "rollout", "must be Rollout"),
            ({"rollout": True}, "rollout", "must be Rollout"),
            ({"upload": {"waves": (0.1,)}}, "upload", "waves would be dealt, and all called at once"),
            ({"upload": {"rehearsal": ["+919812345678"]}}, "upload", "rehearsal would be dealt"),
            ({"launch": {"state_conn_id": "other"}}, "launch", "state_conn_id is the same for several steps"),
            ({"load_calls": {"contacts_table": "other"}}, "load_calls", "contacts_table is the same"),
        ],
    )
    @pytest.mark.parametrize("campaign", [RinggCampaign, SmartAlexCampaign])
    def test_of_either_platform(self, campaign: Any, changed: dict[str, Any], field: str, rule: str) -> None:
        self.refused(campaign, changed, field, rule)

    @pytest.mark.parametrize(
        ("campaign", "changed", "field", "rule"),
        [
            (RinggCampaign, {"from_numbers": None}, "from_numbers", "give either it or number_pool_id"),
            (RinggCampaign, {"number_pool_id": "pool"}, "from_numbers", "give either it or number_pool_id"),
            (
                RinggCampaign,
                {"preflight": lambda **given: None},
                "preflight",
                "must return a task, and returned NoneType",
            ),
            (RinggCampaign, {"launch": lambda **given: 7}, "launch", "must return a task, and returned int"),
            (SmartAlexCampaign, {"upload": lambda **given: None}, "create_drafts", "must return a task"),
            (
                SmartAlexCampaign,
                {"rollout": Rollout(budget={"name": "b", "credits": 5})},
                "rollout",
                "SmartAlex tells no price",
            ),
        ],
    )
    def test_of_one_of_them(self, campaign: Any, changed: dict[str, Any], field: str, rule: str) -> None:
        self.refused(campaign, changed, field, rule)

    @pytest.mark.parametrize("promises", [True, {"give_up_after": timedelta(hours=2)}])
    def test_promises_where_nothing_reads_words(self, monkeypatch: pytest.MonkeyPatch, promises: Any) -> None:
        changed = {"purpose": "promotional", "promises": promises}
        monkeypatch.setitem(sys.modules, "dateparser", None)
        self.refused(RinggCampaign, changed, "promises", "pip install 'ringg-provider[callbacks]'")
        with DAG("possible", schedule=None):
            RinggCampaign("plain", **GIVEN[RinggCampaign])
            SmartAlexCampaign("smartalex", **GIVEN[SmartAlexCampaign] | changed)

    @pytest.mark.parametrize(
        ("shared", "mapped", "field"),
        [
            ({"launch_key": "renewals-{{ ds }}"}, {"sql": ["SELECT 1", "SELECT 2"]}, "launch_key"),
            ({"upload": {"launch_key": "same"}}, {"sql": ["SELECT 1", "SELECT 2"]}, "launch_key"),
            ({}, {"rollout": [None, None]}, "rollout"),
            ({}, {"not_called_within_days": [1, 2]}, "not_called_within_days"),
            ({}, {"approval": [True, False]}, "approval"),
            ({}, {"contacts_table": ["a", "b"]}, "contacts_table"),
        ],
    )
    @pytest.mark.parametrize("campaign", [RinggCampaign, SmartAlexCampaign])
    def test_over_segments(self, campaign: Any, shared: dict[str, Any], mapped: dict[str, Any], field: str) -> None:
        given = {name: value for name, value in GIVEN[campaign].items() if name not in mapped}
        with DAG("impossible", schedule=None), pytest.raises(InvalidRequest) as raised:
            campaign.partial("segments", **given, **shared).expand(**mapped)
        assert raised.value.field == field

    def refused(self, campaign: Any, changed: dict[str, Any], field: str, rule: str) -> None:
        with DAG("impossible", schedule=None), pytest.raises(InvalidRequest) as raised:
            campaign(**GIVEN[campaign] | changed)
        assert raised.value.field == field
        assert str(raised.value).startswith(f"{field}: ")
        assert rule in str(raised.value)


def test_a_launch_of_ones_own_is_given_the_rollouts_brakes() -> None:
    class MyRollout(RinggRolloutOperator):
        pass

    rollout = Rollout(waves=(0.1,), brakes={"failures": 0.5}, budget={"name": "b", "credits": 5})
    with DAG("own_launch", schedule=None) as dag:
        RinggCampaign(**GIVEN[RinggCampaign] | {"rollout": rollout, "launch": MyRollout})
    launch = dag.get_task("campaign.launch")
    assert (launch.brakes, launch.budget) == (rollout.brakes, rollout.budget)


def test_a_step_may_be_a_task_of_the_taskflow_style() -> None:
    @sdk.task
    def choose(**given: Any) -> list[Any]:
        return []

    with DAG("taskflow", schedule=None) as dag:
        RinggCampaign(**GIVEN[RinggCampaign] | {"upload": choose})
    assert "campaign.choose" in dag.get_task("campaign.preflight").upstream_task_ids


@pytest.mark.parametrize("campaign", [RinggCampaign, SmartAlexCampaign])
def test_nothing_is_done_before_the_setup_a_task_of_either_style(campaign: Any) -> None:
    @sdk.task
    def guard() -> None:
        pass

    with DAG("guarded", schedule=None) as dag:
        campaign(**GIVEN[campaign], setup=guard())
        campaign("other", **GIVEN[campaign], setup=EmptyOperator(task_id="allowed"))
    assert {task.task_id for task in dag.roots} == {"guard", "allowed"}


@pytest.mark.parametrize("group", [RinggCampaign, SmartAlexCampaign])
def test_promises_are_noted_behind_the_calls_where_a_dag_asks_for_it(group: Any) -> None:
    given = {**GIVEN[group], "purpose": "promotional"}
    with DAG(f"promises_{group.__name__}", schedule=None) as dag:
        group("plain", **given)
        group("campaign", **given, promises={"give_up_after": timedelta(hours=2)})
    assert "plain.update_promises" not in dag.task_ids
    update = dag.get_task("campaign.update_promises")
    before = {each.rpartition(".")[2] for each in update.upstream_task_ids}
    assert before >= ({"load_calls"} if group is RinggCampaign else {"load_callbacks"})
    assert (update.purpose, update.give_up_after) == ("promotional", timedelta(hours=2))
    assert (update.is_teardown, update.on_failure_fail_dagrun) == (True, True)
    assert "campaign.campaign_ended" in update.downstream_task_ids

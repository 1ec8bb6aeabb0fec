"""The example DAGs: what every one of them keeps to, and each of them run to its end against the sandbox."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest
import sqlalchemy as sa

from demo.contacts import load
from ringg_provider.ringg import RinggClient
from tests.support.dags import AIRFLOW, EXAMPLES, DagRunner
from tests.support.databases import Warehouse
from tests.support.provided import offered_operators
from tests.support.sandbox import where_it_is

FILES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
CONTACTS_CSV = str(EXAMPLES / "contacts.csv")


@pytest.fixture(scope="module")
def bag(airflow_home: Path) -> Any:
    from tests.support.dags import _dag_bag

    return _dag_bag(EXAMPLES)


def count(warehouse: Warehouse, query: str) -> int:
    with warehouse.engine.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def changed(dag_id: str, old: str, new: str) -> str:
    """The source of an example with one thing changed, and without retries, so that a failure is one at once."""
    source = (EXAMPLES / f"{dag_id}.py").read_text()
    assert source.count(old) == 1
    return source.replace(old, new).replace('"retries": 2', '"retries": 0')


def most_dials(sandbox: Any) -> int:
    return int(sandbox.dials()["max_calls_per_number"])


def test_there_is_one_dag_in_every_file_named_after_it(bag: Any) -> None:
    assert sorted(bag.dags) == FILES


def test_they_import_without_error_or_warning(bag: Any) -> None:
    assert bag.import_errors == {}
    # Airflow 3.1 warns of its own classes while it imports them; what our lines cause names our files.
    ours = [warning for found in bag.captured_warnings.values() for warning in found if "site-packages" not in warning]
    assert ours == []


@pytest.mark.parametrize("dag_id", FILES)
def test_none_is_unpaused_on_creation_or_catches_up(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.is_paused_upon_creation is True
    assert not dag.catchup


def test_a_wait_is_bounded_and_the_sandboxs_interval_is_named_as_such(bag: Any) -> None:
    for dag in bag.dags.values():
        file = EXAMPLES / f"{dag.dag_id}.py"
        intervals = {
            ast.unparse(word.value)
            for word in ast.walk(ast.parse(file.read_text()))
            if isinstance(word, ast.keyword) and word.arg in ("poll_interval", "poke_interval")
        }
        assert intervals <= {"POLL_SECONDS"}, dag.dag_id
        assert not intervals or "In production leave the interval at its default" in file.read_text(), dag.dag_id
        for task in dag.tasks:
            given = task.partial_kwargs if task.is_mapped else vars(task)
            if given.get("wait_for_completion"):
                assert given["timeout"], task


@pytest.mark.parametrize("dag_id", FILES)
def test_each_is_tagged_and_says_when_to_use_it(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert {"example"} < set(dag.tags)
    assert "When to use it" in dag.doc_md
    # Airflow's list of DAGs shows it.
    assert dag.description == dag.doc_md.partition("\n")[0]


def test_what_a_task_is_mapped_over_has_a_label(bag: Any) -> None:
    labels = {task: task.map_index_template for dag in bag.dags.values() for task in dag.tasks if task.is_mapped}
    assert [task for task, label in labels.items() if not label] == []
    launches = [label for task, label in labels.items() if task.task_id in ("launch", "start")]
    assert launches
    assert all(name in label for label in launches for name in ("country_code", "rows", "list_id"))


@pytest.mark.parametrize("dag_id", FILES)
def test_the_guard_comes_before_everything_else(bag: Any, dag_id: str) -> None:
    assert [task.task_id for task in bag.dags[dag_id].roots] == ["sandbox_only"]


def test_the_readers_of_the_call_history_take_turns_in_the_pool_that_the_docs_name(bag: Any) -> None:
    tasks = [task for dag in bag.dags.values() for task in dag.tasks]
    readers = [task for task in tasks if task.operator_name == "RinggCallsToSqlOperator"]
    assert {task.pool for task in readers} == {"ringg_history"}
    # A task whose pool nobody makes is never run: a file that names one tells how to make it.
    for dag in bag.dags.values():
        for pool in {task.pool for task in dag.tasks} - {"default_pool"}:
            assert f"airflow pools set {pool} 1 " in dag.doc_md


def test_every_operator_sensor_and_transfer_appears_in_at_least_one(bag: Any) -> None:
    used = {task.operator_name for dag in bag.dags.values() for task in dag.tasks}
    ours = {found.__name__ for found in offered_operators()}
    assert ours - used == set()


@pytest.mark.parametrize("dag_id", FILES)
def test_each_refuses_a_host_that_is_not_loopback(
    dag_id: str, run_dag: DagRunner, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dag_id == "ringg_alerted_campaign" and AIRFLOW < (3, 2):
        pytest.skip("a deadline of Airflow 3.1 counts from when a run was queued, which `dag.test()` never does")
    for name in ("RINGG_SANDBOX", "SMARTALEX_SANDBOX"):
        kind = name.split("_")[0].lower()
        live = {"conn_type": kind, "host": "https://platform.invalid", "password": "key"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(live))
    run = run_dag(dag_id, conf={"callback_url": "https://hooks.invalid/"} if dag_id == "ringg_webhook" else None)
    assert run.state == "failed"
    assert run.tasks.pop("sandbox_only") == "failed"
    assert set(run.tasks.values()) <= {"upstream_failed", "skipped"}


GENERATIONS = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)


@GENERATIONS
def test_the_nightly_campaign_calls_everybody_once_and_brings_every_call_back(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 300)
    first = run_dag("ringg_nightly_campaign")
    assert first.state == "success", first
    listed = count(warehouse, "SELECT count(*) FROM ringg_contacts WHERE disposition = 'listed'")
    assert listed > 50
    assert count(warehouse, "SELECT count(*) FROM ringg_contacts WHERE disposition <> 'listed'") > 0
    finished = "SELECT count(*) FROM ringg_calls WHERE is_final AND to_number_e164 IS NOT NULL"
    assert count(warehouse, finished) == listed
    again = run_dag("ringg_nightly_campaign")
    assert again.state == "success", again
    assert count(warehouse, finished) == listed
    assert most_dials(sandbox) == 1


def test_the_next_night_leaves_out_who_was_just_called_and_whose_policy_is_not_due(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 300)
    someday = "SELECT contact_id FROM contacts WHERE segment = 'renewal' ORDER BY contact_id"
    late, overdue = (row["contact_id"] for row in warehouse.query(f"{someday} LIMIT 2"))
    warehouse.execute("UPDATE contacts SET due_date = due_date + 60 WHERE contact_id = :who", who=late)
    warehouse.execute("UPDATE contacts SET due_date = due_date - 60 WHERE contact_id = :who", who=overdue)
    assert run_dag("ringg_nightly_campaign").state == "success"
    assert count(warehouse, f"SELECT count(*) FROM ringg_contacts WHERE contact_key IN ('{late}', '{overdue}')") == 0
    calls = count(warehouse, "SELECT count(*) FROM ringg_calls")
    assert count(warehouse, "SELECT count(*) FROM ringg_outcomes WHERE NOT reached") > 0
    tomorrow = pendulum.now("UTC").add(days=1)
    run = run_dag("ringg_nightly_campaign", run_after=tomorrow, logical_date=tomorrow)
    assert run.state == "success", run
    assert count(warehouse, "SELECT count(*) FROM ringg_calls") == calls
    assert count(warehouse, "SELECT count(*) FROM ringg_contacts WHERE disposition = 'called_recently'") > 0
    assert most_dials(sandbox) == 1


@pytest.fixture
def apart(postgres: Any, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A second database, the connection `analytics`: the contacts are there, and the state is `warehouse`."""
    name = f"{warehouse.engine.url.database}_apart"
    database = Warehouse(postgres.create_database(name), postgres.airflow_connection(name), "analytics")
    monkeypatch.setenv("AIRFLOW_CONN_ANALYTICS", database.connection)
    yield database
    database.engine.dispose()
    postgres.drop_database(name)


def test_a_night_with_the_state_apart_calls_nobody_twice_and_publishes_every_outcome(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, apart: Warehouse
) -> None:
    load(apart.engine, 200)
    source = changed("ringg_nightly_snowflake", 'WAREHOUSE = "snowflake_default"', 'WAREHOUSE = "analytics"')
    first = run_dag(source)
    assert first.state == "success", first
    calls = count(warehouse, "SELECT count(*) FROM ringg_calls")
    assert calls > 30
    assert count(apart, "SELECT count(*) FROM ringg_calls") == calls
    assert count(apart, "SELECT count(*) FROM ringg_outcomes WHERE reached") > 0
    assert {"ringg_launches", "ringg_calls_published"} & apart.tables() == {"ringg_launches"}
    tomorrow = pendulum.now("UTC").add(days=1)
    second = run_dag(source, run_after=tomorrow, logical_date=tomorrow)
    assert second.state == "success", second
    assert count(warehouse, "SELECT count(*) FROM ringg_calls") == calls
    assert most_dials(sandbox) == 1


def test_a_night_whose_copy_cannot_be_written_calls_nobody(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, apart: Warehouse
) -> None:
    load(apart.engine, 60)
    apart.execute("CREATE TABLE ringg_calls (call_id integer)")
    source = changed("ringg_nightly_snowflake", 'WAREHOUSE = "snowflake_default"', 'WAREHOUSE = "analytics"')
    run = run_dag(source)
    assert run.state == "failed"
    assert run.tasks["publish_first"] == "failed"
    assert run.tasks["upload_contacts"] == "upstream_failed"
    assert sandbox.state()["campaigns"] == []


def test_smartalex_calls_are_published(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse, apart: Warehouse
) -> None:
    sandbox_factory()
    run = run_dag("smartalex_published_calls")
    assert run.state == "success", run
    assert {"smartalex_calls", "ringg_publications"} <= apart.tables()


@pytest.mark.parametrize("dag_id", ["ringg_nightly_campaign", "ringg_campaigns_by_segment"])
def test_a_launch_that_fails_fails_the_run_which_still_loads_the_history(
    dag_id: str, run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    for _ in range(2):
        sandbox.fault(method="POST", path="/campaign/start", kind="status", when="before", status=400, times=1)
    run = run_dag(dag_id)
    assert run.tasks["launch", 0] == "failed"
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"


@GENERATIONS
def test_the_large_campaign_waits_for_a_person_and_then_calls(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    run = run_dag("ringg_large_campaign", conf={"contacts": CONTACTS_CSV}, mark_success_pattern="approve")
    assert run.state == "success", run
    assert run.xcom("preflight")["level"] == "ok"
    assert run.xcom("preflight", "report").startswith("**Preflight: all is well** for 5 contacts on 1 list")
    assert most_dials(sandbox) == 1
    assert count(warehouse, "SELECT count(*) FROM ringg_calls WHERE is_final") == 5


def test_a_large_campaign_that_is_given_up_fails_the_run_and_its_calls_are_loaded(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    # In real time, so that the campaign has surely not ended at the first look.
    sandbox.settings(speed=1, verify_seconds=0, preparing_seconds=0)
    given_up = changed("ringg_large_campaign", "timeout=timedelta(days=2)", "timeout=0")
    run = run_dag(given_up, conf={"contacts": CONTACTS_CSV}, mark_success_pattern="approve")
    assert run.tasks["wait_for_campaign"] == "failed", run
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"
    assert count(warehouse, "SELECT count(*) FROM ringg_campaigns") == 1


def test_the_person_who_approves_the_large_campaign_reads_the_preflights_report(bag: Any) -> None:
    dag = bag.dags["ringg_large_campaign"]
    assert dag.get_task("approve").body == "{{ ti.xcom_pull('preflight', key='report') }}"
    assert dag.get_task("preflight").downstream_task_ids == {"approve"}


@GENERATIONS
def test_the_csv_campaign_calls_who_is_in_the_file_once_however_often_the_run_is_cleared(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    now = pendulum.now("UTC")
    runs = []
    for _ in range(2):
        run = run_dag("ringg_csv_campaign", conf={"contacts": CONTACTS_CSV}, run_after=now, logical_date=now)
        assert run.state == "success", run
        runs.append(run)
    first, second = runs
    assert first.run_id == second.run_id
    assert len(sandbox.dials()["numbers"]) == 5
    assert most_dials(sandbox) == 1
    (launch,) = warehouse.query("SELECT launch_key, list_id FROM ringg_launches")
    assert launch["launch_key"] == first.run_id
    # The second time the list was saved again, and is not the one that was started.
    assert second.xcom("start_campaign") == launch["list_id"] != second.xcom("save_campaign")


def test_a_csv_campaign_that_comes_too_late_for_its_hours_is_not_started(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    late = pendulum.now("UTC").subtract(hours=3)
    run = run_dag("ringg_csv_campaign", conf={"contacts": CONTACTS_CSV}, run_after=late, logical_date=late)
    assert run.tasks["save_campaign"] == "success", run
    assert run.tasks["start_campaign"] == "failed"
    assert sandbox.dials()["numbers"] == {}


@GENERATIONS
def test_a_campaign_per_segment_launches_each_list_once(run_dag: DagRunner, sandbox: Any, warehouse: Warehouse) -> None:
    load(warehouse.engine, 120)
    run = run_dag("ringg_campaigns_by_segment")
    assert run.state == "success", run
    assert run.tasks["launch", 0] == run.tasks["launch", 1] == "success"
    assert count(warehouse, "SELECT count(*) FROM ringg_launches WHERE state = 'started'") == 2
    assert {entry["launches"] for entry in sandbox.dials()["lists"].values()} == {1}


def test_a_person_in_two_segments_is_called_for_the_first_of_them(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    both = (
        "INSERT INTO contacts SELECT 'X' || contact_id, full_name, replace(phone, ' ', '-'), city, state, timezone,"
        " 'survey', policy_id, due_date, updated_at FROM contacts WHERE segment = 'renewal'"
    )
    warehouse.execute(both)
    run = run_dag("ringg_campaigns_by_segment")
    assert run.state == "success", run
    assert most_dials(sandbox) == 1
    keys = "SELECT count(*) FROM ringg_contacts WHERE disposition = 'listed' AND contact_key LIKE 'X%'"
    assert count(warehouse, keys) == 0


def test_a_segment_that_cannot_be_uploaded_does_not_hold_up_the_others(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    # Only the second segment's view is there.
    warehouse.execute("CREATE VIEW survey_people AS SELECT * FROM contacts")
    run = run_dag(changed("ringg_campaigns_by_segment", "SELECT * FROM contacts", "SELECT * FROM {segment}_people"))
    assert run.tasks["upload_segment", 0] == "failed", run
    assert run.tasks["upload_segment", 1] == "success"
    assert run.tasks["launch", 0] == "success"
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"


def test_segments_with_nobody_are_a_success_that_still_loads_the_history(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    with warehouse.engine.begin() as connection:
        connection.execute(sa.text("UPDATE contacts SET segment = 'nobody'"))
    run = run_dag("ringg_campaigns_by_segment")
    assert run.state == "success", run
    assert run.tasks["load_calls"] == "success"
    assert run.tasks["launch"] == "skipped"
    assert sandbox.dials()["numbers"] == {}


def test_the_history_is_loaded_again_without_a_change(run_dag: DagRunner, sandbox: Any, warehouse: Warehouse) -> None:
    assert run_dag("ringg_csv_campaign", conf={"contacts": CONTACTS_CSV}).state == "success"
    for _ in range(2):
        assert run_dag("ringg_call_history").state == "success"
        assert count(warehouse, "SELECT count(*) FROM ringg_calls") == 5


def test_in_the_united_states_people_are_called_in_the_hours_of_their_state(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory(speed=86_400)
    load(warehouse.engine, 20)
    warehouse.execute("DELETE FROM contacts WHERE phone LIKE '+1%'")
    american = (
        "INSERT INTO contacts SELECT 'US' || n, 'Someone', phone, 'a city', state, 'America/New_York', 'renewal',"
        " 'P' || n, current_date, now() FROM (VALUES (1, '+1 212 867 5301', 'NY'), (2, '+1 305 867 5302', 'FL'),"
        " (3, '+1 305 867 5303', 'FL'), (4, '+1 312 867 5304', 'IL')) people (n, phone, state)"
    )
    warehouse.execute(american)
    warehouse.execute("INSERT INTO do_not_call VALUES ('(305) 867-5303', 'asked', now())")
    run = run_dag("ringg_united_states")
    assert run.state == "success", run
    listed = "SELECT contact_key FROM ringg_contacts WHERE disposition = 'listed' ORDER BY contact_key"
    assert [row["contact_key"] for row in warehouse.query(listed)] == ["US1", "US2", "US4"]
    lists = run.xcom("campaign.upload_contacts")
    # Florida and Illinois, or two zones, share no list with each other.
    assert len(lists) > 1
    assert count(warehouse, "SELECT count(DISTINCT to_number_e164) FROM ringg_calls WHERE is_final") == 3
    assert most_dials(sandbox) == 1


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


def test_a_webhook_is_set_to_the_address_that_was_given(run_dag: DagRunner, sandbox: Any, warehouse: Warehouse) -> None:
    run = run_dag("ringg_webhook", conf={"callback_url": "https://hooks.invalid/ringg"})
    assert run.state == "success", run
    assert run.xcom("set_webhook", map_index=0) == {"subscriptions": 1, "kept": 0, "changed": True}


def test_a_webhook_for_an_inbox_takes_its_secret_from_a_connection(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"webhook_secret": "a-secret-of-the-tests"}
    monkeypatch.setenv("AIRFLOW_CONN_INBOX", json.dumps({"conn_type": "ringg", "password": "k", "extra": extra}))
    run = run_dag("ringg_webhook", conf={"callback_url": "https://hooks.invalid/ringg", "secret_from": "inbox"})
    assert run.state == "success", run
    with RinggClient(sandbox.api_key, sandbox.base_url) as client:
        (found,) = client.get_agent("11111111-1111-4111-8111-111111111111").event_subscriptions or ()
    assert found["headers"] == {"Authorization": "Bearer a-secret-of-the-tests"}


@pytest.mark.parametrize("conf", [{}, {"callback_url": "http://hooks.invalid/ringg"}])
def test_a_webhook_has_no_address_by_default_and_none_without_tls(
    conf: dict[str, str], run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    with pytest.raises(Exception, match="Invalid input for param callback_url"):
        run_dag("ringg_webhook", conf=conf)
    assert sandbox.requests() == []


def not_deferring(dag_id: str, tmp_path: Path) -> Path:
    """A copy of an example whose waits are not deferred."""
    source = (EXAMPLES / f"{dag_id}.py").read_text()
    copy = tmp_path / f"{dag_id}.py"
    copy.write_text(source.replace("deferrable=True", "deferrable=False"))
    assert copy.read_text() != source
    return copy


@pytest.mark.parametrize("mode", ["sync", "deferrable"])
def test_a_smartalex_campaign_is_paused_resumed_and_brought_back(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse, tmp_path: Path, mode: str
) -> None:
    # A callback that somebody asked for would still be to come.
    sandbox = sandbox_factory(speed=86_400, callback_rate=0)
    load(warehouse.engine, 60)
    run = run_dag("smartalex_campaign" if mode == "deferrable" else not_deferring("smartalex_campaign", tmp_path))
    assert run.state == "success", run
    (campaign,) = sandbox.state()["campaigns"]
    assert (campaign["state"], campaign["launches"]) == ("completed", 1)
    assert [entry["state"] for entry in campaign["states"]].count("paused") <= 1
    assert most_dials(sandbox) == 1
    attempts = sum(list_["attempts"] for list_ in sandbox.dials()["lists"].values())
    assert count(warehouse, "SELECT count(*) FROM smartalex_calls WHERE is_final") == attempts
    assert count(warehouse, "SELECT count(*) FROM smartalex_callbacks WHERE state <> 'done'") == 0


@pytest.mark.parametrize("generation", ["old", "new"])
def test_smartalex_from_the_warehouse_calls_everybody_once_however_often_it_runs(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse, generation: str
) -> None:
    sandbox = sandbox_factory(speed=86_400, smartalex=generation)
    load(warehouse.engine, 100)
    # 02:00 in India, the same day again, and the day after it.
    tonight = pendulum.now("UTC").start_of("day").add(hours=20, minutes=30)
    for instant in (tonight, tonight.add(hours=1), tonight.add(days=1)):
        run = run_dag("smartalex_nightly_campaign", run_after=instant, logical_date=instant)
        assert run.state == "success", run
    assert most_dials(sandbox) == 1
    called = len(sandbox.dials()["numbers"])
    assert called == count(warehouse, "SELECT count(*) FROM smartalex_contacts WHERE disposition = 'listed'") > 0
    assert called <= count(warehouse, "SELECT count(*) FROM smartalex_calls WHERE is_final")
    again = run.xcom("create_drafts", "summary")
    assert again["already_launched"] is False
    assert again["reasons"]["suppressed"] >= called
    assert "ringg_contacts" not in warehouse.tables()


def test_a_smartalex_list_that_fails_fails_the_run_which_still_loads_the_calls(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox_factory(speed=86_400)
    load(warehouse.engine, 60)
    run = run_dag(changed("smartalex_nightly_campaign", "timeout=WAIT_SECONDS", "timeout=0"))
    assert run.tasks["start", 0] == "failed", run
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"


@pytest.mark.parametrize("dag_id", ["ringg_careful_campaign", "smartalex_careful_campaign"])
def test_a_careful_campaign_calls_one_wave_after_the_other_within_its_budget(
    dag_id: str, run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory()
    load(warehouse.engine, 300)
    run = run_dag(dag_id)
    assert run.state == "success", run
    told = run.xcom("roll_out", key="rollout")
    assert told["state"] == "ended"
    numbers = [wave["wave"] for wave in told["waves"]]
    assert numbers == sorted(numbers)
    assert {0, 2, 3} <= set(numbers), "the smallest wave may be empty"
    assert most_dials(sandbox) == 1
    (budget,) = warehouse.query("SELECT credits, committed FROM ringg_budgets")
    assert 0 < budget["committed"] <= budget["credits"]


def test_a_careful_campaign_that_only_fails_is_stopped_and_fails_the_run_which_still_loads_the_calls(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory(failed_rate=1, busy_rate=0, not_picked_rate=0, voicemail_rate=0)
    load(warehouse.engine, 1200)
    source = changed("ringg_careful_campaign", "waves=(0.01, 0.1)", "waves=(0.2, 0.3)")
    # Above 80 % a wave of 70 calls proves nothing, by chance's own bound; above 30 % it does.
    run = run_dag(source.replace('"failures": 0.8', '"failures": 0.3'))
    assert (run.state, run.tasks["roll_out"], run.tasks["load_calls"]) == ("failed", "failed", "success")
    called = count(warehouse, "SELECT count(DISTINCT list_id) FROM ringg_launches WHERE state = 'started'")
    assert called == 2, "the rehearsal and the first wave"
    assert count(warehouse, "SELECT count(*) FROM ringg_launches WHERE state = 'braked'") == 2
    assert most_dials(sandbox) == 1


@pytest.mark.parametrize("dag_id", ["ringg_promises", "smartalex_promises"])
def test_a_run_without_a_promise_that_is_due_is_a_success_that_uploads_nothing(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, dag_id: str
) -> None:
    load(warehouse.engine, 100)
    run = run_dag(dag_id)
    assert run.state == "success", run
    assert run.xcom("list_promises") == []
    assert not [request for request in sandbox.requests() if request["method"] == "POST"]

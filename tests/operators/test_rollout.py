"""One wave after the other, against the sandbox: what is started when, judged by what, stopped for good, and paid."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from ringg_provider.exceptions import (
    BudgetExhausted,
    CampaignBraked,
    CampaignTerminated,
    InvalidRequest,
    ServerError,
    UnexpectedResponse,
)
from ringg_provider.launch.budget import Budget
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.reservations import Reservations
from ringg_provider.launch.rollout import Check, Pulled
from ringg_provider.operators.ringg import RinggLaunchOperator, RinggRolloutOperator, RinggTerminateOperator
from ringg_provider.operators.smartalex import SmartAlexRolloutOperator
from ringg_provider.ringg.campaigns import RinggLaunchTarget
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from tests.operators.campaigns import refused
from tests.support.dags import DagRunner, FinishedRun
from tests.support.databases import Warehouse
from tests.support.log import TaskLog
from tests.support.sandbox import Sandbox, where_it_is
from tests.support.tasks import TaskInstance, context

OURS = "+919812345678"
PEOPLE = 300
HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": where_it_is(6)}

DAG = """
from datetime import datetime, timedelta
from airflow.sdk import DAG, Param
from ringg_provider.launch.budget import Budget
from ringg_provider.launch.rollout import Brakes
from ringg_provider.operators.ringg import RinggRolloutOperator
from ringg_provider.operators.smartalex import SmartAlexRolloutOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "ZONE"}
PEOPLE = dict(
    task_id="lists", sql_conn_id="warehouse", state_conn_id="warehouse", sql="SELECT id, phone, name FROM people",
    campaign_name="Careful", phone_column="phone", contact_key="id", country_code="+91", contacts_table="contacts",
    launch_key="tonight", waves=(0.1, 0.3), rehearsal=["OWN_PHONE"], max_age=timedelta(days=3650),
)
ROLLOUT = dict(task_id="rollout", poll_interval=0.2, judge_interval=0.5, timeout=240, max_age=timedelta(days=3650))

with DAG("rollout", schedule=None, start_date=datetime(2026, 1, 1)):
    if "PLATFORM" == "ringg":
        lists = SqlToRinggOperator(
            ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222",
            variables_map={"callee_name": "name"},
            call_config={"call_time": HOURS, "call_retry_config": {"retry_count": 0}}, **PEOPLE | PEOPLE_TOO,
        )
        RinggRolloutOperator(
            ringg_conn_id="ringg_sandbox", launches=lists.output, state_conn_id="warehouse",
            from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"], **ROLLOUT | ROLLOUT_TOO,
        )
    else:
        lists = SqlToSmartAlexOperator(
            smartalex_conn_id="smartalex_sandbox", agent_id="agent_survey", contact_columns={"first_name": "name"},
            settings={"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "ZONE",
                      "concurrent_calls": 50, "max_retries": 0}, **PEOPLE | PEOPLE_TOO,
        )
        SmartAlexRolloutOperator(
            smartalex_conn_id="smartalex_sandbox", launches=lists.output, state_conn_id="warehouse",
            **ROLLOUT | ROLLOUT_TOO,
        )
"""


def dag(platform: str, people: str = "{}", rollout: str = "{}") -> str:
    source = DAG.replace("ZONE", where_it_is(6)).replace("PEOPLE_TOO", people).replace("ROLLOUT_TOO", rollout)
    return textwrap.dedent(source.replace("PLATFORM", platform).replace("OWN_PHONE", OURS))


@pytest.fixture(autouse=True)
def clock() -> None:
    """What is rolled out here takes real seconds; the folder's standing clock would never end."""


@pytest.fixture
def people(sqlite_warehouse: Warehouse) -> Warehouse:
    sqlite_warehouse.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    rows = [{"id": n, "phone": f"+9198765{n:05d}", "name": f"Person {n}"} for n in range(PEOPLE)]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:id, :phone, :name)", rows)
    return sqlite_warehouse


@pytest.fixture
def platform_of(sandbox_factory: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    def make(**options: Any) -> Sandbox:
        return sandbox_factory(speed=3600, history_rate_window_seconds=0, **options)

    return make


def launched(sandbox: Sandbox) -> set[str]:
    """The lists that were started."""
    return {one["id"] for one in sandbox.state()["campaigns"] if one["launches"]}


def states(sandbox: Sandbox) -> dict[str, str]:
    return {one["id"]: one["state"] for one in sandbox.state()["campaigns"]}


def test_lists_of_promises_are_refused_before_anything_is_started(sandbox_factory: Callable[..., Sandbox]) -> None:
    """Each of them is asked once more right before its start, which a rollout does not do."""
    sandbox = sandbox_factory()
    for platform, (_, rollout, _, lines) in PLATFORMS.items():
        item = {
            "list_id": "list", "flow": "smartalex" if platform == "smartalex" else "standard", "agent_id": "agent",
            "country_code": "+91", "call_config": {"call_time": HOURS}, "settings": {}, "launch_key": "key",
            "ledger_conn_id": "warehouse", "callbacks_table": "ringg_callbacks", "state_conn_id": "warehouse",
        }  # fmt: skip
        given: dict[str, Any] = {f"{platform}_conn_id": f"{platform}_sandbox", "state_conn_id": "warehouse", **lines}
        with refused(InvalidRequest, "launches: has lists of promises"):
            rollout(task_id="rollout", launches=[item], **given).execute(context())
    assert launched(sandbox) == set()


def waves(warehouse: Warehouse) -> dict[str, int]:
    rows = warehouse.query("SELECT DISTINCT list_id, wave FROM contacts WHERE list_id IS NOT NULL")
    return {row["list_id"]: row["wave"] for row in rows}


def notes(run: FinishedRun) -> dict[str, Any]:
    told = run.xcom("rollout", key="rollout")
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("platform", ["ringg", "smartalex"])
def test_waves_are_called_one_after_the_other_and_everybody_once(
    run_dag: DagRunner, people: Warehouse, platform_of: Any, platform: str, deferrable: bool
) -> None:
    sandbox = platform_of()
    rollout = f'{{"deferrable": {deferrable}, "min_wave_calls": 10, "brakes": Brakes(failures=0.9)}}'
    run = run_dag(dag(platform, rollout=rollout))
    assert run.state == "success", run.tasks
    dials = sandbox.dials()
    assert dials["max_calls_per_number"] == 1
    assert len(dials["numbers"]) == PEOPLE + 1
    told = notes(run)
    assert (told["state"], told["launch_key"]) == ("ended", "tonight")
    assert [wave["wave"] for wave in told["waves"]] == [0, 1, 2, 3]
    assert [wave["decision"] for wave in told["waves"]] == [*["On with the next wave."] * 3, "All waves have ended."]
    assert set(run.xcom("rollout")) == set(waves(people))
    assert "+91" not in str(told)


# From here on without a DAG: one attempt in this process, which waits where it is.

PLATFORMS: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any]]] = {
    "ringg": (
        SqlToRinggOperator,
        RinggRolloutOperator,
        {
            "agent_id": "22222222-2222-4222-8222-222222222222",
            "variables_map": {"callee_name": "name"},
            "call_config": {"call_time": HOURS, "call_retry_config": {"retry_count": 0}},
        },
        {"from_numbers": ["aaaaaaaa-0000-4000-8000-000000000001"]},
    ),
    "smartalex": (
        SqlToSmartAlexOperator,
        SmartAlexRolloutOperator,
        {
            "agent_id": "agent_survey",
            "contact_columns": {"first_name": "name"},
            "settings": {
                "calling_hours_start": "00:00",
                "calling_hours_end": "23:59",
                "timezone": where_it_is(6),
                "concurrent_calls": 50,
                "max_retries": 0,
            },
        },
        {},
    ),
}


def upload(platform: str, **options: Any) -> list[dict[str, Any]]:
    """The lists, in waves."""
    given = {
        "task_id": "lists",
        f"{platform}_conn_id": f"{platform}_sandbox",
        "sql_conn_id": "warehouse",
        "state_conn_id": "warehouse",
        "sql": "SELECT id, phone, name FROM people",
        "campaign_name": "Careful",
        "phone_column": "phone",
        "contact_key": "id",
        "country_code": "+91",
        "contacts_table": "contacts",
        "launch_key": "tonight",
        "waves": (0.1, 0.3),
        **PLATFORMS[platform][2],
        **options,
    }
    return list(PLATFORMS[platform][0](**given).execute(context()))


def roll_out(platform: str, lists: list[dict[str, Any]], ti: Any = None, **options: Any) -> list[str]:
    """One attempt."""
    given = {
        "task_id": "rollout",
        f"{platform}_conn_id": f"{platform}_sandbox",
        "launches": lists,
        "state_conn_id": "warehouse",
        "deferrable": False,
        "poll_interval": 0.1,
        "judge_interval": 0.1,
        "min_wave_calls": 10,
        "timeout": 120,
        **PLATFORMS[platform][3],
        **options,
    }
    return list(PLATFORMS[platform][1](**given).execute(context() | ({"ti": ti} if ti else {})))


def list_ids(lists: list[dict[str, Any]], *wanted: int) -> set[str]:
    return {item["list_id"] for item in lists if not wanted or item["wave"] in wanted}


class TestBrakes:
    """A pulled brake stops what runs, and the rest is never started, whoever tries."""

    def test_what_runs_is_stopped_and_the_rest_is_never_started(self, people: Warehouse, platform_of: Any) -> None:
        sandbox = platform_of(failed_rate=1.0, busy_rate=0, not_picked_rate=0, voicemail_rate=0)
        lists, ti = upload("ringg", waves=(0.3, 0.3)), TaskInstance()
        braked = refused(CampaignBraked, "failures")
        with braked:
            roll_out("ringg", lists, ti, brakes={"failures": 0.2, "min_calls": 30})
        assert launched(sandbox) == list_ids(lists, 1)
        told = ti.xcom["rollout"]
        assert (told["state"], [wave["wave"] for wave in told["waves"]]) == ("braked", [1])
        assert told["waves"][0]["verdict"]["pulled"] == "failures"
        assert "+91" not in str(told)
        error = braked.found.value.__cause__
        assert (error.brake, error.count > 0, error.bound > 0.2) == ("failures", True, True)
        # A retry or a clear, another run, and one without brakes: under this key it is over.
        for options in ({}, {"brakes": {"failures": 0.99}}):
            with refused(CampaignBraked):
                roll_out("ringg", lists, **options)
        assert upload("ringg", waves=(0.5,)) == lists
        with refused(CampaignBraked):
            launch = {"task_id": "one", "launch": lists[-1], **PLATFORMS["ringg"][3]}
            RinggLaunchOperator(ringg_conn_id="ringg_sandbox", state_conn_id="warehouse", **launch).execute(context())
        assert launched(sandbox) == list_ids(lists, 1)
        assert sandbox.dials()["max_calls_per_number"] == 1

    @pytest.mark.parametrize("platform", list(PLATFORMS))
    def test_a_brake_that_was_pulled_elsewhere_stops_what_runs(
        self, people: Warehouse, platform_of: Any, platform: str
    ) -> None:
        sandbox = platform_of()
        sandbox.settings(speed=0.01)
        lists = upload(platform)
        with pytest.raises(TimeoutError):
            roll_out(platform, lists, timeout=1)
        assert launched(sandbox) == list_ids(lists, 1)
        pulled = Pulled(Check("opt_outs", 0.5, 5, 10, 0.2, 0.02), 0.95)
        LaunchLedger(people.engine).pull_brake("tonight", pulled)
        with refused(CampaignBraked, "opt outs"):
            roll_out(platform, lists)
        stopped = {"ringg": "terminated", "smartalex": "paused"}[platform]
        assert {states(sandbox)[one] for one in list_ids(lists, 1)} == {stopped}
        assert launched(sandbox) == list_ids(lists, 1)

    def test_a_rehearsal_is_called_and_not_judged(self, people: Warehouse, platform_of: Any) -> None:
        sandbox = platform_of(failed_rate=0, busy_rate=0, not_picked_rate=0, forced_outcomes={OURS: ["failed"]})
        lists, ti = upload("ringg", rehearsal=[OURS]), TaskInstance()
        roll_out("ringg", lists, ti, brakes={"failures": 0.2, "min_calls": 1})
        assert launched(sandbox) == list_ids(lists)
        assert ti.xcom["rollout"]["waves"][0]["verdict"] is None

    def test_a_first_wave_in_which_little_can_be_found_is_told_of_before_it_begins(
        self, people: Warehouse, platform_of: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        platform_of()
        lists, log = upload("ringg"), TaskLog(capsys)
        roll_out("ringg", lists, brakes={"opt_outs": 0.2}, min_wave_calls=None)
        said = next(number for number, line in enumerate(log.lines()) if line.startswith("The first wave has"))
        begins = next(number for number, line in enumerate(log.lines()) if line.startswith("Wave 1 begins"))
        assert said < begins
        assert "waves=(0." in log.lines()[said]
        roll_out("ringg", lists, brakes={"failures": 0.9})
        assert len([line for line in log.lines() if line.startswith("The first wave has")]) == 1

    def test_unless_told_otherwise_a_wave_is_known_well_before_the_next_one(
        self, people: Warehouse, platform_of: Any
    ) -> None:
        platform_of()
        lists, ti = upload("ringg", waves=(0.5,)), TaskInstance()
        roll_out("ringg", lists, ti, brakes={"opt_outs": 0.02}, min_wave_calls=None)
        first, second = ti.xcom["rollout"]["waves"]
        assert (first["observed"]["calls"], first["observed"]["pending"]) == (first["people"], 0)
        assert second["decision"] == "All waves have ended."


class TestBudget:
    """A wave is paid before it is started, or it is not started."""

    PRICE = {"credits_per_call": 2}

    def charged(self, people: Warehouse) -> dict[str, tuple[str, float]]:
        rows = people.query("SELECT part, state, charged FROM ringg_budget_reservations")
        return {row["part"]: (row["state"], float(row["charged"])) for row in rows}

    @pytest.mark.parametrize("platform", list(PLATFORMS))
    def test_what_cannot_be_reserved_is_not_started(self, people: Warehouse, platform_of: Any, platform: str) -> None:
        sandbox = platform_of()
        lists = upload(platform)
        people_of = {item["wave"]: item["rows"] for item in lists}
        budget = {"name": "b", "credits": 2 * (people_of[1] + people_of[2]) + 1}
        with refused(BudgetExhausted, "nothing is started"):
            roll_out(platform, lists, budget=budget, **self.PRICE)
        assert launched(sandbox) == list_ids(lists, 1, 2)
        reserved = {item["list_id"]: ("reserved", 2.0 * item["rows"]) for item in lists if item["wave"] < 3}
        assert self.charged(people) == reserved
        # With more of it the same attempt goes on where it stopped, and reserves nothing twice.
        people.execute("UPDATE ringg_budgets SET credits = 10000")
        roll_out(platform, lists, budget={"name": "b", "credits": 10_000}, **self.PRICE)
        assert launched(sandbox) == list_ids(lists)
        # SmartAlex tells no cost, so that the estimates stay charged; Ringg's calls have cost what they have.
        charged = sum(charge for _, charge in self.charged(people).values())
        assert charged == float(people.query("SELECT committed FROM ringg_budgets")[0]["committed"])
        assert charged == 2.0 * PEOPLE if platform == "smartalex" else 0 < charged < 2.0 * PEOPLE
        assert {state for state, _ in self.charged(people).values()} == {
            "reserved" if platform == "smartalex" else "settled"
        }
        assert sandbox.dials()["max_calls_per_number"] == 1

    def test_what_a_twin_gave_back_and_others_took_is_not_started(
        self, people: Warehouse, platform_of: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox = platform_of()
        lists = upload("ringg")
        wanted = 2 * next(item["rows"] for item in lists if item["wave"] == 1)
        budget = Budget("b", wanted, per="day")
        look = RinggLaunchTarget.look

        def look_while_others_reserve(target: RinggLaunchTarget, list_id: str) -> Any:
            store, now = Reservations(people.engine), datetime.now(UTC)
            store.release(lists[0]["launch_key"], list_id, now)
            store.reserve(budget, "another campaign", "list", 1, now)
            return look(target, list_id)

        monkeypatch.setattr(RinggLaunchTarget, "look", look_while_others_reserve)
        with refused(BudgetExhausted, "nothing is started"):
            roll_out("ringg", lists, budget=budget, **self.PRICE)
        assert launched(sandbox) == set()
        assert float(people.query("SELECT committed FROM ringg_budgets")[0]["committed"]) == 1

    def test_without_a_price_nothing_is_started(self, people: Warehouse, platform_of: Any) -> None:
        sandbox = platform_of()
        with refused(InvalidRequest, "budget: what wave 1 will cost cannot be estimated"):
            roll_out("smartalex", upload("smartalex"), budget={"name": "b", "credits": 5})
        assert launched(sandbox) == set()

    def test_what_the_platform_refuses_is_given_back(self, people: Warehouse, platform_of: Any) -> None:
        sandbox = platform_of()
        lists = upload("ringg")
        sandbox.fault(method="POST", path="/campaign/start", kind="status", status=400)
        with refused(InvalidRequest):
            roll_out("ringg", lists, budget={"name": "b", "credits": 10_000}, **self.PRICE)
        assert {state for state, _ in self.charged(people).values()} == {"released"}
        assert float(people.query("SELECT committed FROM ringg_budgets")[0]["committed"]) == 0


class TestGoingOn:
    """An attempt that begins anew adopts what was started, and a wave that comes too late is not started."""

    @pytest.mark.parametrize("platform", list(PLATFORMS))
    def test_an_attempt_after_another_calls_nobody_again(
        self, people: Warehouse, platform_of: Any, platform: str
    ) -> None:
        sandbox = platform_of()
        sandbox.settings(speed=0.01)
        lists = upload(platform, rehearsal=[OURS])
        with pytest.raises(TimeoutError):
            roll_out(platform, lists, timeout=1)
        assert launched(sandbox) == list_ids(lists, 0)
        sandbox.settings(speed=3600)
        assert set(roll_out(platform, lists)) == list_ids(lists)
        assert roll_out(platform, lists) == roll_out(platform, lists)
        assert sandbox.dials()["max_calls_per_number"] == 1
        assert {one["launches"] for one in sandbox.state()["campaigns"]} == {1}

    def test_a_platform_that_is_unwell_between_two_waves_costs_no_attempt(
        self, people: Warehouse, platform_of: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox = platform_of()
        lists = upload("ringg")
        looks = iter([ServerError("unwell"), UnexpectedResponse("a proxy's page")])
        read = RinggRolloutOperator.read_progress

        def unwell(task: Any, campaign_id: str) -> Any:
            if (error := next(looks, None)) is not None:
                raise error
            return read(task, campaign_id)

        monkeypatch.setattr(RinggRolloutOperator, "read_progress", unwell)
        assert set(roll_out("ringg", lists)) == list_ids(lists)
        assert launched(sandbox) == list_ids(lists)

    @pytest.mark.parametrize("platform", list(PLATFORMS))
    def test_lists_without_a_ledger_are_refused(self, people: Warehouse, platform_of: Any, platform: str) -> None:
        sandbox = platform_of()
        lists = upload(platform, launch_key=None)
        with refused(InvalidRequest, "made without a launch key or without a ledger"):
            roll_out(platform, lists, state_conn_id=None)
        assert launched(sandbox) == set()

    def test_lists_of_two_keys_are_refused(self, people: Warehouse, platform_of: Any) -> None:
        platform_of()
        lists = [*upload("ringg"), *upload("ringg", launch_key="tomorrow")]
        with refused(InvalidRequest, "lists of several launch keys"):
            roll_out("ringg", lists)

    def test_no_list_is_no_failure(self, people: Warehouse, platform_of: Any) -> None:
        platform_of()
        with pytest.raises(AirflowSkipException, match="nobody is called"):
            roll_out("ringg", [])

    def test_a_wave_that_was_stopped_by_hand_is_the_last_one(self, people: Warehouse, platform_of: Any) -> None:
        sandbox = platform_of()
        sandbox.settings(speed=0.01)
        lists = upload("ringg")
        with pytest.raises(TimeoutError):
            roll_out("ringg", lists, timeout=1)
        (first,) = list_ids(lists, 1)
        stop = RinggTerminateOperator(task_id="stop", ringg_conn_id="ringg_sandbox", campaign_id=first)
        stop.execute(context())
        with refused(CampaignTerminated):
            roll_out("ringg", lists)
        assert launched(sandbox) == {first}


class TestAPersonIsAsked:
    """What becomes of a no; that the question reaches a person, and a yes, is tried in a real Airflow."""

    def answered(self, lists: list[dict[str, Any]], answer: Any, **course: Any) -> Any:
        task = RinggRolloutOperator(
            task_id="rollout",
            ringg_conn_id="ringg_sandbox",
            launches=lists,
            state_conn_id="warehouse",
            deferrable=False,
            poll_interval=0.1,
            judge_interval=0.1,
            min_wave_calls=10,
            timeout=120,
            **PLATFORMS["ringg"][3],
        )
        began = {"wave": 0, "begun": True, "approved": [0], **course}
        return task.execute_complete(context(), answer, course=began)

    @pytest.mark.parametrize("answer", [{"chosen_options": ["Reject"]}, {"chosen_options": []}, {"error": "x"}, None])
    def test_whatever_is_no_yes_ends_it_for_good(self, people: Warehouse, platform_of: Any, answer: Any) -> None:
        sandbox = platform_of()
        lists = upload("ringg", rehearsal=[OURS])
        with refused(CampaignBraked, "a person was asked whether it may go on, and did not say yes"):
            self.answered(lists, answer)
        with refused(CampaignBraked):
            roll_out("ringg", lists)
        assert launched(sandbox) == set()

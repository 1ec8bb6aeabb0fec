"""Which launches are counted as refused: those that end before a start, each once, and no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

import ringg_provider.operators.ringg as of_ringg
import ringg_provider.operators.smartalex as of_smartalex
from ringg_provider.exceptions import (
    BudgetExhausted,
    CampaignFailed,
    CampaignTerminated,
    InsufficientBalance,
    InvalidRequest,
    LaunchInterrupted,
    StaleCampaign,
    TooFewCalled,
)
from ringg_provider.operators.launching import LaunchOperator
from ringg_provider.operators.ringg import (
    RinggLaunchOperator,
    RinggMakeCallAsyncOperator,
    RinggRolloutOperator,
    RinggStartCampaignOperator,
    RinggUploadCsvOperator,
)
from ringg_provider.operators.smartalex import (
    SmartAlexCreateCampaignOperator,
    SmartAlexRolloutOperator,
    SmartAlexStartCampaignOperator,
)
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.launch.hostile import TaskStateModel
from tests.operators.campaigns import AGENT, CALL_CONFIG, COMMON, LINE, NOON, checked, refused, upload
from tests.support.databases import Warehouse
from tests.support.statsd import StatsdServer
from tests.support.tasks import context

RINGG: dict[str, Any] = {"task_id": "launch", "ringg_conn_id": "ringg_sandbox", "from_numbers": [LINE]}
ALEX: dict[str, Any] = {"task_id": "launch", "smartalex_conn_id": "smartalex_sandbox"}


def item(list_id: str, flow: str = "standard", **more: Any) -> dict[str, Any]:
    known = {"list_id": list_id, "flow": flow, "agent_id": AGENT, "country_code": "+91", "call_config": CALL_CONFIG}
    return {**known, "rows": 2, **more}


def launching(launch: dict[str, Any], **options: Any) -> RinggLaunchOperator:
    return RinggLaunchOperator(launch=launch, **{**RINGG, **options})


def refusals(counted: StatsdServer) -> dict[str, int]:
    """What was counted of launches: metric and tags without what they all begin with -> how often."""
    return {
        name.removeprefix("ringg.launch."): number
        for name, number in counted.sent().items()
        if name.startswith("ringg.launch.")
    }


def by(error: type[Exception] | str, platform: str = "ringg") -> dict[str, int]:
    return {f"refused,platform={platform},error={error if isinstance(error, str) else error.__name__}": 1}


#: Every operator that starts a campaign, with a list, and nothing else that it must be given.
LAUNCHERS: dict[type[LaunchOperator], dict[str, Any]] = {
    RinggLaunchOperator: {**RINGG, "launch": item("list")},
    RinggStartCampaignOperator: {**RINGG, "list_id": "list", "agent_id": AGENT},
    RinggMakeCallAsyncOperator: {
        **RINGG, "bulk_list_id": "list", "agent_id": AGENT, "country_code": "+91", "call_config": CALL_CONFIG
    },
    RinggRolloutOperator: {**RINGG, "launches": [item("list")]},
    SmartAlexStartCampaignOperator: {**ALEX, "campaign_id": "list"},
    SmartAlexRolloutOperator: {**ALEX, "launches": [item("list", "smartalex", settings={})]},
}  # fmt: skip


def test_every_operator_that_starts_a_campaign_is_among_these() -> None:
    public = {each for module in (of_ringg, of_smartalex) for each in vars(module).values() if isinstance(each, type)}
    assert {each for each in public if issubclass(each, LaunchOperator)} == set(LAUNCHERS)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launch_with_a_wrong_argument_is_refused(launcher: Any, counted: StatsdServer) -> None:
    operator = launcher(**LAUNCHERS[launcher], poll_interval=-1)
    with refused(InvalidRequest, "poll_interval"):
        operator.execute(context())
    assert refusals(counted) == by(InvalidRequest, operator.platform)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launch_under_a_key_without_a_ledger_is_refused(
    launcher: Any, sandbox_factory: Any, counted: StatsdServer
) -> None:
    sandbox_factory()
    operator = launcher(**LAUNCHERS[launcher], launch_key="tonight")
    with refused(InvalidRequest, "ledger"):
        operator.execute(context())
    assert refusals(counted) == by(InvalidRequest, operator.platform)


def test_a_list_that_waits_for_credits_is_refused_before_it_is_looked_at(
    platform: Any, contacts: str, counted: StatsdServer
) -> None:
    platform.settings(balance=0)
    list_id = checked(platform, upload(RinggUploadCsvOperator, contacts))
    with refused(InsufficientBalance):
        launching(item(list_id, "large")).execute(context())
    assert refusals(counted) == by(InsufficientBalance)


def test_what_the_last_checks_find_is_refused_once(
    platform: Any, saved: str, clock: Any, counted: StatsdServer
) -> None:
    clock.move_to(NOON + timedelta(hours=9))
    with refused(StaleCampaign):
        launching(item(saved, campaign_start_time="2027-03-01T13:00")).execute(context())
    assert refusals(counted) == by(StaleCampaign)


def test_a_draft_that_comes_too_late_is_refused(sandbox_factory: Any, counted: StatsdServer) -> None:
    sandbox_factory()
    made = SmartAlexCreateCampaignOperator(name="a", agent_id="agent_survey", **{**ALEX, "task_id": "create"})
    campaign_id = made.execute(context())
    with refused(StaleCampaign):
        SmartAlexStartCampaignOperator(
            campaign_id=campaign_id, planned_start=NOON - timedelta(hours=5), **ALEX
        ).execute(context())
    assert refusals(counted) == by(StaleCampaign, "smartalex")


def test_a_task_that_was_told_to_stop_was_not_refused(platform: Any, saved: str, counted: StatsdServer) -> None:
    operator = launching(item(saved))
    operator.on_kill()
    with pytest.raises(LaunchInterrupted):
        operator.execute(context())
    assert refusals(counted) == {}


def test_a_run_that_missed_its_time_was_not_refused(platform: Any, saved: str, counted: StatsdServer) -> None:
    with pytest.raises(AirflowSkipException):
        launching(item(saved)).execute(context(run_after=NOON - timedelta(hours=5), start_date=NOON))
    assert refusals(counted) == {}


@pytest.mark.parametrize(("status", "error"), [("terminated", CampaignTerminated), ("failed", CampaignFailed)])
def test_a_campaign_that_was_started_and_has_gone_wrong_was_not_refused(
    platform: Any, saved: str, counted: StatsdServer, status: str, error: type[Exception]
) -> None:
    attempt = context() | {"task_state_store": TaskStateModel()}
    launching(item(saved)).execute(attempt)
    platform.settings(forced_statuses={saved: status})
    with refused(error):
        launching(item(saved)).execute(attempt)
    assert refusals(counted) == {"started,platform=ringg": 1}


def test_a_list_that_failed_before_it_was_started_is_refused(platform: Any, saved: str, counted: StatsdServer) -> None:
    platform.settings(forced_statuses={saved: "failed"})
    with refused(CampaignFailed):
        launching(item(saved)).execute(context() | {"task_state_store": TaskStateModel()})
    assert refusals(counted) == by(CampaignFailed)


class TestTimeouts:
    """Whether time that runs out refuses a launch is said by whether its list was started."""

    @pytest.fixture(autouse=True)
    def clock(self) -> None:
        """Time passes here."""

    def test_an_upload_that_is_not_taken_in_in_time_is_refused(
        self, sandbox_factory: Any, contacts: str, counted: StatsdServer
    ) -> None:
        sandbox_factory(speed=1, verify_seconds=1_000_000)
        list_id = upload(RinggUploadCsvOperator, contacts)
        options = {"timeout": 0.1, "upload_poll_interval": 0.1}
        with pytest.raises(TimeoutError):
            launching(item(list_id, "large"), deferrable=False, **options).execute(context())
        assert refusals(counted) == by("TimeoutError")

    def test_a_campaign_that_does_not_end_in_time_was_not_refused(
        self, platform: Any, saved: str, counted: StatsdServer
    ) -> None:
        options = {"wait_for_completion": True, "timeout": 0.1, "poll_interval": 0.1}
        with pytest.raises(TimeoutError):
            launching(item(saved), deferrable=False, **options).execute(context())
        assert refusals(counted) == {"started,platform=ringg": 1}


class TestRollouts:
    """A rollout is refused where a list is left that it does not start."""

    @pytest.fixture(autouse=True)
    def clock(self) -> None:
        """Waves take real seconds."""

    @pytest.fixture
    def lists(self, sandbox_factory: Any, sqlite_warehouse: Warehouse) -> list[dict[str, Any]]:
        """Two waves of some people, who may be called at any hour."""
        sandbox_factory(speed=3600, history_rate_window_seconds=0)
        sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
        rows = [{"phone": f"+9198765{number:05d}"} for number in range(60)]
        sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, 'x')", rows)
        hours = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
        return list(
            SqlToRinggOperator(
                **COMMON, campaign_name="Careful", sql_conn_id="warehouse", state_conn_id="warehouse",
                sql="SELECT phone, name FROM people", phone_column="phone", country_code="+91", launch_key="tonight",
                variables_map={"callee_name": "name"}, call_config={"call_time": hours}, waves=(0.5,),
                max_age=timedelta(days=3650),
            ).execute(context())
        )  # fmt: skip

    def roll_out(self, lists: list[dict[str, Any]], **options: Any) -> None:
        given = {
            "state_conn_id": "warehouse", "poll_interval": 0.1, "judge_interval": 0.1, "min_wave_calls": 5,
            "timeout": 120, "max_age": timedelta(days=3650), **options,
        }  # fmt: skip
        RinggRolloutOperator(launches=lists, **{**RINGG, **given}).execute(context())

    def test_with_too_few_people_it_is_refused(self, lists: list[dict[str, Any]], counted: StatsdServer) -> None:
        with refused(TooFewCalled):
            self.roll_out(lists, min_listed=1_000)
        assert refusals(counted) == by(TooFewCalled)

    def test_a_second_wave_that_cannot_be_paid_is_refused(
        self, lists: list[dict[str, Any]], counted: StatsdServer
    ) -> None:
        first = next(each["rows"] for each in lists if each["wave"] == 1)
        with refused(BudgetExhausted):
            self.roll_out(lists, budget={"name": "b", "credits": 2 * first + 1}, credits_per_call=2)
        assert refusals(counted) == {"started,platform=ringg": 1} | by(BudgetExhausted)

    def test_once_all_lists_were_started_nothing_is_refused(
        self, lists: list[dict[str, Any]], counted: StatsdServer
    ) -> None:
        with refused(TooFewCalled):
            self.roll_out(lists, min_reached=1_000)
        assert refusals(counted) == {"started,platform=ringg": len(lists)}
        with pytest.raises(AirflowFailException):
            self.roll_out(lists, min_reached=1_000)
        assert refusals(counted) == {"adopted,platform=ringg": len(lists)}

    def test_a_brake_between_two_waves_refuses_the_second_one(
        self, lists: list[dict[str, Any]], counted: StatsdServer
    ) -> None:
        with pytest.raises(AirflowFailException, match="CampaignBraked"):
            self.roll_out(lists, brakes={"failures": 0.0001, "min_calls": 5}, min_wave_calls=20)
        assert refusals(counted) == {"started,platform=ringg": 1} | by("CampaignBraked")

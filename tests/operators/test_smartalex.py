"""SmartAlex's operators, sensor and trigger against the sandbox: lifecycle, launching at most once, pausing on kill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.operators.smartalex import (
    SmartAlexAddContactsOperator,
    SmartAlexCreateCampaignOperator,
    SmartAlexPauseCampaignOperator,
    SmartAlexResumeCampaignOperator,
    SmartAlexStartCampaignOperator,
)
from ringg_provider.triggers.smartalex import SmartAlexCampaignTrigger
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox
from tests.support.tasks import context

ALEX = {"smartalex_conn_id": "smartalex_sandbox"}
ALL_DAY = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC", "concurrent_calls": 10}
START = "/campaigns/{id}/start"


@pytest.fixture(autouse=True)
def clock() -> None:
    """Campaigns run to their end here, so time passes; other modules of this folder hold it still."""


@pytest.fixture
def sandbox(sandbox_factory: Callable[..., Sandbox]) -> Sandbox:
    """A day passes with every second."""
    return sandbox_factory(speed=86_400)


@pytest.fixture(autouse=True)
def quick_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a start's lost answer means is asked for two seconds and not for two minutes."""
    from ringg_provider.operators import launching

    real = launching.launch
    monkeypatch.setattr(
        launching,
        "launch",
        lambda *args, **kwargs: real(*args, **{**kwargs, "settle_timeout": 1.5, "settle_interval": 0.1}),
    )


def create(**settings: Any) -> str:
    made = SmartAlexCreateCampaignOperator(
        task_id="create", name="Survey", agent_id="agent_survey", settings={**ALL_DAY, **settings}, **ALEX
    )
    campaign_id: str = made.execute(context())
    return campaign_id


@pytest.fixture
def draft(sandbox: Sandbox, sqlite_warehouse: Warehouse) -> str:
    """A draft with three people on it."""
    sqlite_warehouse.execute("CREATE TABLE people (phone text, first_name text)")
    rows = [{"phone": number, "name": "Ann"} for number in ("98100 00001", "9810000002", "+919810000003", "n/a")]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, :name)", rows)
    campaign_id = create()
    assert add(campaign_id).execute(context()) == 3
    return campaign_id


def add(campaign_id: str) -> SmartAlexAddContactsOperator:
    return SmartAlexAddContactsOperator(
        task_id="add",
        campaign_id=campaign_id,
        sql_conn_id="warehouse",
        sql="SELECT phone, first_name FROM people",
        country_code="+91",
        **ALEX,
    )


def start(campaign_id: Any, **options: Any) -> SmartAlexStartCampaignOperator:
    return SmartAlexStartCampaignOperator(
        task_id="start", campaign_id=campaign_id, poll_interval=0.1, timeout=60, **{**ALEX, **options}
    )


def starts(sandbox: Sandbox) -> int:
    return sum(request["path"].endswith("/start") for request in sandbox.requests())


def state(sandbox: Sandbox, campaign_id: str) -> str:
    return str(next(row["state"] for row in sandbox.state()["campaigns"] if row["id"] == campaign_id))


def test_an_agent_that_is_not_ready_or_does_not_exist_fails_before_anything_is_created(sandbox: Sandbox) -> None:
    for agent, error in (("agent_unready", "WrongState"), ("agent_nowhere", "AgentNotFound")):
        operator = SmartAlexCreateCampaignOperator(task_id="create", name="a", agent_id=agent, settings=ALL_DAY, **ALEX)
        with pytest.raises(AirflowFailException, match=error):
            operator.execute(context())
    assert sandbox.state()["campaigns"] == []


def test_contacts_are_cleaned_and_never_added_to_a_draft_that_has_some(sandbox: Sandbox, draft: str) -> None:
    with pytest.raises(AirflowFailException, match="WrongState"):
        add(draft).execute(context())
    assert next(row["contacts"] for row in sandbox.state()["campaigns"]) == 3


def test_one_number_in_three_spellings_is_added_once_and_the_log_says_so(
    sandbox: Sandbox, sqlite_warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_warehouse.execute('CREATE TABLE people ("PHONE" text, "First_Name" text)')
    people = [
        ("98100 00001", "Ann"),
        ("+91-98100-00001", "Anna"),
        ("09810000001", "A."),
        ("9810000002", "B\x1b"),
        ("x", ""),
    ]
    rows = [{"phone": number, "name": name} for number, name in people]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, :name)", rows)
    assert add(create()).execute(context()) == 1
    said = caplog.text
    assert next(row["contacts"] for row in sandbox.state()["campaigns"]) == 1
    assert "they have the number of a row above, perhaps in another spelling: 2 rows." in said
    assert "they have a control character in a text: 1 row." in said
    assert "they have no usable telephone number: 1 row." in said
    assert "98100" not in said


def test_a_draft_is_started_once_and_adopted_ever_after(sandbox: Sandbox, draft: str) -> None:
    assert start(draft).execute(context()) == draft
    assert start(draft, wait_for_completion=True).execute(context()) == draft
    assert starts(sandbox) == 1
    assert state(sandbox, draft) == "completed"
    assert sandbox.dials()["max_calls_per_number"] == 1


@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize(
    ("lie", "ends"),
    [
        ({"kind": "cut", "when": "after"}, "started"),
        ({"kind": "status", "when": "after", "status": 500}, "started"),
        ({"kind": "cut", "when": "before"}, "LaunchOutcomeUnknown"),
        ({"kind": "status", "when": "before", "status": 503}, "LaunchOutcomeUnknown"),
        ({"kind": "late_effect", "seconds": 0.5, "answer": "status", "status": 500}, "started"),
    ],
)
def test_a_start_whose_answer_was_lost_is_settled_and_never_sent_again(
    sandbox: Sandbox, draft: str, lie: dict[str, Any], ends: str, refuses: bool
) -> None:
    sandbox.settings(refuse_second_start=refuses)
    sandbox.fault(method="POST", path=START, **lie)
    if ends == "started":
        assert start(draft).execute(context()) == draft
    else:
        with pytest.raises(AirflowFailException, match=ends):
            start(draft).execute(context())
    assert starts(sandbox) == 1


def test_somebody_elses_start_in_between_is_adopted(sandbox: Sandbox, draft: str) -> None:
    """The platform answers `campaign_already_active` to a start that comes second."""
    sandbox.settings(speed=1, upload_status_lag_seconds=5.0)  # the look still says draft
    with SmartAlexHook("smartalex_sandbox") as hook:
        hook.client.start_campaign(draft)
    assert start(draft).execute(context()) == draft
    assert starts(sandbox) == 2
    assert sandbox.dials()["max_calls_per_number"] == 1


def test_an_empty_draft_is_refused_and_may_be_started_later(sandbox: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="NoContacts"):
        start(create()).execute(context())


def test_under_a_key_another_campaign_is_never_started(
    sandbox: Sandbox, draft: str, sqlite_warehouse: Warehouse
) -> None:
    key = {"launch_key": "survey", "ledger_conn_id": "warehouse"}
    assert start(draft, **key).execute(context()) == draft
    second = create()
    add(second).execute(context())
    assert start(second, **key).execute(context()) == draft
    assert starts(sandbox) == 1


def test_pausing_and_resuming_may_be_repeated(sandbox: Sandbox, draft: str) -> None:
    sandbox.settings(speed=1)
    start(draft).execute(context())
    pause = SmartAlexPauseCampaignOperator(task_id="pause", campaign_id=draft, **ALEX)
    resume = SmartAlexResumeCampaignOperator(task_id="resume", campaign_id=[draft], **ALEX)
    assert [pause.execute(context()) for _ in range(2)] == [1, 0]
    assert state(sandbox, draft) == "paused"
    assert [resume.execute(context()) for _ in range(2)] == [1, 0]
    assert state(sandbox, draft) == "active"


def test_a_draft_can_be_neither_paused_nor_resumed(sandbox: Sandbox, draft: str) -> None:
    for operator in (SmartAlexPauseCampaignOperator, SmartAlexResumeCampaignOperator):
        with pytest.raises(AirflowFailException, match="WrongState"):
            operator(task_id="change", campaign_id=draft, **ALEX).execute(context())
    assert starts(sandbox) == 0


async def event_of(trigger: SmartAlexCampaignTrigger) -> dict[str, Any]:
    async with asyncio.timeout(20):
        async for event in trigger.run():
            return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


def test_the_wait_can_be_deferred_and_ends_with_the_campaign(sandbox: Sandbox, draft: str) -> None:
    operator = start(draft, wait_for_completion=True, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context())
    path, arguments = deferred.value.trigger.serialize()
    assert path == "ringg_provider.triggers.smartalex.SmartAlexCampaignTrigger"
    event = asyncio.run(event_of(SmartAlexCampaignTrigger(**arguments)))
    assert event["status"] == "completed"
    assert operator.execute_complete(context(), event, campaign_id=draft) == draft


def test_a_task_that_is_marked_failed_pauses_its_campaign_because_nothing_can_cancel_it(
    sandbox: Sandbox, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ringg_provider.operators import launching, waiting

    sandbox.settings(speed=1)
    monkeypatch.setattr(launching, "own_state", lambda _: "failed")
    operator = start(draft, wait_for_completion=True)
    monkeypatch.setattr(waiting, "sleep_until_told", lambda *_: operator.on_kill())
    with pytest.raises(launching.LaunchInterrupted):
        operator.execute(context())
    assert state(sandbox, draft) == "paused"

"""An agent's webhooks are set without taking anybody else's away."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.operators.ringg import RinggSetEventSubscriptionsOperator
from ringg_provider.ringg import RinggClient
from tests.support.http_server import Answer, Asked, ScriptedServer
from tests.support.sandbox import Sandbox

AGENT = "22222222-2222-4222-8222-222222222222"
OURS = {
    "event_type": ["all_processing_completed"],
    "callback_url": "https://etl.example.com/ringg",
    "headers": {"Authorization": "Bearer very-secret"},
}
THEIRS = {"event_type": "call_completed", "callback_url": "https://crm.example.com/hook", "method_type": "PUT"}


def execute(**options: Any) -> dict[str, Any]:
    options = {
        "task_id": "hooks",
        "ringg_conn_id": "ringg_sandbox",
        "agent_id": AGENT,
        "subscriptions": [OURS],
        **options,
    }
    return RinggSetEventSubscriptionsOperator(**options).execute({})


def present(sandbox: Sandbox) -> dict[str, Any]:
    with RinggClient(sandbox.api_key, sandbox.base_url) as client:
        return {each["callback_url"]: each for each in client.get_agent(AGENT).event_subscriptions or ()}


def subscribe(sandbox: Sandbox, *subscriptions: Any) -> None:
    with RinggClient(sandbox.api_key, sandbox.base_url) as client:
        client.set_event_subscriptions(AGENT, list(subscriptions))


def writes(sandbox: Sandbox) -> int:
    return sum(each["method"] == "PATCH" for each in sandbox.requests())


@pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
def test_others_subscriptions_stay(sandbox: Sandbox) -> None:
    subscribe(sandbox, THEIRS)
    assert execute() == {"subscriptions": 2, "kept": 1, "changed": True}
    found = present(sandbox)
    assert set(found) == {OURS["callback_url"], THEIRS["callback_url"]}
    assert found[THEIRS["callback_url"]]["method_type"] == "PUT"
    assert found[OURS["callback_url"]]["headers"] == OURS["headers"]


def test_the_same_again_writes_nothing(sandbox: Sandbox) -> None:
    subscribe(sandbox, THEIRS)
    execute()
    before = writes(sandbox)
    assert execute()["changed"] is False
    assert writes(sandbox) == before


def test_a_subscription_with_our_address_is_replaced(sandbox: Sandbox) -> None:
    subscribe(sandbox, {"event_type": ["call_completed", "call_started"], "callback_url": OURS["callback_url"]})
    assert execute() == {"subscriptions": 1, "kept": 0, "changed": True}
    assert present(sandbox)[OURS["callback_url"]]["event_type"] == ["all_processing_completed"]


def test_others_are_removed_only_when_told(sandbox: Sandbox) -> None:
    subscribe(sandbox, THEIRS)
    assert execute(remove_others=True) == {"subscriptions": 1, "kept": 0, "changed": True}
    assert set(present(sandbox)) == {OURS["callback_url"]}


def test_an_address_without_https_is_refused_before_anything_is_read(sandbox: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="callback_url"):
        execute(subscriptions=[{**OURS, "callback_url": "http://etl.example.com/ringg"}])
    assert sandbox.requests() == []


def test_secrets_of_headers_are_in_no_log(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    result = execute()
    assert "very-secret" not in caplog.text + capsys.readouterr().out + repr(result)
    assert "subscriptions" not in RinggSetEventSubscriptionsOperator.template_fields


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param({"event_type": ["an_event_of_tomorrow"]}, id="an event that is not known here"),
        pytest.param({"headers": [{"key": "Authorization", "value": "x"}]}, id="headers in another form"),
        pytest.param({"is_active": False, "headers": None, "id": 7}, id="fields that are not known here"),
        pytest.param({"callback_url": ["https://a.example", "https://b.example"]}, id="several addresses"),
    ],
)
def test_what_is_somebody_elses_is_written_back_as_it_was_read(
    monkeypatch: pytest.MonkeyPatch, foreign: dict[str, Any]
) -> None:
    agent, server = serve({**THEIRS, **foreign})
    with server:
        connect(monkeypatch, server)
        assert execute() == {"subscriptions": 2, "kept": 1, "changed": True}
        assert server.asked[-1].json["event_subscriptions"] == [{**THEIRS, **foreign}, {**OURS, "method_type": "POST"}]
        agent[:] = server.asked[-1].json["event_subscriptions"]
        assert execute() == {"subscriptions": 2, "kept": 1, "changed": False}


@pytest.mark.parametrize(
    "odd", [{"is_active": False}, {"headers": [{"key": "a"}]}, {"event_type": [None, {}]}, {"event_type": 7}]
)
def test_ours_is_written_again_when_somebody_bent_it(monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]) -> None:
    _, server = serve({**OURS, **odd})
    with server:
        connect(monkeypatch, server)
        assert execute() == {"subscriptions": 1, "kept": 0, "changed": True}
        assert server.asked[-1].json["event_subscriptions"] == [{**OURS, "method_type": "POST"}]


def test_more_than_four_for_one_event_are_refused_with_those_that_stay_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = [
        {"event_type": events, "callback_url": f"https://crm.example.com/{place}"}
        for place, events in enumerate(["all_processing_completed", ["call_completed", "all_processing_completed"]] * 2)
    ]
    _, server = serve(*others)
    with server:
        connect(monkeypatch, server)
        with pytest.raises(AirflowFailException, match="there would be 5 for all_processing_completed"):
            execute()
        assert [asked.method for asked in server.asked] == ["GET"]
        # What others have too much of is not ours to refuse.
        assert execute(subscriptions=[{**OURS, "event_type": ["call_started"]}])["changed"]
    _, server = serve(*others[1:])
    with server:
        connect(monkeypatch, server)
        assert execute() == {"subscriptions": 4, "kept": 3, "changed": True}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Connect the receiver's secret; `receiver("x")` changes it."""

    def connect(secret: object) -> None:
        extra = {"conn_type": "ringg", "password": "k", "extra": {"webhook_secret": secret}}
        monkeypatch.setenv("AIRFLOW_CONN_RINGG_INBOX", json.dumps(extra))

    connect("receivers-own-secret")
    return connect


@pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
def test_the_receivers_secret_is_sent_along_and_told_to_nobody(
    sandbox: Sandbox, receiver: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    subscribe(sandbox, THEIRS)
    plain = {name: value for name, value in OURS.items() if name != "headers"}
    result = execute(subscriptions=[plain], secret_from="ringg_inbox")
    assert result == {"subscriptions": 2, "kept": 1, "changed": True}
    assert present(sandbox)[OURS["callback_url"]]["headers"] == {"Authorization": "Bearer receivers-own-secret"}
    assert not present(sandbox)[THEIRS["callback_url"]]["headers"]
    said = capsys.readouterr().out
    assert "etl.example.com is subscribed to all_processing_completed." in said
    assert "receivers-own-secret" not in said + caplog.text + repr(result)

    assert execute(subscriptions=[plain], secret_from="ringg_inbox")["changed"] is False
    receiver("another-secret-now")
    assert execute(subscriptions=[plain], secret_from="ringg_inbox")["changed"] is True
    said = capsys.readouterr().out
    assert "in place of what it was (headers)" in said
    assert present(sandbox)[OURS["callback_url"]]["headers"] == {"Authorization": "Bearer another-secret-now"}
    assert "another-secret-now" not in said + caplog.text


def test_what_becomes_different_is_said_with_hosts_and_events_alone(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = {**THEIRS, "callback_url": "https://crm.example.com/hook?token=in-the-address"}
    subscribe(sandbox, theirs, {**OURS, "event_type": ["call_started"], "headers": {}})
    execute(remove_others=True)
    said = capsys.readouterr().out
    assert (
        "etl.example.com is subscribed to all_processing_completed in place of what it was (events, headers)." in said
    )
    assert "crm.example.com is no longer subscribed to call_completed." in said
    assert "in-the-address" not in said
    execute()
    assert "is subscribed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "secret",
    [
        None,
        "",
        " ",
        "with blanks in the secret",
        "line\nbreak-in-the-secret",
        "größer-als-sechzehn",
        "fifteen-letters",
        7,
    ],
)
def test_a_connection_without_a_usable_secret_is_named_before_anything_is_asked(
    sandbox: Sandbox, receiver: Any, secret: object
) -> None:
    receiver(secret)
    with pytest.raises(AirflowFailException, match=r"'ringg_inbox'.*webhook_secret"):
        execute(subscriptions=[{**OURS, "headers": {}}], secret_from="ringg_inbox")
    assert sandbox.requests() == []


def test_two_authorizations_are_one_too_many(sandbox: Sandbox, receiver: Any) -> None:
    with pytest.raises(AirflowFailException, match="Authorization of its own"):
        execute(subscriptions=[{**OURS, "headers": {"authorization": "Basic eA=="}}], secret_from="ringg_inbox")
    assert sandbox.requests() == []


def test_what_airflow_stores_of_the_task_names_the_connection_alone(receiver: Any) -> None:
    from airflow.sdk import DAG

    try:
        from airflow.serialization.serialized_objects import DagSerialization
    except ImportError:  # Airflow 3.1
        from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

    with DAG("hooks", schedule=None) as dag:
        RinggSetEventSubscriptionsOperator(
            task_id="hooks", agent_id=AGENT, subscriptions=[OURS], secret_from="ringg_inbox"
        )
    stored = json.dumps(DagSerialization.to_dict(dag))
    assert "ringg_inbox" in stored
    assert "receivers-own-secret" not in stored
    assert "very-secret" not in stored


def serve(*subscriptions: dict[str, Any]) -> tuple[list[dict[str, Any]], ScriptedServer]:
    """A platform whose agent has these subscriptions; the list can be changed."""
    present = list(subscriptions)

    def script(asked: Asked) -> Answer:
        versions = {"v": {"event_subscriptions": present}}
        agent = {"id": AGENT, "active_agent_version_id": "v", "version_details": versions}
        return Answer(body={"agents": agent} if asked.method == "GET" else {"message": "ok"})

    return present, ScriptedServer(script=script)


def connect(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    connection = {"conn_type": "ringg", "host": server.base_url, "password": "k"}
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", json.dumps(connection))

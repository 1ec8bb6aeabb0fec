"""What a connection says, however it was entered, and what is said of one that cannot be used."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowNotFoundException, BaseHook

from ringg_provider.api.messages import Timeouts
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.operators.ringg import RinggTerminateOperator
from ringg_provider.operators.smartalex import SmartAlexPauseCampaignOperator
from ringg_provider.sensors.ringg import RinggCampaignSensor
from ringg_provider.triggers.ringg import RinggUploadStatusTrigger
from tests.support.http_server import Answer, ScriptedServer
from tests.support.sandbox import Sandbox
from tests.support.tls import Certificates

Hook = RinggHook | SmartAlexHook
Connect = Callable[..., Hook]
RINGG, SMARTALEX = "https://prod-api.ringg.ai/ca/api/v0", "https://api.getsmartalex.com/v1"
LIST = "123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture(params=["ringg", "smartalex"])
def connect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """A hook of either platform, for a connection with these parts."""

    def connect(**parts: Any) -> Hook:
        connection = {"conn_type": request.param, "password": "a-key", **parts}
        monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps(connection))
        return RinggHook("ours") if request.param == "ringg" else SmartAlexHook("ours")

    return connect


def options_of(hook: Hook) -> dict[str, Any]:
    return asyncio.run(hook.aclient_options())


# --- where it points ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "base_url"),
    [
        ({}, None),
        ({"host": "  "}, None),
        ({"host": "http://127.0.0.1:8090/api"}, "http://127.0.0.1:8090/api"),
        ({"host": "https://eu.example/x/"}, "https://eu.example/x"),
        ({"host": "eu.example/x", "port": 8443}, "https://eu.example:8443/x"),
        ({"host": "127.0.0.1/x", "schema": "http", "port": 8090}, "http://127.0.0.1:8090/x"),
        ({"host": "https://eu.example:1/x", "port": 2}, "https://eu.example:1/x"),
    ],
)
def test_a_base_url_may_be_entered_in_parts(connect: Connect, parts: dict[str, Any], base_url: str | None) -> None:
    hook = connect(**parts)
    assert hook.base_url == (base_url or (RINGG if isinstance(hook, RinggHook) else SMARTALEX))
    assert options_of(hook)["base_url"] == hook.base_url
    with hook:
        assert hook.base_url in repr(hook.client)


def test_a_host_without_a_path_gets_the_vendors(connect: Connect) -> None:
    hook = connect(host="http://127.0.0.1:8090")
    assert hook.base_url == "http://127.0.0.1:8090" + ("/ca/api/v0" if isinstance(hook, RinggHook) else "/v1")


@pytest.mark.parametrize("host", ["http://[::1", "https://eu.example:99999/x", "https://eu.example:port/x"])
def test_a_host_that_is_no_address_is_named(connect: Connect, host: str) -> None:
    hook = connect(host=host)
    for use in (lambda: hook.client, lambda: options_of(hook), lambda: hook.base_url):
        with pytest.raises(InvalidRequest, match=r"^Connection 'ours': host must be a base URL such as https://"):
            use()
    assert hook.test_connection() == (False, str(_refusal(hook)))


@pytest.mark.parametrize("host", ["http://eu.example/x", "ftp://eu.example", "https://someone:s3cret@eu.example/x"])
def test_a_key_is_only_sent_encrypted_and_under_no_other_name(connect: Connect, host: str) -> None:
    worked, said = connect(host=host).test_connection()
    assert not worked
    assert "base_url must be https" in said
    assert "s3cret" not in said


# --- its options --------------------------------------------------------------------------------------------


def test_options_that_are_left_out_or_empty_as_in_the_form_are_the_defaults(connect: Connect) -> None:
    nothing = connect()
    assert set(options_of(nothing)) == {"api_key", "base_url", "verify"}
    empty = connect(extra=dict.fromkeys(["timeout", "verify", "dashboard_url", "generation", "paths"], ""))
    assert options_of(empty) == options_of(nothing)


def test_options_may_be_numbers_or_text(connect: Connect) -> None:
    for timeout in (5, 5.0, "5"):
        assert options_of(connect(extra={"timeout": timeout}))["timeout"] == Timeouts(read=5, write=5)


def test_smartalexs_options_reach_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Answer(body={})) as server:
        extra = {"generation": "new", "requests_per_minute": "30", "paths": {"pause_campaign": "/halt/{id}"}}
        connection = {"conn_type": "smartalex", "host": server.origin, "password": "k", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps(connection))
        with SmartAlexHook("ours") as hook:
            assert hook.client.generation == "new"
            hook.client.pause_campaign("c-1")
            assert options_of(hook)["requests_per_minute"] == 30
    assert server.asked[0].path == "/v1/halt/c-1"


BROKEN: list[tuple[str, Any]] = [
    *(("timeout", given) for given in (-1, 0, "nan", "inf", "-inf", 1e9, True, "soon", [5], {"s": 5})),
    *(("dashboard_url", given) for given in (5, ["https://x.example"], "x.example/c", "javascript:x", "https://[")),
    *(("verify", given) for given in (False, "False", 0, ["/ca.pem"], "/no/such/ca.pem")),
]


@pytest.mark.parametrize(("name", "given"), BROKEN)
def test_an_option_that_breaks_its_rule_is_named_everywhere(connect: Connect, name: str, given: Any) -> None:
    _refused_everywhere(connect(extra={name: given}), name)


@pytest.mark.parametrize("given", [-1, 0, "nan", "inf", "often", [60]])
def test_a_rate_that_is_none_is_named_everywhere(connect: Connect, given: Any) -> None:
    ringg = isinstance(connect(), RinggHook)
    name = "history_requests_per_minute" if ringg else "requests_per_minute"
    hook = connect(extra={name: given})
    _refused_everywhere(hook, name)
    if isinstance(hook, RinggHook):
        with pytest.raises(InvalidRequest, match=name):
            hook.history_pacer()


@pytest.mark.parametrize(
    ("name", "given"),
    [("generation", "newest"), ("generation", ["new"]), ("paths", ["/x"]), ("paths", "{"), ("paths", 5)],
)
def test_what_smartalex_cannot_use_is_named_everywhere(monkeypatch: pytest.MonkeyPatch, name: str, given: Any) -> None:
    connection = {"conn_type": "smartalex", "password": "k", "extra": {name: given}}
    monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps(connection))
    _refused_everywhere(SmartAlexHook("ours"), name)


@pytest.mark.parametrize("extra", [[1], "text", 5, True, "{", "null"])
def test_an_extra_that_is_no_object_is_named_everywhere(monkeypatch: pytest.MonkeyPatch, extra: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps({"conn_type": "ringg", "password": "k", "extra": extra}))
    hook = RinggHook("ours")
    try:
        BaseHook.get_connection("ours")
    except (AirflowNotFoundException, ImportError):  # Airflow 3.1 reads no such connection, and says that there is none
        with pytest.raises(AirflowNotFoundException, match="ours"), hook:
            hook.client  # noqa: B018
        return
    _refused_everywhere(hook, "extra")
    assert "must be a JSON object" in hook.test_connection()[1]
    with pytest.raises(InvalidRequest):
        hook.history_pacer()


def _refused_everywhere(hook: Hook, name: str) -> None:
    """The same sentence from the form, an operator, a sensor and a trigger, before anything is sent."""
    refusal = _refusal(hook)
    assert refusal.field == name
    assert name in str(refusal)
    assert hook.test_connection() == (False, str(refusal))
    if isinstance(hook, RinggHook):
        for task in (
            RinggTerminateOperator(task_id="t", ringg_conn_id="ours", campaign_id=LIST),
            RinggCampaignSensor(task_id="t", ringg_conn_id="ours", campaign_id=LIST),
        ):
            with pytest.raises(AirflowFailException, match=name):
                task.execute({})  # type: ignore[arg-type, typeddict-item]
    else:
        with pytest.raises(AirflowFailException, match=name):
            SmartAlexPauseCampaignOperator(task_id="t", smartalex_conn_id="ours", campaign_id="c").execute({})  # type: ignore[typeddict-item]


def _refusal(hook: Hook) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised, hook:
        hook.client  # noqa: B018
    return raised.value


async def test_a_trigger_tells_of_an_option_that_breaks_its_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "ringg", "password": "k", "extra": {"timeout": -1}}
    monkeypatch.setenv("AIRFLOW_CONN_OURS", json.dumps(connection))
    (event,) = [event async for event in RinggUploadStatusTrigger(ringg_conn_id="ours", bulk_list_id=LIST).run()]
    assert event.payload["status"] == "error"
    assert event.payload["message"].startswith("Connection 'ours': timeout must be a number of seconds above 0")


def test_a_page_that_is_none_fails_before_the_launch_and_not_after_it(connect: Connect) -> None:
    with connect(host="http://127.0.0.1:1") as hook:
        assert hook.client is not None
        connect(host="http://127.0.0.1:1", extra={"dashboard_url": "none"})
        assert hook.campaign_url("c-1") == "http://127.0.0.1:1/campaigns/c-1"


# --- being tested from the form -----------------------------------------------------------------------------


def test_the_form_says_what_was_found(sandbox: Sandbox) -> None:
    assert RinggHook("ringg_sandbox").test_connection()[1].startswith("Workspace ")
    assert SmartAlexHook("smartalex_sandbox").test_connection() == (
        True,
        "The key is accepted; first agent: 'Renewals'.",
    )


def test_the_form_says_what_is_wrong_with_the_key(sandbox: Sandbox, connect: Connect) -> None:
    ringg = isinstance(connect(), RinggHook)
    host = sandbox.base_url if ringg else sandbox.smartalex_url
    worked, said = connect(host=host, password="wrong").test_connection()
    assert not worked
    assert "Check the API key of the connection" in said


def test_the_form_names_the_certificate_at_once_and_takes_the_ca_that_is_named(
    connect: Connect, tmp_path: Path
) -> None:
    certificates = Certificates(tmp_path)
    body = {"workspace_info": {"name": "Ours"}, "data": [{"id": "a", "name": "Renewals"}]}
    with ScriptedServer(Answer(body=body), tls=certificates.server()) as server:
        began = time.monotonic()
        worked, said = connect(host=server.origin).test_connection()
        assert not worked
        assert f"the certificate of {server.origin} is not trusted" in said
        assert time.monotonic() - began < 5
        worked, said = connect(host=server.origin, extra={"verify": str(certificates.ca)}).test_connection()
        assert worked, said


@pytest.mark.parametrize("hook", [RinggHook, SmartAlexHook])
def test_a_connection_that_is_not_there_is_told_as_such_also_where_no_task_runs(
    hook: type[Hook], airflow_home: Path
) -> None:
    with pytest.raises(AirflowNotFoundException, match="nowhere"):
        _ = hook("nowhere").base_url

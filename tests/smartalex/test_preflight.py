"""Settings and the agent are checked before anything is created on SmartAlex."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ringg_provider.exceptions import AgentNotFound, InvalidRequest, WrongState
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.preflight import as_settings, check_agent
from ringg_provider.smartalex.requests import CampaignSettings
from tests.support.http_server import Answer, ScriptedServer


def test_a_dict_and_a_model_are_the_same() -> None:
    given = {"calling_hours_start": "10:00", "timezone": "Asia/Kolkata"}
    assert as_settings(given) == as_settings(CampaignSettings(**given))


@pytest.mark.parametrize("given", [None, {}, {"concurrent_calls": 5}])
def test_a_zone_that_is_left_out_is_warned_about(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert as_settings(given).timezone == "UTC"
    assert "read in UTC" in caplog.text


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("{}", "settings"),
        ([], "settings"),
        ({"timezone": "Asia/Bangalore"}, "settings.timezone"),
        ({"calling_hours_start": "17:00", "calling_hours_end": "09:00"}, "settings.calling_hours_end"),
        ({"concurrent_calls": 0}, "settings.concurrent_calls"),
        ({"max_retries": True}, "settings.max_retries"),
    ],
)
def test_what_breaks_a_rule_is_named_as_the_operators_call_it(given: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        as_settings(given)
    assert caught.value.field == field
    assert str(caught.value).startswith(field)


@pytest.mark.parametrize(
    ("agent", "error"),
    [
        ({"status": "ready"}, None),
        ({"is_active": True}, None),
        ({"status": "training"}, WrongState),
        ({"is_active": False}, WrongState),
        ({}, WrongState),
        (None, AgentNotFound),
    ],
)
def test_only_an_agent_that_is_ready_passes(agent: dict[str, Any] | None, error: type[Exception] | None) -> None:
    if agent is None:
        answer = Answer(404, {"error": {"code": "agent_not_found", "message": "No."}})
    else:
        answer = Answer(body={"data": {"id": "agent_survey", **agent}})
    with ScriptedServer(answer) as server, SmartAlexClient("key", server.base_url) as client:
        if error is None:
            check_agent(client, "agent_survey")
        else:
            with pytest.raises(error):
                check_agent(client, "agent_survey")

"""What a trigger tells is read by one function, which believes nothing that it does not know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ringg_provider.exceptions import TransientError, UnexpectedResponse, UnreadableAnswer
from ringg_provider.triggers import poller
from ringg_provider.triggers.events import CAMPAIGN_ENDS, EventStatus, WaitEvent, read_event
from ringg_provider.triggers.ringg import RinggCampaignTrigger
from tests.support.http_server import Answer, ScriptedServer


def told(status: str, **more: Any) -> dict[str, Any]:
    return {"status": status, "id": "c-1", "message": "So it is.", **more}


@pytest.mark.parametrize("status", [*CAMPAIGN_ENDS, EventStatus.TIMEOUT, EventStatus.EXECUTION_TIMEOUT])
def test_an_end_or_a_deadline_is_believed(status: EventStatus) -> None:
    assert read_event(told(status.value), "c-1", CAMPAIGN_ENDS) == WaitEvent(status, "c-1", "So it is.")


@pytest.mark.parametrize(
    "event", [None, "completed", {}, told("settled"), told("done"), told("error"), told("completed", id="c-2")]
)
def test_what_is_no_such_end_fails_for_good(event: object) -> None:
    with pytest.raises(UnexpectedResponse) as raised:
        read_event(event, "c-1", CAMPAIGN_ENDS)
    assert not isinstance(raised.value, TransientError)


async def test_a_listing_that_stays_unreadable_is_told_and_worth_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "UNREADABLE_PASSES", 0)
    with ScriptedServer(Answer(body=b"<html>")) as server:
        connection = {"conn_type": "ringg", "host": server.base_url, "password": "key"}
        monkeypatch.setenv("AIRFLOW_CONN_PROXIED", json.dumps(connection))
        trigger = RinggCampaignTrigger(ringg_conn_id="proxied", campaign_id="c-1", poll_interval=0.1)
        (event,) = [event async for event in trigger.run()]
    with pytest.raises(UnreadableAnswer, match="not JSON"):
        read_event(event.payload, "c-1", CAMPAIGN_ENDS)

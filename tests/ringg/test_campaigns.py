"""What the history proves about a list that the campaign list does not show."""

from __future__ import annotations

import pytest

from ringg_provider.launch.progress import Stage, StallWatch
from ringg_provider.launch.terms import ListState
from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.campaigns import RinggLaunchTarget, read_progress
from ringg_provider.ringg.requests import CallQuery
from tests.support.http_server import Answer, Asked, ScriptedServer

LIST = "dddddddd-0000-4000-8000-000000000001"
OTHER = "dddddddd-0000-4000-8000-000000000002"


def history_of(bulk_list_id: str, call_status: str) -> ScriptedServer:
    """A platform that lists no campaign, and whose history has one call, whatever is asked for."""
    call = {"id": "call-1", "status": call_status, "bulk_list_id": bulk_list_id}

    def answer(asked: Asked) -> Answer:
        if "/calling/history" in asked.path:
            return Answer(body={"calls": [call], "total": 1})
        if "/campaign/upload" in asked.path:
            return Answer(status=404, body={"detail": "Not found"})
        return Answer(body={"campaigns": [], "total": 0})

    return ScriptedServer(script=answer)


def test_every_request_for_the_history_has_a_range_that_no_call_is_outside_of() -> None:
    with history_of(LIST, "completed") as server, RinggClient("key", server.base_url) as client:
        RinggLaunchTarget(client, "large").look_closer(LIST)
        read_progress(client, LIST, StallWatch())
        list(client.iter_calls(CallQuery(start_date="2026-01-01T00:00:00+00:00")))
    queries = [dict(asked.query) for asked in server.asked if "/calling/history" in asked.path]
    assert len(queries) >= 4
    assert all({"start_date", "end_date"} <= query.keys() for query in queries)
    assert queries[-1]["start_date"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(("whose", "state"), [(LIST, ListState.ENDED), (OTHER, ListState.AMBIGUOUS)])
def test_only_a_call_of_the_list_itself_proves_that_it_was_started(whose: str, state: ListState) -> None:
    with history_of(whose, "completed") as server, RinggClient("key", server.base_url) as client:
        assert RinggLaunchTarget(client, "large").look_closer(LIST).state is state


@pytest.mark.parametrize(
    ("whose", "call_status", "stage"),
    [
        (LIST, "ongoing", Stage.RUNNING),
        (LIST, "completed", Stage.COMPLETED),
        (OTHER, "ongoing", Stage.MISSING),
        (OTHER, "completed", Stage.MISSING),
    ],
)
def test_a_call_of_another_list_tells_nothing_about_this_one(whose: str, call_status: str, stage: Stage) -> None:
    with history_of(whose, call_status) as server, RinggClient("key", server.base_url) as client:
        assert read_progress(client, LIST, StallWatch()).stage is stage

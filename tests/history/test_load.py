"""What one run does, besides losing nothing: its plan, its patience, its limits, what it says."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pendulum
import pytest
import sqlalchemy as sa

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import (
    AuthenticationError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RinggProviderError,
    ServerError,
    UnexpectedResponse,
    UnreadableAnswer,
)
from ringg_provider.history.backlog import Scope
from ringg_provider.history.load import HistoryLoad, LoadCounts
from ringg_provider.history.options import LoadOptions
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.ringg import RinggClient
from tests.history.hostile_platform import START, Behaviour, HostilePlatform
from tests.history.launching import ended, launch, wait_until
from tests.support.http_server import UNREADABLE, Answer, Asked, ScriptedServer
from tests.support.sandbox import Sandbox

CALLS, CAMPAIGNS = calls_table(), campaigns_table()
DAY = 86_400.0


def load(platform: HostilePlatform, engine: sa.Engine, scope: Scope | None = None, **options: Any) -> LoadCounts:
    return HistoryLoad(
        platform,
        engine,
        CALLS,
        CAMPAIGNS,
        options=LoadOptions(**{"analysis_concurrency": 1, **options}),
        pacer=Pacer(10, 60.0, clock=platform.monotonic, sleep=platform.sleep),
        now=platform.now,
        sleep=platform.sleep,
    ).run(scope)


def select(engine: sa.Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def history_requests(platform: HostilePlatform, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []
    original = platform.list_calls_page

    def spy(query: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(query)
        return original(query, *args, **kwargs)

    monkeypatch.setattr(platform, "list_calls_page", spy)
    return asked


def test_the_plan_is_logged_before_anything_is_read(sqlite: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ringg_provider")
    platform = HostilePlatform(1)
    big = platform.plan_campaign(2500, begin=-2 * DAY, spread=10)
    load(platform, sqlite, Scope(bulk_list_ids=[big]))
    caplog.clear()
    load(platform, sqlite, Scope(bulk_list_ids=[big]))
    (plan,) = (record.message for record in caplog.records if "requests, about" in record.message)
    assert plan == "History: 1 campaign, no pass by date, no single call; 13 requests, about 1 min at 10 a minute."


def test_a_closed_campaign_is_not_read_again(sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = HostilePlatform(2)
    platform.plan_campaign(900, begin=-3 * DAY, spread=10)
    load(platform, sqlite)
    platform.sleep(3600)
    asked = history_requests(platform, monkeypatch)
    counts = load(platform, sqlite)
    assert [query.bulk_list_id for query in asked] == [None]
    assert (counts.requests, counts.campaigns_read, counts.inserted, counts.changed) == (1, 0, 0, 0)


def test_a_campaign_that_only_waits_for_analysis_costs_no_list_request(
    sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = HostilePlatform(3)
    platform.plan_campaign(900, begin=-DAY, spread=10)
    for call in platform.calls:
        call.analysed_at = START + dt.timedelta(hours=2)
    first = load(platform, sqlite)
    assert select(sqlite, "SELECT history_state, history_reason FROM ringg_campaigns") == [
        ("open", "calls await their analysis or recording")
    ]
    asked = history_requests(platform, monkeypatch)
    platform.sleep(3 * 3600)
    second = load(platform, sqlite)
    assert [query for query in asked if query.bulk_list_id] == []
    assert second.details_read == first.open
    assert select(sqlite, "SELECT history_state FROM ringg_campaigns") == [("complete",)]


def test_few_calls_that_are_still_open_are_asked_for_one_by_one(
    sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = HostilePlatform(4)
    platform.plan_campaign(900, begin=-DAY, spread=10)
    late = sorted(platform.calls, key=lambda call: call.id)[:2]
    for call in late:
        call.costed_at = START + dt.timedelta(hours=2)
    load(platform, sqlite)
    asked = history_requests(platform, monkeypatch)
    platform.sleep(3 * 3600)
    load(platform, sqlite)
    assert sorted(query.call_id for query in asked if query.call_id) == [call.id for call in late]
    assert [query for query in asked if query.bulk_list_id] == []
    assert select(sqlite, "SELECT history_state, count(*) FROM ringg_calls GROUP BY 1") == [("complete", 900)]


def test_what_stays_missing_is_given_up_with_its_reason(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(5)
    platform.plan_campaign(30, begin=-2 * DAY, spread=10)
    for call in platform.calls:
        call.outcome = "completed"
        call.analysed_at = START + dt.timedelta(days=3650)
    counts = load(platform, sqlite, give_up_after=dt.timedelta(days=3))
    assert (counts.open, counts.incomplete) == (30, 0)
    platform.sleep(2 * DAY)
    counts = load(platform, sqlite, give_up_after=dt.timedelta(days=3))
    assert (counts.open, counts.incomplete) == (0, 30)
    assert select(sqlite, "SELECT DISTINCT history_state, history_reason FROM ringg_calls") == [
        ("incomplete", "given up after 3 days: analysis is missing")
    ]
    assert select(sqlite, "SELECT history_state, history_reason FROM ringg_campaigns") == [
        ("incomplete", "30 calls were given up")
    ]
    # Given up is given up: nothing is asked for any more.
    assert load(platform, sqlite).details_read == 0


def test_a_call_that_was_given_up_is_completed_when_it_moves_on_after_all(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(6)
    platform.plan_single(-DAY)
    (call,) = platform.calls
    call.outcome, call.ends_at = "completed", START + dt.timedelta(days=9)
    call.costed_at = call.analysed_at = call.ends_at
    load(platform, sqlite)
    platform.sleep(4 * DAY)
    load(platform, sqlite)
    assert select(sqlite, "SELECT history_state, history_reason FROM ringg_calls") == [
        ("incomplete", "given up after 3 days: status is not final")
    ]
    platform.sleep(6 * DAY)
    load(platform, sqlite, Scope(start=START - dt.timedelta(days=2)))
    assert select(sqlite, "SELECT history_state, status FROM ringg_calls") == [("complete", "completed")]


def test_what_does_not_fit_into_the_hour_is_read_in_the_next_one(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(7)
    for _ in range(3):
        platform.plan_campaign(2500, begin=-DAY, spread=10)
    first = load(platform, sqlite, max_minutes=2)
    assert first.campaigns_read + first.campaigns_deferred == 3
    assert first.campaigns_deferred > 0
    for _ in range(3):
        load(platform, sqlite, max_minutes=2)
    assert select(sqlite, "SELECT count(*) FROM ringg_calls WHERE bulk_list_id IS NOT NULL") == [(7500,)]
    assert select(sqlite, "SELECT DISTINCT history_state FROM ringg_campaigns") == [("complete",)]


def test_a_campaign_that_keeps_moving_does_not_keep_the_others_waiting(
    sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = HostilePlatform(30)
    # Of two that are equally long unread the smaller id comes first.
    moving, quiet = sorted(platform.plan_campaign(2500, begin=-DAY, spread=10) for _ in range(2))
    pages = platform.list_calls_page

    def restless(query: Any, *args: Any, **kwargs: Any) -> Any:
        if moving in (query.bulk_list_id or ()):
            platform.plan_call(moving, platform.clock)
        return pages(query, *args, **kwargs)

    monkeypatch.setattr(platform, "list_calls_page", restless)
    for _ in range(2):
        load(platform, sqlite, max_minutes=0, include_analysis=False)
    assert (quiet, "complete") in select(sqlite, "SELECT campaign_id, history_state FROM ringg_campaigns")


def test_an_interval_that_is_read_first_leaves_no_hole_before_it(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(31)
    for hours in range(1, 100):
        platform.plan_single(-3600.0 * hours)
    load(platform, sqlite, Scope(start=START - dt.timedelta(hours=50), end=START - dt.timedelta(hours=40)))
    load(platform, sqlite)
    assert select(sqlite, "SELECT count(*) FROM ringg_calls") == [(99,)]


def test_what_was_read_is_noted_although_no_call_says_when_it_was_made(
    sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = HostilePlatform(32, Behaviour(dates_mean_attempt=True))
    for hours in range(3, 103):
        platform.plan_single(-3600.0 * hours)
    row = platform.row
    monkeypatch.setattr(platform, "row", lambda call: {**row(call), "created_at": None})
    assert load(platform, sqlite).calls_read == 100
    platform.sleep(3600)
    assert load(platform, sqlite).calls_read == 0


def test_a_call_without_a_status_neither_stops_the_others_nor_stays_open_for_ever(
    sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = HostilePlatform(33)
    for _ in range(3):
        platform.plan_single(-DAY)
    row, odd = platform.row, platform.calls[0].id
    monkeypatch.setattr(
        platform, "row", lambda call: {**row(call), "status": None if call.id == odd else call.status(platform.now())}
    )
    counts = load(platform, sqlite)
    assert (counts.inserted, counts.open) == (3, 1)
    for _ in range(5):
        platform.sleep(DAY)
        counts = load(platform, sqlite)
    assert (counts.open, counts.incomplete) == (0, 1)
    assert select(sqlite, "SELECT is_final, history_reason FROM ringg_calls WHERE status IS NULL") == [
        (0, "given up after 3 days: status is not final")
    ]


def test_a_campaign_is_summed_up(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(9)
    list_id = platform.plan_campaign(50, begin=-3 * DAY, spread=1000)
    load(platform, sqlite)
    with sqlite.connect() as connection:
        found = connection.execute(sa.select(CAMPAIGNS)).one()
    completed = [call for call in platform.calls if call.outcome == "completed"]
    assert found.campaign_id == list_id
    assert (found.state, found.calls, found.calls_open, found.calls_completed) == ("completed", 50, 0, len(completed))
    assert float(found.cost) == 0.25 * len(completed)
    assert found.first_call_at == min(call.starts_at for call in platform.calls)
    assert found.last_call_at == max(call.starts_at for call in platform.calls)


def test_a_campaign_that_the_list_hides_is_closed_by_its_calls(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(10)
    list_id = platform.plan_campaign(5, begin=-3 * DAY, spread=10)
    platform.campaigns.clear()
    load(platform, sqlite, Scope(bulk_list_ids=[list_id]))
    assert select(sqlite, "SELECT campaign_id, calls, history_state FROM ringg_campaigns") == [(list_id, 5, "complete")]


def lists_of_calls(engine: sa.Engine) -> list[tuple[Any, ...]]:
    return select(engine, "SELECT bulk_list_id, count(*) FROM ringg_calls GROUP BY 1")


def closing(engine: sa.Engine) -> tuple[Any, ...]:
    (found,) = select(engine, "SELECT state, calls, history_state, history_reason FROM ringg_campaigns")
    return found


@pytest.mark.parametrize("first", ["failed", "terminated", "completed"])
@pytest.mark.parametrize("calls", [0, 3])
def test_a_closed_campaign_that_is_started_again_is_read_again(sqlite: sa.Engine, first: str, calls: int) -> None:
    platform = HostilePlatform(20)
    list_id = platform.plan_campaign(calls, begin=-9 * DAY, spread=10)
    platform.statuses[list_id] = first
    load(platform, sqlite)
    platform.sleep(5 * DAY)
    load(platform, sqlite)
    assert closing(sqlite) == (first, calls, "complete", None)
    for _ in range(5):
        platform.plan_call(list_id, 5 * DAY)
    platform.statuses[list_id] = "ongoing"
    platform.sleep(3600)
    load(platform, sqlite)
    assert closing(sqlite) == ("running", calls + 5, "open", "campaign is running")
    platform.statuses[list_id] = "completed"
    platform.sleep(2 * DAY)
    load(platform, sqlite)
    assert closing(sqlite) == ("completed", calls + 5, "complete", None)
    assert lists_of_calls(sqlite) == [(list_id, calls + 5)]


def test_another_runs_look_at_the_listing_voids_no_reading_of_what_has_not_moved(
    sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = HostilePlatform(26)
    lists = [platform.plan_campaign(3, begin=-9 * DAY, spread=10) for _ in range(3)]
    read = HostilePlatform.list_calls_page
    looking = []

    def other_run_looks(self: HostilePlatform, query: Any, limit: int, offset: int, *, retry: bool) -> Any:
        if query.bulk_list_id and not looking:
            looking.append(True)
            load(platform, sqlite, Scope(bulk_list_ids=lists[:1]))
        return read(self, query, limit, offset, retry=retry)

    monkeypatch.setattr(HostilePlatform, "list_calls_page", other_run_looks)
    load(platform, sqlite)
    assert looking
    assert select(sqlite, "SELECT DISTINCT history_state FROM ringg_campaigns") == [("complete",)]


def test_a_list_that_is_neither_listed_nor_dialled_yet_is_waited_for(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(21)
    list_id = platform.plan_campaign(4, begin=1800, spread=10)
    platform.hidden.add(list_id)
    load(platform, sqlite, Scope(bulk_list_ids=[list_id]))
    assert closing(sqlite) == (None, 0, "open", "no call yet")
    platform.sleep(7200)
    load(platform, sqlite)
    assert closing(sqlite)[:3] == (None, 4, "open")
    # Nobody will ever say that it has ended: it has when nothing has come for a day.
    platform.sleep(2 * DAY)
    load(platform, sqlite)
    assert closing(sqlite) == (None, 4, "complete", None)
    assert lists_of_calls(sqlite) == [(list_id, 4)]


def test_a_listing_that_forgets_a_running_campaign_does_not_close_it(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(22)
    list_id = platform.plan_campaign(4, begin=-DAY, spread=10)
    platform.statuses[list_id] = "ongoing"
    load(platform, sqlite)
    platform.hidden.add(list_id)
    platform.sleep(3600)
    for scope in (None, Scope(bulk_list_ids=[list_id])):
        load(platform, sqlite, scope)
        assert closing(sqlite) == ("running", 4, "open", "campaign is running")
    platform.sleep(2 * DAY)
    load(platform, sqlite)
    assert closing(sqlite) == ("running", 4, "complete", None)
    # It is there again, and so are its calls.
    platform.hidden.clear()
    platform.plan_call(list_id, 2 * DAY)
    load(platform, sqlite)
    assert closing(sqlite) == ("running", 5, "open", "campaign is running")


def test_an_end_that_another_run_heard_of_does_not_close_what_was_read_before(
    sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = HostilePlatform(23)
    list_id = platform.plan_campaign(3, begin=-DAY, spread=10)
    platform.statuses[list_id] = "ongoing"
    details, pages = platform.get_call, platform.list_calls_page

    def down(*_: Any, **__: Any) -> Any:
        raise ServerError("It failed.", status_code=503)

    def slow(call_id: str, send_analysis: bool = True) -> Any:
        # Meanwhile the last call is made, the campaign ends, and another run hears of it but reads no call.
        monkeypatch.setattr(platform, "get_call", details)
        platform.plan_call(list_id, 600)
        platform.sleep(9000)
        platform.statuses[list_id] = "completed"
        monkeypatch.setattr(platform, "list_calls_page", down)
        with pytest.raises(ServerError):
            load(platform, sqlite)
        monkeypatch.setattr(platform, "list_calls_page", pages)
        return details(call_id, send_analysis)

    monkeypatch.setattr(platform, "get_call", slow)
    load(platform, sqlite)
    assert closing(sqlite) == ("completed", 3, "open", "calls are not read to the end")
    platform.sleep(7200)
    load(platform, sqlite)
    assert closing(sqlite) == ("completed", 4, "complete", None)
    assert lists_of_calls(sqlite) == [(list_id, 4)]


def test_transcripts_are_in_no_column_when_they_are_switched_off(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(11)
    platform.plan_campaign(20, begin=-3 * DAY, spread=10)
    load(platform, sqlite, transcripts=False)
    with sqlite.connect() as connection:
        everything = repr(connection.execute(sa.select(CALLS)).all())
    assert "Hello" not in everything


def test_details_that_always_fail_fail_the_task_after_the_calls_are_in(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(12, Behaviour(details_fail=1.0))
    platform.plan_campaign(20, begin=-3 * DAY, spread=10)
    with pytest.raises(ServerError):
        load(platform, sqlite)
    assert select(sqlite, "SELECT count(*) FROM ringg_calls") == [(20,)]


def completed_campaign(platform: HostilePlatform, calls: int) -> str:
    list_id = platform.plan_campaign(calls, begin=-2 * DAY, spread=10)
    for call in platform.calls:
        call.outcome = "completed"
    return list_id


@pytest.mark.parametrize(
    "failure",
    [
        NotFound("Unknown.", status_code=404),
        ServerError("It failed.", status_code=500),
        InvalidRequest("No.", status_code=422),
        PermissionDenied("No.", status_code=403),
        UnexpectedResponse("What?"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_call_that_can_never_be_read_is_given_up_and_hinders_nobody(
    sqlite: sa.Engine, failure: RinggProviderError
) -> None:
    platform = HostilePlatform(24)
    completed_campaign(platform, 3)
    platform.poisoned[platform.calls[0].id] = failure
    counts = load(platform, sqlite)
    assert (counts.details_read, counts.details_failed, counts.open, counts.incomplete) == (2, 1, 1, 0)
    platform.sleep(2 * DAY)
    counts = load(platform, sqlite)
    assert (counts.open, counts.incomplete) == (0, 1)
    assert closing(sqlite)[2:] == ("incomplete", "1 calls were given up")


def test_an_outage_gives_no_call_up(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(25)
    completed_campaign(platform, 20)
    platform.poisoned = dict.fromkeys((call.id for call in platform.calls), PermissionDenied("No.", status_code=403))
    for _ in range(5):
        with pytest.raises(PermissionDenied):
            load(platform, sqlite)
        platform.sleep(DAY)
    assert closing(sqlite)[2:] == ("open", "calls await their analysis or recording")
    platform.poisoned.clear()
    load(platform, sqlite)
    assert closing(sqlite)[2:] == ("complete", None)


@pytest.mark.parametrize("number", [1, 40])
@pytest.mark.parametrize("of_a_campaign", [True, False])
def test_calls_that_left_the_history_before_they_were_costed_are_given_up(
    sqlite: sa.Engine, number: int, of_a_campaign: bool
) -> None:
    platform = HostilePlatform(26)
    platform.plan_single(-2 * DAY)
    if of_a_campaign:
        platform.plan_campaign(number, begin=-DAY, spread=10)
    for _ in range(0 if of_a_campaign else number):
        platform.plan_single(-DAY)
    for call in platform.calls[1:]:
        call.costed_at = START + dt.timedelta(days=3650)
    assert load(platform, sqlite).open == number
    del platform.calls[1:]
    platform.sleep(4 * DAY)
    counts = load(platform, sqlite)
    assert (counts.open, counts.incomplete) == (0, number)


def test_details_that_lag_behind_the_history_are_given_up(sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = HostilePlatform(27)
    completed_campaign(platform, 1)
    monkeypatch.setattr(platform, "details", lambda call: {"id": call.id, "call_status": "ongoing"})
    assert load(platform, sqlite).open == 1
    platform.sleep(2 * DAY)
    counts = load(platform, sqlite)
    assert (counts.open, counts.incomplete) == (0, 1)


def test_a_recording_that_can_never_be_stored_is_given_up(sqlite: sa.Engine) -> None:
    class Refusing:
        def store(self, recordings: Any) -> list[Any]:
            return []

    platform = HostilePlatform(28)
    completed_campaign(platform, 1)
    row = platform.row
    platform.row = lambda call: {**row(call), "audio_recording": "https://elsewhere.example/a.mp3"}  # type: ignore[method-assign]
    run = functools.partial(HistoryLoad, platform, sqlite, recordings=Refusing(), now=platform.now)  # type: ignore[arg-type]
    run(pacer=Pacer(10, 60.0, clock=platform.monotonic, sleep=platform.sleep)).run()
    platform.sleep(2 * DAY)
    run(pacer=Pacer(10, 60.0, clock=platform.monotonic, sleep=platform.sleep)).run()
    assert select(sqlite, "SELECT history_state, history_reason FROM ringg_calls") == [
        ("incomplete", "given up after 3 days: recording is not stored")
    ]


def test_a_folder_that_takes_no_recording_fails_the_task_after_the_calls_are_in(sqlite: sa.Engine) -> None:
    class Full:
        def store(self, recordings: Any) -> list[Any]:
            raise OSError(28, "No space left on device")

    platform = HostilePlatform(35)
    completed_campaign(platform, 3)
    row = platform.row
    platform.row = lambda call: {**row(call), "audio_recording": "https://elsewhere.example/a.mp3"}  # type: ignore[method-assign]
    pacer = Pacer(10, 60.0, clock=platform.monotonic, sleep=platform.sleep)
    with pytest.raises(OSError, match="No space left"):
        HistoryLoad(platform, sqlite, recordings=Full(), pacer=pacer, now=platform.now).run()  # type: ignore[arg-type]
    assert closing(sqlite) == ("completed", 3, "open", "calls await their analysis or recording")


def test_a_call_that_waits_is_not_given_up_before_its_campaign_has_ended(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(29)
    list_id = platform.plan_campaign(2, begin=-600, spread=10)
    done, waiting = platform.calls
    done.starts_at = done.ends_at = START
    waiting.starts_at = waiting.ends_at = START + dt.timedelta(days=365)
    platform.statuses[list_id] = "ongoing"
    for _ in range(6):
        load(platform, sqlite)
        platform.sleep(DAY)
    states = "SELECT count(*) FROM ringg_calls WHERE status = 'registered' AND history_state = "
    assert select(sqlite, states + "'open'") == [(1,)]
    # The campaign was stopped: nobody will be called any more.
    platform.statuses[list_id] = "terminated"
    load(platform, sqlite)
    assert select(sqlite, states + "'incomplete'") == [(1,)]
    assert closing(sqlite)[2] == "incomplete"


def test_a_refused_key_stops_the_run_at_once(sqlite: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = HostilePlatform(13)

    def refuse() -> Any:
        raise AuthenticationError("Invalid credentials.", status_code=401)

    monkeypatch.setattr(platform, "iter_campaigns", refuse)
    with pytest.raises(AuthenticationError):
        load(platform, sqlite)


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({"start": dt.datetime(2026, 1, 1)}, "start"),  # noqa: DTZ001 - that is the mistake
        ({"start": START, "end": START}, "end"),
        ({"bulk_list_ids": ["l"], "start": START}, "bulk_list_ids"),
    ],
)
def test_a_scope_that_makes_no_sense_is_refused_by_name(scope: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Scope(**scope)
    assert caught.value.field == field


def test_nothing_personal_is_in_any_log(sqlite: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    platform = HostilePlatform(15, Behaviour(fail=0.2, refuse=0.2, repeat=0.3, details_fail=0.3))
    platform.plan_campaign(400, begin=-3 * DAY, spread=10)
    counts = load(platform, sqlite)
    assert counts.inserted == 400
    for call in platform.calls:
        assert call.number[3:] not in caplog.text
    for word in ("Somebody", "Said yes", "Hello"):
        assert word not in caplog.text
        assert word not in repr(counts)


def test_spans_of_time_may_be_those_of_pendulum(sqlite: sa.Engine) -> None:
    platform = HostilePlatform(34)
    platform.plan_single(-DAY)
    spans = {"give_up_after": pendulum.duration(days=3), "lookback": pendulum.duration(hours=1)}
    assert load(platform, sqlite, **spans).inserted == 1
    assert load(platform, sqlite, **spans).inserted == 0


def test_pages_that_a_proxy_spoils_cost_no_call(
    sandbox_factory: Callable[..., Sandbox], sqlite: sa.Engine, tmp_path: Path
) -> None:
    """Over a socket: pages of the history are a proxy's own, now and then at first, later always those of one list."""
    sandbox = sandbox_factory("g3", history_rate_window_seconds=0)
    lists = [launch(sandbox, tmp_path, people, first=people * 100_000) for people in (450, 5)]
    for list_id in lists:
        wait_until(lambda list_id=list_id: ended(sandbox, list_id), 60)
    spoiled = iter([page for each in UNREADABLE.values() for page in (each, None)])
    closed: list[str] = []

    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/calling/history"):
            if set(closed) & {value for name, value in asked.query if name == "bulk_list_id"}:
                return UNREADABLE["a page of HTML"]
            if (page := next(spoiled, None)) is not None:
                return page
        key = {"X-API-KEY": asked.headers["x-api-key"]}
        answer = sandbox.admin.request(asked.method, asked.path, params=asked.query, headers=key)
        return Answer(answer.status_code, answer.content, {"Content-Type": "application/json"})

    def run(client: RinggClient, scope: Scope | None = None) -> LoadCounts:
        options = LoadOptions(include_analysis=False)
        return HistoryLoad(client, sqlite, options=options, pacer=Pacer(10**6, 60.0), sleep=lambda _: None).run(scope)

    with ScriptedServer(script=script) as proxy, RinggClient(sandbox.api_key, proxy.base_url) as client:
        assert run(client).inserted == 455
        for _ in range(3):
            run(client, Scope(bulk_list_ids=lists))
        assert next(spoiled, None) is None, "not every page that is spoiled came"
        closed.append(lists[0])
        with pytest.raises(UnreadableAnswer, match=lists[0]) as caught:
            run(client, Scope(bulk_list_ids=lists))
    assert lists[1] not in str(caught.value)
    calls = select(sqlite, "SELECT bulk_list_id, count(*) FROM ringg_calls GROUP BY 1 ORDER BY 2")
    assert calls == [(lists[1], 5), (lists[0], 450)]

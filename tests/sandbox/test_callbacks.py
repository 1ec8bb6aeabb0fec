"""People who ask to be called back: in which words, when they are reached, and what the platform does by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ringg_provider.sandbox.dice import dice_of
from ringg_provider.sandbox.wishes import Wish, wish_for
from tests.sandbox.api import Api, MakeApi, at, call_config, contacts
from tests.sandbox.test_smartalex import Alex

EVERYBODY_ANSWERS = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0}
NUMBER = "+919876500000"
#: Time passes only when it is skipped.
STILL = {**EVERYBODY_ANSWERS, "speed": 0.001}


def asks(words: str, seconds: float | None) -> dict[str, Any]:
    return {"forced_wishes": {NUMBER: [[words, seconds]]}}


def called(api: Api, hours: float = 0.0) -> str:
    """One person on a list that begins so many hours from now, and is over an hour later."""
    list_id = api.started(
        contacts(1), campaign_start_time=at(hours + 0.02), campaign_end_time=at(hours + 1), call_config=call_config()
    )
    api.skip((hours + 0.5) * 3600)
    api.wait(list_id, "completed")
    return list_id


def attempts(api: Api) -> list[list[str]]:
    return [[each["status"] for each in call["attempts"]] for call in api.sandbox.state()["calls"]]


def analysis(api: Api) -> dict[str, Any]:
    api.skip(900)
    (call,) = everything(api)
    return dict(api.details(call["id"], send_analysis=True)["platform_analysis"])


def everything(api: Api, **filters: Any) -> list[dict[str, Any]]:
    return list(api.history(limit=200, **filters)["calls"])


def test_the_analysis_has_the_words_and_the_truth_has_what_they_mean(make_api: MakeApi) -> None:
    for generation in ("g2", "g3"):
        api = make_api(generation, **STILL, **asks("in half an hour", 1800))
        called(api)
        told = analysis(api)
        (truth,) = api.sandbox.callbacks()
        (call,) = api.sandbox.state()["calls"]
        assert (told["callback_requested"], told["callback_requested_time"]) == (True, "in half an hour")
        assert (told["classification"], told["timezone"]) == ("callback", "Asia/Kolkata")
        assert (truth["words"], truth["to_number"], truth["call_id"]) == ("in half an hour", NUMBER, call["id"])
        asked = datetime.fromisoformat(truth["asked_at"])
        assert datetime.fromisoformat(truth["earliest"]) - asked == timedelta(minutes=30)
        assert truth["earliest"] == truth["latest"]
        assert (truth["state"], truth["calls"]) == ("waiting", [])


@pytest.mark.parametrize(("hours", "reached"), [(1.8, True), (2.1, True), (0.5, False), (2.6, False)])
def test_whoever_named_a_time_is_reached_then_and_at_no_other(make_api: MakeApi, hours: float, reached: bool) -> None:
    api = make_api(**STILL, **asks("do ghante baad", 7200))
    called(api)
    list_id = called(api, hours)
    (truth,) = api.sandbox.callbacks()
    assert attempts(api) == [["ACCEPTED"], ["ACCEPTED" if reached else "No Answer"]]
    assert [(ring["list_id"], ring["reached"]) for ring in truth["calls"]] == [(list_id, reached)]
    assert truth["state"] == ("kept" if reached else "waiting")


def test_a_person_who_waits_picks_up_whatever_chance_would_have_done(make_api: MakeApi) -> None:
    api = make_api(**STILL, **asks("do ghante baad", 7200))
    called(api)
    api.sandbox.settings(busy_rate=1)
    called(api, 2.0)
    assert attempts(api) == [["ACCEPTED"], ["ACCEPTED"]]


def test_patience_can_be_chosen_and_what_a_test_forces_comes_first(make_api: MakeApi) -> None:
    api = make_api(**STILL, **asks("do ghante baad", 7200), callback_patience_seconds=None)
    called(api)
    called(api, 0.5)
    assert attempts(api)[-1] == ["ACCEPTED"]
    api = make_api(**STILL, **asks("do ghante baad", 7200))
    called(api)
    api.sandbox.settings(forced_outcomes={NUMBER: ["completed"]})
    called(api, 0.5)
    assert attempts(api)[-1] == ["ACCEPTED"]


def test_who_names_no_time_can_be_reached_at_any(make_api: MakeApi) -> None:
    api = make_api(**STILL, **asks("later", None))
    called(api)
    assert [(one["state"], one["earliest"]) for one in api.sandbox.callbacks()] == [("unclear", None)]
    called(api, 0.5)
    assert attempts(api)[-1] == ["ACCEPTED"]
    assert [one["state"] for one in api.sandbox.callbacks()] == ["kept"]


def test_a_person_may_ask_again_when_they_are_reached(make_api: MakeApi) -> None:
    twice = [["do ghante baad", 7200], ["tomorrow, same time", 86_400]]
    api = make_api(**STILL, forced_wishes={NUMBER: twice})
    called(api)
    called(api, 2.0)
    first, second = api.sandbox.callbacks()
    assert (first["state"], second["state"]) == ("kept", "waiting")
    assert second["call_id"] == first["calls"][0]["call_id"]
    called(api, 23.9)
    assert [one["state"] for one in api.sandbox.callbacks()] == ["kept", "kept"], "the third talk asks for nothing"


@pytest.mark.parametrize("how", ["registered", "unannounced"])
def test_the_platform_may_call_back_by_itself(make_api: MakeApi, how: str) -> None:
    for generation in ("g2", "g3"):
        api = make_api(generation, **STILL, **asks("do ghante baad", 7200), platform_callbacks=how)
        list_id = called(api)
        asking = api.calls(list_id)[0]["id"]
        before = [call["call_type"] for call in everything(api)]
        assert before.count("callback") == (1 if how == "registered" else 0)
        assert attempts(api)[1:] == ([[]] if how == "registered" else [])
        api.skip(7200)
        callback, first = sorted(everything(api), key=lambda call: call["call_type"])
        assert (callback["call_type"], first["call_type"]) == ("callback", "outbound")
        assert [call["id"] for call in api.calls(list_id)] == [asking], "it is on no list"
        assert [call["id"] for call in everything(api, call_type="callback")] == [callback["id"]]
        (truth,) = api.sandbox.callbacks()
        assert (truth["call_id"], truth["state"]) == (asking, "kept")
        assert [(ring["call_id"], ring["call_type"]) for ring in truth["calls"]] == [(callback["id"], "callback")]


def test_the_platforms_callbacks_may_be_late_or_never_come(make_api: MakeApi) -> None:
    late = {"platform_callbacks": "registered", "platform_callback_delay_seconds": 1800}
    api = make_api(**STILL, **asks("do ghante baad", 7200), **late)
    called(api)
    api.skip(7200)
    assert attempts(api) == [["ACCEPTED"], []]
    api.skip(1800)
    assert attempts(api) == [["ACCEPTED"], ["No Answer"]]
    api = make_api(**STILL, **asks("do ghante baad", 7200), platform_callbacks="registered", platform_callbacks_lost=1)
    called(api)
    api.skip(86_400)
    assert attempts(api) == [["ACCEPTED"]]


def test_a_share_of_people_asks_and_a_share_of_them_names_no_time(make_api: MakeApi) -> None:
    api = make_api(**EVERYBODY_ANSWERS, callback_rate=0.3, vague_callback_rate=0.2)
    list_id = api.finished(contacts(600))
    asked = api.sandbox.callbacks()
    assert 130 < len(asked) < 230
    assert 20 < sum(one["state"] == "unclear" for one in asked) < 60
    assert len({one["words"] for one in asked}) > 40
    assert {call["to_number"] for call in api.calls(list_id)} >= {one["to_number"] for one in asked}


def wishes(now: datetime, zone: str) -> list[Wish]:
    return [wish_for(dice_of(seed, "+911"), now.timestamp(), zone, 0.0) for seed in range(400)]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "Europe/London"])
@pytest.mark.parametrize("hour", [0, 9, 13, 18, 23])
def test_what_is_meant_is_always_to_come_and_told_by_the_persons_clock(zone: str, hour: int) -> None:
    # The days on which clocks change in the United States and in the United Kingdom are among them.
    for day in (date(2026, 3, 7), date(2026, 3, 28), date(2026, 10, 31), date(2026, 12, 31)):
        now = datetime.combine(day, time(hour, 20), ZoneInfo(zone))
        for wish in wishes(now, zone):
            assert wish.earliest is not None
            assert wish.latest is not None
            assert now.timestamp() < wish.earliest <= wish.latest < now.timestamp() + 8 * 86_400
            meant = datetime.fromtimestamp(wish.earliest, ZoneInfo(zone))
            if "shaam 5 baje" in wish.words or "at 5 pm" in wish.words:
                assert (meant.hour, meant.minute) == (17, 0)
            if wish.words.startswith(("tomorrow", "kal")):
                assert meant.date() == now.date() + timedelta(days=1)
            if wish.words == "in half an hour":
                assert wish.earliest - now.timestamp() == 1800


def test_smartalex_has_it_among_the_pending_callbacks_until_it_is_made(make_api: MakeApi) -> None:
    number = "+12125550101"
    for how, left in (("none", 1), ("registered", 0)):
        api = make_api(**STILL, forced_wishes={number: [["in two hours", 7200]]}, platform_callbacks=how)
        alex = Alex(api.sandbox)
        campaign = alex.draft([number])
        assert alex.do(campaign, "start").is_success
        api.skip(600)
        (pending,) = alex.rows(f"/campaigns/{campaign}/callbacks")
        (truth,) = api.sandbox.callbacks()
        assert (pending["scheduled_at"], pending["original_outcome"]) == (truth["earliest"], "completed")
        assert (truth["platform"], truth["call_id"]) == ("smartalex", alex.rows("/calls")[0]["id"])
        api.skip(7200)
        assert len(alex.rows(f"/campaigns/{campaign}/callbacks")) == left
        calls = {call["id"] for call in alex.rows("/calls")}
        made = [ring["call_id"] for ring in api.sandbox.callbacks()[0]["calls"]]
        assert calls == {truth["call_id"], *made}
        assert len(made) == 1 - left
        alex.http.close()


def test_times_are_told_in_utc(make_api: MakeApi) -> None:
    api = make_api(**STILL, **asks("do ghante baad", 7200))
    called(api)
    (truth,) = api.sandbox.callbacks()
    assert datetime.fromisoformat(truth["earliest"]).tzinfo == UTC

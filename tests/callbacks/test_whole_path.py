"""From "call me tomorrow at five" to a phone that rings then, once: days in the sandbox, with crashes and races."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from tests.callbacks.living import INDIA, NEW_YORK, Country, Life, connection
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox

EVERYBODY_ASKS = {
    "busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0, "callback_rate": 0.8,
    "vague_callback_rate": 0.1, "speed": 1, "history_rate_window_seconds": 0,
}  # fmt: skip
PEOPLE = 12


@pytest.fixture
def lived(
    sqlite_warehouse: Warehouse,
    sandbox_factory: Callable[..., Sandbox],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., Life]:
    """A campaign, and runs for some hours after it."""

    def live(
        generation: str, country: Country, begin: datetime, hours: float, seed: int, crashes: float = 0.0,
        arguments: Mapping[str, Any] = MappingProxyType({}), **settings: Any,
    ) -> Life:  # fmt: skip
        with time_machine.travel(begin, tick=True) as travel:
            sandbox = sandbox_factory(generation, seed=seed, **{**EVERYBODY_ASKS, **settings})
            monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", connection(sandbox))
            life = Life(sandbox, travel, country, random.Random(seed), crashes, arguments)
            life.call_everybody(PEOPLE, tmp_path)
            life.live(begin + timedelta(hours=hours), only_eventful=True)
            life.load()
            life.look_back()
            return life

    return live


def soon(country: Country, seed: int) -> dict[str, Any]:
    """Everybody asks to be called some time in the next hours; a third of them ask once more when they are."""
    dice = random.Random(seed)

    def wish() -> list[Any]:
        minutes = dice.randint(45, 180)
        return [f"in {minutes} minutes", 60 * minutes]

    wishes = {country.number(n): [wish() for _ in range(1 + (n % 3 == 0))] for n in range(PEOPLE)}
    return {"forced_wishes": wishes}


@pytest.mark.slow
def test_what_is_asked_for_in_words_is_kept_and_nobody_is_rung_twice_or_at_an_unlawful_hour(
    lived: Callable[..., Life],
) -> None:
    life = lived("g3", INDIA, datetime(2027, 3, 1, 10, 2, tzinfo=ZoneInfo("Asia/Kolkata")), 27, 1)
    assert len(life.could) >= 3
    assert [one["words"] for one in life.could if one["state"] != "kept"] == []
    assert life.rung_twice == []
    assert life.rung_unlawfully == []


@pytest.mark.slow
def test_people_elsewhere_are_called_by_their_own_clock(lived: Callable[..., Life]) -> None:
    # The Monday after clocks were put forward in the United States.
    morning = datetime(2027, 3, 15, 10, 32, tzinfo=ZoneInfo("America/New_York"))
    life = lived("g2", NEW_YORK, morning, 4, 2, **soon(NEW_YORK, 2))
    assert life.could
    assert [one["words"] for one in life.could if one["state"] != "kept"] == []
    assert life.rung_twice == []
    assert life.rung_unlawfully == []


@pytest.mark.slow
def test_whatever_crashes_or_races_nobody_is_rung_twice_or_at_an_unlawful_hour(lived: Callable[..., Life]) -> None:
    noon = datetime(2027, 3, 4, 12, 2, tzinfo=ZoneInfo("Asia/Kolkata"))
    life = lived("g3", INDIA, noon, 5, 3, 0.35, **soon(INDIA, 3))
    assert len(set(life.crashed)) >= 3, life.crashed
    assert len(life.could) >= PEOPLE / 2
    assert life.rung_twice == []
    assert life.rung_unlawfully == []
    assert any(one["state"] == "kept" for one in life.could)


@pytest.mark.parametrize(
    ("how", "told"), [("registered", True), ("unannounced", True)], ids=["which it shows before", "without a word"]
)
def test_whom_the_platform_calls_back_by_itself_nobody_else_rings_and_whom_it_forgets_is_rung_once(
    lived: Callable[..., Life], how: str, told: bool
) -> None:
    noon = datetime(2027, 3, 4, 12, 2, tzinfo=ZoneInfo("Asia/Kolkata"))
    # The platform is waited for until all calls of a quarter of an hour after the time are known; people have patience.
    own = {"platform_callbacks": how, "platform_callbacks_lost": 0.6, "callback_patience_seconds": 7200}
    wishes = {INDIA.number(n): [[f"in {minutes} minutes", 60 * minutes]] for n, minutes in enumerate(range(50, 98, 4))}
    life = lived("g3", INDIA, noon, 3, 5, arguments={"platform_calls_back": told}, forced_wishes=wishes, **own)
    assert len(life.asked) == PEOPLE
    assert life.rung_twice == []
    assert life.rung_unlawfully == []
    by = [[ring["call_type"] for ring in promise["calls"]] for promise in life.asked]
    assert by.count(["callback"]) >= 3, by
    assert by.count(["outbound"]) >= 3, by
    assert len(by) == by.count(["callback"]) + by.count(["outbound"]), "nobody was forgotten"
    assert {promise["state"] for promise in life.asked} == {"kept"}

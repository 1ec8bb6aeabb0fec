"""At most once and only at lawful hours, whoever races and dies: random promises, zones, hours, crashes and orders."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from ringg_provider.callbacks.claims import NEVER_STARTED, Claim, Claims
from ringg_provider.callbacks.planning import Promise
from ringg_provider.callbacks.table import PromiseState
from ringg_provider.launch.ledger import LaunchLedger
from tests.callbacks.living import connection
from tests.callbacks.racing import Race, make_tables
from tests.support.sandbox import running_sandbox

RACES, STEPS = 6, 40


Racing = Callable[[int, Callable[[Race], None]], Race]
#: Noon in India.
NOON = datetime(2027, 3, 1, 6, 30, tzinfo=UTC)
AT_ONCE, ONCE_IT_SEEMS_DEAD = timedelta(0), timedelta(minutes=11)


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Racing:
    """One race, by its number, at any time of the year; a number below 0: at noon."""
    rates: dict[str, Any] = {
        "busy_rate": 0,
        "not_picked_rate": 0,
        "failed_rate": 0,
        "voicemail_rate": 0,
        "callback_rate": 0,
    }

    def run(seed: int, how: Callable[[Race], None]) -> Race:
        dice = random.Random(seed)
        begin = NOON
        if seed >= 0:
            begin = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(365 * 24 * 60))
        path = tmp_path / f"{seed}.db"
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f'{{"conn_type": "sqlite", "host": "{path}"}}')
        engine = sa.create_engine(f"sqlite:///{path}")
        make_tables(engine)
        with (
            time_machine.travel(begin, tick=True) as travel,
            running_sandbox(speed=1, seed=1, history_rate_window_seconds=0, **rates) as sandbox,
        ):
            monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", connection(sandbox))
            raced = Race(engine, sandbox, travel, dice)
            how(raced)
        engine.dispose()
        return raced

    return run


def test_nobody_is_rung_twice_or_at_an_unlawful_hour(race: Racing) -> None:
    rung = died = 0
    for seed in range(RACES):
        raced = race(seed, lambda raced: raced.run(STEPS))
        assert raced.complaints() == [], f"race {seed}"
        rung += len(raced.rung)
        died += len(raced.dead)
    assert rung >= RACES
    assert died >= RACES / 2


def overtaken(race: Racing, steps: int, wait: timedelta) -> Race:
    """A race in which one run overtakes another that stops after so many steps."""
    return race(-1 - steps, lambda raced: raced.overtake(steps, wait))


@pytest.mark.slow
@pytest.mark.parametrize("wait", [AT_ONCE, ONCE_IT_SEEMS_DEAD], ids=["at once", "once it seems dead"])
def test_a_run_may_overtake_another_wherever_that_one_stops(race: Racing, wait: timedelta) -> None:
    rung = 0
    for steps in range(4, 74, 7):
        raced = overtaken(race, steps, wait)
        assert raced.complaints() == [], f"after {steps} steps"
        rung += len(raced.rung)
    assert rung >= 20


class TakesWhatIsTaken(Claims):
    """Whoever was open when it was looked is taken, whatever has become of it since."""

    def take(self, key: str, promises: Sequence[Promise]) -> Claim:
        at = self._now()
        for promise in promises:
            taken = {"claim_key": key, "claimed_at": at, "list_id": None}
            self._change(promise.promise_id, state=PromiseState.LISTED.value, **taken)
        return Claim(key, at, promises)


class NeverAsksTheLedger(Claims):
    """What was taken long ago is given back, whether or not its list was started."""

    def free(self, claim: Claim, ledger: LaunchLedger) -> int:
        return self.give_back(claim, {promise.promise_id: NEVER_STARTED for promise in claim.promises})


class AsksTheLedgerAndLetsTheListBeStarted(Claims):
    """What was taken long ago is given back where its list was not started by then; it may be started afterwards."""

    def free(self, claim: Claim, ledger: LaunchLedger) -> int:
        if ledger.started_set(claim.key) is not None:
            return 0
        return self.give_back(claim, {promise.promise_id: NEVER_STARTED for promise in claim.promises})


@pytest.mark.parametrize(
    ("mutant", "wait", "where"),
    [
        # Between the look at what is open and the taking; at the end; between the last look and the start.
        (TakesWhatIsTaken, AT_ONCE, range(8, 30, 3)),
        (NeverAsksTheLedger, ONCE_IT_SEEMS_DEAD, [1000]),
        (AsksTheLedgerAndLetsTheListBeStarted, ONCE_IT_SEEMS_DEAD, range(40, 70, 2)),
    ],
)
def test_the_race_notices(
    race: Racing, monkeypatch: pytest.MonkeyPatch, mutant: type[Claims], wait: timedelta, where: Iterable[int]
) -> None:
    for name in ("take", "free"):
        monkeypatch.setattr(Claims, name, getattr(mutant, name))
    assert any("rung 2 times" in overtaken(race, steps, wait).complaints() for steps in where)

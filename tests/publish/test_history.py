"""Loads of a hostile platform's history, published after each of them: in the end the copy equals the state."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ringg_provider.history.backlog import Scope
from tests.history.diary import Diary, behaviours, live
from tests.history.hostile_platform import Behaviour, HostilePlatform
from tests.publish.copies import CALLS, CAMPAIGNS, CONTACTS, Copy
from tests.publish.kills import NO_LEASE, Steps, copies, publish

TABLES = (CAMPAIGNS, CONTACTS, CALLS)


# What a kill leaves of a result that was being read cannot be finished, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*(SSCursor|MySQLResult)")


class PublishedDiary(Diary):
    """Publishes after every load; half of the publications are killed or overtaken by another on the way."""

    def __init__(self, platform: HostilePlatform, copy: Copy, other: Copy, steps: Steps, seed: int) -> None:
        super().__init__(platform, other.state)
        self.copy, self.other, self.steps = copy, other, steps
        self.dice = random.Random(seed)
        self.struck = 0

    def run(self, scope: Scope | None = None) -> None:
        super().run(scope)
        blow = self.dice.choice([None, None, self.steps.kill, lambda: publish(self.other, "another")])
        self.steps.begin(**{f"step{self.dice.randrange(1, 90)}": blow} if blow else {})
        publish(self.copy)
        self.struck += blow is not None and not self.steps.at
        self.steps.begin()

    def finish(self) -> None:
        super().finish()
        self.copy.publish(lease=NO_LEASE)
        assert self.other.difference() == []


def _day(pair: str, seed: int, behaviour: Behaviour, folder: Path, request: pytest.FixtureRequest) -> int:
    """Live a day; returns how many publications were killed or overtaken."""
    diaries: list[PublishedDiary] = []
    with copies(pair, folder, request.getfixturevalue, TABLES) as (copy, other, steps):

        def keep(platform: HostilePlatform, _: sa.Engine | None) -> Diary:
            diaries.append(PublishedDiary(platform, copy, other, steps, seed))
            return diaries[0]

        live(seed, behaviour, keep=keep)
    return diaries[0].struck


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), behaviour=behaviours)
def test_the_copy_equals_the_truth_after_any_schedule(
    seed: int, behaviour: Behaviour, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    _day("sqlite-sqlite", seed, behaviour, tmp_path, request)


@pytest.mark.slow
@pytest.mark.parametrize("pair", ["postgresql-duckdb", "postgresql-postgresql", "mariadb-mariadb"])
def test_on_the_real_ones_too(pair: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    behaviour = Behaviour(page_cap=100, repeat=0.1, empty=0.1, fail=0.2, sorted_by_creation=False)
    assert sum(_day(pair, seed, behaviour, tmp_path, request) for seed in (3, 4)) > 0

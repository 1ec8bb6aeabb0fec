"""Somebody who loads the history of a hostile platform again and again, and whole days with it."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import TransientError
from ringg_provider.history.backlog import Scope
from ringg_provider.history.load import HistoryLoad
from ringg_provider.history.options import LoadOptions
from ringg_provider.history.read_until import ReadUntil, newest_watermark
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from tests.history.hostile_platform import START, Behaviour, HostilePlatform, Killed

RANKS = {"registered": 0, "ongoing": 1, "retry": 1}


class Diary:
    """Loads the history of a hostile platform again and again, and watches what happens to the table."""

    def __init__(self, platform: HostilePlatform, engine: sa.Engine | None = None) -> None:
        self.platform = platform
        self.engine = engine or sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        self.calls, self.campaigns = calls_table(), campaigns_table()
        self.ranks: dict[str, int] = {}

    def load(self) -> HistoryLoad:
        platform = self.platform
        return HistoryLoad(
            platform,
            self.engine,
            self.calls,
            self.campaigns,
            options=LoadOptions(analysis_concurrency=1),
            pacer=Pacer(10, 60.0, clock=platform.monotonic, sleep=platform.sleep),
            now=platform.now,
            sleep=platform.sleep,
        )

    def run(self, scope: Scope | None = None) -> None:
        with contextlib.suppress(TransientError, Killed):  # the task fails, and Airflow runs it again
            self.load().run(scope)
        for row in self.rows():
            rank = RANKS.get(row.status, 2)
            assert rank >= self.ranks.get(row.call_id, 0), f"{row.call_id} moved backwards to {row.status}"
            self.ranks[row.call_id] = rank

    def read_until(self) -> dt.datetime | None:
        return ReadUntil(self.engine, self.calls, state_table(), newest_watermark).get()

    def rows(self) -> list[Any]:
        if not sa.inspect(self.engine).has_table(self.calls.name):
            return []
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(self.calls)).all())

    def table(self) -> dict[str, tuple[Any, ...]]:
        return {
            row.call_id: (
                row.bulk_list_id,
                row.status,
                row.to_number_e164,
                row.created_at,
                None if row.cost is None else float(row.cost),
                row.summary,
            )
            for row in self.rows()
        }

    def states(self) -> dict[str, tuple[str, str | None]]:
        campaigns = self.campaigns.c
        query = sa.select(campaigns.campaign_id, campaigns.history_state, campaigns.history_reason)
        with self.engine.connect() as connection:
            return {row[0]: (row[1], row[2]) for row in connection.execute(query)}

    def finish(self) -> None:
        """Let the world come to rest, run twice more, and compare."""
        platform = self.platform
        while not platform.settled():
            platform.sleep(1800)
        platform.sleep(3600)
        platform.calm, platform.lives = True, None
        for _ in range(2):
            self.run()
        assert self.table() == platform.truth()
        with self.engine.connect() as connection:
            assert set(connection.execute(sa.select(self.calls.c.history_state)).scalars()) <= {"complete"}
            dialled = sa.select(self.campaigns.c.history_state).where(self.campaigns.c.calls > 0)
            assert set(connection.execute(dialled).scalars()) <= {"complete"}


def populate(platform: HostilePlatform, dice: random.Random) -> None:
    for _ in range(dice.randrange(0, 3)):
        platform.plan_campaign(
            dice.choice([0, 3, 199, 200, 401, 650]), begin=dice.uniform(0, 9000), spread=dice.choice([1, 600, 4000])
        )
    for _ in range(dice.choice([0, 5, 45, 300])):
        platform.plan_single(dice.uniform(0, 14_000))


def live(
    seed: int,
    behaviour: Behaviour,
    engine: sa.Engine | None = None,
    keep: Callable[[HostilePlatform, sa.Engine | None], Diary] = Diary,
) -> None:
    """A day with a platform, some of it under way while it is read."""
    platform = HostilePlatform(seed, behaviour)
    dice = random.Random(seed)
    populate(platform, dice)
    diary = keep(platform, engine)
    for _ in range(dice.randrange(1, 6)):
        platform.sleep(dice.choice([30, 700, 3600]))
        platform.lives = dice.choice([None, None, dice.randrange(20)])
        kind = dice.random()
        if kind < 0.2 and platform.campaigns:
            diary.run(Scope(bulk_list_ids=[dice.choice(sorted(platform.campaigns))]))
        elif kind < 0.35:
            diary.run(Scope(start=START - dt.timedelta(days=30), end=START + dt.timedelta(minutes=dice.randrange(200))))
        else:
            diary.run()
    diary.finish()


behaviours = st.builds(
    Behaviour,
    many=st.booleans(),
    range_by_default=st.booleans(),
    filter_by_call_id=st.booleans(),
    sorted_by_creation=st.booleans(),
    dates_mean_attempt=st.booleans(),
    page_cap=st.sampled_from([200, 200, 100, 37]),
    repeat=st.sampled_from([0.0, 0.1, 0.3]),
    empty=st.sampled_from([0.0, 0.1, 0.3]),
    fail=st.sampled_from([0.0, 0.2]),
    garbage=st.sampled_from([0.0, 0.2]),
    refuse=st.sampled_from([0.0, 0.2]),
    details_fail=st.sampled_from([0.0, 0.1]),
)

"""Webhooks and polling together give the tables that polling alone gives, whatever becomes of the webhooks."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ringg_provider.history.attempts import attempts_table
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from ringg_provider.inbox.apply import RinggApply
from ringg_provider.inbox.store import inbox_table
from tests.history.diary import Diary, behaviours, populate
from tests.history.hostile_platform import Behaviour, HostilePlatform, TrueCall
from tests.inbox.telling import CLOCKS, CONN_ID, WORKSPACE, Mail, comparable_calls, first_ring, rows_of
from tests.support.databases import engines

engine = engines("psycopg", "sqlite", "mariadb")

TABLES = (calls_table(), campaigns_table(), state_table(), attempts_table(), inbox_table())


class Killed(BaseException):
    """The process ends here."""


def apply(engine: sa.Engine, platform: HostilePlatform, **options: Any) -> RinggApply:
    made = RinggApply(engine, CONN_ID, now=platform.now, workspace_id=WORKSPACE, batch=100, **options)
    made.run()
    return made


def apply_and_be_killed(engine: sa.Engine, platform: HostilePlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply, and end between the merge and the mark."""

    def die(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr("ringg_provider.inbox.store.mark_applied", die)
        apply(engine, platform)


def rings(calls: list[TrueCall]) -> set[tuple[str, int]]:
    """When every phone rang, in seconds."""
    found = {(call.id, int(call.starts_at.timestamp())) for call in calls}
    return found | {(call.id, int(first_ring(call).timestamp())) for call in calls if call.retried}


mails = st.builds(
    Mail,
    seed=st.integers(0, 2**32),
    lost=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    doubled=st.sampled_from([0.0, 0.3]),
    late=st.sampled_from([0.0, 0.3, 1.0]),
    garbled=st.sampled_from([0.0, 0.1]),
)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), behaviour=behaviours, mail=mails)
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_the_tables_equal_those_of_polling_alone(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, seed: int, behaviour: Behaviour, mail: Mail
) -> None:
    for table in TABLES:
        table.drop(engine, checkfirst=True)
    dice = random.Random(seed)
    platform = HostilePlatform(seed, behaviour)
    populate(platform, dice)
    calls = [*platform.calls, *platform.planned]
    mail.post(platform, calls)
    diary = Diary(platform, engine)
    for _ in range(dice.randrange(1, 5)):
        platform.sleep(dice.choice([30, 700, 3600, 20_000]))
        mail.deliver(engine, platform.now())
        match dice.randrange(4):
            case 0:
                diary.run()
            case 1:
                apply_and_be_killed(engine, platform, monkeypatch)
            case _:
                apply(engine, platform)
    while not platform.settled():
        platform.sleep(1800)
    mail.deliver(engine)
    apply(engine, platform)
    diary.finish()

    alone = Diary(platform)
    alone.finish()
    assert comparable_calls(engine, diary.calls) == comparable_calls(alone.engine, alone.calls)
    campaigns = [rows_of(each.engine, each.campaigns, *CLOCKS, "calls_read_at", "cost") for each in (diary, alone)]
    assert campaigns[0] == campaigns[1]
    attempts, inbox = attempts_table(), inbox_table()
    with engine.connect() as connection:
        known = {(row.call_id, row.rang_in) for row in connection.execute(sa.select(attempts))}
        waiting = sa.select(inbox.c.digest).where(inbox.c.applied_at.is_(None))
        assert connection.execute(waiting).all() == []
    assert known <= rings(calls)
    if mail.lost == 0:
        assert known == rings(calls)

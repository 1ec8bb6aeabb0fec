"""Which campaigns a trial runs, and whom they are to call: all made up from its seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

DAGS = [f"{flow}_{wait}" for flow in ("standard", "large", "smartalex") for wait in ("deferred", "waiting")]

metadata = sa.MetaData()
people = sa.Table(
    "people",
    metadata,
    sa.Column("contact_id", sa.Text, primary_key=True),
    sa.Column("launch_key", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("phone", sa.Text),
    sa.Column("full_name", sa.Text),
)
do_not_call = sa.Table("do_not_call", metadata, sa.Column("phone", sa.Text))


@dataclass(frozen=True)
class Campaign:
    """One launch key.

    Attributes:
        key: the launch key.
        dag_id: of which DAG.
        numbers: whom to call, in E.164; nobody is in two campaigns.
        runs: the ids of the runs; two of them race.
    """

    key: str
    dag_id: str
    numbers: Sequence[str]
    runs: Sequence[str]


def plan(count: int, seed: int) -> list[Campaign]:
    """So many campaigns, over all flows and both ways to wait; every sixth has two runs that race.

    Args:
        count: how many.
        seed: draws numbers and sizes.
    """
    chance = random.Random(seed)
    local = iter(chance.sample(range(800_000_000), count * 20))
    campaigns = []
    for index in range(count):
        dag_id = DAGS[index % len(DAGS)]
        key = f"{dag_id}-{index}"
        numbers = [f"+919{next(local):09d}" for _ in range(chance.choice((6, 8, 18)))]
        runs = [f"{key}-{letter}" for letter in ("ab" if index // len(DAGS) % len(DAGS) == index % len(DAGS) else "a")]
        campaigns.append(Campaign(key, dag_id, numbers, runs))
    return campaigns


def fill(engine: sa.Engine, campaigns: Sequence[Campaign]) -> None:
    """Make the tables that the DAGs query, with people who can be called, and some who cannot or must not be.

    Args:
        engine: an empty database.
        campaigns: what was planned.
    """
    metadata.create_all(engine)
    rows: list[Mapping[str, Any]] = []
    opted_out = []
    for campaign in campaigns:
        opted_out.append(campaign.numbers[-1])
        phones = [*campaign.numbers, None, "call the office", "12345", campaign.numbers[0]]
        rows += [
            {
                "contact_id": f"{campaign.key}-{position}",
                "launch_key": campaign.key,
                "position": position,
                "phone": phone,
                "full_name": f"Person {position}",
            }
            for position, phone in enumerate(phones)
        ]
    with engine.begin() as connection:
        connection.execute(sa.insert(people), rows)
        connection.execute(sa.insert(do_not_call), [{"phone": phone} for phone in opted_out])

"""What a seed plans covers what is to be tried."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from tests.cluster.campaigns import DAGS, do_not_call, fill, people, plan


def test_thirty_campaigns_are_spread_over_all_dags_and_some_of_either_way_to_wait_are_raced_for() -> None:
    campaigns = plan(30, 1)
    assert Counter(campaign.dag_id for campaign in campaigns) == dict.fromkeys(DAGS, 5)
    raced = [campaign.dag_id for campaign in campaigns if len(campaign.runs) == 2]
    assert raced == DAGS[:5], "on the sixth it is a seed of 36 campaigns"


def test_nobody_is_in_two_campaigns_and_the_seed_decides_who_is_in_which() -> None:
    campaigns = plan(30, 1)
    numbers = [number for campaign in campaigns for number in campaign.numbers]
    assert len(numbers) == len(set(numbers))
    assert plan(30, 1) == campaigns
    assert plan(30, 2) != campaigns


def test_each_campaign_has_people_who_cannot_be_called_and_one_who_must_not_be(sqlite: sa.Engine) -> None:
    campaigns = plan(6, 3)
    fill(sqlite, campaigns)
    with sqlite.connect() as connection:
        chosen = Counter(connection.scalars(sa.select(people.c.launch_key)))
        opted_out = set(connection.scalars(sa.select(do_not_call.c.phone)))
    for campaign in campaigns:
        assert chosen[campaign.key] == len(campaign.numbers) + 4
        assert len(opted_out & set(campaign.numbers)) == 1

"""How long a secret is taken for what it was, and what is looked up when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from ringg_provider.inbox.senders import KEPT_FOR, LOOKED_UP_EVERY, MISSED_FOR, CannotTell, Proof, Sender, Senders

OLD, NEW = "the-old-secret-of-it", "the-new-secret-of-it"


@dataclass
class Airflow:
    """What is looked up, and the time."""

    senders: dict[str, Sender] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def look_up(self, conn_id: str) -> Sender | None:
        self.looked_up.append(conn_id)
        return self.senders.get(conn_id)

    def clock(self) -> float:
        return self.seconds


@pytest.fixture
def airflow() -> Airflow:
    return Airflow({"ringg": Sender("ringg", (OLD,))})


@pytest.fixture
def senders(airflow: Airflow) -> Senders:
    return Senders(airflow.look_up, clock=airflow.clock)


def offer(secret: str) -> Proof:
    return Proof.of([(b"authorization", f"Bearer {secret}".encode())])


async def test_a_secret_is_looked_up_once_a_minute(airflow: Airflow, senders: Senders) -> None:
    for airflow.seconds in (0, 1, KEPT_FOR - 1, KEPT_FOR + 1, KEPT_FOR + 2):
        assert await senders.prove("ringg", offer(OLD)) is not None
    assert len(airflow.looked_up) == 2


async def test_a_secret_that_was_taken_away_is_refused_a_minute_later(airflow: Airflow, senders: Senders) -> None:
    assert await senders.prove("ringg", offer(OLD)) is not None
    airflow.senders["ringg"] = Sender("ringg", (NEW,))
    airflow.seconds = KEPT_FOR + 1
    assert await senders.prove("ringg", offer(OLD)) is None
    assert await senders.prove("ringg", offer(NEW)) is not None


async def test_a_new_secret_is_looked_up_by_who_offers_it(airflow: Airflow, senders: Senders) -> None:
    assert await senders.prove("ringg", offer(OLD)) is not None
    airflow.senders["ringg"] = Sender("ringg", (NEW, OLD))
    airflow.seconds = LOOKED_UP_EVERY
    assert await senders.prove("ringg", offer(NEW)) is not None
    assert await senders.prove("ringg", offer(OLD)) is not None
    assert len(airflow.looked_up) == 2


async def test_a_connection_that_is_suddenly_missing_is_not_believed_to_be_gone_at_once(
    airflow: Airflow, senders: Senders
) -> None:
    assert await senders.prove("ringg", offer(OLD)) is not None
    del airflow.senders["ringg"]
    airflow.seconds = KEPT_FOR + 1
    with pytest.raises(CannotTell):
        await senders.prove("ringg", offer(OLD))
    airflow.seconds = MISSED_FOR + 1
    assert await senders.prove("ringg", offer(OLD)) is None


async def test_whoever_asks_for_the_same_name_at_once_waits_for_one_look_up(airflow: Airflow, senders: Senders) -> None:
    found = await asyncio.gather(*(senders.prove("ringg", offer(OLD)) for _ in range(50)))
    assert None not in found
    assert airflow.looked_up == ["ringg"]


async def test_strangers_cause_so_many_look_ups_and_all_of_them_see_the_same(
    airflow: Airflow, senders: Senders
) -> None:
    assert await senders.prove("ringg", offer(OLD)) is not None

    async def told(conn_id: str) -> str:
        try:
            return str(await senders.prove(conn_id, offer("a-wrong-secret-of-somebody")))
        except CannotTell:
            return "come again"

    for number in range(1000):
        await told(f"nobody-{number}")
    assert len(airflow.looked_up) < 60
    airflow.seconds = 1.5
    for number in range(1000):
        await told(f"nobody-{number}")
    # By now there is no look-up left, for a name that is somebody's neither.
    assert (await told("ringg"), await told("nobody-x")) == ("come again", "come again")
    assert await senders.prove("ringg", offer(OLD)) is not None
    airflow.seconds = 30
    assert (await told("ringg"), await told("nobody-x")) == ("None", "None")


async def test_names_that_are_nobodys_are_kept_up_to_a_number(airflow: Airflow, senders: Senders) -> None:
    for number in range(3000):
        airflow.seconds = number
        assert await senders.prove(f"nobody-{number}", offer(OLD)) is None
    held = sum(len(value) for value in vars(senders).values() if isinstance(value, dict))
    assert held <= 1100

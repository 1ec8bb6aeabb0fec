"""What Ringg AI's refusals mean: money, a state, or a broken rule, whichever status they come with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from ringg_provider.exceptions import AuthenticationError, InsufficientBalance, WrongState
from ringg_provider.ringg import AsyncRinggClient, RinggClient
from tests.ringg.examples import LIST, START
from tests.support.http_server import Answer, ScriptedServer

KEY = "rg_live_0123456789abcdef"
#: Meets the refusal of a server.
Meet = Callable[[str], object]


def start(base_url: str) -> object:
    with RinggClient(KEY, base_url) as client:
        return client.start_campaign(START)


def look(base_url: str) -> object:
    async def main() -> object:
        async with AsyncRinggClient(KEY, base_url) as client:
            return await client.get_upload_status(LIST)

    return asyncio.run(main())


@pytest.fixture(params=[start, look], ids=["sync", "async"])
def meet(request: pytest.FixtureRequest) -> Meet:
    met: Meet = request.param
    return met


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (402, "your current balance is insufficient to complete this action"),
        (402, "You can only upload up to 100 contacts."),
        (400, "Insufficient balance to start this campaign."),
        (400, "Not enough credits"),
    ],
)
def test_a_lack_of_money_is_told_whichever_status_it_comes_with(meet: Meet, status: int, text: str) -> None:
    body = {"detail": text, "required_credits": 2500.0, "additional_balance_required": "1250.00"}
    with ScriptedServer(Answer(status, body)) as server, pytest.raises(InsufficientBalance) as raised:
        meet(server.base_url)
    assert text in str(raised.value)
    assert raised.value.required_credits == Decimal("2500.0")
    assert raised.value.additional_balance_required == Decimal("1250.00")
    assert raised.value.available_credits is None


@pytest.mark.parametrize("holder", ["detail", "error", "data"])
def test_the_numbers_of_a_shortfall_are_found_below_the_message_too(meet: Meet, holder: str) -> None:
    body = {holder: {"message": "Insufficient credits", "available_credits": 10, "required_credits": "NaN"}}
    with ScriptedServer(Answer(402, body)) as server, pytest.raises(InsufficientBalance) as raised:
        meet(server.base_url)
    assert raised.value.available_credits == 10
    assert raised.value.required_credits is None


@pytest.mark.parametrize(
    "text",
    [
        "Bulk list is not ready to start.",
        "Campaign already started",
        "Cannot start a campaign that's scheduled or ongoing",
        "Campaign is not in insufficient_balance state",
    ],
)
def test_a_400_about_the_state_of_things_is_a_wrong_state(meet: Meet, text: str) -> None:
    with ScriptedServer(Answer(400, {"detail": text})) as server, pytest.raises(WrongState):
        meet(server.base_url)


@pytest.mark.parametrize("key", ["rg_live_anotherone", "rg_test_abc", "ringg_live_abc123"])
def test_whatever_looks_like_a_key_of_the_vendor_is_masked(meet: Meet, key: str) -> None:
    answer = Answer(401, {"message": f"Invalid key {key}, as was {KEY}"})
    with ScriptedServer(answer) as server, pytest.raises(AuthenticationError) as raised:
        meet(server.base_url)
    assert "Invalid key [key], as was [key]." in str(raised.value)

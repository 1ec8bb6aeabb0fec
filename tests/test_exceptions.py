"""The errors say by their class whether trying again helps, and survive the journey between processes."""

from __future__ import annotations

import pickle
import re
from decimal import Decimal

import pytest

from ringg_provider import exceptions
from ringg_provider.exceptions import (
    InsufficientBalance,
    InvalidRequest,
    NetworkError,
    PermanentError,
    RateLimited,
    RinggProviderError,
    TransientError,
)

ERRORS = {
    name: value
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, RinggProviderError)
}


def test_no_error_says_both_that_trying_again_helps_and_that_it_does_not() -> None:
    for error in ERRORS.values():
        assert not (issubclass(error, TransientError) and issubclass(error, PermanentError)), error


def test_the_tree_at_the_top_of_the_file_shows_every_error_below_its_bases() -> None:
    drawn: set[tuple[str, str]] = set()
    path: list[str] = []
    for branch, name in re.findall(r"(?m)^    ([│├└─ ]*)([A-Z]\w+)", exceptions.__doc__ or ""):
        path = [*path[: len(branch) // 4], name]
        drawn |= {(base, name) for base in path[-2:-1]}
    bases = {
        (base.__name__, name) for name, error in ERRORS.items() for base in error.__bases__ if base in ERRORS.values()
    }
    assert drawn == bases


@pytest.mark.parametrize("name", ["LaunchOutcomeUnknown", "CampaignFailed", "CampaignTerminated", "UnexpectedResponse"])
def test_how_a_launch_or_a_campaign_ended_is_neither(name: str) -> None:
    assert not issubclass(ERRORS[name], TransientError | PermanentError)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_keeps_its_text_and_details_when_it_is_pickled(name: str) -> None:
    error = ERRORS[name]("what, and what to do.")
    error.status_code = 418
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == "what, and what to do."
    assert vars(copy) == vars(error)


def test_details_are_where_the_caller_looks_for_them() -> None:
    assert RateLimited("r", retry_after=3.0).retry_after == 3.0
    assert InvalidRequest("i", field="agent_id", status_code=422).field == "agent_id"
    assert InsufficientBalance("b", required_credits=Decimal(5)).required_credits == 5
    # A network error is taken for one that may have reached the platform unless it certainly did not.
    assert NetworkError("n").sent is True
    assert NetworkError("n", sent=False).sent is False

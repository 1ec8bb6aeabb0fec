"""How much of what people say is read, and that nothing of it is guessed; the utterances are data files beside this."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.callbacks.labels import Labelled, labelled


def _report(name: str, utterances: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """Print what was answered wrongly; the clear ones, and the unclear ones that were guessed."""
    clear = [each for each in utterances if each.expected is not None]
    wrong = [each for each in clear if not each.right]
    guessed = [each for each in utterances if each.expected is None and not each.right]
    unclear = len(utterances) - len(clear)
    print(f"{name}: {len(clear) - len(wrong)} of {len(clear)} clear ones right")
    print(f"{name}: {len(guessed)} of {unclear} unclear ones guessed")
    for each in [*wrong, *guessed]:
        print(f"  {each}")
    return wrong, guessed


@pytest.mark.parametrize("name", ["utterances.toml", "strangers.toml"])
def test_what_is_clear_is_read_and_what_is_not_is_never_guessed(name: str) -> None:
    wrong, guessed = _report(name, labelled(name))
    assert not wrong
    assert not guessed


def test_there_are_three_hundred_and_a_third_of_them_is_unclear() -> None:
    utterances = labelled("utterances.toml")
    assert len({(each.words, each.said_at, each.zone) for each in utterances}) == len(utterances) >= 300
    assert sum(each.expected is None for each in utterances) >= len(utterances) / 3

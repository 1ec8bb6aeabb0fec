"""Each way in which a slice can mislead, one at a time."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import pytest

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import NotFound, RateLimited, ServerError
from ringg_provider.history.paging import PageReader, Slice, calls_between, calls_of
from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import CallPage
from tests.support.http_server import UNREADABLE, Answer, ScriptedServer

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
LIST = calls_of("list", NOW)


class Scripted:
    """Answers with the given pages in turn: (first id, last id, total), or an error."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.offsets: list[int] = []
        self.limits: list[int] = []

    def list_calls_page(self, query: CallQuery, limit: int, offset: int, *, retry: bool) -> CallPage:
        self.offsets.append(offset)
        self.limits.append(limit)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        first, last, total = answer
        rows = [{"id": str(n), "status": "completed"} for n in range(first, last)]
        return CallPage.read({"calls": rows, "limit": limit, "offset": offset, "total": total})


def read(*answers: Any) -> tuple[Slice, list[str], Scripted, list[float]]:
    source, slept = Scripted(*answers), []
    reader = PageReader(source, Pacer(10**6, 60.0, sleep=slept.append, clock=lambda: 0.0), sleep=slept.append)
    reading = Slice(reader, LIST)
    ids = [call.id for page in reading.pages() for call in page]
    assert source.answers == [], "not everything that was offered was asked for"
    return reading, ids, source, slept


def test_pages_of_200_are_read_until_the_total_is_there() -> None:
    reading, ids, source, _ = read((0, 200, 450), (200, 400, 450), (400, 450, 450))
    assert reading.settled
    assert len(ids) == 450
    assert source.offsets == [0, 200, 400]


def test_an_empty_slice_takes_one_request() -> None:
    reading, ids, _, _ = read((0, 0, 0))
    assert reading.settled
    assert ids == []


def test_a_total_that_moved_is_read_again() -> None:
    reading, _, source, _ = read((0, 200, 300), (200, 301, 301), (0, 200, 301), (200, 301, 301))
    assert reading.settled
    assert reading.size == 301
    assert source.offsets == [0, 200, 0, 200]


def test_a_repeated_page_gets_a_second_look() -> None:
    reading, _, source, _ = read((0, 200, 300), (0, 200, 300), (200, 300, 300))
    assert reading.settled
    assert source.offsets == [0, 200, 200]


def test_a_server_that_repeats_one_page_for_ever_ends_the_slice_unsettled() -> None:
    reading, ids, _, _ = read(*[(0, 200, 300)] * 3 * 5)
    assert not reading.settled
    assert set(ids) == {str(n) for n in range(200)}


def test_an_empty_page_before_the_total_gets_a_second_look() -> None:
    reading, _, source, _ = read((0, 200, 300), (0, 0, 300), (200, 300, 300))
    assert reading.settled
    assert source.offsets == [0, 200, 200]


def test_a_total_that_promises_too_much_is_believed_when_every_pass_ends_the_same() -> None:
    one_pass = [(0, 200, 300), (200, 250, 300), (0, 0, 300), (0, 0, 300)]
    reading, _, _, _ = read(*one_pass * 5)
    assert reading.settled
    assert reading.size == 250


def test_a_total_that_promises_too_little_does_not_end_the_slice() -> None:
    reading, _, _, _ = read((0, 200, 200), (200, 260, 200))
    assert reading.settled
    assert reading.size == 260


def test_many_is_read_until_a_short_page_is_followed_by_an_empty_one() -> None:
    reading, ids, source, _ = read((0, 200, "many"), (200, 250, "many"), (0, 0, "many"))
    assert reading.settled
    assert len(ids) == 250
    assert source.offsets == [0, 200, 250]


def test_many_with_a_full_last_page_needs_two_empty_ones() -> None:
    reading, _, source, _ = read((0, 200, "many"), (0, 0, "many"), (0, 0, "many"))
    assert reading.settled
    assert source.offsets == [0, 200, 200]


@pytest.mark.parametrize("doubtful", [[(0, 200, "many"), (0, 0, "many")], [(0, 0, "many"), (0, 200, "many")]])
def test_a_page_that_came_before_and_an_empty_one_are_no_end_in_either_order(doubtful: list[Any]) -> None:
    whole = [(0, 200, "many"), (200, 241, "many"), (0, 0, "many")]
    reading, _, _, _ = read((0, 200, "many"), *doubtful, *whole)
    assert reading.settled
    assert reading.size == 241


def test_a_server_that_gives_fewer_rows_than_asked_is_followed_by_what_it_gave() -> None:
    reading, ids, source, _ = read((0, 50, 120), (50, 100, 120), (100, 120, 120))
    assert reading.settled
    assert len(ids) == 120
    assert source.offsets == [0, 50, 100]


def test_rows_that_shifted_under_many_are_read_again() -> None:
    first = [(0, 200, "many"), (190, 250, "many"), (0, 0, "many")]
    second = [(0, 200, "many"), (200, 251, "many"), (0, 0, "many")]
    reading, _, _, _ = read(*first, *second)
    assert reading.settled
    assert reading.size == 251


class Ties:
    """Calls that were created in one instant: the order in which they come is another one for each question."""

    def __init__(self, calls: int, *, many: bool, shuffle: Callable[[int], random.Random]) -> None:
        self.calls, self.many, self.shuffle = calls, many, shuffle
        self.requests = 0

    def list_calls_page(self, query: CallQuery, limit: int, offset: int, *, retry: bool) -> CallPage:
        self.requests += 1
        rows = [{"id": str(n), "status": "completed"} for n in range(self.calls)]
        self.shuffle(offset + limit).shuffle(rows)
        total = "many" if self.many else self.calls
        return CallPage.read({"calls": rows[offset : offset + limit], "offset": offset, "total": total})


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("per_offset", [False, True])
@pytest.mark.parametrize("query", [LIST, calls_between(*[dt.datetime(2026, 3, 1, tzinfo=dt.UTC)] * 2)])
def test_calls_of_one_instant_are_all_found_whatever_order_they_come_in(
    query: CallQuery, per_offset: bool, many: bool
) -> None:
    dice = random.Random(1)
    source = Ties(450, many=many, shuffle=random.Random if per_offset else lambda _: dice)
    reading = Slice(PageReader(source, Pacer(10**6, 60.0)), query)
    assert len({call.id for page in reading.pages() for call in page}) == 450
    assert reading.settled


def test_a_repeated_reading_cuts_the_pages_elsewhere() -> None:
    first = [(0, 200, 450), (200, 400, 450), (390, 440, 450), (0, 0, 450), (0, 0, 450)]
    second = [(0, 77, 450), (77, 277, 450), (277, 450, 450)]
    reading, _, source, _ = read(*first, *second)
    assert reading.settled
    assert source.offsets[5:] == [0, 77, 277]
    assert source.limits == [200] * 5 + [77, 200, 200]


def test_readings_that_only_together_found_all_are_enough() -> None:
    first = [(0, 200, 300), (150, 250, 300), (0, 0, 300), (0, 0, 300)]
    second = [(0, 77, 300), (200, 300, 300), (0, 0, 300), (0, 0, 300)]
    reading, _, _, _ = read(*first, *second)
    assert reading.settled
    assert reading.size == 300


def test_readings_with_different_totals_prove_nothing_together() -> None:
    first = [(0, 200, 300), (150, 250, 300), (0, 0, 300), (0, 0, 300)]
    second = [(0, 77, 301), (201, 301, 301), (0, 0, 301), (0, 0, 301)]
    third = [(0, 200, 301), (200, 301, 301)]
    reading, _, _, _ = read(*first, *second, *third)
    assert reading.settled
    assert reading.size == 301


def test_a_server_without_totals_that_repeats_one_page_for_ever_ends_the_slice_unsettled() -> None:
    reading, _, _, _ = read(*[(0, 200, "many")] * 3 * 5)
    assert not reading.settled


def test_a_refusal_waits_as_long_as_it_says_and_no_page_is_lost() -> None:
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    source = Scripted(RateLimited("Too many.", retry_after=7.0), (0, 3, 3))
    reader = PageReader(source, Pacer(10, 60.0, sleep=sleep, clock=lambda: now[0]), sleep=sleep)
    assert len(reader.page(LIST, 0).calls) == 3
    assert sum(slept) == 7.0
    assert reader.requests == 2


def test_a_failing_server_is_asked_again_with_growing_patience() -> None:
    reading, _, _, slept = read(*[ServerError("No.", status_code=500)] * 3, (0, 1, 1))
    assert reading.settled
    assert slept == [1.0, 2.0, 4.0]


def test_a_page_that_cannot_be_read_is_asked_for_again() -> None:
    page = {"calls": [{"id": str(n), "status": "completed"} for n in range(3)], "total": 3}
    slept: list[float] = []
    with (
        ScriptedServer(*UNREADABLE.values(), Answer(body=page)) as server,
        RinggClient("key", server.base_url) as client,
    ):
        reader = PageReader(client, Pacer(10**6, 60.0), attempts=20, sleep=slept.append)
        ids = [call.id for found in Slice(reader, LIST).pages() for call in found]
    assert ids == ["0", "1", "2"]
    assert len(slept) == len(UNREADABLE)


def test_a_server_that_never_recovers_is_given_up_with_its_own_error() -> None:
    source = Scripted(*[ServerError("No.", status_code=500)] * 8)
    reader = PageReader(source, Pacer(10**6, 60.0), sleep=lambda _: None)
    with pytest.raises(ServerError):
        reader.page(LIST, 0)
    assert source.answers == []


def test_what_cannot_get_better_is_not_asked_again() -> None:
    source = Scripted(NotFound("No such list.", status_code=404))
    reader = PageReader(source, Pacer(10, 60.0), sleep=lambda _: None)
    with pytest.raises(NotFound):
        reader.page(LIST, 0)

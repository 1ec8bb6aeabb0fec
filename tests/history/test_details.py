"""What only a call's details have: read several at a time, and one that fails hinders no other."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.exceptions import AuthenticationError, NotFound, RinggProviderError, ServerError
from ringg_provider.history.details import DetailsPass, read_details
from ringg_provider.history.merging import CallStore, Wanted
from ringg_provider.history.tables import calls_table
from ringg_provider.ringg.responses import CallDetails

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DOWN = ServerError("It failed.", status_code=500)


class Source:
    """Gives the details of every call but those that it cannot."""

    def __init__(self, **bad: Exception) -> None:
        self.bad: dict[str, Exception] = bad
        self.asked: list[str] = []
        self.analysed = True

    def get_call(self, call_id: str, send_analysis: bool = True) -> CallDetails:
        assert send_analysis
        self.asked.append(call_id)
        if call_id in self.bad:
            raise self.bad[call_id]
        analysis = {"platform_analysis": {"summary": f"Said {call_id}"}} if self.analysed else {}
        return CallDetails.read({"data": {"id": call_id, "call_status": "completed", **analysis}})


def ids(number: int) -> list[str]:
    return [f"c{n:04}" for n in range(number)]


def test_details_come_in_the_order_in_which_they_were_asked_for() -> None:
    found = read_details(Source(), ids(30), workers=8)
    assert [details.id for details in found.details] == ids(30)
    assert (found.failed, found.failure, found.outage) == (0, None, None)


def test_nothing_is_asked_for_without_a_call() -> None:
    assert read_details(Source(), [], workers=8).details == []


def test_as_many_are_under_way_as_there_are_workers() -> None:
    together = threading.Barrier(4, timeout=5)
    under_way, most, lock = 0, 0, threading.Lock()

    class Counting(Source):
        def get_call(self, call_id: str, send_analysis: bool = True) -> CallDetails:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            together.wait()
            with lock:
                under_way -= 1
            return super().get_call(call_id, send_analysis)

    assert len(read_details(Counting(), ids(8), workers=4).details) == 8
    assert most == 4


@pytest.mark.parametrize(
    ("failure", "outage"), [(DOWN, True), (NotFound("Unknown.", status_code=404), False)], ids=["down", "unknown"]
)
def test_only_where_not_one_of_several_can_be_read_it_is_an_outage(failure: RinggProviderError, outage: bool) -> None:
    def read(good: int, bad: int) -> RinggProviderError | None:
        calls = ids(good + bad)
        return read_details(Source(**dict.fromkeys(calls[good:], failure)), calls, workers=2).outage

    assert read(0, 4) is None
    assert read(1, 40) is None
    assert (read(0, 5) is not None) == outage


def test_a_refused_key_ends_it_at_once() -> None:
    with pytest.raises(AuthenticationError):
        read_details(Source(c0001=AuthenticationError("No.", status_code=401)), ids(3), workers=1)


def test_the_details_of_another_call_are_not_taken() -> None:
    class Confused(Source):
        def get_call(self, call_id: str, send_analysis: bool = True) -> CallDetails:
            return super().get_call("c0000", send_analysis)

    found = read_details(Confused(), ids(2), workers=1)
    assert ([details.id for details in found.details], found.failed) == (["c0000"], 1)


class Load:
    """The table of calls, and a pass over it."""

    def __init__(self, engine: sa.Engine, source: Source, calls: int, **wanted: bool) -> None:
        self.engine, self.table = engine, calls_table()
        self.table.create(engine)
        self.store = CallStore(engine, self.table, Wanted(**wanted), lambda: NOW + dt.timedelta(hours=1))
        usual = {"status": "completed", "duration_seconds": 9, "cost_final": True, "read_at": NOW}
        self.store.merge([{"call_id": each, **usual} for each in ids(calls)])
        self.details = DetailsPass(source, self.store, workers=4, transcripts=True)

    def rows(self) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(self.table).order_by(self.table.c.call_id)))


def test_each_call_that_lacks_its_analysis_is_asked_for_once(engine: sa.Engine) -> None:
    source = Source()
    source.analysed = False
    load = Load(engine, source, 1200)
    load.details.complete(sa.true())
    assert sorted(source.asked) == ids(1200)
    assert (load.details.read, load.details.failed, load.details.outage) == (1200, 0, None)
    assert {row.history_state for row in load.rows()} == {"open"}
    source.analysed = True
    load.details.complete(load.table.c.call_id < "c0003")
    assert [row.summary for row in load.rows()[:4]] == ["Said c0000", "Said c0001", "Said c0002", None]
    assert [row.history_state for row in load.rows()[:4]] == ["complete"] * 3 + ["open"]


def test_nothing_is_asked_for_where_no_analysis_is_wanted(sqlite: sa.Engine) -> None:
    source = Source()
    load = Load(sqlite, source, 3, analysis=False)
    load.details.complete(sa.true())
    assert source.asked == []


def test_an_outage_ends_the_pass_and_is_no_asking(sqlite: sa.Engine) -> None:
    source = Source(**dict.fromkeys(ids(1200), DOWN))
    load = Load(sqlite, source, 1200)
    load.details.complete(sa.true())
    assert load.details.outage is DOWN
    assert len(source.asked) == 500
    assert {row.read_at for row in load.rows()} == {NOW}


def test_one_bad_call_is_noted_as_asked_for_so_that_it_can_be_given_up(sqlite: sa.Engine) -> None:
    load = Load(sqlite, Source(c0001=DOWN), 3)
    load.details.complete(sa.true())
    assert (load.details.read, load.details.failed, load.details.outage) == (2, 1, None)
    assert {row.read_at for row in load.rows()} == {NOW + dt.timedelta(hours=1)}

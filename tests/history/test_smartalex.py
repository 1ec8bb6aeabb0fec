"""SmartAlex's calls and callbacks: no load leaves a hole behind it, and what fails hinders nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.exceptions import (
    AuthenticationError,
    NotFound,
    RateLimited,
    RinggProviderError,
    ServerError,
    UnreadableAnswer,
)
from ringg_provider.history.smartalex import (
    CallbackLoad,
    CallCounts,
    CallLoad,
    callbacks_table,
    smartalex_calls_table,
)
from ringg_provider.smartalex.requests import CallFilter, Generation
from ringg_provider.smartalex.responses import Call, Callback, Campaign
from ringg_provider.sql.creating import create_tables

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DOWN = ServerError("It failed.", status_code=500)
GARBAGE = UnreadableAnswer("A body that is not JSON.")


@dataclass
class Workspace:
    """Stands where the client stands: calls by campaign and hour, and what asking for something ends in."""

    generation: Generation = Generation.OLD
    calls: list[tuple[str, float]] = field(default_factory=list)
    callbacks: dict[str, list[str]] = field(default_factory=dict)
    bad: dict[str, RinggProviderError] = field(default_factory=dict)
    page_that_fails: int | None = None
    now: dt.datetime = START
    asked: list[Any] = field(default_factory=list)

    def call(self, campaign: str, hours_ago: float) -> str:
        self.calls.append((campaign, (self.now - hours_ago * HOUR).timestamp()))
        return f"{campaign}{len(self.calls) - 1}"

    def answer(self, what: str) -> None:
        self.asked.append(what)
        if what in self.bad:
            raise self.bad[what]

    def iter_calls(self, wanted: CallFilter) -> Iterator[Call]:
        self.answer(wanted.campaign_id or "calls")
        found = [(number, *call) for number, call in enumerate(self.calls)]
        since, until = float("-inf"), float("inf")
        if self.generation is Generation.OLD:
            found = [call for call in found if wanted.campaign_id in (None, call[1])]
            since = dt.datetime.fromisoformat(str(wanted.from_date)).timestamp() if wanted.from_date else since
            until = dt.datetime.fromisoformat(str(wanted.to_date)).timestamp() if wanted.to_date else until
        elif wanted.since_hours:
            since = (self.now - wanted.since_hours * HOUR).timestamp()
        newest_first = sorted((call for call in found if since <= call[2] <= until), key=lambda call: -call[2])
        for position, (number, campaign, at) in enumerate(newest_first):
            if position == self.page_that_fails:
                raise GARBAGE
            yield self.row(number, campaign, at)

    def row(self, number: int, campaign: str, at: float) -> Call:
        made = dt.datetime.fromtimestamp(at, dt.UTC).isoformat()
        return Call.read({"id": f"{campaign}{number}", "status": "completed", "created_at": made})

    def get_call(self, call_id: str) -> Call:
        self.answer(call_id)
        campaign, at = self.calls[int(call_id.lstrip("abcdefgh"))]
        return self.row(int(call_id.lstrip("abcdefgh")), campaign, at)

    def iter_campaigns(self) -> Iterator[Campaign]:
        self.answer("campaigns")
        for campaign in sorted(self.callbacks):
            yield Campaign.read({"id": campaign, "name": campaign, "status": "active"})

    def iter_callbacks(self, campaign_id: str) -> Iterator[Callback]:
        self.answer(campaign_id)
        for each in self.callbacks.get(campaign_id, []):
            yield Callback.read({"id": each, "campaign_id": campaign_id})


class Load:
    """A workspace and the table of its calls."""

    def __init__(self, engine: sa.Engine, workspace: Workspace | None = None) -> None:
        self.engine, self.workspace = engine, workspace or Workspace()
        self.table = smartalex_calls_table()

    def run(self, *campaigns: str, details: bool = False, **interval: dt.datetime) -> CallCounts:
        load = CallLoad(self.workspace, self.engine, self.table, details, now=lambda: self.workspace.now)  # type: ignore[arg-type]
        return load.run(campaigns, **interval)

    def ids(self) -> set[str]:
        with self.engine.connect() as connection:
            return set(connection.execute(sa.select(self.table.c.call_id)).scalars())

    def all(self) -> set[str]:
        return {f"{campaign}{number}" for number, (campaign, _) in enumerate(self.workspace.calls)}


@pytest.mark.parametrize("generation", list(Generation))
def test_what_was_read_of_one_campaign_or_interval_leaves_no_hole_before_it(
    engine: sa.Engine, generation: Generation
) -> None:
    load = Load(engine, Workspace(generation))
    for campaign in "ab":
        for hours in (50.0, 30.0, 5.0):
            load.workspace.call(campaign, hours)
    load.run(start=START - 6 * HOUR)
    assert len(load.ids()) == 2
    load.run("a")
    load.run()
    assert load.ids() == load.all()
    # The same once everything was read, and more has come.
    load.workspace.now += 20 * HOUR
    for campaign in "ab":
        load.workspace.call(campaign, 15.0)
        load.workspace.call(campaign, 0.1)
    load.run("a")
    load.run(start=load.workspace.now - HOUR)
    load.run()
    assert load.ids() == load.all()


def test_only_what_came_since_the_last_load_is_read(engine: sa.Engine) -> None:
    load = Load(engine)
    for hours in range(1, 40):
        load.workspace.call("a", hours)
    assert load.run().inserted == 39
    load.workspace.now += 2 * HOUR
    load.workspace.call("a", 0.5)
    counts = load.run()
    assert (counts.calls_read, counts.inserted) == (2, 1)


def test_a_table_of_an_earlier_version_goes_on_from_its_newest_call(engine: sa.Engine) -> None:
    load = Load(engine)
    load.workspace.call("a", 30)
    create_tables(engine, load.table)
    with engine.begin() as connection:
        connection.execute(sa.insert(load.table).values(call_id="before", created_at=START - 9 * HOUR))
    load.workspace.call("a", 5)
    assert load.run().calls_read == 1


def test_a_list_that_breaks_off_is_kept_and_read_again(engine: sa.Engine) -> None:
    load = Load(engine)
    for hours in range(1, 40):
        load.workspace.call("a", hours)
    load.workspace.page_that_fails = 10
    with pytest.raises(UnreadableAnswer, match="the calls"):
        load.run()
    assert len(load.ids()) == 10
    load.workspace.page_that_fails = None
    load.run()
    assert load.ids() == load.all()


@pytest.mark.parametrize("failure", [DOWN, GARBAGE, NotFound("No.", status_code=404)], ids=["500", "garbage", "404"])
def test_one_bad_campaign_keeps_no_other_from_being_loaded(engine: sa.Engine, failure: RinggProviderError) -> None:
    load = Load(engine)
    for campaign in "abc":
        load.workspace.call(campaign, 5)
    load.workspace.bad["a"] = failure
    with pytest.raises(type(failure), match="campaign a"):
        load.run("a", "b", "c")
    assert load.ids() == {"b1", "c2"}


def test_one_bad_call_keeps_no_other_from_being_read(engine: sa.Engine) -> None:
    load = Load(engine)
    bad = [load.workspace.call("a", hours) for hours in (9, 8, 7)]
    load.workspace.bad = {bad[0]: GARBAGE, bad[1]: NotFound("No.", status_code=404)}
    assert load.run(details=True).details_read == 1


@pytest.mark.parametrize("failure", [DOWN, RateLimited("Too many.")], ids=["500", "429"])
def test_a_platform_that_is_down_is_not_asked_for_every_call(engine: sa.Engine, failure: RinggProviderError) -> None:
    load = Load(engine)
    load.workspace.bad = {load.workspace.call("a", hours): failure for hours in range(1, 40)}
    with pytest.raises(type(failure)):
        load.run(details=True)
    assert len(load.ids()) == 39
    assert len(load.workspace.asked) <= 4


def test_a_refused_key_ends_it_at_once(engine: sa.Engine) -> None:
    load = Load(engine)
    load.workspace.bad["a"] = AuthenticationError("No.", status_code=401)
    with pytest.raises(AuthenticationError):
        load.run("a", "b")
    assert load.workspace.asked == ["a"]


def states(engine: sa.Engine) -> dict[str, str]:
    table = callbacks_table()
    with engine.connect() as connection:
        return {row.callback_id: row.state for row in connection.execute(sa.select(table))}


def test_callbacks_of_a_campaign_that_cannot_be_read_stay_pending_and_those_of_others_are_read(
    engine: sa.Engine,
) -> None:
    workspace = Workspace(callbacks={"a": ["a1"], "b": ["b1"], "c": ["c1"]})
    load = CallbackLoad(workspace, engine, now=lambda: workspace.now)  # type: ignore[arg-type]
    load.run()
    workspace.now += HOUR
    workspace.callbacks = {"a": [], "b": [], "c": ["c2"]}
    workspace.bad = {"a": DOWN, "campaigns": GARBAGE}
    with pytest.raises(RinggProviderError, match="callbacks of campaign a"):
        load.run()
    assert states(engine) == {"a1": "pending", "b1": "done", "c1": "done", "c2": "pending"}


def test_callbacks_of_a_campaign_that_was_deleted_are_done(engine: sa.Engine) -> None:
    workspace = Workspace(callbacks={"a": ["a1"], "b": ["b1"]})
    load = CallbackLoad(workspace, engine, now=lambda: workspace.now)  # type: ignore[arg-type]
    load.run()
    workspace.now += HOUR
    del workspace.callbacks["a"]
    workspace.bad["a"] = NotFound("No.", status_code=404)
    counts = load.run()
    assert (counts.pending, counts.done) == (1, 1)
    assert states(engine) == {"a1": "done", "b1": "pending"}

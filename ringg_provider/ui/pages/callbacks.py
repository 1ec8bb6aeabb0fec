"""Promises to call people back: what became of them, and a person's word on what is unclear."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import pendulum
from fastapi import APIRouter, Depends, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from ringg_provider.callbacks.reading import Instant
from ringg_provider.callbacks.settling import WITHDRAWN, settle
from ringg_provider.callbacks.table import PromiseState
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.schedule import read_moment
from ringg_provider.hours.zones import zone_names
from ringg_provider.ui import promises
from ringg_provider.ui.access import (
    SETTLE_DEPENDENCIES,
    CurrentUser,
    ReadableDags,
    may_trigger,
    require_dag,
    require_trigger,
)
from ringg_provider.ui.charts import Chart, lateness_chart, missed_chart, promises_chart
from ringg_provider.ui.pages.campaign import as_file
from ringg_provider.ui.pages.state import State, open_state
from ringg_provider.ui.pages.templating import page
from ringg_provider.ui.promises import Counted, Promised

log = logging.getLogger(__name__)
router = APIRouter()

_NOTHING_LEFT = "It is unclear no more: reload the page to see what holds."
_MOVED = "They have asked again since this page was opened: reload it, and hear what they said last."


class Said(BaseModel):
    """What a person says of an unclear promise.

    :param what: to call, or not to.
    :param asked_at: when they asked, as the page said it that the person saw; empty where it said nothing.
    :param at: when, as a browser writes it: `2027-03-01T17:00`, in the zone; empty where nobody is to call.
    :param timezone: the IANA zone; empty for the promise's own.
    """

    what: Literal["call", "withdraw"]
    asked_at: Annotated[str, Field(max_length=40)]
    at: Annotated[str, Field(max_length=40)] = ""
    timezone: Annotated[str, Field(max_length=80)] = ""


@dataclass(frozen=True)
class Shown:
    """A promise on the page.

    :param promised: which.
    :param can_be_settled: whether the person who looks may say when.
    """

    promised: Promised
    can_be_settled: bool


@router.get("/page/callbacks")
def callbacks(request: Request, dags: ReadableDags, user: CurrentUser) -> HTMLResponse:
    """All promises that a person may see: what became of them, what is unclear, what comes next, what was missed."""
    now = datetime.now(UTC)
    since = now - promises.SHOWN
    with open_state() as state:
        counted = promises.counts(state.connection, state.tables, dags, since=since)
        unclear = promises.unclear(state.connection, state.tables, dags)
        coming = promises.coming(state.connection, state.tables, dags)
        missed = promises.missed(state.connection, state.tables, dags, since=since)
    triggerable = {dag_id: may_trigger(dag_id, user) for dag_id in {each.dag_id for each in unclear} if dag_id}
    context = {
        "charts": _charts(counted),
        "total": sum(each.number for each in counted),
        "most": promises.MOST_COUNTED,
        "days": promises.SHOWN.days,
        "unclear": [Shown(each, each.can_be_settled and triggerable[str(each.dag_id)]) for each in unclear],
        "most_unclear": promises.MOST_UNCLEAR,
        "coming": coming,
        "missed": sorted(missed, key=lambda each: each.due_at or each.asked_at or since, reverse=True),
        "most_others": promises.MOST_OTHERS,
    }
    return page(request, "callbacks.html", context)


@router.get("/csv/callbacks/{picture}")
def callbacks_as_csv(dags: ReadableDags, picture: str, show: bool = False) -> Response:
    """One of its charts as a file."""
    with open_state() as state:
        counted = promises.counts(state.connection, state.tables, dags, since=datetime.now(UTC) - promises.SHOWN)
    charts = {chart.key: chart for chart in _charts(counted)}
    if picture not in charts:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such chart, or nothing in it.")
    return as_file(charts[picture], show=show)


@router.get("/page/settle/{dag_id}/{promise_id}", dependencies=[Depends(require_dag), Depends(require_trigger)])
def ask(request: Request, dag_id: str, promise_id: str) -> HTMLResponse:
    """Ask when to call; once it is said, the same page says what holds."""
    with open_state() as state:
        found = _found(state, dag_id, promise_id)
    zones = [] if found.timezone else sorted(zone_names())
    return page(request, "settle.html", {"promised": found, "dag_id": dag_id, "zones": zones})


@router.post("/settle/{dag_id}/{promise_id}", dependencies=SETTLE_DEPENDENCIES)
def do_settle(dag_id: str, promise_id: str, said: Said, user: CurrentUser) -> dict[str, bool]:
    """Settle it.

    :raises HTTPException: that DAG has no such promise, it is not unclear any more, they have asked again since the
        page was opened, or what was said is no time.
    """
    with open_state() as state:
        found = _found(state, dag_id, promise_id)
        table, engine = state.tables.callbacks, state.connection.engine
    assert table is not None
    if found.state != PromiseState.UNCLEAR:
        raise HTTPException(status.HTTP_409_CONFLICT, _NOTHING_LEFT)
    if said.asked_at != found.seen:
        raise HTTPException(status.HTTP_409_CONFLICT, _MOVED)
    try:
        zone = found.timezone or said.timezone
        when: Instant | PromiseState = WITHDRAWN
        if said.what == "call":
            when = Instant(_moment(said.at, zone))
        given = None if found.timezone or said.what == "withdraw" else zone
        if not settle(
            engine,
            table,
            promise_id,
            when,
            by=user.get_name(),
            timezone=given,
            asked_at=found.asked_at,
            only_unclear=True,
        ):
            raise HTTPException(status.HTTP_409_CONFLICT, _NOTHING_LEFT)
    except InvalidRequest as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, str(error)) from error
    log.warning("%s settled promise %s of DAG %s (%s).", user.get_name(), promise_id, dag_id, said.what)
    return {"settled": True}


def _found(state: State, dag_id: str, promise_id: str) -> Promised:
    found = promises.promised(state.connection, state.tables, dag_id, promise_id)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No campaign of this DAG has such a promise.")
    return found


def _moment(at: str, zone: str) -> datetime:
    if zone not in zone_names():
        raise InvalidRequest("timezone: choose where the person is.", field="timezone")
    if not at:
        raise InvalidRequest("at: say when.", field="at")
    return read_moment(at, pendulum.timezone(zone), "at")


def _charts(counted: Sequence[Counted]) -> list[Chart]:
    if not counted:
        return []
    states = {words: _sum(counted, state=state) for state, words in promises.STATES.items()}
    found = [promises_chart(states)]
    steps = [words for _, words in promises.LATENESS] + [promises.LATEST]
    kept, late = (
        [_sum(counted, state=state, lateness=step) for step in steps]
        for state in (PromiseState.KEPT, PromiseState.LATE)
    )
    if any(kept) or any(late):
        found.append(lateness_chart(steps, kept, late))
    reasons = {each.reason or "no reason": each.number for each in counted if each.state == PromiseState.MISSED}
    if reasons:
        found.append(missed_chart(reasons))
    return found


def _sum(counted: Sequence[Counted], *, state: str, lateness: str | None = None) -> int:
    return sum(
        each.number for each in counted if each.state == state and (lateness is None or each.lateness == lateness)
    )

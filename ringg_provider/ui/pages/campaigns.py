"""All campaigns that a person may see, and what of them waits for somebody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import conf
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from ringg_provider.ui import promises, queries
from ringg_provider.ui.access import ReadableDags
from ringg_provider.ui.campaign import PHASES, Campaign
from ringg_provider.ui.deliveries import MOST_COUNTED, read_deliveries
from ringg_provider.ui.pages.state import open_state
from ringg_provider.ui.pages.templating import page
from ringg_provider.ui.problems import Problem, problems

router = APIRouter()

#: What is shown when no day is asked for.
SHOWN = timedelta(days=30)

Choice = Annotated[str, Query(max_length=250)]


@router.get("/page/")
def campaigns(
    request: Request,
    dags: ReadableDags,
    phase: Choice = "",
    dag: Choice = "",
    agent: Choice = "",
    day: Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d\d-\d\d)?$")] = "",
    sheet: Annotated[int, Query(ge=1, le=queries.MOST_PAGES)] = 1,
) -> HTMLResponse:
    """The list, the newest first."""
    now = datetime.now(UTC)
    zone = _zone()
    since, until = _day(day, zone) if day else (now - SHOWN, None)
    filters = queries.Filters(phase or None, dag or None, agent_id=agent or None, since=since, until=until)
    with open_state() as state:
        found = queries.campaigns(state.connection, state.tables, dags, filters, offset=(sheet - 1) * queries.PER_PAGE)
        dag_ids, agent_ids = queries.choices(state.connection, state.tables, dags, now - 12 * SHOWN)
        bare = state.bare
    asked = {"phase": phase, "dag": dag, "agent": agent, "day": day}
    context = {
        "campaigns": [(each, problems(each, now)) for each in found.campaigns],
        "has_more": found.has_more and sheet < queries.MOST_PAGES,
        "sheet": sheet,
        "asked": asked,
        "is_filtered": any(asked.values()),
        "phases": PHASES,
        "dag_ids": dag_ids,
        "agent_ids": agent_ids,
        "dags": dags,
        "zone": zone.key,
        "days": SHOWN.days,
        "now": now,
        "bare": bare,
    }
    return page(request, "campaigns.html", context)


@router.get("/page/todo")
def to_do(request: Request, dags: ReadableDags) -> HTMLResponse:
    """What is left to do, each with its entry of the runbook."""
    now = datetime.now(UTC)
    with open_state() as state:
        found = queries.to_do(state.connection, state.tables, dags, now)
        inbox = read_deliveries(state.connection, state.tables, dags, now)
        unclear = promises.unclear(state.connection, state.tables, dags)
        bare = state.bare
    left = left_to_do(found, now)
    return page(
        request,
        "todo.html",
        {
            "left": left,
            "most": queries.MOST_TO_DO,
            "inbox": inbox,
            "unclear": unclear,
            "most_unclear": promises.MOST_UNCLEAR,
            "counted": MOST_COUNTED,
            "zone": _zone(),
            "now": now,
            "bare": bare,
        },
    )


def left_to_do(found: Sequence[Campaign], now: datetime) -> list[tuple[Campaign, list[Problem]]]:
    """What is wrong with which campaigns, the worst first.

    :param found: campaigns that may wait for a person.
    :param now: the present, aware.
    """
    left: list[tuple[Campaign, list[Problem]]] = []
    told: set[str | None] = set()
    # A braked launch is shown by what was stopped, and not by a wave that had ended before.
    for each in sorted(found, key=lambda each: each.braked is not None and each.phase == "completed"):
        wrong = problems(each, now)
        # A brake is one matter, however many lists its launch has.
        is_told = each.braked is not None and each.launch_key in told and len(wrong) == 1
        if wrong and not is_told:
            left.append((each, wrong))
            told.add(each.launch_key)
    return sorted(left, key=lambda each: each[1][0].level)


def _zone() -> ZoneInfo:
    """The zone of days that are asked for: Airflow's own default."""
    name = conf.get("core", "default_timezone", fallback="utc")
    return ZoneInfo("UTC" if name.lower() in ("utc", "system") else name)


def _day(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a day begins and ends; a date that is none takes nothing."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    begin = datetime(day.year, day.month, day.day, tzinfo=zone)
    return begin, datetime.combine(day + timedelta(days=1), begin.timetz())

"""The campaigns of one DAG, night by night, and those of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fastapi import APIRouter, Depends, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse

from ringg_provider.ui import queries
from ringg_provider.ui.access import require_dag
from ringg_provider.ui.campaign import Campaign, Funnel
from ringg_provider.ui.charts import Chart, funnel_chart, left_out_chart, local, nights_chart
from ringg_provider.ui.pages.campaign import as_file
from ringg_provider.ui.pages.state import State, open_state
from ringg_provider.ui.pages.templating import page
from ringg_provider.ui.problems import problems

router = APIRouter(dependencies=[Depends(require_dag)])

#: Nights that a person can compare at a glance.
MOST_NIGHTS = 31
#: How far back the nights of a DAG are shown.
SHOWN = timedelta(days=90)


@dataclass(frozen=True)
class Night:
    """What one run called.

    :param run_id: the run; None where nobody noted it.
    :param campaigns: its campaigns, the newest first.
    :param reasons: what became of the rows of its queries; None where nobody counted.
    :param funnel: how many came how far.
    :param cost: of all.
    """

    run_id: str | None
    campaigns: Sequence[Campaign]
    reasons: dict[str, int] | None
    funnel: Funnel
    cost: Decimal | None

    @property
    def label(self) -> str:
        """When it was, in the zone of its campaigns."""
        first = self.campaigns[-1]
        moment = first.starts_at or first.listed_at
        return self.run_id or "unknown" if moment is None else local(moment, first.zone)

    @classmethod
    def of(cls, run_id: str | None, campaigns: Sequence[Campaign]) -> Night:
        """Add up the campaigns of a run; the rows of a query count once, however many lists they made."""
        sets = {each.set_id: each.reasons for each in campaigns if each.reasons is not None}
        reasons: dict[str, int] = {}
        for of_set in sets.values():
            for code, number in of_set.items():
                reasons[code] = reasons.get(code, 0) + number
        funnel = Funnel.total([each.funnel for each in campaigns], sum(reasons.values()) if sets else None)
        costs = [Decimal(str(each.cost)) for each in campaigns if each.cost is not None]
        return cls(run_id, campaigns, reasons if sets else None, funnel, sum(costs, Decimal(0)) if costs else None)


@router.get("/page/dag/{dag_id}")
def dag(request: Request, dag_id: str) -> HTMLResponse:
    """The nights of one DAG side by side."""
    now = datetime.now(UTC)
    with open_state() as state:
        nights = _nights(state, dag_id, now)
    context = {
        "dag_id": dag_id,
        "nights": nights,
        "chart": _as_chart(nights) if nights else None,
        "wrong": {each.campaign_id: problems(each, now) for night in nights for each in night.campaigns},
        "days": SHOWN.days,
    }
    return page(request, "dag.html", context)


@router.get("/csv/dag/{dag_id}/nights")
def nights_as_csv(dag_id: str, show: bool = False) -> Response:
    """The same as a file."""
    with open_state() as state:
        nights = _nights(state, dag_id, datetime.now(UTC))
    if not nights:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is nothing to write.")
    return as_file(_as_chart(nights), show=show)


@router.get("/page/run/{dag_id}/{run_id}")
def run(request: Request, dag_id: str, run_id: str) -> HTMLResponse:
    """What one run of a DAG called."""
    now = datetime.now(UTC)
    with open_state() as state:
        night = _run(state, dag_id, run_id)
    charts = _charts(night)
    context = {
        "dag_id": dag_id,
        "run_id": run_id,
        "night": night,
        "campaigns": [(each, problems(each, now)) for each in night.campaigns],
        "charts": charts,
        "now": now,
    }
    return page(request, "run.html", context)


@router.get("/csv/run/{dag_id}/{run_id}/{chart}")
def run_as_csv(dag_id: str, run_id: str, chart: str, show: bool = False) -> Response:
    """One chart of a run as a file."""
    with open_state() as state:
        charts = _charts(_run(state, dag_id, run_id))
    if chart not in charts:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The run has no such chart.")
    return as_file(charts[chart], show=show)


def _nights(state: State, dag_id: str, now: datetime) -> list[Night]:
    """The newest first."""
    filters = queries.Filters(dag_id=dag_id, since=now - SHOWN)
    found = queries.campaigns(
        state.connection, state.tables, frozenset({dag_id}), filters, limit=queries.MOST_TOGETHER
    ).campaigns
    by_run: dict[str | None, list[Campaign]] = {}
    for each in found:
        by_run.setdefault(each.run_id, []).append(each)
    return [Night.of(run_id, campaigns) for run_id, campaigns in list(by_run.items())[:MOST_NIGHTS]]


def _run(state: State, dag_id: str, run_id: str) -> Night:
    filters = queries.Filters(dag_id=dag_id, run_id=run_id)
    found = queries.campaigns(
        state.connection, state.tables, frozenset({dag_id}), filters, limit=queries.MOST_TOGETHER
    ).campaigns
    return Night.of(run_id, found)


def _as_chart(nights: Sequence[Night]) -> Chart:
    return nights_chart([(night.label, night.funnel) for night in reversed(nights)])


def _charts(night: Night) -> dict[str, Chart]:
    if not night.campaigns:
        return {}
    charts = [funnel_chart(night.funnel)]
    if night.reasons and set(night.reasons) - {"listed"}:
        charts.append(left_out_chart(night.reasons))
    return {chart.key: chart for chart in charts}

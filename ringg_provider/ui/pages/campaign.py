"""One campaign, and its charts as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from fastapi import APIRouter, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse

from ringg_provider.ui import promises, queries, rollouts
from ringg_provider.ui.access import CurrentUser, ReadableDags, may_stop
from ringg_provider.ui.campaign import ALIVE, Campaign
from ringg_provider.ui.charts import Chart, campaign_charts
from ringg_provider.ui.pages.state import State, open_state
from ringg_provider.ui.pages.templating import page
from ringg_provider.ui.problems import problems

router = APIRouter()


@dataclass(frozen=True)
class Cost:
    """What a campaign costs.

    :param so_far: what its calls have cost.
    :param estimate: what all of them will have cost, by the agent's earlier campaigns; None without any.
    :param per_call: what a call cost in those.
    :param calls: so many calls.
    """

    so_far: Decimal | None
    estimate: Decimal | None
    per_call: Decimal | None
    calls: int

    @classmethod
    def of(cls, campaign: Campaign, price: queries.Price | None) -> Cost:
        """Set a campaign's cost against its estimate."""
        so_far = None if campaign.cost is None else Decimal(str(campaign.cost))
        people = campaign.funnel.listed
        if price is None or people is None:
            return cls(so_far, None, None, 0)
        return cls(so_far, price.per_call * people, price.per_call, price.calls)


@router.get("/page/campaign/{campaign_id}")
def campaign(request: Request, dags: ReadableDags, user: CurrentUser, campaign_id: str) -> HTMLResponse:
    """The whole story of one campaign."""
    now = datetime.now(UTC)
    with open_state() as state:
        found = _found(state, dags, campaign_id)
        waves = rollouts.waves(state.connection, state.tables, dags, found.launch_key)
        charts = _charts(state, found, now, waves)
        spending = rollouts.spending(state.connection, state.tables, found.launch_key)
        cost = Cost.of(found, queries.price(state.connection, state.tables, found))
        asked = promises.of_campaign(state.connection, state.tables, dags, campaign_id)
        key = found.launch_key
        ledger = [] if key is None else queries.ledger_rows(state.connection, state.tables, dags, key)
    can_stop = found.phase in ALIVE and found.dag_id is not None and may_stop(found.dag_id, user)
    context = {
        "campaign": found,
        "charts": charts,
        "cost": cost,
        "ledger": ledger,
        "waves": waves,
        "promises": asked,
        "spending": spending,
        "lists": sum(row.state != "replaced" for row in ledger),
        "problems": problems(found, now),
        "expected_end": found.expected_end(now),
        "can_stop": can_stop,
    }
    return page(request, "campaign.html", context)


@router.get("/csv/campaign/{campaign_id}/{chart}")
def chart_as_csv(dags: ReadableDags, campaign_id: str, chart: str, show: bool = False) -> Response:
    """One chart of a campaign as a file."""
    with open_state() as state:
        found = _found(state, dags, campaign_id)
        waves = rollouts.waves(state.connection, state.tables, dags, found.launch_key)
        charts = _charts(state, found, datetime.now(UTC), waves)
    if chart not in charts:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The campaign has no such chart.")
    return as_file(charts[chart], show=show)


def as_file(chart: Chart, *, show: bool) -> Response:
    """A chart as a CSV file.

    :param chart: the chart.
    :param show: to be read in the browser, where a frame lets nothing be kept; else a file to keep.
    """
    if show:
        return Response(chart.as_csv, media_type="text/plain; charset=utf-8")
    headers = {"Content-Disposition": f'attachment; filename="{chart.key}.csv"'}
    return Response(chart.as_csv, media_type="text/csv; charset=utf-8", headers=headers)


def _found(state: State, dags: frozenset[str] | None, campaign_id: str) -> Campaign:
    found = queries.campaign(state.connection, state.tables, dags, campaign_id)
    if found is None:
        # Whoever may not see it is told no more than whoever mistyped it.
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such campaign, or it is not for you to see.")
    return found


def _charts(state: State, found: Campaign, now: datetime, waves: Sequence[rollouts.Wave]) -> dict[str, Chart]:
    reasons = queries.reasons(state.connection, state.tables, found)
    counts = queries.counts(state.connection, state.tables, found)
    named = [(each.title, each.funnel) for each in waves]
    return campaign_charts(found, counts, None if reasons is None else dict(reasons), now, named)

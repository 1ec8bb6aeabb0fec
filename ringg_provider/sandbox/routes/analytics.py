"""Aggregates over calls; their inner shape is documented nowhere (https://docs.ringg.ai/api-reference/endpoint/analytics/get-platform-analytics)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends

from ringg_provider.sandbox.call_log import CallFilter
from ringg_provider.sandbox.calls import Call, platform_analysis
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.state import SandboxDep

router = APIRouter(tags=["Analytics"], prefix="/analytics")
_ZONE = ZoneInfo("Asia/Kolkata")


async def _selected(
    sandbox: SandboxDep,
    start_date: date | None = None,
    end_date: date | None = None,
    agent_id: str | None = None,
    bulk_list_id: str | None = None,
    voicemail: bool | None = None,
) -> Sequence[Call]:
    calls = sandbox.call_log.all(
        CallFilter(
            start=datetime.combine(start_date, time(), _ZONE).timestamp() if start_date else None,
            end=datetime.combine(end_date + timedelta(days=1), time(), _ZONE).timestamp() if end_date else None,
            agent_ids=(agent_id,) if agent_id else (),
            list_ids=(bulk_list_id,) if bulk_list_id else (),
            sort_by="created_at",
        )
    )
    return calls if voicemail is None else [call for call in calls if call.is_voicemail == voicemail]


Selected = Annotated[Sequence[Call], Depends(_selected)]


def _metrics(calls: Sequence[Call]) -> dict[str, Any]:
    talk = sum(call.duration for call in calls)
    connected = sum(call.connected for call in calls)
    return {
        "total_calls": len(calls),
        "connected_calls": connected,
        "by_status": dict(Counter(call.status for call in calls)),
        "total_duration": round(talk, 2),
        "average_duration": round(talk / connected, 2) if connected else 0,
        "total_cost": float(sum(call.cost for call in calls)),
    }


@router.get("/platform-analytics", summary="Totals")
async def platform_analytics(calls: Selected) -> dict[str, Any]:
    metrics = _metrics(calls)
    return {"performance_metrics": metrics, "metrics_summary": metrics["by_status"], "cached": False}


@router.get("/drill-down-analytics", summary="Totals of one campaign")
async def drill_down_analytics(calls: Selected, bulk_list_id: str | None = None) -> dict[str, Any]:
    if bulk_list_id is None:
        raise ApiError(400, "bulk_list_id is required.")
    return {"performance_metrics": _metrics(calls), "cached": False}


@router.get("/number-analytics", summary="Totals per caller number")
async def number_analytics(calls: Selected) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    connected: Counter[str] = Counter()
    for call in calls:
        for attempt in call.attempts:
            counts[attempt.from_number] += 1
            connected[attempt.from_number] += attempt.talk_seconds > 0
    rows = [{"number": n, "total_calls": count, "connected_calls": connected[n]} for n, count in counts.items()]
    return {"number_analytics": rows}


@router.get("/duration-distribution", summary="Calls by length")
async def duration_distribution(calls: Selected) -> dict[str, Any]:
    edges = ((30, "0-30"), (60, "30-60"), (120, "60-120"))
    shares: Counter[str] = Counter()
    for call in calls:
        if call.connected:
            shares[next((name for edge, name in edges if call.duration < edge), "120+")] += 1
    return {"duration_distribution": dict(shares)}


@router.get("/classification-analytics", summary="Calls by what the analysis found")
async def classification_analytics(sandbox: SandboxDep, calls: Selected) -> dict[str, Any]:
    now = sandbox.world.events.now()
    ready = [call for call in calls if call.attempts and call.analysed_at is not None and call.analysed_at <= now]
    found = Counter(platform_analysis(call, sandbox.settings)["classification"] for call in ready)
    return {"classification_analytics": dict(found)}

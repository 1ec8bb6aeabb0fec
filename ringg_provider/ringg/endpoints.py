"""Each endpoint of Ringg AI once: the request it takes and how its answer is read.

Sending is left to the clients.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ringg_provider.api.endpoint import Endpoint, get, path_id, read_as
from ringg_provider.api.messages import Request, Response
from ringg_provider.api.response_model import ResponseModel, read_list
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.ringg.csv_file import check_file
from ringg_provider.ringg.errors import refusal
from ringg_provider.ringg.limits import EARLIEST_CALL, LATEST_CALL, MAX_CALLS_PER_PAGE, MAX_SUBSCRIPTIONS_PER_EVENT
from ringg_provider.ringg.requests import (
    AnalyticsQuery,
    CallQuery,
    CampaignSpec,
    EventSubscriptions,
    MakeCallAsync,
    SingleCall,
    StartCampaign,
    Terminate,
)
from ringg_provider.ringg.responses import (
    NOT_SHORT,
    Agent,
    Balance,
    CallDetails,
    CallerNumber,
    CallPage,
    CampaignPage,
    NumberPool,
    SavedCampaign,
    StartedCall,
    StartResult,
    UploadedCsv,
    UploadStatus,
    User,
    Workspace,
)

M = TypeVar("M", bound=ResponseModel)

# --- workspace ----------------------------------------------------------------------------------------------


def workspace() -> Endpoint[Workspace]:
    return Endpoint(get("/workspace"), read_as(Workspace))


def _listed(request: Request, model: type[M], *path: str) -> Endpoint[list[M]]:
    """A request that is answered with a list, at a path of the body."""
    return Endpoint(request, lambda response: read_list(response.body(), *path, model=model))


def numbers_page(limit: int, offset: int) -> Endpoint[list[CallerNumber]]:
    return _listed(get("/workspace/numbers", limit=limit, offset=offset), CallerNumber, "workspace_numbers")


def number_pools_page(limit: int, offset: int) -> Endpoint[list[NumberPool]]:
    return _listed(get("/number-pool", limit=limit, offset=offset), NumberPool, "data", "pools")


def users_page(limit: int, offset: int) -> Endpoint[list[User]]:
    return _listed(get("/workspace/users", limit=limit, offset=offset), User, "workspace_users")


# --- agents -------------------------------------------------------------------------------------------------


def agents_page(search: str | None, limit: int, offset: int) -> Endpoint[list[Agent]]:
    return _listed(get("/agent/all", search=search, limit=limit, offset=offset), Agent, "data", "agents")


def agent(agent_id: str) -> Endpoint[Agent]:
    return Endpoint(get(f"/agent/{path_id(agent_id, 'agent_id')}", of="agent_id"), read_as(Agent))


def event_subscriptions(subscriptions: EventSubscriptions, kept: Sequence[Mapping[str, Any]] = ()) -> Endpoint[None]:
    # The whole list is replaced, so that sending it twice is the same as once.
    body = {"operation": "edit_event_subscriptions", **subscriptions.wire()}
    ours = body["event_subscriptions"]
    body["event_subscriptions"] = [*kept, *ours]
    counts = Counter(event for each in body["event_subscriptions"] for event in set(_events(each)))
    if full := sorted(event for each in ours for event in _events(each) if counts[event] > MAX_SUBSCRIPTIONS_PER_EVENT):
        raise InvalidRequest(
            f"event_subscriptions: an agent may have {MAX_SUBSCRIPTIONS_PER_EVENT} for each event, and with those that"
            f" stay there would be {counts[full[0]]} for {full[0]}.",
            field="event_subscriptions",
        )
    return Endpoint(Request("PATCH", "/agent/v1", json=body, repeatable=True), _nothing)


def _events(subscription: Mapping[str, Any]) -> list[str]:
    events = subscription.get("event_type")
    return [str(event) for event in events] if isinstance(events, list) else [str(events)]


def _nothing(response: Response) -> None:
    response.body()


# --- campaigns ----------------------------------------------------------------------------------------------


def save(spec: CampaignSpec, csv: Path) -> Endpoint[SavedCampaign]:
    return Endpoint(
        Request("POST", "/campaign/save", form=spec.form(), file=check_file(csv, "file")), read_as(SavedCampaign)
    )


def upload(spec: CampaignSpec, csv: Path) -> Endpoint[UploadedCsv]:
    return Endpoint(
        Request("POST", "/campaign/upload-csv", form=spec.form(), file=check_file(csv, "file")), read_as(UploadedCsv)
    )


def start(request: StartCampaign) -> Endpoint[StartResult]:
    path = "/campaign/start" if request.number_pool_id is None else "/campaign/v2/start"
    return Endpoint(Request("POST", path, json=request.wire()), read_as(StartResult))


def make_call_async(request: MakeCallAsync) -> Endpoint[StartResult]:
    return Endpoint(Request("POST", "/campaign/make-call-async", json=request.wire()), read_as(StartResult))


def upload_status(bulk_list_id: str) -> Endpoint[UploadStatus]:
    path = f"/campaign/upload-status/{path_id(bulk_list_id, 'bulk_list_id')}"
    return Endpoint(get(path, of="bulk_list_id"), read_as(UploadStatus))


def check_balance(bulk_list_id: str) -> Endpoint[Balance]:
    # Repeatable: it only compares again, and a positive answer moves the list to where it would move anyway.
    path = f"/campaign/check-balance/{path_id(bulk_list_id, 'bulk_list_id')}"
    return Endpoint(Request("POST", path, of="bulk_list_id", repeatable=True, expects=frozenset({400})), _read_balance)


# One generation of the API refuses to check a list that is not waiting for money.
_NOT_WAITING_FOR_MONEY = re.compile(r"insufficient[_ ]balance", re.IGNORECASE)
_NOT_CHECKABLE = re.compile(r"\b(contacts?|agent|assistant)\b", re.IGNORECASE)


def _read_balance(response: Response) -> Balance:
    if response.is_success:
        return Balance.read(response.body())
    text = response.raw_text()
    if _NOT_WAITING_FOR_MONEY.search(text) and not _NOT_CHECKABLE.search(text):
        return Balance(message=response.text(), basis=NOT_SHORT)
    raise refusal(response)


def campaigns_page(limit: int, offset: int) -> Endpoint[CampaignPage]:
    return Endpoint(get("/campaign/all", call_count=True, limit=limit, offset=offset), read_as(CampaignPage))


@dataclass(frozen=True)
class Terminated:
    """What came of a request to stop calls.

    :param stopped: whether anything was there to stop.
    :param again: the request without the numbers that made the platform refuse all of them, if any.
    """

    stopped: bool
    again: Terminate | None = None


_NOTHING_TO_STOP = re.compile(
    r"not found|\bno\b.*\b(calls?|terminable|matching)\b|nothing to"
    r"|already (terminated|completed|cancelled|failed|ended)",
    re.IGNORECASE | re.DOTALL,
)


def terminate(request: Terminate) -> Endpoint[Terminated]:
    # Repeatable: what is stopped stays stopped, and a stop that is lost is worse than one said twice.
    def read(response: Response) -> Terminated:
        if response.is_success:
            response.body()
            return Terminated(stopped=True)
        text = response.raw_text()
        if not _NOTHING_TO_STOP.search(text):
            raise refusal(response)
        # One unknown number can make the platform refuse the whole request; the others must be stopped all
        # the same.
        unknown = set(re.findall(r"\d{7,15}", text))
        known = [number for number in request.mobile_numbers or () if number.removeprefix("+") not in unknown]
        if known and len(known) < len(request.mobile_numbers or ()):
            return Terminated(False, Terminate(campaign_id=request.campaign_id, mobile_numbers=known))
        return Terminated(stopped=False)

    return Endpoint(
        Request("PATCH", "/campaign/terminate", json=request.wire(), repeatable=True, expects=frozenset({400})),
        read,
    )


# --- calls --------------------------------------------------------------------------------------------------


def calls_page(query: CallQuery, limit: int, offset: int) -> Endpoint[CallPage]:
    if not 1 <= limit <= MAX_CALLS_PER_PAGE:
        raise InvalidRequest(f"limit must be from 1 to {MAX_CALLS_PER_PAGE}.", field="limit")
    # Without a range, one generation takes the day that its specification has for an example.
    ever = {
        "start_date": EARLIEST_CALL.isoformat(),
        "end_date": (datetime.now(UTC) + LATEST_CALL).isoformat(timespec="seconds"),
    }
    return Endpoint(get("/calling/history", **ever | query.wire(), limit=limit, offset=offset), read_as(CallPage))


def call_details(call_id: str, send_analysis: bool) -> Endpoint[CallDetails]:
    path_id(call_id, "call_id")
    return Endpoint(
        get("/calling/call-details", of="call_id", id=call_id, send_analysis=send_analysis), read_as(CallDetails)
    )


def single_call(call: SingleCall) -> Endpoint[StartedCall]:
    v2 = call.number_pool_id is not None or call.voice_id is not None
    path = "/calling/v2/outbound/individual" if v2 else "/calling/outbound/individual"
    return Endpoint(Request("POST", path, json=call.wire()), read_as(StartedCall))


def analytics(query: AnalyticsQuery) -> Endpoint[dict[str, Any]]:
    params = query.wire()
    kind = params.pop("kind")
    return Endpoint(get(f"/analytics/{kind}", **params), lambda response: ResponseModel.read(response.body()).raw)

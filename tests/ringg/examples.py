"""One example call of every method of the client, for tests that must not miss any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.requests import (
    CallConfig,
    CallQuery,
    CallRetryConfig,
    CallTime,
    CampaignSpec,
    EventSubscription,
    MakeCallAsync,
    SingleCall,
    SmartFormatter,
    StartCampaign,
    Terminate,
    TransliterationLanguage,
)

LIST = "123e4567-e89b-12d3-a456-426614174000"
AGENT = "11111111-1111-4111-8111-111111111111"
NUMBER_ID = "aaaaaaaa-0000-4000-8000-000000000001"
POOL = "bbbbbbbb-0000-4000-8000-000000000001"
USER = "cccccccc-0000-4000-8000-000000000001"
CALL = "31106b7c-0000-4000-8000-000000000001"
NUMBER = "+919876543210"

CONFIG = CallConfig(
    call_time=CallTime(call_start_time="09:00", call_end_time="18:00", timezone="Asia/Kolkata"),
    call_retry_config=CallRetryConfig(retry_count=1),
    idle_timeout_warning=10,
    idle_timeout_end=15,
    max_call_length=300,
)
SPEC = CampaignSpec(
    campaign_name="Renewals",
    agent_id=AGENT,
    country_code="+91",
    variables_map={
        "mobile_number": "Mobile Number",
        "callee_name": "Name",
        "policy_id": "Policy ID",
        "due_date": "Due Date",
    },
    call_config=CONFIG,
    campaign_start_time="18/10/2026, 09:00",
    campaign_end_time="18/10/2026, 18:00",
    remove_invalid_rows=True,
    transliterate_callee_name=True,
    transliterate_fields=["callee_name"],
)
START = StartCampaign(agent_id=AGENT, list_id=LIST, from_numbers=[NUMBER_ID])
START_POOL = StartCampaign(agent_id=AGENT, list_id=LIST, number_pool_id=POOL, email_completion_user_ids=[USER])
MAKE = MakeCallAsync(
    bulk_list_id=LIST,
    agent_id=AGENT,
    country_code="+91",
    call_config=CONFIG,
    campaign_start_time="18/10/2026, 09:00",
    campaign_end_time="18/10/2026, 18:00",
    from_numbers=[NUMBER_ID],
    concurrency_percentage=25,
    email_completion_user_ids=[USER],
)
QUERY = CallQuery(
    start_date="2026-10-18T00:00:00+05:30",
    end_date="2026-10-19T00:00:00+05:30",
    agent_id=AGENT,
    status=["completed", "failed"],
    bulk_list_id=LIST,
    call_type="outbound",
)
SINGLE = SingleCall(
    name="Priya",
    mobile_number=NUMBER,
    agent_id=AGENT,
    from_number_id=[NUMBER_ID],
    custom_args_values={"policy_id": "P-1"},
    smart_formatter=SmartFormatter(transliteration=True, transliteration_language=TransliterationLanguage()),
    call_config=CONFIG,
    purpose="transactional",
    call_validity_hours=2,
    call_deadline="2026-10-19T00:00:00+05:30",
)
SINGLE_POOL = SingleCall(name="Priya", mobile_number=NUMBER, agent_id=AGENT, number_pool_id=POOL, voice_id="v")
HOOK = EventSubscription(
    event_type=["call_completed", "all_processing_completed"],
    callback_url="https://example.com/hook",
    headers={"Authorization": "Bearer x"},
)
DAYS: dict[str, Any] = {
    "start_date": date(2026, 10, 18),
    "end_date": "2026-10-19",
    "agent_id": AGENT,
    "bulk_list_id": LIST,
    "voicemail": False,
}
KINDS = [
    "platform-analytics",
    "drill-down-analytics",
    "number-analytics",
    "duration-distribution",
    "classification-analytics",
]

Example = Callable[[RinggClient, Path], Any]

#: Requests that may be sent again after an answer was lost: reads, and writes of which two do no more than one.
REPEATABLE: dict[str, tuple[str, Example]] = {
    "get_workspace": ("GET /workspace", lambda c, f: c.get_workspace()),
    "list_numbers": ("GET /workspace/numbers", lambda c, f: c.list_numbers()),
    "list_number_pools": ("GET /number-pool", lambda c, f: c.list_number_pools()),
    "list_users": ("GET /workspace/users", lambda c, f: c.list_users()),
    "list_agents": ("GET /agent/all", lambda c, f: c.list_agents()),
    "list_agents by name": ("GET /agent/all", lambda c, f: c.list_agents("Renew")),
    "get_agent": (f"GET /agent/{AGENT}", lambda c, f: c.get_agent(AGENT)),
    "set_event_subscriptions": ("PATCH /agent/v1", lambda c, f: c.set_event_subscriptions(AGENT, [HOOK])),
    "get_upload_status": (f"GET /campaign/upload-status/{LIST}", lambda c, f: c.get_upload_status(LIST)),
    "check_balance": (f"POST /campaign/check-balance/{LIST}", lambda c, f: c.check_balance(LIST)),
    "list_campaigns_page": ("GET /campaign/all", lambda c, f: c.list_campaigns_page(50, 100)),
    "iter_campaigns": ("GET /campaign/all", lambda c, f: list(c.iter_campaigns())),
    "find_campaign": ("GET /campaign/all", lambda c, f: c.find_campaign(LIST)),
    "terminate a campaign": ("PATCH /campaign/terminate", lambda c, f: c.terminate(Terminate(campaign_id=LIST))),
    "terminate an agent": ("PATCH /campaign/terminate", lambda c, f: c.terminate(Terminate(agent_id=AGENT))),
    "terminate calls": ("PATCH /campaign/terminate", lambda c, f: c.terminate(Terminate(call_ids=[CALL]))),
    "terminate numbers": (
        "PATCH /campaign/terminate",
        lambda c, f: c.terminate(Terminate(campaign_id=LIST, mobile_numbers=[NUMBER])),
    ),
    "list_calls_page": ("GET /calling/history", lambda c, f: c.list_calls_page(QUERY, 50, 100)),
    "iter_calls": ("GET /calling/history", lambda c, f: list(c.iter_calls(QUERY))),
    "get_call": ("GET /calling/call-details", lambda c, f: c.get_call(CALL)),
    **{
        f"get_analytics {kind}": (
            f"GET /analytics/{kind}",
            lambda c, f, kind=kind: c.get_analytics(kind, **DAYS),
        )
        for kind in KINDS
    },
}

#: Requests that ring a phone or make a list: sent once, whatever comes back.
ONCE: dict[str, tuple[str, Example]] = {
    "save_campaign": ("POST /campaign/save", lambda c, f: c.save_campaign(SPEC, f)),
    "upload_csv": ("POST /campaign/upload-csv", lambda c, f: c.upload_csv(SPEC, f)),
    "start_campaign": ("POST /campaign/start", lambda c, f: c.start_campaign(START)),
    "start_campaign with a pool": ("POST /campaign/v2/start", lambda c, f: c.start_campaign(START_POOL)),
    "make_call_async": ("POST /campaign/make-call-async", lambda c, f: c.make_call_async(MAKE)),
    "initiate_call": ("POST /calling/outbound/individual", lambda c, f: c.initiate_call(SINGLE)),
    "initiate_call with a pool": (
        "POST /calling/v2/outbound/individual",
        lambda c, f: c.initiate_call(SINGLE_POOL),
    ),
}

#: An answer that every method can read.
ANYTHING: dict[str, Any] = {
    "workspace_info": {"id": "w"},
    "workspace_numbers": [],
    "workspace_users": [],
    "campaigns": [],
    "calls": [],
    "id": LIST,
    "list_id": LIST,
    "bulk_list_id": LIST,
    "call_id": CALL,
    "status": "draft",
}


def anything(path: str) -> dict[str, Any]:
    """`ANYTHING`, with the envelope that some of the reads have."""
    envelopes = {"/agent/all": {"data": {"agents": []}}, "/number-pool": {"data": {"pools": []}}}
    return ANYTHING | next((more for end, more in envelopes.items() if path.endswith(end)), {})

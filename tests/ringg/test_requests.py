"""Each rule about a request is enforced before anything is sent, by a message that names the field."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.ringg.requests import (
    AnalyticsQuery,
    CallConfig,
    CallQuery,
    CallRetryConfig,
    CallSlots,
    CallTime,
    CampaignSpec,
    EventSubscription,
    EventSubscriptions,
    MakeCallAsync,
    SingleCall,
    StartCampaign,
    Terminate,
)

WINDOW = {"call_start_time": "09:00", "call_end_time": "18:00", "timezone": "Asia/Kolkata"}
CONFIG = {"call_time": WINDOW}
MAP = {"mobile_number": "Mobile Number", "callee_name": "Name", "policy_id": "Policy ID"}
SPEC: dict[str, Any] = {
    "campaign_name": "Renewals",
    "agent_id": "agent-1",
    "country_code": "+91",
    "variables_map": MAP,
    "call_config": CONFIG,
    "campaign_start_time": "18/10/2026, 09:00",
    "campaign_end_time": "18/10/2026, 18:00",
}
START: dict[str, Any] = {"agent_id": "agent-1", "list_id": "list-1", "from_numbers": ["number-1"]}
MAKE: dict[str, Any] = {
    "bulk_list_id": "list-1",
    "agent_id": "agent-1",
    "country_code": "+91",
    "call_config": CONFIG,
    "campaign_start_time": "18/10/2026, 09:00",
    "campaign_end_time": "31/10/2026, 18:00",
    "from_numbers": ["number-1"],
}
UNTIMED = {key: value for key, value in MAKE.items() if not key.startswith("campaign_")}
ABSOLUTE = {"mode": "absolute", "intervals": [{"start": "18/10/2026, 10:00", "end": "18/10/2026, 13:00"}]}
WEEKLY = {
    "mode": "weekly",
    "until": "31/10/2026, 18:00",
    "windows": [{"days": ["mon", "wed"], "start": "10:00", "end": "13:00"}],
}
CALL: dict[str, Any] = {"name": "Priya", "mobile_number": "+919876543210", "agent_id": "a", "from_number_id": "n"}
HOOK: dict[str, Any] = {"event_type": "call_completed", "callback_url": "https://example.com/hook"}


def interval(start: str, end: str) -> dict[str, str]:
    return {"start": start, "end": end}


def absolute(*intervals: dict[str, str]) -> dict[str, Any]:
    return {"mode": "absolute", "intervals": list(intervals)}


def day_slots(count: int, first: datetime = datetime(2026, 10, 18)) -> dict[str, Any]:  # noqa: DTZ001
    form = "%d/%m/%Y, %H:%M"
    starts = (first + timedelta(minutes=2 * n) for n in range(count))
    return absolute(*(interval(f"{s:{form}}", f"{s + timedelta(minutes=1):{form}}") for s in starts))


RULES: list[tuple[type, dict[str, Any], dict[str, Any], str, str]] = [
    # the daily window
    (CallTime, WINDOW, {"call_start_time": "9:00"}, "call_start_time", "HH:MM"),
    (CallTime, WINDOW, {"call_start_time": "24:00"}, "call_start_time", "HH:MM"),
    (CallTime, WINDOW, {"call_start_time": "09:60"}, "call_start_time", "HH:MM"),
    (CallTime, WINDOW, {"call_start_time": "\u0966\u096f:\u0966\u0966"}, "call_start_time", "HH:MM"),
    (CallTime, WINDOW, {"call_end_time": "09:00:00"}, "call_end_time", "HH:MM"),
    (CallTime, WINDOW, {"call_end_time": "09:00"}, "call_end_time", "later in the day than call_start_time"),
    (CallTime, WINDOW, {"call_end_time": "08:59"}, "call_end_time", "later in the day than call_start_time"),
    (CallTime, WINDOW, {"timezone": "IST"}, "timezone", "IANA time zone"),
    (CallTime, WINDOW, {"timezone": "+05:30"}, "timezone", "IANA time zone"),
    (CallTime, WINDOW, {"timezone": "asia/kolkata"}, "timezone", "IANA time zone"),
    (CallTime, WINDOW, {"timezone": "../Asia/Kolkata"}, "timezone", "IANA time zone"),
    (CallTime, WINDOW, {"timezone": None}, "timezone", "must be text"),
    (CallTime, WINDOW, {"scheduled_at": "2026-10-18T09:00:00+05:30"}, "scheduled_at", "without an offset"),
    (CallTime, WINDOW, {"scheduled_at": "2026-13-18T09:00:00"}, "scheduled_at", "time that exists"),
    # retries
    (CallRetryConfig, {}, {"retry_count": 21}, "retry_count", "at most 20"),
    (CallRetryConfig, {}, {"retry_count": -1}, "retry_count", "at least 0"),
    (CallRetryConfig, {}, {"retry_count": True}, "retry_count", "whole number"),
    (CallRetryConfig, {}, {"retry_busy": -1}, "retry_busy", "at least 0"),
    (CallRetryConfig, {}, {"retry_not_picked": 1.5}, "retry_not_picked", "whole number"),
    (CallRetryConfig, {}, {"retry_failed": "30"}, "retry_failed", "whole number"),
    # the call
    (CallConfig, CONFIG, {"call_time": ...}, "call_time", "is required"),
    (CallConfig, CONFIG, {"call_time": {"timezone": "UTC"}}, "call_time.call_start_time", "is required"),
    (CallConfig, CONFIG, {"call_time": "09:00"}, "call_time", "object with the fields of CallTime"),
    (CallConfig, CONFIG, {"idle_timeout_warning": -1}, "idle_timeout_warning", "at least 0"),
    (CallConfig, CONFIG, {"idle_timeout_end": 0}, "idle_timeout_end", "greater than 0"),
    (CallConfig, CONFIG, {"idle_timeout_end": 5}, "idle_timeout_end", "greater than idle_timeout_warning"),
    (CallConfig, CONFIG, {"idle_timeout_warning": 10}, "idle_timeout_end", "greater than idle_timeout_warning"),
    (CallConfig, CONFIG, {"max_call_length": 9}, "max_call_length", "at least 10"),
    (CallConfig, CONFIG, {"max_call_length": 3601}, "max_call_length", "at most 3600"),
    (CallConfig, CONFIG, {"max_length": 60}, "max_length", "is not a field"),
    # the campaign
    (CampaignSpec, SPEC, {"campaign_name": "  "}, "campaign_name", "must not be empty"),
    (CampaignSpec, SPEC, {"agent_id": ""}, "agent_id", "must be an id"),
    (CampaignSpec, SPEC, {"agent_id": "a b"}, "agent_id", "must be an id"),
    (CampaignSpec, SPEC, {"country_code": "91"}, "country_code", "dial prefix"),
    (CampaignSpec, SPEC, {"country_code": "IN"}, "country_code", "dial prefix"),
    (CampaignSpec, SPEC, {"country_code": "+091"}, "country_code", "dial prefix"),
    (CampaignSpec, SPEC, {"country_code": "+12345"}, "country_code", "dial prefix"),
    (CampaignSpec, SPEC, {"country_code": "+\u096f\u0967"}, "country_code", "dial prefix"),
    (CampaignSpec, SPEC, {"variables_map": {"callee_name": "N"}}, "variables_map", "must map mobile_number"),
    (CampaignSpec, SPEC, {"variables_map": {"mobile_number": "M"}}, "variables_map", "must map callee_name"),
    (CampaignSpec, SPEC, {"variables_map": MAP | {"x": " X"}}, "variables_map", "padded with spaces"),
    (CampaignSpec, SPEC, {"variables_map": MAP | {"x": ""}}, "variables_map", "not be empty"),
    (CampaignSpec, SPEC, {"variables_map": MAP | {"x ": "X"}}, "variables_map", "padded with spaces"),
    (CampaignSpec, SPEC, {"variables_map": [1]}, "variables_map", "must be an object"),
    (CampaignSpec, SPEC, {"call_config": {}}, "call_config.call_time", "is required"),
    (
        CampaignSpec,
        SPEC,
        {"call_config": {"call_time": WINDOW | {"timezone": "Mars/Base"}}},
        "call_config.call_time.timezone",
        "IANA time zone",
    ),
    (
        CampaignSpec,
        SPEC,
        {"call_config": {"call_time": WINDOW | {"call_end_time": "08:00"}}},
        "call_config.call_time.call_end_time",
        "later in the day",
    ),
    (CampaignSpec, SPEC, {"campaign_start_time": "2026-10-18T09:00"}, "campaign_start_time", "DD/MM/YYYY, HH:MM"),
    (CampaignSpec, SPEC, {"campaign_start_time": "18/10/2026 09:00"}, "campaign_start_time", "DD/MM/YYYY, HH:MM"),
    (CampaignSpec, SPEC, {"campaign_start_time": "8/10/2026, 09:00"}, "campaign_start_time", "DD/MM/YYYY, HH:MM"),
    (CampaignSpec, SPEC, {"campaign_start_time": "31/02/2026, 09:00"}, "campaign_start_time", "DD/MM/YYYY, HH:MM"),
    (CampaignSpec, SPEC, {"campaign_start_time": "10/18/2026, 09:00"}, "campaign_start_time", "DD/MM/YYYY, HH:MM"),
    (CampaignSpec, SPEC, {"campaign_end_time": "18/10/2026, 9:00"}, "campaign_end_time", "DD/MM/YYYY, HH:MM"),
    (CampaignSpec, SPEC, {"campaign_end_time": "18/10/2026, 09:00"}, "campaign_end_time", "after campaign_start_time"),
    (CampaignSpec, SPEC, {"campaign_end_time": "17/11/2025, 10:00"}, "campaign_end_time", "after campaign_start_time"),
    (CampaignSpec, SPEC, {"remove_invalid_rows": "yes"}, "remove_invalid_rows", "true or false"),
    (CampaignSpec, SPEC, {"transliterate_callee_name": 1}, "transliterate_callee_name", "true or false"),
    (CampaignSpec, SPEC, {"transliterate_fields": ["city"]}, "transliterate_fields", "only name variables that"),
    (CampaignSpec, SPEC, {"transliterate_fields": ["mobile_number"]}, "transliterate_fields", "not name mobile"),
    (CampaignSpec, SPEC, {"transliterate_fields": ["policy_id"] * 2}, "transliterate_fields", "same entry twice"),
    # starting
    (StartCampaign, START, {"from_numbers": None}, "from_numbers", "neither is given"),
    (StartCampaign, START, {"number_pool_id": "p"}, "from_numbers", "both are given"),
    (StartCampaign, START, {"from_numbers": []}, "from_numbers", "at least 1 entry"),
    (StartCampaign, START, {"from_numbers": ["a", "a"]}, "from_numbers", "same entry twice"),
    (StartCampaign, START, {"from_numbers": [7]}, "from_numbers.0", "must be text"),
    (StartCampaign, START, {"list_id": "a/b"}, "list_id", "must be an id"),
    (StartCampaign, START, {"callback_url": "http://example.com"}, "callback_url", "https://"),
    (StartCampaign, START, {"callback_url": "https://"}, "callback_url", "https://"),
    (StartCampaign, START, {"callback_url": "https://[::1"}, "callback_url", "https://"),
    (StartCampaign, START, {"email_completion_user_ids": ["u"]}, "email_completion_user_ids", "only with number_pool"),
    (MakeCallAsync, MAKE, {"from_numbers": None}, "from_numbers", "neither is given"),
    (MakeCallAsync, MAKE, {"number_pool_id": "p"}, "from_numbers", "both are given"),
    (MakeCallAsync, MAKE, {"concurrency_percentage": 101}, "concurrency_percentage", "at most 100"),
    (MakeCallAsync, MAKE, {"concurrency_percentage": -1}, "concurrency_percentage", "at least 0"),
    (MakeCallAsync, MAKE, {"concurrency_percentage": 2.5}, "concurrency_percentage", "whole number"),
    (MakeCallAsync, MAKE, {"concurrency_percentage": "25"}, "concurrency_percentage", "whole number"),
    (MakeCallAsync, MAKE, {"campaign_start_time": None}, "campaign_start_time", "go together"),
    (MakeCallAsync, MAKE, {"campaign_end_time": None}, "campaign_end_time", "go together"),
    (MakeCallAsync, MAKE, {"campaign_end_time": "18/10/2026, 08:00"}, "campaign_end_time", "after"),
    (MakeCallAsync, UNTIMED, {}, "campaign_start_time", "unless call_slots"),
    (MakeCallAsync, MAKE, {"call_config": ...}, "call_config", "is required"),
    (MakeCallAsync, MAKE, {"country_code": "44"}, "country_code", "dial prefix"),
    # slots
    (CallSlots, ABSOLUTE, {"mode": "daily"}, "mode", "must be one of 'absolute' or 'weekly'"),
    (CallSlots, ABSOLUTE, {"intervals": None}, "intervals", "is required in mode absolute"),
    (CallSlots, ABSOLUTE, {"intervals": []}, "intervals", "at least 1 entry"),
    (CallSlots, ABSOLUTE, {"until": "18/10/2026, 10:00"}, "until", "do not mix"),
    (CallSlots, WEEKLY, {"until": None}, "until", "is required in mode weekly"),
    (CallSlots, WEEKLY, {"windows": None}, "windows", "is required in mode weekly"),
    (CallSlots, WEEKLY, {"intervals": ABSOLUTE["intervals"]}, "intervals", "do not mix"),
    (CallSlots, WEEKLY, {"windows": WEEKLY["windows"] * 22}, "windows", "at most 21"),
    (CallSlots, WEEKLY, {"windows": [{"days": ["mo"], "start": "10:00", "end": "11:00"}]}, "windows.0.days.0", "'mon'"),
    (CallSlots, WEEKLY, {"windows": [{"days": [], "start": "10:00", "end": "11:00"}]}, "windows.0.days", "at least 1"),
    (CallSlots, WEEKLY, {"windows": [{"days": "mon", "start": "11:00", "end": "11:00"}]}, "windows.0.end", "later"),
    (
        CallSlots,
        absolute(interval("18/10/2026, 10:00", "18/10/2026, 10:00")),
        {},
        "intervals.0.end",
        "1 minute to 24 hours",
    ),
    (
        CallSlots,
        absolute(interval("18/10/2026, 10:00", "19/10/2026, 10:01")),
        {},
        "intervals.0.end",
        "1 minute to 24 hours",
    ),
    (CallSlots, day_slots(501), {}, "intervals", "at most 500"),
    (CallSlots, day_slots(101), {}, "intervals", "at most 100 after"),
    (
        CallSlots,
        absolute(
            interval("18/10/2026, 10:00", "18/10/2026, 11:00"), interval("16/01/2027, 10:00", "16/01/2027, 10:01")
        ),
        {},
        "intervals",
        "within 90 days",
    ),
    (
        MakeCallAsync,
        UNTIMED,
        {"call_slots": absolute(interval("18/10/2026, 08:59", "18/10/2026, 10:00"))},
        "call_slots.intervals",
        "inside the daily window",
    ),
    (
        MakeCallAsync,
        UNTIMED,
        {"call_slots": absolute(interval("18/10/2026, 17:00", "18/10/2026, 18:01"))},
        "call_slots.intervals",
        "inside the daily window",
    ),
    (
        MakeCallAsync,
        UNTIMED,
        {"call_slots": absolute(interval("18/10/2026, 17:00", "19/10/2026, 09:30"))},
        "call_slots.intervals",
        "inside the daily window",
    ),
    (
        MakeCallAsync,
        MAKE,
        {"call_slots": absolute(interval("17/10/2026, 10:00", "17/10/2026, 11:00"))},
        "call_slots.intervals",
        "between campaign_start_time and campaign_end_time",
    ),
    (
        MakeCallAsync,
        MAKE,
        {"call_slots": WEEKLY | {"windows": [{"days": "mon", "start": "08:00", "end": "10:00"}]}},
        "call_slots.windows",
        "inside the daily window",
    ),
    (
        MakeCallAsync,
        MAKE,
        {"call_slots": WEEKLY | {"until": "31/10/2026, 18:01"}},
        "call_slots.until",
        "between campaign_start_time and campaign_end_time",
    ),
    (
        MakeCallAsync,
        MAKE | {"campaign_end_time": "31/12/2027, 18:00"},
        {"call_slots": WEEKLY | {"until": "17/01/2027, 09:00"}},
        "call_slots.until",
        "at most 90 days",
    ),
    (
        MakeCallAsync,
        MAKE,
        {"call_slots": WEEKLY | {"until": "18/10/2026, 18:00"}},
        "call_slots.windows",
        "open at least once",
    ),
    (
        MakeCallAsync,
        MAKE | {"campaign_end_time": "31/12/2026, 18:00"},
        {
            "call_slots": {
                "mode": "weekly",
                "until": "30/12/2026, 18:00",
                "windows": [
                    {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": a, "end": b}
                    for a, b in (("09:00", "10:00"), ("11:00", "12:00"))
                ],
            }
        },
        "call_slots.windows",
        "at most 100 slots",
    ),
    # stopping
    (Terminate, {}, {}, "campaign_id", "exactly one"),
    (Terminate, {"campaign_id": "c", "agent_id": "a"}, {}, "campaign_id", "exactly one"),
    (Terminate, {"agent_id": "a", "mobile_numbers": ["+919876543210"]}, {}, "campaign_id", "exactly one"),
    (Terminate, {"campaign_id": "c", "call_ids": ["x"]}, {}, "campaign_id", "exactly one"),
    (Terminate, {"mobile_numbers": ["919876543210"]}, {}, "mobile_numbers.0", "with + and country code"),
    (Terminate, {"mobile_numbers": ["+91 98765 43210"]}, {}, "mobile_numbers.0", "digits only"),
    (Terminate, {"mobile_numbers": []}, {}, "mobile_numbers", "at least 1"),
    (Terminate, {"mobile_numbers": [f"+9198765{n:05}" for n in range(101)]}, {}, "mobile_numbers", "at most 100"),
    (Terminate, {"call_ids": [str(n) for n in range(101)]}, {}, "call_ids", "at most 100"),
    (Terminate, {"call_ids": []}, {}, "call_ids", "at least 1"),
    # history
    (CallQuery, {}, {"start_date": "2026-10-18T09:00:00"}, "start_date", "offset from UTC"),
    (CallQuery, {}, {"start_date": datetime(2026, 10, 18)}, "start_date", "offset from UTC"),  # noqa: DTZ001
    (CallQuery, {}, {"end_date": "yesterday"}, "end_date", "offset from UTC"),
    (
        CallQuery,
        {"start_date": "2026-10-18T09:00:00+05:30"},
        {"end_date": "2026-10-18T03:29:59Z"},
        "end_date",
        "before start_date",
    ),
    (CallQuery, {}, {"status": "done"}, "status.0", "must be one of"),
    (CallQuery, {}, {"call_type": "sms"}, "call_type", "must be one of"),
    (CallQuery, {}, {"sort_by": "name"}, "sort_by", "must be one of"),
    (CallQuery, {}, {"bulk_list_id": ["a", ""]}, "bulk_list_id.1", "must be an id"),
    # one call
    (SingleCall, CALL, {"from_number": "+919876543211"}, "from_number", "only one of"),
    (SingleCall, CALL, {"number_pool_id": "p"}, "number_pool_id", "only one of"),
    (SingleCall, CALL, {"from_number_id": None, "voice_id": "v"}, "voice_id", "needs one of"),
    (SingleCall, CALL, {"mobile_number": "9876543210"}, "mobile_number", "with + and country code"),
    (SingleCall, CALL, {"name": ""}, "name", "must not be empty"),
    (SingleCall, CALL, {"purpose": "marketing"}, "purpose", "'transactional'"),
    (SingleCall, CALL, {"call_validity_hours": 0}, "call_validity_hours", "greater than 0"),
    (SingleCall, CALL, {"call_validity_hours": "2"}, "call_validity_hours", "must be a number"),
    (SingleCall, CALL, {"call_deadline": "2026-10-18T09:00:00"}, "call_deadline", "offset from UTC"),
    # events
    (EventSubscription, HOOK, {"callback_url": "http://example.com/hook"}, "callback_url", "https://"),
    (EventSubscription, HOOK, {"event_type": []}, "event_type", "at least 1"),
    (EventSubscription, HOOK, {"event_type": "call_finished"}, "event_type.0", "must be one of"),
    (EventSubscription, HOOK, {"method_type": "DELETE"}, "method_type", "must be one of"),
    (
        EventSubscriptions,
        {"agent_id": "a", "event_subscriptions": [HOOK, HOOK]},
        {},
        "event_subscriptions",
        "same URL twice",
    ),
    (
        EventSubscriptions,
        {
            "agent_id": "a",
            "event_subscriptions": [HOOK | {"callback_url": f"https://example.com/{n}"} for n in range(5)],
        },
        {},
        "event_subscriptions",
        "at most 4",
    ),
    # figures
    (AnalyticsQuery, {"kind": "drill-down-analytics"}, {}, "bulk_list_id", "is required for drill-down"),
    (AnalyticsQuery, {"kind": "everything"}, {}, "kind", "must be one of"),
    (AnalyticsQuery, {"kind": "number-analytics"}, {"start_date": "18/10/2026"}, "start_date", "YYYY-MM-DD"),
    (AnalyticsQuery, {"kind": "number-analytics"}, {"start_date": datetime(2026, 1, 1)}, "start_date", "YYYY-MM-DD"),  # noqa: DTZ001
    (
        AnalyticsQuery,
        {"kind": "number-analytics", "start_date": "2026-10-18"},
        {"end_date": date(2026, 10, 17)},
        "end_date",
        "before start_date",
    ),
]


@pytest.mark.parametrize(
    ("model", "good", "change", "field", "rule"),
    RULES,
    ids=[f"{model.__name__}-{field}-{number}" for number, (model, _, _, field, _) in enumerate(RULES)],
)
def test_a_broken_rule_is_one_clear_error_that_names_the_field(
    model: type, good: dict[str, Any], change: dict[str, Any], field: str, rule: str
) -> None:
    data = {key: value for key, value in (good | change).items() if value is not ...}
    with pytest.raises(InvalidRequest) as raised:
        model(**data)
    message = str(raised.value)
    assert raised.value.field == field
    assert message.startswith(f"{model.__name__}: {field} ")
    assert rule in message


@pytest.mark.parametrize("model", [CampaignSpec, SingleCall, Terminate, StartCampaign])
def test_an_error_repeats_no_value_and_brings_none_along(model: type) -> None:
    secret = "+919876543210x"
    fields = model.model_fields  # type: ignore[attr-defined]
    with pytest.raises(InvalidRequest) as raised:
        model(**{name: [secret, {"a": secret}] for name in fields})
    error = raised.value
    assert secret not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_several_broken_rules_are_told_together() -> None:
    with pytest.raises(InvalidRequest) as raised:
        StartCampaign(agent_id="", list_id="", from_numbers=["n"])
    assert raised.value.field == "agent_id"
    assert "agent_id must be an id" in str(raised.value)
    assert "; list_id must be an id" in str(raised.value)


def test_building_a_model_from_a_dict_raises_the_same_error() -> None:
    with pytest.raises(InvalidRequest) as raised:
        CallConfig.model_validate({"call_time": {}})
    assert raised.value.field == "call_time.call_start_time"


def test_an_error_inside_one_model_does_not_change_how_the_next_one_reports() -> None:
    for _ in range(2):
        with pytest.raises(InvalidRequest) as raised:
            CampaignSpec(**SPEC | {"call_config": {}})
        assert raised.value.field == "call_config.call_time"


# --- the wire ---------------------------------------------------------------------------------------------------------


def test_a_campaign_goes_out_as_text_fields_with_json_inside() -> None:
    spec = CampaignSpec(
        **SPEC
        | {
            "call_config": {
                "idle_timeout_warning": 10,
                "idle_timeout_end": 15,
                "max_call_length": 300,
                "call_time": WINDOW,
                "call_retry_config": {"retry_count": 1},
            },
            "campaign_name": "Prämie",
            "transliterate_fields": ("callee_name",),
            "remove_invalid_rows": True,
        }
    )
    form = spec.form()
    assert all(isinstance(value, str) for value in form.values())
    assert json.loads(form.pop("variables_map")) == MAP
    assert json.loads(form.pop("call_config")) == {
        "idle_timeout_warning": 10,
        "idle_timeout_end": 15,
        "max_call_length": 300,
        "call_time": WINDOW,
        "call_retry_config": {"retry_count": 1, "retry_busy": 30, "retry_not_picked": 30, "retry_failed": 30},
    }
    assert json.loads(form.pop("transliterate_fields")) == ["callee_name"]
    assert form == {
        "campaign_name": "Prämie",
        "agent_id": "agent-1",
        "country_code": "+91",
        "campaign_start_time": "18/10/2026, 09:00",
        "campaign_end_time": "18/10/2026, 18:00",
        "remove_invalid_rows": "true",
        "transliterate_callee_name": "false",
    }


def test_what_was_left_out_is_not_sent() -> None:
    assert CallConfig(call_time=CallTime(**WINDOW)).wire() == CONFIG
    assert StartCampaign(**START).wire() == START
    assert Terminate(campaign_id="c").wire() == {"campaign_id": "c"}


def test_a_large_campaign_goes_out_with_its_whole_schema() -> None:
    assert MakeCallAsync(**MAKE).wire() == MAKE | {"concurrency_percentage": 0}


@pytest.mark.parametrize("slots", [ABSOLUTE, WEEKLY])
@pytest.mark.parametrize("start", [MAKE, UNTIMED])
def test_slots_go_out_as_they_are(start: dict[str, Any], slots: dict[str, Any]) -> None:
    assert MakeCallAsync(**start, call_slots=slots).wire()["call_slots"] == slots


def test_slots_that_overlap_count_as_one() -> None:
    slots = CallSlots(
        **absolute(
            interval("18/10/2026, 12:00", "18/10/2026, 13:00"),
            interval("18/10/2026, 10:00", "18/10/2026, 12:30"),
            interval("19/10/2026, 10:00", "19/10/2026, 12:30"),
        )
    )
    assert [(a.isoformat(), b.isoformat()) for a, b in slots.spans()] == [
        ("2026-10-18T10:00:00", "2026-10-18T13:00:00"),
        ("2026-10-19T10:00:00", "2026-10-19T12:30:00"),
    ]


def test_weekly_slots_are_repeated_between_start_and_until() -> None:
    slots = CallSlots(**WEEKLY | {"until": "21/10/2026, 12:00"})
    # 19 October 2026 is a Monday.
    assert [(a.isoformat(), b.isoformat()) for a, b in slots.spans(datetime(2026, 10, 19, 11, 30))] == [  # noqa: DTZ001
        ("2026-10-19T11:30:00", "2026-10-19T13:00:00"),
        ("2026-10-21T10:00:00", "2026-10-21T12:00:00"),
    ]


def test_one_value_may_stand_for_a_list_of_one() -> None:
    assert StartCampaign(**START | {"from_numbers": "number-1"}).wire() == START
    assert CallQuery(bulk_list_id="b", status="completed", agent_id=("a", "b")).wire() == {
        "bulk_list_id": ["b"],
        "status": ["completed"],
        "agent_id": ["a", "b"],
        "sort_by": "created_at",
        "sort_order": "asc",
    }


def test_times_of_a_query_keep_their_offset() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    query = CallQuery(start_date=datetime(2026, 1, 1, tzinfo=india), end_date=datetime(2026, 1, 2, tzinfo=UTC))
    assert query.wire()["start_date"] == "2026-01-01T00:00:00+05:30"
    assert query.wire()["end_date"] == "2026-01-02T00:00:00+00:00"


def test_a_warning_of_zero_is_allowed_because_it_disables_the_warning() -> None:
    assert CallConfig(call_time=WINDOW, idle_timeout_warning=0).wire()["idle_timeout_warning"] == 0  # type: ignore[arg-type]


def test_no_repr_shows_a_number_or_a_name() -> None:
    shown = repr(
        (
            SingleCall(**CALL | {"custom_args_values": {"city": "Pune"}}),
            SingleCall(**CALL | {"from_number_id": None, "from_number": "+919876543211"}),
            Terminate(mobile_numbers=["+919876543210"]),
            CallQuery(to_number="+919876543210", from_number="+919876543211"),
            EventSubscription(**HOOK | {"headers": {"Authorization": "Bearer Pune"}}),
        )
    )
    for secret in ("98765", "Priya", "Pune"):
        assert secret not in shown

"""Every argument of every operator, sensor and trigger is checked before anything is sent."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.triggers.base import BaseEventTrigger, BaseTrigger

from ringg_provider.exceptions import InvalidRequest
from tests.operators.campaigns import AGENT, CALL_CONFIG
from tests.support.provided import offered, offered_operators
from tests.support.tasks import context

SECRET = "919876543210"
#: What a DAG author, a template or another task may hand over by mistake.
WRONG = [
    None, True, False, "False", "7200", "", " ", "None", SECRET, 0, 1, -1, 7200, 0.0, 1.5, -0.5, 1e300, math.nan,
    math.inf, -math.inf, Decimal(-1), Decimal("nan"), timedelta(hours=2), timedelta(0), timedelta(seconds=-1), b"bytes",
    date(2027, 3, 1), datetime(2027, 3, 1, tzinfo=UTC), [], [None], [1.5], {}, {"a": None}, {1.5: "a"}, object(),
    pendulum.duration(hours=2), pendulum.duration(0), pendulum.datetime(2027, 3, 1), pendulum.date(2027, 3, 1),
]  # fmt: skip


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_length(value: Any) -> bool:
    return (is_number(value) and 0 < value < 1e9) or (isinstance(value, timedelta) and value > timedelta(0))


def is_text(value: Any) -> bool:
    # Native rendering makes numbers of digits.
    return is_whole(value) or (isinstance(value, str) and value.strip() not in ("", "None"))


def is_list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(of, value))


def is_object(of: Callable[[Any], bool] = lambda value: True) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(map(is_text, value)) and all(map(of, value.values()))


def is_amount(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().isdecimal()
    return (
        not isinstance(value, bool) and isinstance(value, int | float | Decimal) and math.isfinite(value) and value >= 0
    )


#: What is right, by the name of the parameter; written down apart from the annotations. Besides, whatever is None by
#: default may be None.
RIGHT: dict[Callable[[Any], bool], str] = {
    lambda value: isinstance(value, bool): """
        allow_backfill cancel_on_kill deferrable dry_run
        durable history_table_may_be_missing include_analysis include_details
        platform_calls_back remove_invalid_rows remove_others retries_must_fit skip_dnc wait_for_recording
        transcripts transliterate_callee_name use_call_slots wait_for_client_analysis
        wait_for_completion""",
    is_length: """
        average_seconds invalid_rows_timeout judge_interval max_minutes not_called_within_days poke_interval
        interval poll_interval timeout upload_poll_interval""",
    lambda value: isinstance(value, timedelta) and value >= timedelta(0): """
        answer_within give_up_after horizon look_back lookback max_age max_delay punctual purge_after release_after
        unclear_for""",
    lambda value: (
        is_number(value) or (isinstance(value, Decimal) and value.is_finite())
    ): "deadline kill_deadline look_at",
    lambda value: is_number(value) and 0 <= value <= 1: "answer_rate",
    is_list(lambda value: is_number(value) and 0 <= value <= 1): "waves",
    lambda value: is_whole(value) and value >= 1: """
        analysis_concurrency batch_size contacts_per_request enough max_attempts max_rows_per_list min_listed
        min_reached min_wave_calls""",
    lambda value: is_whole(value) and 0 <= value <= 100: "concurrency_percentage",
    lambda value: is_amount(value) and (isinstance(value, str) or value == int(value)): """
        concurrent_lines row_allowance rows""",
    is_amount: "credits_per_call",
    lambda value: (is_whole(value) and value >= 0) or (isinstance(value, float) and 0 <= value <= 1): """
        max_invalid_rows max_rejects""",
    is_text: """
        agent_id attempts_table bulk_list_id callbacks_table campaign_name
        campaigns_table pending_table promises_table contact_key contacts contacts_table country_code description
        history_table inbox_table launch_key list_id name number_pool_id objective phone_column phone_header
        phone_number_id recordings_conn_id recordings_path region_column rejects_path ringg_conn_id secret_from
        smartalex_conn_id sql state_suppression_sql suppression_sql table timezone timezone_column callback_url""",
    lambda value: is_whole(value) or isinstance(value, str): "bucket ledger_conn_id schema stage state_schema volume",
    lambda value: is_text(value) or isinstance(value, date): "campaign_end_time campaign_start_time planned_start",
    lambda value: is_text(value) or isinstance(value, date) or value in ("", " ", "None"): "end start",
    lambda value: is_text(value) or is_list(is_text)(value): "from_numbers",
    is_list(is_text): """
        asked_of awaited call_ids email_completion_user_ids may_be_empty mobile_numbers recording_hosts rehearsal tables
        transliterate_fields""",
    is_list(lambda value: isinstance(value, date) or is_text(value)): "blackout_dates",
    is_list(is_object()): "launches subscriptions",
    is_object(is_text): "about contact_columns variables_map",
    is_object(): "balance call_config call_slots hook_params launch settings",
    lambda value: is_text(value) or is_object()(value): "calling_hours",
    lambda value: isinstance(value, list | dict): "parameters",
    lambda value: value in ("large", "standard"): "fail_on flow no_rule on_shortfall other_countries purpose",
    lambda value: value == "continue": "unreadable_variables",
    lambda value: value in ("ask", "stop"): "on_brake",
    is_list(is_whole): "ask_after",
    lambda value: isinstance(value, tuple) and len(value) == 2: "attempts_within",
    # These have readers of their own, which say what they take.
    lambda value: True: "brakes budget bulk_list_ids campaign_ids",
}
BY_NAME = {name: right for right, names in RIGHT.items() for name in names.split()}
#: Where one class takes more than the others do, or blank text switches nothing off.
BY_CLASS: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("SmartAlexPauseCampaignOperator", "campaign_id"): lambda value: is_text(value) or is_list(is_text)(value),
    ("SmartAlexResumeCampaignOperator", "campaign_id"): lambda value: is_text(value) or is_list(is_text)(value),
    ("RinggCallbacksOperator", "contacts_table"): lambda value: value is None or is_text(value),
    ("RinggPublishOperator", "timeout"): lambda value: isinstance(value, timedelta) and value >= timedelta(0),
    ("SmartAlexPublishOperator", "timeout"): lambda value: isinstance(value, timedelta) and value >= timedelta(0),
    ("SmartAlexStartCampaignOperator", "campaign_id"): lambda value: is_text(value) or is_object()(value),
}
GIVEN: dict[str, Any] = {
    "agent_id": AGENT,
    "bulk_list_id": "list",
    "list_id": "list",
    "campaign_id": "campaign",
    "campaign_name": "Survey",
    "name": "Survey",
    "contacts": "/nowhere.csv",
    "variables_map": {"callee_name": "name"},
    "country_code": "+91",
    "call_config": CALL_CONFIG,
    "settings": {},
    "phone_column": "phone",
    "sql": "SELECT 1",
    "sql_conn_id": "warehouse",
    "state_conn_id": "warehouse",
    "warehouse_conn_id": "warehouse",
    "subscriptions": [],
    "launch": {},
    "launches": [],
    "conn_id": "ringg_sandbox",
    "launch_key": "key",
    "purpose": "promotional",
    "campaign_ids": [],
    "ringg_conn_id": "ringg_sandbox",
    "smartalex_conn_id": "smartalex_sandbox",
}


def parameters_of(kind: Any) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of ours, from the class up."""
    found: dict[str, inspect.Parameter] = {}
    for base in kind.__mro__:
        if "__init__" in vars(base) and base.__module__.startswith("ringg_provider."):
            for parameter in inspect.signature(vars(base)["__init__"]).parameters.values():
                if parameter.kind is parameter.KEYWORD_ONLY:
                    found.setdefault(parameter.name, parameter)
    return found


def is_right(kind: Any, parameter: inspect.Parameter, value: Any) -> bool:
    name = parameter.name
    if value is None and parameter.default is None:
        return True
    if name == "sql_conn_id" and "credits_per_call" in parameters_of(kind):
        return is_whole(value) or isinstance(value, str)  # blank: no cost is estimated
    return (BY_CLASS.get((kind.__name__, name)) or BY_NAME.get(name, is_text))(value)


def mistakes(kind: Any) -> Iterator[tuple[str, Any]]:
    for name, parameter in parameters_of(kind).items():
        assert name in BY_NAME or name.endswith("_id"), f"{kind.__name__}: what is right for {name}?"
        yield from ((name, value) for value in WRONG if not is_right(kind, parameter, value))


def refusal(kind: Any, arguments: Mapping[str, Any]) -> str:
    """What is said when it runs with these arguments; fails when nothing is."""
    if issubclass(kind, BaseEventTrigger):  # no task runs that could tell
        with pytest.raises(InvalidRequest) as refused:
            kind(**arguments)
        return str(refused.value)
    if issubclass(kind, BaseTrigger):

        async def first() -> Any:
            return await anext(kind(**arguments).run())

        event = asyncio.run(first()).payload
        assert event["status"] == "error"
        return str(event["message"])
    with pytest.raises(AirflowFailException) as caught:
        kind(task_id="task", **arguments).execute(context())
    assert type(caught.value.__cause__) is InvalidRequest
    return str(caught.value)


@pytest.mark.parametrize("kind", [*offered_operators(), *offered("triggers")], ids=lambda kind: kind.__name__)
def test_a_wrong_argument_is_named_and_nothing_is_sent(kind: Any, sandbox_factory: Any) -> None:
    platform = sandbox_factory()
    fixed = getattr(kind, "fixed", ())
    needed = {name for name, one in parameters_of(kind).items() if one.default is one.empty and name not in fixed}
    given = {name: GIVEN[name] for name in needed}
    given |= {name: GIVEN[name] for name in ("ringg_conn_id", "smartalex_conn_id") if name in parameters_of(kind)}
    tried = 0
    for name, value in mistakes(kind):
        if name == "poll_interval" and issubclass(kind, BaseTrigger) and not issubclass(kind, BaseEventTrigger):
            continue  # what an older version stored must not end the wait
        if name == "poke_interval" and value not in (0, timedelta(0)):
            continue  # Airflow refuses it when the DAG is read, or makes a second of True
        said = refusal(kind, given | {name: value})
        assert name in said, f"{kind.__name__}({name}={value!r}): {said!r}"
        assert SECRET not in said
        tried += 1
    assert tried > 10
    assert platform.requests() == []

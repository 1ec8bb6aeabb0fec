"""What a DAG says about a campaign, in the terms of ``campaign/``: its ``call_config`` and its times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ringg_provider.campaign.schedule import DailyWindow, Schedule, resolve_schedule
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.ringg.requests import CallConfig

Time = datetime | str | None


def as_call_config(call_config: CallConfig | Mapping[str, Any]) -> CallConfig:
    """A checked ``call_config``, whether a DAG gave the model or a dict."""
    if isinstance(call_config, CallConfig):
        return call_config
    if not isinstance(call_config, Mapping):
        raise InvalidRequest("call_config: must be a dict or a CallConfig.", field="call_config")
    return CallConfig(**call_config)


def schedule_of(call_config: CallConfig, start: Time, end: Time, *, late_start_ok: bool = False) -> Schedule:
    """When a campaign with this ``call_config`` starts and ends; see ``campaign/schedule.py``."""
    times = call_config.call_time
    window = DailyWindow.from_call_time(times.call_start_time, times.call_end_time, times.timezone)
    return resolve_schedule(window, start, end, late_start_ok=late_start_ok)

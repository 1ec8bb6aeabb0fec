"""The kinds of values that only Ringg's requests have; the others are in `ringg_provider.api.request_model`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, StrictStr

from ringg_provider.api.request_model import matching
from ringg_provider.hours.schedule import WIRE_FORMAT


def _campaign_time(value: str) -> str:
    rule = "must be a time as DD/MM/YYYY, HH:MM (24 hours, zero-padded, one space after the comma)"
    try:
        moment = parse_campaign_time(value)
    except ValueError:
        raise ValueError(rule) from None
    if moment.strftime(WIRE_FORMAT) != value:
        raise ValueError(rule)
    return value


def _local_iso(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value, re.ASCII):
        raise ValueError("must be a local time as YYYY-MM-DDTHH:MM:SS, without an offset")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a time that exists") from None
    return value


CampaignTime = Annotated[StrictStr, AfterValidator(_campaign_time)]
CountryCode = Annotated[
    StrictStr, matching(r"\+[1-9][0-9]{0,3}", "must be a dial prefix: + and one to four digits, such as +91")
]
LocalTime = Annotated[StrictStr, AfterValidator(_local_iso)]


def parse_campaign_time(value: str) -> datetime:
    """A time as `DD/MM/YYYY, HH:MM`, without a zone: it is local to `call_config.call_time.timezone`."""
    return datetime.strptime(value, WIRE_FORMAT)  # noqa: DTZ007

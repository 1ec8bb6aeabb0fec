"""Every number and fixed name of Ringg's contract, once.

https://docs.ringg.ai/documentation/deploy/campaigns/calling-list
https://docs.ringg.ai/documentation/deploy/campaigns/campaigns-by-api
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

#: The two ways of a list to the platform: ``campaign/save`` and ``campaign/upload-csv``.
Flow = Literal["standard", "large"]

#: What an agent can be subscribed to.
Event = Literal[
    "call_started",
    "call_ringing",
    "call_ongoing",
    "call_completed",
    "recording_completed",
    "platform_analysis_completed",
    "client_analysis_completed",
    "all_processing_completed",
    "chat_completed",
]

# --- the calling list ---

#: Bytes of a CSV at most. The pages say "20 MB" and not which; the smaller one is safe.
MAX_CSV_BYTES = 20_000_000
#: How a CSV's name ends, in these letters.
CSV_SUFFIX = ".csv"
#: Rows that a workspace may upload per list at first, and once the company's details are saved.
FIRST_ROW_ALLOWANCE, USUAL_ROW_ALLOWANCE = 100, 5_000
#: From so many rows on, the vendor means the large flow to be used.
LARGE_FLOW_ROWS = 5_000
#: The agent's variables that every list must map, whatever the prompt uses.
PHONE_VARIABLE, NAME_VARIABLE = "mobile_number", "callee_name"
PERMANENT_VARIABLES = frozenset({PHONE_VARIABLE, NAME_VARIABLE})
#: The header of the phone column that every generation of the platform's documentation accepts.
PHONE_HEADER = "Mobile Number"

# --- how calls are made ---

#: Further attempts after the first call at most.
MAX_RETRIES = 20
#: Minutes before a retry where ``call_retry_config`` does not say.
DEFAULT_RETRY_MINUTES = 30
#: Seconds of silence before the agent speaks up, and before the call ends, where nobody says.
DEFAULT_IDLE_WARNING, DEFAULT_IDLE_END = 5, 10
#: Seconds that a call may be limited to.
SHORTEST_CALL_LIMIT, LONGEST_CALL_LIMIT = 10, 3600

# --- ``call_slots`` ---

MAX_SLOT_INTERVALS = 500
MAX_SLOT_WINDOWS = 21
#: Entries at most after overlapping ones are merged.
MAX_CALL_SLOTS = 100
SHORTEST_SLOT, LONGEST_SLOT = timedelta(minutes=1), timedelta(hours=24)
#: From the first slot's start to the last one's end, or to ``until``.
MAX_SLOT_SPAN = timedelta(days=90)
#: How long after the start is sent the last slot must end at the earliest.
LAST_SLOT_LEAD = timedelta(minutes=5)

# --- requests ---

#: Entries per page at most: of the campaign list, of the call history, of agents, numbers and members.
MAX_CAMPAIGNS_PER_PAGE, MAX_CALLS_PER_PAGE, MAX_LISTED_PER_PAGE = 1000, 200, 100
#: What the vendor's own dashboard asks for, and so what every server allows.
SAFE_PAGE = 50
#: No call is older; none is further ahead of now, whatever zone a clock is in.
EARLIEST_CALL, LATEST_CALL = datetime(2023, 1, 1, tzinfo=UTC), timedelta(days=2)
#: Requests for the call history that a workspace may make in so many seconds.
HISTORY_REQUESTS, HISTORY_PERIOD = 10, 60.0
#: Numbers, or calls, that one terminate request may name.
MAX_PER_TERMINATE = 100
#: Event subscriptions of an agent for one event.
MAX_SUBSCRIPTIONS_PER_EVENT = 4

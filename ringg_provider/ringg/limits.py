"""Every number and fixed name of Ringg's contract, once.

https://docs.ringg.ai/documentation/deploy/campaigns/calling-list
"""

from __future__ import annotations

#: Bytes of a CSV at most. The pages say "20 MB" and not which; the smaller one is safe.
MAX_CSV_BYTES = 20_000_000

#: Entries of `call_slots` at most, after merging.
MAX_CALL_SLOTS = 100

#: The agent's variables that every list must map, whatever the prompt uses.
PHONE_VARIABLE, NAME_VARIABLE = "mobile_number", "callee_name"

#: The header of the phone column that every generation of the platform's documentation accepts.
PHONE_HEADER = "Mobile Number"

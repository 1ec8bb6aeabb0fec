"""Every number of SmartAlex's contract, once.

https://docs.getsmartalex.com/api-reference/introduction
"""

from __future__ import annotations

#: Requests that the smallest of the vendor's plans allows in a minute.
REQUESTS_PER_MINUTE = 60
#: Entries per page: what the vendor allows for contacts, and the most that is asked for anywhere.
MAX_PER_PAGE = 100
#: What every server gives by default: a shorter page that says nothing of a total is the last one.
SMALLEST_PAGE = 20
#: Contacts per request; the vendor's own limit is not documented.
CONTACTS_PER_REQUEST = 500

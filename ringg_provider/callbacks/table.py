# ruff: noqa: E501 - a line per column reads better than a screen per column
"""The table `ringg_callbacks`: one row per promise to call somebody back, from the asking to what became of it."""

from __future__ import annotations

import enum

import sqlalchemy as sa

from ringg_provider.contacts.cells import MAX_KEY
from ringg_provider.history.options import CALLBACKS
from ringg_provider.history.tables import column
from ringg_provider.launch.table import LONGEST_KEY
from ringg_provider.sql.creating import described
from ringg_provider.sql.types import Key, Seconds, Text, UtcDateTime


class PromiseState(enum.StrEnum):
    """What became of a promise.

    OPEN: when to call is known. UNCLEAR: it is not, and a person has to say. LISTED: on a list that is to be started.
    KEPT: the person was reached in time; LATE: was reached afterwards. MISSED: can be kept no longer. WITHDRAWN: is not
    to be kept any more. `state_reason` says why.
    """

    OPEN = "open"
    UNCLEAR = "unclear"
    LISTED = "listed"
    KEPT = "kept"
    LATE = "late"
    MISSED = "missed"
    WITHDRAWN = "withdrawn"


#: The promise is still to be kept.
LIVE = frozenset({PromiseState.OPEN.value, PromiseState.UNCLEAR.value, PromiseState.LISTED.value})

#: The person was reached.
REACHED = frozenset({PromiseState.KEPT.value, PromiseState.LATE.value})

#: What `platform` says.
RINGG, SMARTALEX = "ringg", "smartalex"


def callbacks_table(
    name: str = CALLBACKS, *, schema: str | None = None, metadata: sa.MetaData | None = None
) -> sa.Table:
    """Describe the table of promises: one row per promise, whose state only moves on.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives; the connection's default when left out.
    :param metadata: to add it to; its own when left out.
    :return: a SQLAlchemy table; nothing is created.
    :raises InvalidRequest: both say where, or a part of the name is empty.
    """
    # fmt: off
    columns = [
        column("promise_id", Key, "`ringg_calls.call_id`, `smartalex_callbacks.callback_id`", "the call that first asked, or SmartAlex's callback", primary_key=True),
        column("platform", Key, "this provider", "ringg, smartalex", nullable=False),
        column("conn_id", Key, "`ringg_conn_id`, `smartalex_conn_id`", "the connection by which the platform is reached"),
        column("contact_key", sa.String(MAX_KEY), "`ringg_contacts`", "who, as your query named them, which may be the number; NULL where the call was on no list of it", index=True),
        column("to_number_e164", Key, "the call", "who is to be called, as `+` and digits; personal", index=True),
        column("contact_id", Key, "`smartalex_callbacks`", "SmartAlex's own id of the person, by which its calls are known as theirs"),
        column("callee_name", Text, "the call", "personal"),
        column("agent_id", Key, "the call", "the agent that was asked"),
        column("bulk_list_id", Key, "the call", "the campaign in which they asked", index=True),
        column("asked_call_id", Key, "the call", "the latest call in which they asked", index=True),
        column("asked_at", UtcDateTime, "the call", "when that was", nullable=False, index=True),
        column("words", Text, "`callback_requested_time`", "when to call, as they said it; personal"),
        column("timezone", Key, "the number, or `timezone`", "the IANA zone in which the words were read"),
        column("earliest_at", UtcDateTime, "`words`, or a person", "from when on they want to be called; NULL while unclear"),
        column("latest_at", UtcDateTime, "`words`, or a person", "until when; the same as `earliest_at` where they named an instant"),
        column("due_at", UtcDateTime, "this provider", "when they are called, inside the hours in which they may be; NULL while unclear", index=True),
        column("give_up_at", UtcDateTime, "this provider", "until when it can be kept; NULL while unclear, and until the next update of what a person settled"),
        column("platform_gave_up_at", UtcDateTime, "`smartalex_callbacks.done_at`", "when SmartAlex's callback, which was still pending at its time, was found gone; NULL: it may still call, or the callback was called off"),
        column("state", Key, "this provider", "open, unclear, listed, kept, late, missed, withdrawn", nullable=False, index=True),
        column("state_reason", Text, "this provider", "why; nothing personal"),
        column("settled_by", Key, "this provider", "who said when it is due: `platform words`, `platform`, `person:<name>`"),
        column("claim_key", sa.String(LONGEST_KEY), "`CallbacksToRinggOperator`", "the launch key under which it is called; NULL: nobody does"),
        column("claimed_at", UtcDateTime, "`CallbacksToRinggOperator`", "when it was taken for that"),
        column("list_id", Key, "`CallbacksToRinggOperator`", "the list that it is on", index=True),
        column("kept_call_id", Key, "the call", "the call that reached them"),
        column("kept_at", UtcDateTime, "the call", "when that was"),
        column("seconds_late", Seconds, "this provider", "how long after it was due, or after `latest_at`; 0 when it was not"),
        column("first_seen_at", UtcDateTime, "this provider", "when the row was first written"),
        column("changed_at", UtcDateTime, "this provider", "when anything in it last changed"),
        column("erased_at", UtcDateTime, "your retention job", "set it when personal data are erased: the row is never written again"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema, metadata=metadata, field="callbacks_table")

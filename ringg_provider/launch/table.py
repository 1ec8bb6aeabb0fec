"""The table of the launch ledger: one row per list that a launch key stands for. Nothing personal is stored in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, Column, Index, Integer, Row, String, UniqueConstraint, and_, or_

from ringg_provider.launch.item import ItemFlow, LaunchItem
from ringg_provider.launch.terms import fingerprint
from ringg_provider.sql.creating import described
from ringg_provider.sql.types import Text, UtcDateTime

#: How many characters a launch key may have.
LONGEST_KEY = 250

#: What a row's ``state`` says.
LISTED, START_SENT, STARTED, REPLACED = "listed", "start_sent", "started", "replaced"
#: It was not started when a brake of its key was pulled, and never will be; see `braked.py`.
BRAKED = "braked"
#: What a row's ``origin`` says: it is one of a set, or the list that was launched first under a key without a set.
IN_SET, FIRST = "set", "first"


launches = described(
    "ringg_launches",
    Column("launch_key", String(LONGEST_KEY), primary_key=True),
    Column("list_id", String(100), primary_key=True),
    # The list's place in the key's present set. A replaced list gives its place up and takes its own id instead,
    # so that the unique key below lets exactly one set, or one first list, stand under a key.
    Column("slot", String(100), nullable=False),
    Column("set_id", String(36), nullable=False),
    Column("flow", String(20)),
    Column("rows", Integer),
    Column("digest", String(64), nullable=False),
    Column("agent_id", String(100)),
    Column("state", String(20), nullable=False),
    Column("item", JSON, nullable=False),
    Column("intent", JSON),
    Column("claim", String(36)),
    Column("listed_at", UtcDateTime, nullable=False),
    Column("start_sent_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    # An older version's table lacks these; they are added to it.
    Column("origin", String(10)),
    Column("dag_id", String(250)),
    Column("run_id", String(250)),
    Column("task_id", String(250)),
    Column("map_index", Integer),
    Column("conn_id", String(250)),
    # What people are shown of it: the campaign's name, and what became of how many rows of the query.
    Column("name", Text),
    Column("reasons", JSON),
    UniqueConstraint("launch_key", "slot", name="ringg_launches_one_set"),
    # What the control room looks up.
    Index("ix_ringg_launches_listed_at", "listed_at"),
    Index("ix_ringg_launches_list_id", "list_id"),
    Index("ix_ringg_launches_state", "state"),
    Index("ix_ringg_launches_dag_id", "dag_id"),
)
#: That a row is the list that was launched first under a key without a set.
# An older version wrote no origin, and no flow for the first list of a key without a set.
IS_FIRST = or_(launches.c.origin == FIRST, and_(launches.c.origin.is_(None), launches.c.flow.is_(None)))


@dataclass(frozen=True)
class Launcher:
    """The task that uploads or launches.

    :param dag_id: its DAG.
    :param run_id: its run.
    :param task_id: the task.
    :param map_index: which of its mapped instances; -1 where it is not mapped.
    :param conn_id: the connection by which it reaches the platform. Default None: not known.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    conn_id: str | None = None


def new_row(launch_key: str, item: LaunchItem, origin: str, launcher: Launcher | None) -> dict[str, Any]:
    """The row of a list that is uploaded and not started."""
    return {
        "launch_key": launch_key,
        "list_id": item.list_id,
        "slot": "0",
        "set_id": str(uuid4()),
        "flow": item.flow,
        "rows": item.rows,
        "digest": fingerprint(item.as_xcom()),
        "agent_id": item.agent_id,
        "state": LISTED,
        "item": item.as_xcom(),
        "listed_at": datetime.now(UTC),
        "origin": origin,
        **named(launcher),
    }


def named(launcher: Launcher | None) -> dict[str, Any]:
    """The columns that name a task; none of them where it is not known."""
    return {} if launcher is None else asdict(launcher)


def stored_item(row: Row[Any]) -> LaunchItem:
    """The item of a row. An older version kept none of a key's first list; then what its request says."""
    if row.item.keys() > {"list_id"}:
        return LaunchItem.of(row.item)
    return item_of_request(row.list_id, (row.intent or {}).get("request", {}))


def item_of_request(list_id: str, request: Mapping[str, Any]) -> LaunchItem:
    """What a start request says of its list."""
    flow: ItemFlow = "large" if "bulk_list_id" in request else "smartalex" if "campaign_id" in request else "standard"
    return LaunchItem(
        list_id=list_id,
        flow=flow,
        agent_id=request.get("agent_id", ""),
        country_code=request.get("country_code", ""),
        call_config=request.get("call_config"),
    )

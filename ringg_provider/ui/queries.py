"""What the pages read: our own tables, each query bounded and by an index, and nothing personal selected.

Nothing here knows Airflow. `dags`, everywhere: the DAGs whose campaigns a person may see; None for all of them, those
included whose DAG nobody noted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ringg_provider.contacts.people import shortened_key
from ringg_provider.history import smartalex_campaigns
from ringg_provider.history.counts import Count, counted, read_counts
from ringg_provider.history.tables import CLOSED, ENDED, REACHED_KNOWN, HistoryState
from ringg_provider.launch.table import LISTED, REPLACED, START_SENT, STARTED
from ringg_provider.sql.types import UtcDateTime
from ringg_provider.ui.campaign import UNSTARTED, Campaign
from ringg_provider.ui.tables import Tables

#: Campaigns on one page, and as many pages as anybody turns: then a filter is better.
PER_PAGE, MOST_PAGES = 50, 40
#: Campaigns of one DAG or one run that are shown side by side.
MOST_TOGETHER = 400
#: Rows of a list of things to do.
MOST_TO_DO = 200
#: Different DAGs or agents to choose from.
MOST_CHOICES = 300
#: How far back other campaigns of an agent tell a price.
PRICE_LOOK_BACK = timedelta(days=90)
#: By how much the ledger may say another time of a list than the platform does.
_EARLIER = timedelta(days=1)


@dataclass(frozen=True)
class Filters:
    """Which campaigns.

    :param phase: a key of `ringg_provider.ui.campaign.PHASES`.
    :param dag_id: of this DAG.
    :param run_id: of this run.
    :param agent_id: of this agent.
    :param campaign_id: this one.
    :param launch_key: of this launch key.
    :param since: listed at this time or later, aware.
    :param until: listed before.
    """

    phase: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    agent_id: str | None = None
    campaign_id: str | None = None
    launch_key: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class CampaignPage:
    """Some campaigns, the newest first.

    :param campaigns: they.
    :param has_more: whether there are older ones.
    """

    campaigns: list[Campaign]
    has_more: bool


@dataclass(frozen=True)
class LedgerRow:
    """What the launch ledger says of one list; nothing of what was sent.

    :param list_id: the list.
    :param state: listed, start_sent, started, replaced.
    :param rows: people on it.
    :param task: who uploaded or started it.
    :param listed_at: when it was listed; aware, as the others.
    :param start_sent_at: when its start was sent.
    :param started_at: when it was known to have started.
    """

    list_id: str
    state: str
    rows: int | None
    task: str | None
    listed_at: datetime | None
    start_sent_at: datetime | None
    started_at: datetime | None


@dataclass(frozen=True)
class Price:
    """What a call costs an agent.

    :param per_call: the average over its earlier campaigns.
    :param calls: so many calls.
    """

    per_call: Decimal
    calls: int


def campaigns(
    connection: sa.Connection,
    tables: Tables,
    dags: Collection[str] | None,
    filters: Filters,
    *,
    limit: int = PER_PAGE,
    offset: int = 0,
) -> CampaignPage:
    """Campaigns, the newest first; lists that were replaced before they were started only when asked for.

    :param connection: to the state database.
    :param tables: what is there.
    :param dags: see above.
    :param filters: which.
    :param limit: so many at most.
    :param offset: after so many.
    """
    wanted = offset + limit + 1
    found: list[Campaign] = []
    if tables.launches is not None:
        found += _of_ledger(connection, tables, dags, filters, wanted)
    if tables.campaigns is not None and dags is None and not (filters.dag_id or filters.run_id or filters.launch_key):
        found += _of_nobody(connection, tables, filters, wanted)
    # Those of one time stay as they came.
    found.sort(key=lambda each: (each.listed_at is None, each.listed_at), reverse=True)
    shown = found[offset : offset + limit]
    return CampaignPage(_with_smartalex(connection, tables, shown), len(found) > offset + limit)


def campaign(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, campaign_id: str
) -> Campaign | None:
    """One campaign; None where there is none, or none that this person may see."""
    page = campaigns(connection, tables, dags, Filters(campaign_id=campaign_id), limit=10)
    if not page.campaigns and tables.launches is not None:
        page = campaigns(connection, tables, dags, Filters(campaign_id=campaign_id, phase=REPLACED), limit=1)
    # A list can stand under two keys: where it was started tells more.
    return max(page.campaigns, key=lambda each: each.ledger_state == STARTED, default=None)


def ledger_rows(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, launch_key: str
) -> list[LedgerRow]:
    """All lists that ever stood under a launch key, the present set first."""
    table = tables.launches
    if table is None:
        return []
    query = (
        sa.select(
            *(table.c[name] for name in ("list_id", "state", "rows", "listed_at", "start_sent_at")),
            table.c.started_at,
            tables.of(table, "task_id").label("task_id"),
            tables.of(table, "map_index").label("map_index"),
        )
        .where(table.c.launch_key == launch_key, *_allowed(tables, dags))
        .order_by(sa.case((table.c.state == REPLACED, 1), else_=0), table.c.listed_at, *_slots(table))
        .limit(MOST_TOGETHER)
    )
    return [
        LedgerRow(
            row.list_id,
            row.state,
            row.rows,
            task_name(row.task_id, row.map_index),
            row.listed_at,
            row.start_sent_at,
            row.started_at,
        )
        for row in connection.execute(query)
    ]


def task_name(task_id: str | None, map_index: int | None) -> str | None:
    """A task as people write it."""
    return f"{task_id}[{map_index}]" if task_id and map_index is not None and map_index >= 0 else task_id


def counts(connection: sa.Connection, tables: Tables, campaign: Campaign) -> list[Count]:
    """How a campaign's calls went; those of Ringg as the last load counted them."""
    if campaign.platform == "ringg":
        return [] if tables.counts is None else read_counts(connection, tables.counts, campaign.campaign_id)
    table = tables.smartalex_calls
    if table is None:
        return []
    calls = table.c
    return list(
        counted(
            connection,
            calls.campaign_id == campaign.campaign_id,
            at=calls.created_at,
            from_number=sa.type_coerce(sa.null(), sa.String()),
            outcome=(calls.status, sa.type_coerce(sa.null(), sa.String()), calls.sentiment),
            stages=(sa.true(), smartalex_campaigns.connected(table), smartalex_campaigns.reached(table)),
            cost=calls.cost,
        )
    )


def reasons(connection: sa.Connection, tables: Tables, campaign: Campaign) -> Mapping[str, int] | None:
    """What became of the rows of the query that a campaign's list came from; None where nobody noted it."""
    if campaign.reasons is not None or campaign.launch_key is None or tables.contacts is None:
        return campaign.reasons
    table = tables.contacts
    query = (
        sa.select(table.c.disposition, sa.func.count())
        .where(table.c.launch_key == shortened_key(campaign.launch_key))
        .group_by(table.c.disposition)
    )
    return {row[0]: int(row[1]) for row in connection.execute(query)} or None


def price(connection: sa.Connection, tables: Tables, campaign: Campaign) -> Price | None:
    """What a call of the same agent cost in the campaigns that were over before this one; None without any."""
    table, began = tables.campaigns, campaign.listed_at
    if table is None or campaign.agent_id is None or began is None or campaign.platform != "ringg":
        return None
    agent, itself = table.c.agent_id == campaign.agent_id, table.c.campaign_id == campaign.campaign_id
    if (ledger := tables.launches) is not None:
        lists = sa.select(ledger.c.list_id)
        # Which are few, by their time; no index knows the agent.
        lately = ledger.c.listed_at.between(began - PRICE_LOOK_BACK - _EARLIER, began + _EARLIER)
        agent = sa.or_(agent, table.c.campaign_id.in_(lists.where(ledger.c.agent_id == campaign.agent_id, lately)))
        # Lists of one set are called at the same time.
        itself = sa.or_(itself, table.c.campaign_id.in_(lists.where(ledger.c.launch_key == campaign.launch_key)))
    query = sa.select(sa.func.sum(table.c.cost), sa.func.sum(table.c.calls)).where(
        agent,
        table.c.history_state.in_(sorted(CLOSED)),
        sa.not_(itself),
        table.c.created_at.between(began - PRICE_LOOK_BACK, began),
        table.c.calls > 0,
    )
    cost, calls = connection.execute(query).one()
    return None if not calls or cost is None else Price(Decimal(str(cost)) / int(calls), int(calls))


def to_do(connection: sa.Connection, tables: Tables, dags: Collection[str] | None, now: datetime) -> list[Campaign]:
    """Campaigns that wait for a person, or may: outcome unknown, braked, ended and not all there, forgotten.

    :param now: the present, aware.
    """
    ledger, table = tables.launches, tables.campaigns
    if ledger is None:
        return []
    conditions = [
        ledger.c.state == START_SENT,
        sa.and_(
            ledger.c.state == LISTED, ledger.c.listed_at.between(now - timedelta(days=7), now - timedelta(hours=1))
        ),
    ]
    recent = ledger.c.listed_at >= now - timedelta(days=30)
    if tables.brakes is not None:
        conditions.append(sa.and_(recent, tables.brakes.c.launch_key.is_not(None)))
    if table is not None:
        is_open = sa.and_(
            table.c.history_state == HistoryState.OPEN.value,
            table.c.state.in_(sorted(ENDED)),
            sa.func.coalesce(table.c.history_reason, "").not_in(sorted(REACHED_KNOWN)),
        )
        stuck = table.c.state.in_(("insufficient_balance", "failed", "paused", "unknown"))
        given_up = table.c.history_state == HistoryState.INCOMPLETE.value
        conditions.append(sa.and_(recent, sa.or_(is_open, stuck, given_up)))
    else:
        conditions.append(sa.and_(ledger.c.state == STARTED, ledger.c.listed_at < now - timedelta(days=1)))
    query = _ledger_query(tables).where(sa.or_(*conditions), ledger.c.state != REPLACED, *_allowed(tables, dags))
    rows = connection.execute(query.order_by(*_newest(ledger)).limit(MOST_TO_DO))
    return _with_smartalex(connection, tables, [_campaign(row) for row in rows])


def choices(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, since: datetime
) -> tuple[list[str], list[str]]:
    """DAGs and agents to choose from, of campaigns that were listed since then."""
    ledger = tables.launches
    if ledger is None:
        return [], []

    def different(column: sa.ColumnElement[Any]) -> list[str]:
        query = sa.select(column).where(column != "", ledger.c.listed_at >= since, *_allowed(tables, dags))
        return sorted(connection.execute(query.distinct().limit(MOST_CHOICES)).scalars())

    return different(tables.of(ledger, "dag_id")), different(ledger.c.agent_id)


def _allowed(tables: Tables, dags: Collection[str] | None) -> Iterable[sa.ColumnElement[bool]]:
    assert tables.launches is not None
    return [] if dags is None else [tables.of(tables.launches, "dag_id").in_(sorted(dags))]


def _of_ledger(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, filters: Filters, wanted: int
) -> list[Campaign]:
    ledger = tables.launches
    assert ledger is not None
    conditions = [*_allowed(tables, dags), *_times(ledger.c.listed_at, filters)]
    if filters.phase != REPLACED:
        conditions.append(ledger.c.state != REPLACED)
    if filters.phase is not None:
        conditions.append(
            _phase(ledger.c.state, None if tables.campaigns is None else tables.campaigns.c.state, filters)
        )
    for name, column in (
        ("dag_id", tables.of(ledger, "dag_id")),
        ("run_id", tables.of(ledger, "run_id")),
        ("agent_id", ledger.c.agent_id),
        ("campaign_id", ledger.c.list_id),
        ("launch_key", ledger.c.launch_key),
    ):
        if (value := getattr(filters, name)) is not None:
            conditions.append(column == value)
    query = _ledger_query(tables).where(*conditions)
    rows = connection.execute(query.order_by(*_newest(ledger)).limit(wanted))
    return [_campaign(row) for row in rows]


def _of_nobody(connection: sa.Connection, tables: Tables, filters: Filters, wanted: int) -> list[Campaign]:
    """Campaigns that stand in no ledger: somebody's by hand, or of a DAG without a launch key."""
    table, ledger = tables.campaigns, tables.launches
    assert table is not None
    created = table.c.created_at
    conditions = [sa.func.coalesce(table.c.state, "") != "not_a_campaign", *_times(created, filters)]
    if ledger is not None:
        conditions.append(~sa.exists().where(ledger.c.list_id == table.c.campaign_id))
    if filters.phase is not None:
        conditions.append(sa.func.coalesce(table.c.state, "unknown") == filters.phase)
    if filters.agent_id is not None:
        conditions.append(table.c.agent_id == filters.agent_id)
    if filters.campaign_id is not None:
        conditions.append(table.c.campaign_id == filters.campaign_id)
    else:
        conditions.append(created.is_not(None))  # the platform does not list the others
    query = sa.select(*_campaign_columns(tables, table), table.c.agent_id, created.label("listed_at"))
    rows = connection.execute(
        query.where(*conditions).order_by(created.desc(), table.c.campaign_id.desc()).limit(wanted)
    )
    return [_campaign(row) for row in rows]


def _newest(ledger: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The newest first; lists of one upload in the order in which they were made."""
    return [ledger.c.listed_at.desc(), ledger.c.launch_key, *_slots(ledger), ledger.c.list_id]


def _slots(ledger: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The order of the lists of one upload; a slot is a number as text."""
    return [sa.func.length(ledger.c.slot), ledger.c.slot]


def _times(column: sa.ColumnElement[Any], filters: Filters) -> list[sa.ColumnElement[bool]]:
    def bound(moment: datetime) -> sa.ColumnElement[Any]:
        return sa.literal(moment, UtcDateTime())

    since = [] if filters.since is None else [column >= bound(filters.since)]
    return since if filters.until is None else [*since, column < bound(filters.until)]


def _phase(
    ledger_state: sa.ColumnElement[Any], state: sa.ColumnElement[Any] | None, filters: Filters
) -> sa.ColumnElement[bool]:
    """The same rule as `ringg_provider.ui.campaign.phase_of`."""
    if state is None:
        return ledger_state == filters.phase
    knows_better = sa.and_(state.is_not(None), sa.or_(state.not_in(sorted(UNSTARTED)), ledger_state == LISTED))
    phase = sa.case((ledger_state == REPLACED, ledger_state), (knows_better, state), else_=ledger_state)
    return phase == filters.phase


def _ledger_query(tables: Tables) -> sa.Select[Any]:
    """The ledger's lists, each with what the platform said of it."""
    ledger, table = tables.launches, tables.campaigns
    assert ledger is not None
    own = [
        ledger.c.list_id.label("campaign_id"),
        *(ledger.c[name] for name in ("launch_key", "flow", "rows", "item", "set_id", "listed_at", "start_sent_at")),
        ledger.c.started_at,
        ledger.c.state.label("ledger_state"),
        *(tables.of(ledger, name).label(name) for name in ("dag_id", "run_id", "task_id", "map_index", "reasons")),
        tables.of(ledger, "name").label("given_name"),
    ]
    joined: sa.FromClause = ledger
    if (brakes := tables.brakes) is not None:
        own.append(brakes.c.said.label("braked"))
        joined = joined.outerjoin(brakes, brakes.c.launch_key == ledger.c.launch_key)
    if table is None:
        return sa.select(*own, ledger.c.agent_id).select_from(joined)
    of_platform = [column for column in _campaign_columns(tables, table) if column.name != "campaign_id"]
    agent = sa.func.coalesce(ledger.c.agent_id, table.c.agent_id).label("agent_id")
    joined = joined.outerjoin(table, table.c.campaign_id == ledger.c.list_id)
    return sa.select(*own, agent, *of_platform).select_from(joined)


def _campaign_columns(tables: Tables, table: sa.Table) -> list[Any]:
    names = ("campaign_id", "name", "state", "calls", "calls_open", "cost", "first_call_at", "last_call_at")
    return [
        *(table.c[name] for name in (*names, "history_state", "history_reason", "read_at", "campaign_start_time")),
        table.c.campaign_end_time,
        table.c.total_count,
        *(tables.of(table, f"calls_{name}").label(name) for name in ("dialled", "connected", "reached")),
    ]


#: A campaign's parameter, where the column is called otherwise.
_COLUMNS = {"total": "total_count", "planned_start": "campaign_start_time", "planned_end": "campaign_end_time"}


def _campaign(row: Any) -> Campaign:
    known = row._mapping
    given = {
        name: known[column] for name in Campaign.__dataclass_fields__ if (column := _COLUMNS.get(name, name)) in known
    }
    given["name"] = known.get("name") or known.get("given_name")
    platform = "smartalex" if known.get("flow") == "smartalex" else "ringg"
    return Campaign(**given | {"platform": platform})


def _with_smartalex(connection: sa.Connection, tables: Tables, found: Sequence[Campaign]) -> list[Campaign]:
    """Add what SmartAlex's calls tell: it has no table of campaigns. A retry there is a call of its own."""
    table = tables.smartalex_calls
    ids = [each.campaign_id for each in found if each.platform == "smartalex"]
    if table is None or not ids:
        return list(found)
    calls = table.c
    person = sa.func.coalesce(calls.contact_id, calls.to_number_e164, calls.call_id)

    def people(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.count(sa.case((condition, person)).distinct())

    query = (
        sa.select(
            calls.campaign_id,
            sa.func.count().label("calls"),
            sa.func.sum(sa.case((calls.is_final == sa.true(), 0), else_=1)).label("calls_open"),
            people(sa.true()).label("dialled"),
            people(smartalex_campaigns.connected(table)).label("connected"),
            people(smartalex_campaigns.reached(table)).label("reached"),
            sa.func.sum(calls.cost).label("cost"),
            sa.func.min(calls.created_at).label("first_call_at"),
            sa.func.max(calls.created_at).label("last_call_at"),
            sa.func.max(calls.read_at).label("read_at"),
        )
        .where(calls.campaign_id.in_(ids))
        .group_by(calls.campaign_id)
    )
    told = {row.campaign_id: dict(row._mapping) for row in connection.execute(query)}
    return [replace(each, **told.get(each.campaign_id, {})) for each in found]

# ruff: noqa: E501 - a line per column reads better than a screen per column
"""How a campaign's calls went, counted three ways: by quarter of an hour, by caller number, by outcome.

A page over millions of calls shows a hundred numbers. So the load counts, in `ringg_call_counts`, and the page reads
those.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from ringg_provider.history import outcomes
from ringg_provider.history.tables import column
from ringg_provider.sql.creating import described
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.types import Key, Money, Text, UtcDateTime

COUNTS = "ringg_call_counts"

#: Hours of the day begin at a quarter of an hour in every zone of the world.
QUARTER = dt.timedelta(minutes=15)


class CountedBy(StrEnum):
    """What the calls of one row have in common."""

    QUARTER = "quarter"
    CALLER_NUMBER = "caller_number"
    OUTCOME = "outcome"


@dataclass
class Tally:
    """How some calls went.

    :param calls: how many.
    :param dialled: of them, dialled at least once,
    :param connected: taken by a person or a machine,
    :param reached: taken by a person.
    :param cost: the sum; None where no call has one.
    """

    calls: int = 0
    dialled: int = 0
    connected: int = 0
    reached: int = 0
    cost: Any = None

    def add(self, other: Tally) -> None:
        """Count others too."""
        self.calls += other.calls
        self.dialled += other.dialled
        self.connected += other.connected
        self.reached += other.reached
        if other.cost is not None:
            self.cost = other.cost if self.cost is None else self.cost + other.cost


@dataclass(frozen=True)
class Count:
    """One row.

    :param counted_by: what its calls have in common.
    :param quarter: the quarter of an hour of the last attempt, aware; None where never dialled, or another kind.
    :param from_number: the caller number.
    :param status: the calls' status; also
    :param sub_status: why, and
    :param classification: the disposition.
    :param tally: how they went.
    """

    counted_by: CountedBy
    tally: Tally
    quarter: dt.datetime | None = None
    from_number: str | None = None
    status: str | None = None
    sub_status: str | None = None
    classification: str | None = None


def counts_table(name: str = COUNTS, *, schema: str | None = None) -> sa.Table:
    """Describe the table of counts.

    :param name: of the table.
    :param schema: where it lives: beside the table of campaigns.
    :return: a SQLAlchemy table; nothing is created.
    """
    # fmt: off
    columns = [
        column("campaign_id", Key, "`ringg_calls`", "the campaign", primary_key=True),
        column("place", sa.Integer, "this provider", "the row's place among those of the campaign", primary_key=True, autoincrement=False),
        column("counted_by", Key, "this provider", "what its calls have in common: quarter, caller_number or outcome"),
        column("quarter", UtcDateTime, "`ringg_calls`", "the quarter of an hour of the last attempt"),
        column("from_number", Key, "`ringg_calls`", "the caller number"),
        column("status", Key, "`ringg_calls`", "as there"),
        column("sub_status", Text, "`ringg_calls`", "as there"),
        column("classification", Text, "`ringg_calls`", "as there"),
        column("calls", sa.BigInteger, "`ringg_calls`", "how many"),
        column("dialled", sa.BigInteger, "`ringg_calls`", "of them, dialled at least once"),
        column("connected", sa.BigInteger, "`ringg_calls`", "of them, taken by a person or a machine"),
        column("reached", sa.BigInteger, "`ringg_calls`", "of them, taken by a person"),
        column("cost", Money, "`ringg_calls`", "the sum over them"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema)


def write_counts(engine: sa.Engine, table: sa.Table, calls: sa.Table, campaign_ids: Iterable[str]) -> None:
    """Count the calls of campaigns anew, each in a transaction of its own.

    :param engine: the database.
    :param table: see `counts_table`; must exist.
    :param calls: the table of calls.
    :param campaign_ids: which.
    :raises QueryFailed, DatabaseUnavailable: the database refused.
    """
    for campaign_id in campaign_ids:

        def count_anew(campaign_id: str = campaign_id) -> None:
            with engine.begin() as connection:
                # Taking the rows away first makes two loads wait for each other: the later one counts last.
                connection.execute(sa.delete(table).where(table.c.campaign_id == campaign_id))
                counted = list(count_calls(connection, calls, campaign_id))
                if counted:
                    rows = [_as_row(campaign_id, place, count) for place, count in enumerate(counted)]
                    connection.execute(sa.insert(table), rows)

        without_driver_errors(f"table {table.name!r}", begin_again, count_anew)


def read_counts(connection: sa.Connection, table: sa.Table, campaign_id: str) -> list[Count]:
    """Read the counts of one campaign, in their order."""
    query = sa.select(table).where(table.c.campaign_id == campaign_id).order_by(table.c.place)
    return [
        Count(
            CountedBy(row.counted_by),
            Tally(row.calls, row.dialled, row.connected, row.reached, row.cost),
            row.quarter,
            row.from_number,
            row.status,
            row.sub_status,
            row.classification,
        )
        for row in connection.execute(query)
    ]


def count_calls(connection: sa.Connection, calls: sa.Table, campaign_id: str) -> Iterator[Count]:
    """Count the calls of one campaign of Ringg.

    :param connection: to their database.
    :param calls: the table of calls.
    :param campaign_id: the campaign.
    """
    c = calls.c
    yield from counted(
        connection,
        c.bulk_list_id == campaign_id,
        at=sa.func.coalesce(c.attempted_at, c.created_at),
        # Whoever rings us is no caller number of ours.
        from_number=sa.case((sa.func.coalesce(c.call_type, "") == "inbound", None), else_=c.from_number),
        outcome=(c.status, c.sub_status, c.classification),
        stages=(outcomes.dialled(calls), outcomes.connected(calls), outcomes.reached(calls)),
        cost=c.cost,
    )


def counted(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool],
    *,
    at: sa.ColumnElement[Any],
    from_number: sa.ColumnElement[Any],
    outcome: Sequence[sa.ColumnElement[Any]],
    stages: Sequence[sa.ColumnElement[bool]],
    cost: sa.ColumnElement[Any],
) -> Iterator[Count]:
    """Count calls that fulfil a condition, in one pass.

    :param connection: to their database.
    :param condition: which calls.
    :param at: when a call was last attempted.
    :param from_number: its caller number.
    :param outcome: its status, sub-status and classification.
    :param stages: whether it was dialled, connected, reached.
    :param cost: its cost.
    """
    dialled = stages[0]
    keys = [sa.case((dialled, quarter_of(at)), else_=None), from_number, *outcome]
    labelled = [key.label(f"key_{number}") for number, key in enumerate(keys)]
    inner = sa.select(*labelled, *(stage.label(f"stage_{n}") for n, stage in enumerate(stages)), cost.label("cost"))
    rows = inner.where(condition).subquery("counted")
    by = [rows.c[label.name] for label in labelled]
    sums = [sa.func.sum(sa.case((rows.c[f"stage_{n}"], 1), else_=0)) for n in range(len(stages))]
    query = sa.select(*by, sa.func.count(), *sums, sa.func.sum(rows.c.cost)).group_by(*by)
    found: dict[tuple[CountedBy, Any, Any, Any], Tally] = {}
    for quarter, number, status, sub_status, classification, *numbers in connection.execute(query):
        calls, dialled_calls, connected, reached, total = numbers
        tally = Tally(int(calls), int(dialled_calls), int(connected), int(reached), total)
        for key in (
            (CountedBy.QUARTER, None if quarter is None else int(quarter), None, None),
            (CountedBy.CALLER_NUMBER, number, None, None),
            (CountedBy.OUTCOME, status, sub_status, classification),
        ):
            found.setdefault(key, Tally()).add(tally)
    for kind, one, two, three in sorted(found, key=lambda key: (key[0], *map(_sortable, key[1:]))):
        tally = found[kind, one, two, three]
        match kind:
            case CountedBy.QUARTER:
                yield Count(kind, tally, quarter=_moment(one))
            case CountedBy.CALLER_NUMBER:
                yield Count(kind, tally, from_number=one)
            case _:
                yield Count(kind, tally, status=one, sub_status=two, classification=three)


class quarter_of(sa.sql.functions.FunctionElement[int]):  # noqa: N801 - a function of SQL
    """The number of the quarter of an hour of an instant, from the beginning of 1970."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(quarter_of)
def _quarter_in_postgresql(element: Any, compiler: Any, **more: Any) -> str:
    return f"CAST(floor(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **more)}) / 900) AS BIGINT)"


@compiles(quarter_of, "sqlite")
def _quarter_in_sqlite(element: Any, compiler: Any, **more: Any) -> str:
    return f"CAST(strftime('%s', {compiler.process(element.clauses, **more)}) AS INTEGER) / 900"


@compiles(quarter_of, "mysql", "mariadb")
def _quarter_in_mysql(element: Any, compiler: Any, **more: Any) -> str:
    # UNIX_TIMESTAMP would read the column in the session's zone.
    return f"TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', {compiler.process(element.clauses, **more)}) DIV 900"


def _moment(quarter: int | None) -> dt.datetime | None:
    return None if quarter is None else dt.datetime.fromtimestamp(quarter * QUARTER.total_seconds(), dt.UTC)


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is None, "" if value is None else value)


def _as_row(campaign_id: str, place: int, count: Count) -> dict[str, Any]:
    row = {each.name: getattr(count, each.name) for each in fields(count) if each.name != "tally"}
    tally = {each.name: getattr(count.tally, each.name) for each in fields(count.tally)}
    return row | tally | {"campaign_id": campaign_id, "place": place, "counted_by": count.counted_by.value}

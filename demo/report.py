"""What the warehouse says after the campaigns, as tables on the terminal; numbers are masked."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

_DISPOSITIONS = """
    SELECT disposition, count(*) FROM ringg_contacts GROUP BY disposition ORDER BY count(*) DESC, disposition
"""
_CAMPAIGNS = """
    SELECT c.name, c.state, count(k.call_id), count(*) FILTER (WHERE k.status = 'completed'), sum(k.cost)
    FROM ringg_campaigns c LEFT JOIN ringg_calls k ON k.bulk_list_id = c.campaign_id
    GROUP BY c.campaign_id, c.name, c.state ORDER BY c.name
"""
_OUTCOMES = """
    SELECT status, coalesce(sub_status, '-'), count(*), round(avg(duration_seconds)), sum(cost)
    FROM ringg_calls GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2
"""
_CALLS = """
    SELECT to_number_e164, status, coalesce(classification, '-'), coalesce(sentiment, '-'), duration_seconds, cost
    FROM ringg_calls WHERE status = 'completed'
    ORDER BY classification IS NULL, call_id LIMIT 10
"""
_TWICE = """
    SELECT count(*) FROM
      (SELECT 1 FROM ringg_calls GROUP BY bulk_list_id, to_number_e164 HAVING count(*) > 1) AS twice
"""


def print_report(warehouse: sa.Engine, console: Console) -> None:
    """Read the three tables and print what is in them."""
    with warehouse.connect() as connection:

        def rows(statement: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

        console.print()
        dispositions = rows(_DISPOSITIONS)
        _table(
            console,
            "Contacts of the nightly query, by disposition (ringg_contacts)",
            ["disposition", "contacts"],
            dispositions,
            total=["all", sum(row[1] for row in dispositions)],
        )
        campaigns = rows(_CAMPAIGNS)
        _table(
            console,
            "Campaigns and their cost in credits (ringg_campaigns, ringg_calls)",
            ["campaign", "state", "calls", "completed", "cost"],
            campaigns,
            total=["all", "", *(sum(row[i] or 0 for row in campaigns) for i in (2, 3, 4))],
        )
        _table(
            console,
            "Calls by outcome (ringg_calls)",
            ["status", "sub-status", "calls", "seconds on average", "cost"],
            rows(_OUTCOMES),
        )
        _table(
            console,
            "Ten calls",
            ["number", "status", "classification", "sentiment", "seconds", "cost"],
            [(mask(number), *rest) for number, *rest in rows(_CALLS)],
        )
        ((twice,),) = rows(_TWICE)
        console.print(f"Numbers that one campaign called twice: {twice}")


def mask(number: str | None) -> str:
    """A phone number of which only the country and the last two digits can be read."""
    digits = number or ""
    return f"{digits[:3]}{'*' * max(len(digits) - 5, 0)}{digits[-2:]}" if len(digits) > 5 else "*" * len(digits)


def _table(
    console: Console,
    title: str,
    columns: Iterable[str],
    rows: Iterable[Iterable[Any]],
    total: Iterable[Any] | None = None,
) -> None:
    console.print(title, style="bold")
    table = Table(show_footer=total is not None)
    shown = [[_cell(value) for value in row] for row in rows]
    footers = [_cell(value) for value in total or []]
    for index, column in enumerate(columns):
        numeric = all(row[index][:1].isdigit() for row in shown) and bool(shown)
        footer = footers[index] if footers else ""
        table.add_column(column, footer=footer, justify="right" if numeric else "left")
    for row in shown:
        table.add_row(*row)
    console.print(table)
    console.print()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:,.2f}" if value % 1 else f"{value:,.0f}"
        case int() | float():
            return f"{value:,.0f}"
    return str(value)

"""Charts as data: the same numbers in picture, table and file; and what is wrong, in the words of the runbook."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ringg_provider.history.counts import Count, CountedBy, Tally
from ringg_provider.ui.campaign import Campaign, Funnel
from ringg_provider.ui.charts import (
    MOST_BARS,
    MOST_STEPS,
    Chart,
    Series,
    by_hour_chart,
    by_number_chart,
    campaign_charts,
    funnel_chart,
    outcomes_chart,
    over_time_chart,
)
from ringg_provider.ui.problems import problems

NOW = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)  # 15:00 in India
RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"


def campaign(**more: Any) -> Campaign:
    call_time = {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"}
    item = {
        "call_config": {"call_time": call_time},
        "campaign_start_time": "2026-03-03T10:00:00+05:30",
        "campaign_end_time": "04/03/2026, 19:00",
    }
    return Campaign(**{"campaign_id": "c", "platform": "ringg", "item": item, "rows": 100, **more})


def at(hour: float, calls: int, reached: int = 0) -> Count:
    """Calls of a quarter of an hour, by the clock in India."""
    moment = datetime(2026, 3, 3, tzinfo=UTC) + timedelta(hours=hour - 5.5)
    return Count(CountedBy.QUARTER, Tally(calls, calls, reached, reached), quarter=moment)


def test_a_file_has_the_table_and_no_formula() -> None:
    odd = ['=HYPERLINK("x")', "+1", "-1", "@x", 'with "quotes", commas\nand lines', "plain"]
    chart = Chart("k", "t", odd, "What", [Series("Calls", [1, 2, None, 4, 5, 6])], more=[Series("Cost", [0.5] * 6)])
    header, *rows = csv.reader(io.StringIO(chart.as_csv))
    assert header == chart.header == ["What", "Calls", "Cost"]
    assert [row[1] for row in rows] == ["1", "2", "", "4", "5", "6"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert rows[4][0] == odd[4]


def test_no_text_of_a_chart_ends_the_element_that_it_stands_in() -> None:
    chart = Chart("k", "t", ["</script><script>alert(1)</script>", "<!--"], "What", [Series("&", [1, 2])])
    assert not set("<>&") & set(chart.as_json)
    assert json.loads(chart.as_json)["labels"] == list(chart.labels)


def test_time_is_that_of_the_campaign_and_lawful_hours_are_shaded() -> None:
    chart = over_time_chart(campaign(), [at(10, 4, 1), at(14.25, 6, 2)], NOW)
    assert chart is not None
    assert chart.rows[0] == ["03 Mar 10:00", 1, 0, 3, 4]
    assert next(row for row in chart.rows if row[0] == "03 Mar 14:15") == ["03 Mar 14:15", 2, 0, 4, 6]
    shaded = [(chart.labels[int(first)], chart.labels[int(last)]) for first, last in chart.shaded]
    assert shaded == [("03 Mar 10:00", "03 Mar 19:00"), ("04 Mar 10:00", "04 Mar 19:00")]
    assert [text for _, text in chart.marks] == ["closes 04 Mar 19:00"]
    assert sum(int(row[4] or 0) for row in chart.rows) == 10


def test_a_long_campaign_has_longer_steps_and_loses_no_call() -> None:
    counts = [at(24 * day + 10, 3, 1) for day in range(40)]
    chart = over_time_chart(campaign(), counts, NOW)
    assert chart is not None
    assert len(chart.labels) <= MOST_STEPS + 2
    assert sum(int(row[4] or 0) for row in chart.rows) == 120


def test_the_expected_end_counts_lawful_time_alone() -> None:
    # Half of it in five hours of the first day: the rest needs five more, four of them today.
    half = campaign(
        ledger_state="started", dialled=50, read_at=NOW, first_call_at=datetime(2026, 3, 3, 4, 30, tzinfo=UTC)
    )
    assert half.expected_end(NOW) == datetime(2026, 3, 4, 5, 30, tzinfo=UTC)  # 11:00 tomorrow


def test_rates_are_shares_of_the_dialled() -> None:
    hours = by_hour_chart(campaign(), [at(10, 4, 1), at(10.75, 4, 3), at(12, 5, 0)])
    assert hours is not None
    assert [row[:2] for row in hours.rows] == [["10:00", 50.0], ["11:00", None], ["12:00", 0.0]]


def test_a_caller_number_is_told_by_its_place_and_its_last_digits() -> None:
    numbers = [
        Count(CountedBy.CALLER_NUMBER, Tally(n, n, n, 1), from_number=f"+9180200{n:05d}")
        for n in range(1, MOST_BARS + 4)
    ]
    chart = by_number_chart([*numbers, Count(CountedBy.CALLER_NUMBER, Tally(9, 0, 0, 0))])
    assert chart is not None
    assert chart.labels[0] == f"{len(numbers)} (ends 015)"
    assert chart.labels[-1] == "3 others"
    assert not re.search(r"\d{5,}", chart.as_csv + chart.as_json)
    assert sum(int(row[2] or 0) for row in chart.rows) == sum(range(1, len(numbers) + 1))


def test_outcomes_that_are_many_are_added_up() -> None:
    counts = [Count(CountedBy.OUTCOME, Tally(n, n), status="failed", sub_status=f"WHY_{n}") for n in range(1, 20)]
    chart = outcomes_chart(counts)
    assert chart is not None
    assert chart.labels[-1] == f"{19 - MOST_BARS} others"
    assert sum(int(row[1] or 0) for row in chart.rows) == sum(range(1, 20))


def test_what_is_not_known_is_no_zero() -> None:
    assert funnel_chart(Funnel(None, 5, None, None, None)).rows == [["Listed", 5, 100.0]]
    assert set(campaign_charts(campaign(), [], None, NOW)) == {"funnel"}


@pytest.mark.parametrize(
    ("facts", "runbook"),
    [
        ({"ledger_state": "start_sent", "start_sent_at": NOW - timedelta(hours=1)}, "Launch outcome unknown"),
        ({"ledger_state": "start_sent", "start_sent_at": NOW}, None),
        ({"ledger_state": "listed", "listed_at": NOW - timedelta(hours=3)}, "Nobody is called, and the run is green"),
        ({"ledger_state": "listed", "listed_at": NOW}, None),
        ({"state": "failed"}, "Campaign failed"),
        ({"state": "terminated"}, "Finish a stopped campaign"),
        ({"state": "insufficient_balance"}, "Insufficient balance"),
        ({"state": "paused"}, "Time-out"),
        ({"state": "unknown"}, "Unexpected response"),
        ({"state": "completed", "calls": 9, "dialled": 0}, "Nobody is called, and the run is green"),
        ({"state": "completed", "calls": 9, "dialled": 9, "reached": 0}, "Nobody is called, and the run is green"),
        ({"state": "completed", "calls": 9, "dialled": 9, "reached": 1}, None),
        ({"state": "completed", "history_state": "open", "history_reason": "calls await their cost"}, None),
        ({"state": "completed", "history_state": "open"}, "History not current"),
        ({"state": "completed", "history_state": "incomplete"}, "History not current"),
        ({"ledger_state": "started", "started_at": NOW - timedelta(days=2)}, "History not current"),
        ({"ledger_state": "started", "started_at": NOW}, None),
    ],
)
def test_what_is_wrong_names_its_section_of_the_runbook(facts: dict[str, Any], runbook: str | None) -> None:
    found = problems(campaign(**facts), NOW)
    assert [problem.runbook for problem in found] == ([] if runbook is None else [runbook])
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert all(problem.runbook in headings for problem in found)

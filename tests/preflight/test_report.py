"""The preflight's report: one line per check, the worst level, and what is wrong at its top."""

from __future__ import annotations

from ringg_provider.preflight.report import Check, Finding, Level, PreflightReport


def finding(check: Check, level: Level, message: str) -> Finding:
    return Finding(check, level, message)


def test_findings_of_several_lists_become_one_line_with_the_worst_level() -> None:
    report = PreflightReport(
        [
            finding(Check.RETRIES, Level.OK, "Fine."),
            finding(Check.AGENT, Level.OK, "There."),
            finding(Check.RETRIES, Level.WARNING, "Tight."),
            finding(Check.RETRIES, Level.WARNING, "Tight."),
            finding(Check.RETRIES, Level.ERROR, "No | way."),
        ],
        lists=4,
        rows=None,
    )
    assert report.level is Level.ERROR
    assert report.counts == {"ok": 1, "warning": 0, "error": 1}
    assert [found.check for found in report.checks] == [Check.AGENT, Check.RETRIES]
    assert report.checks[1].message == "Tight. (2 of 4 lists) No | way. (1 of 4 lists)"
    assert report.failing(Level.WARNING) == report.failing(Level.ERROR) == [report.checks[1]]
    lines = report.as_markdown().splitlines()
    assert "an unknown number of contacts on 4 lists" in lines[0]
    # What is wrong comes first, and a bar in a message does not break the table.
    assert lines[4] == r"| ❌ error | `retries` | Tight. (2 of 4 lists) No \| way. (1 of 4 lists) |"


def test_the_facts_stand_before_the_findings_each_in_one_row() -> None:
    facts = {"Query": "SELECT a\n  FROM b", "Left out": "3 suppressed | 1 duplicate"}
    report = PreflightReport([finding(Check.AGENT, Level.WARNING, "Odd.")], lists=1, rows=1, facts=facts)
    assert report.as_markdown().splitlines() == [
        "**Preflight: ready, with warnings** for 1 contact on 1 list: no error, 1 warning, no check passed.",
        "",
        "| what is asked for | |",
        "|---|---|",
        "| Query | SELECT a FROM b |",
        r"| Left out | 3 suppressed \| 1 duplicate |",
        "",
        "| | check | finding |",
        "|---|---|---|",
        "| ⚠️ warning | `agent` | Odd. |",
    ]


def test_a_report_without_a_finding_is_fine() -> None:
    assert PreflightReport([], lists=0, rows=0).as_dict() == {
        "level": "ok",
        "counts": {"ok": 0, "warning": 0, "error": 0},
        "lists": 0,
        "rows": 0,
        "checks": [],
    }

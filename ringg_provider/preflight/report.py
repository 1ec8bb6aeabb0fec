"""The preflight report: one finding per check, the worst of them as the verdict, and the whole for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any

from ringg_provider import wording


class Level(StrEnum):
    """How a check came out, from best to worst."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """A number that grows with how bad it is."""
        return list(Level).index(self)


class Check(StrEnum):
    """The checks, by their stable codes and in the order of a report; ``docs/preflight.md`` has a line for each."""

    AGENT = "agent"
    VARIABLES = "variables"
    CALLER_NUMBERS = "caller_numbers"
    TEST_NUMBERS = "test_numbers"
    SPAM_NUMBERS = "spam_numbers"
    FOREIGN_NUMBERS = "foreign_numbers"
    NUMBER_POOL = "number_pool"
    USERS = "users"
    LIST_STATE = "list_state"
    STALENESS = "staleness"
    SCHEDULE = "schedule"
    CALLING_HOURS = "calling_hours"
    ATTEMPTS = "attempts"
    RETRIES = "retries"
    ROW_ALLOWANCE = "row_allowance"
    CREDITS = "credits"
    FEASIBILITY = "feasibility"


@dataclass(frozen=True)
class Finding:
    """What one check found, for one list or for all.

    :param check: which.
    :param level: how it came out.
    :param message: one or two sentences: what was found and, unless it is fine, what to do. Nothing personal.
    """

    check: Check
    level: Level
    message: str

    @classmethod
    def of(cls, check: Check, problem: str | None, fine: str, level: Level = Level.ERROR) -> Finding:
        """The finding of a check that has one thing to find wrong.

        :param problem: what is wrong; None when nothing is.
        :param fine: what to say then.
        :param level: how bad it is. Default an error.
        """
        return cls(check, Level.OK, fine) if problem is None else cls(check, level, problem)


@dataclass(frozen=True)
class PreflightReport:
    """All findings before a launch.

    :param findings: in any order; a check that was made for several lists has several.
    :param lists: how many lists were looked at.
    :param rows: contacts on all of them; None when that is not known.
    :param facts: what is about to be launched, for a person: name -> text. Nothing personal.
    """

    findings: Sequence[Finding]
    lists: int
    rows: int | None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def checks(self) -> list[Finding]:
        """One finding per check that was made, in the order of :class:`Check`."""
        return list(self._merged())

    @property
    def level(self) -> Level:
        """The worst of all."""
        return max((finding.level for finding in self.findings), key=lambda level: level.rank, default=Level.OK)

    @property
    def counts(self) -> dict[str, int]:
        """How many checks came out how."""
        found = Counter(finding.level for finding in self.checks)
        return {level.value: found[level] for level in Level}

    def failing(self, fail_on: Level) -> list[Finding]:
        """The checks that are as bad as ``fail_on``, or worse."""
        return [finding for finding in self.checks if finding.level.rank >= fail_on.rank]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: ``level``, ``counts``, ``lists``, ``rows``, ``checks``: each ``code``, ``level``, ``message``."""
        return {
            "level": self.level.value,
            "counts": self.counts,
            "lists": self.lists,
            "rows": self.rows,
            "checks": [
                {"code": finding.check.value, "level": finding.level.value, "message": finding.message}
                for finding in self.checks
            ],
        }

    def as_markdown(self) -> str:
        """The report for a person: the verdict, the size, the facts, and a table with what is wrong at its top."""
        facts = [f"| {name} | {_in_cell(text)} |" for name, text in self.facts.items()]
        if facts:
            facts = ["| what is asked for | |", "|---|---|", *facts, ""]
        rows = [
            f"| {_MARKS[finding.level]} | `{finding.check}` | {_in_cell(finding.message)} |"
            for finding in sorted(self.checks, key=lambda finding: -finding.level.rank)
        ]
        return "\n".join([self.headline(), "", *facts, "| | check | finding |", "|---|---|---|", *rows])

    def found(self, check: Check) -> str | None:
        """What a check has found; None where it was not made."""
        return next((finding.message for finding in self.checks if finding.check is check), None)

    def headline(self) -> str:
        """The verdict and the size in one line."""
        contacts = "an unknown number of contacts" if self.rows is None else wording.counted(self.rows, "contact")
        counts = self.counts
        return (
            f"**Preflight: {_VERDICTS[self.level]}** for {contacts} on {wording.counted(self.lists, 'list')}: "
            f"{wording.counted(counts['error'], 'error')}, {wording.counted(counts['warning'], 'warning')}, "
            f"{wording.counted(counts['ok'], 'check')} passed."
        )

    def _merged(self) -> Iterator[Finding]:
        order = list(Check)
        found = sorted(self.findings, key=lambda finding: order.index(finding.check))
        for check, group in groupby(found, key=lambda finding: finding.check):
            same = list(group)
            worst = max((finding.level for finding in same), key=lambda level: level.rank)
            told = [finding.message for finding in same if finding.level is not Level.OK or worst is Level.OK]
            yield Finding(check, worst, " ".join(_once_each(told, of=len(same))))


_MARKS = {Level.OK: "✅ ok", Level.WARNING: "⚠️ warning", Level.ERROR: "❌ error"}
_VERDICTS = {Level.OK: "all is well", Level.WARNING: "ready, with warnings", Level.ERROR: "do not start"}


def _in_cell(text: str) -> str:
    """In one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", chr(92) + "|")


def _once_each(messages: Iterable[str], of: int) -> Iterator[str]:
    for message, times in Counter(messages).items():
        yield message if times == of else f"{message} ({times} of {of} lists)"

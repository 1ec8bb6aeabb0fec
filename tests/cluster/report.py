"""A trial in one small table, and all of them in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.cluster.verdict import Evidence, Run, Violation, called_twice


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
        seed: which.
        seconds: how long it took.
        pace: how many times slower than two idle cores the machine was.
        counts: what was done to the cluster, how often.
        first_ends: how runs had ended when the monkey was gone, before anybody cleared one.
        evidence: what was found in the end.
        violations: what is wrong with it.
    """

    seed: int
    seconds: float
    pace: float
    counts: Counter[str]
    first_ends: Sequence[Run]
    evidence: Evidence
    violations: Sequence[Violation]

    @property
    def struck(self) -> int:
        """How often a machine was killed, frozen or restarted."""
        return sum(
            count for what, count in self.counts.items() if what.split()[-1] in ("killed", "frozen", "restarted")
        )

    @property
    def dialled(self) -> int:
        """How many numbers were called."""
        return len({call.number for call in self.evidence.calls})


def end_of(run: Run) -> str:
    """How a run ended, in a word or a few."""
    if run.state == "failed":
        return ", ".join(sorted(run.errors)) or "its worker was gone each time"
    return run.state


def print_trial(result: Result, console: Console) -> None:
    """One trial: ends, strikes, numbers, and whatever is wrong."""
    before, after = Counter(map(end_of, result.first_ends)), Counter(map(end_of, result.evidence.runs))
    table = Table(title=f"Seed {result.seed}: {result.seconds:.0f} s at pace {result.pace:.1f}", title_justify="left")
    for heading in ("what", "count", "after clearing"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for end in sorted(before | after, key=lambda end: (end != "success", end)):
        table.add_row(f"run: {end}", str(before[end]), str(after[end]))
    table.add_section()
    for what, count in sorted(result.counts.items()):
        table.add_row(what, str(count), "")
    table.add_section()
    table.add_row("lists started", "", str(sum(map(bool, result.evidence.starts.values()))))
    table.add_row("numbers dialled", "", str(result.dialled))
    table.add_row("twice", "", str(len(called_twice(result.evidence))))
    console.print(table)
    for rule, which in _by_rule(result.violations).items():
        console.print(f"VIOLATED: {rule} ({len(which)} times)", markup=False)
        for what in which[:5]:
            console.print(f"    {what}", markup=False, soft_wrap=True)


def print_all(results: Iterable[Result], console: Console) -> None:
    """All trials, one a line."""
    table = Table(title="All trials", title_justify="left")
    headings = ("seed", "seconds", "pace", "strikes", "runs", "well", "by an error", "numbers", "twice", "violations")
    for heading in headings:
        table.add_column(heading, justify="right")
    for result in results:
        runs = result.evidence.runs
        well = sum(run.state == "success" for run in runs)
        cells = (
            result.seed,
            round(result.seconds),
            f"{result.pace:.1f}",
            result.struck,
            len(runs),
            well,
            len(runs) - well,
        )
        twice = len(called_twice(result.evidence))
        table.add_row(*map(str, (*cells, result.dialled, twice, len(result.violations))))
    console.print(table)


def _by_rule(violations: Iterable[Violation]) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for violation in violations:
        rules.setdefault(violation.rule, []).append(violation.what)
    return rules

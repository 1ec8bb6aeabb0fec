"""Charts as data: drawn by `static/charts.js`, and each the same as a table and as a CSV file. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from ringg_provider.contacts.reasons import Disposition
from ringg_provider.history.counts import QUARTER, Count, CountedBy, Tally
from ringg_provider.ui.campaign import Campaign, Funnel

#: How many bars a person can still read; what is beyond is added up.
MOST_BARS = 12
#: A picture of time has at most so many steps: they get longer instead.
MOST_STEPS = 200

#: What a series stands for, which `static/control_room.css` has a colour for.
Tone = Literal["good", "mid", "low", "plain", "count"]
Cell = str | int | float | None


@dataclass(frozen=True)
class Series:
    """One row of numbers.

    :param name: what they are.
    :param values: one for each label; None where there is none.
    :param tone: what they stand for.
    """

    name: str
    values: Sequence[float | int | None]
    tone: Tone = "plain"


@dataclass(frozen=True)
class Chart:
    """A picture, which is a table too.

    :param key: its name in addresses.
    :param title: what it shows.
    :param labels: of the bars.
    :param label_header: what the labels are.
    :param series: what is drawn, stacked.
    :param form: ``columns`` stand side by side, ``bars`` lie one below the other.
    :param unit: ``%`` or nothing.
    :param more: columns of the table that are not drawn.
    :param shaded: from and to (positions of labels, the latter not included) where calling is lawful.
    :param marks: positions, which may lie between two, and what is there.
    :param note: one sentence about how to read it.
    """

    key: str
    title: str
    labels: Sequence[str]
    label_header: str
    series: Sequence[Series]
    form: Literal["columns", "bars"] = "columns"
    unit: Literal["", "%"] = ""
    more: Sequence[Series] = ()
    shaded: Sequence[tuple[float, float]] = ()
    marks: Sequence[tuple[float, str]] = ()
    note: str = ""

    @property
    def header(self) -> list[str]:
        """The header of the table."""
        return [self.label_header, *(self._heading(each) for each in self.series), *(each.name for each in self.more)]

    @property
    def rows(self) -> list[list[Cell]]:
        """The rows of the table."""
        columns = [each.values for each in (*self.series, *self.more)]
        return [[label, *(column[place] for column in columns)] for place, label in enumerate(self.labels)]

    @property
    def as_csv(self) -> str:
        """The table as a file; a cell that a spreadsheet would take for a formula is quoted."""
        file = io.StringIO()
        write = csv.writer(file).writerow
        write(self.header)
        for row in self.rows:
            write([_harmless(cell) for cell in row])
        return file.getvalue()

    @property
    def as_json(self) -> str:
        """What the script draws. It stands in a page, so that no text of it may end the element that it is in."""
        drawn = {
            "form": self.form,
            "unit": self.unit,
            "labels": list(self.labels),
            "series": [{"name": each.name, "values": list(each.values), "tone": each.tone} for each in self.series],
            "shaded": list(self.shaded),
            "marks": list(self.marks),
        }
        text = json.dumps(drawn, ensure_ascii=False)
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

    def _heading(self, series: Series) -> str:
        return f"{series.name} (%)" if self.unit else series.name


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def funnel_chart(funnel: Funnel) -> Chart:
    """How many people came how far."""
    steps = [(words, number) for words, number in funnel.steps if number is not None]
    first = max(steps[0][1], 1) if steps else 1
    return Chart(
        "funnel",
        "From the query to a person",
        [words for words, _ in steps],
        "Step",
        [Series("People", [number for _, number in steps], "count")],
        form="bars",
        more=[Series("% of the first step", [round(100 * number / first, 1) for _, number in steps])],
    )


def left_out_chart(reasons: dict[str, int]) -> Chart:
    """Why rows of the query are on no list; the codes are those of `docs/contacts.md`."""
    left = {code: number for code, number in reasons.items() if code != Disposition.LISTED}
    ranked = sorted(left.items(), key=lambda each: (-each[1], each[0]))
    return Chart(
        "left_out",
        "Rows that are on no list",
        [code.replace("_", " ") for code, _ in ranked],
        "Reason",
        [Series("Rows", [number for _, number in ranked], "low")],
        form="bars",
    )


def over_time_chart(campaign: Campaign, counts: Sequence[Count], now: datetime) -> Chart | None:
    """Calls by the time of their last attempt, with the lawful hours shaded and the expected end; None without any."""
    tallies = {each.quarter: each.tally for each in counts if each.quarter is not None}
    if not tallies:
        return None
    expected = campaign.expected_end(now)
    moments = [*tallies, *(each for span in campaign.lawful for each in span)]
    if expected is not None:
        moments.append(expected)
    begin, end = min(moments), max(moments) + QUARTER
    step = QUARTER
    while (end - begin) / step > MOST_STEPS:
        step *= 2
    begin = datetime.fromtimestamp(begin.timestamp() // step.total_seconds() * step.total_seconds(), UTC)
    places = int((end - begin) / step) + 1
    sums = [Tally() for _ in range(places)]
    for quarter, tally in tallies.items():
        sums[int((quarter - begin) / step)].add(tally)

    def place(moment: datetime) -> float:
        return max(0.0, min(float(places), (moment - begin) / step))

    marks = [] if expected is None else [(place(expected), f"expected end {local(expected, campaign.zone)}")]
    if campaign.ends_at is not None and begin <= campaign.ends_at <= begin + places * step:
        marks.append((place(campaign.ends_at), f"closes {local(campaign.ends_at, campaign.zone)}"))
    labels = [local(begin + number * step, campaign.zone) for number in range(places)]
    minutes = int(step.total_seconds() // 60)
    return Chart(
        "over_time",
        "Calls over time",
        labels,
        f"From ({campaign.zone.key})",
        _by_depth(sums),
        more=[Series("All", [each.dialled for each in sums])],
        shaded=[(place(first), place(last)) for first, last in campaign.lawful],
        marks=marks,
        note=f"A call counts at its last attempt, by {minutes} minutes."
        f"{' Lawful hours are shaded.' if campaign.lawful else ''} All times are those of {campaign.zone.key}.",
    )


def by_hour_chart(campaign: Campaign, counts: Sequence[Count]) -> Chart | None:
    """Share of calls that a person took, by hour of day in the campaign's zone; None without calls."""
    hours: dict[int, Tally] = {}
    for each in counts:
        if each.quarter is not None:
            hours.setdefault(each.quarter.astimezone(campaign.zone).hour, Tally()).add(each.tally)
    if not hours:
        return None
    span = range(min(hours), max(hours) + 1)
    tallies = [hours.get(hour, Tally()) for hour in span]
    labels = [f"{hour:02d}:00" for hour in span]
    return _rates("by_hour", "Reached, by hour of day", labels, f"Hour ({campaign.zone.key})", tallies)


def by_number_chart(counts: Sequence[Count]) -> Chart | None:
    """Share of calls that a person took, by caller number; None where no number is known.

    A number is told by its place and its last three digits: enough to find it in the platform's list of numbers, and
    no telephone number in any answer.
    """
    known = [each for each in counts if each.counted_by is CountedBy.CALLER_NUMBER and each.from_number]
    if not known:
        return None
    named = [
        (f"{place} (ends {each.from_number[-3:]})", each.tally)
        for place, each in enumerate(known, 1)
        if each.from_number
    ]
    named.sort(key=lambda each: -each[1].dialled)
    if len(named) > MOST_BARS:
        rest = Tally()
        for _, tally in named[MOST_BARS:]:
            rest.add(tally)
        named = [*named[:MOST_BARS], (f"{len(named) - MOST_BARS} others", rest)]
    labels = [label for label, _ in named]
    return _rates(
        "by_number", "Reached, by caller number", labels, "Number", [tally for _, tally in named], form="bars"
    )


def outcomes_chart(counts: Sequence[Count]) -> Chart | None:
    """Calls by status and sub-status, as the platform writes them; None without calls."""
    return _ranked(
        "outcomes",
        "Calls by status",
        "Outcome",
        counts,
        lambda each: " · ".join(filter(None, (each.status or "no status", each.sub_status))),
    )


def classifications_chart(counts: Sequence[Count]) -> Chart | None:
    """Calls by what the agent made of them; None where no call has a classification."""
    classified = [each for each in counts if each.classification]
    return _ranked(
        "classifications", "What the agent noted", "Classification", classified, lambda each: each.classification
    )


def nights_chart(nights: Sequence[tuple[str, Funnel]]) -> Chart:
    """Nights of one DAG side by side.

    :param nights: each a label and how many came how far, the oldest first.
    """
    funnels = [funnel for _, funnel in nights]
    depths = [
        Tally(funnel.dialled or 0, funnel.dialled or 0, funnel.connected or 0, funnel.reached or 0)
        for funnel in funnels
    ]
    never = [max(0, (funnel.listed or 0) - (funnel.dialled or 0)) for funnel in funnels]
    return Chart(
        "nights",
        "Nights side by side",
        [label for label, _ in nights],
        "Begins (campaign's time)",
        [*_by_depth(depths), Series("Not dialled", never, "plain")],
        more=[
            Series("Listed", [funnel.listed for funnel in funnels]),
            Series("Reached (%)", [_percent(funnel.reached, funnel.listed) for funnel in funnels]),
        ],
    )


def waves_chart(waves: Sequence[tuple[str, Funnel]]) -> Chart:
    """The waves of a rollout side by side, each as shares of its people: the first ones are small.

    :param waves: each a name and how many came how far, in their order.
    """
    funnels = [funnel for _, funnel in waves]
    steps = [
        (funnel.reached or 0, funnel.connected or 0, funnel.dialled or 0, funnel.listed or 0) for funnel in funnels
    ]

    def between(step: int) -> list[float | None]:
        inner = [0 if step == 0 else each[step - 1] for each in steps]
        return [_percent(max(0, each[step] - less), each[-1]) for each, less in zip(steps, inner, strict=True)]

    return Chart(
        "waves",
        "Wave by wave",
        [name for name, _ in waves],
        "Wave",
        [
            Series("Reached", between(0), "good"),
            Series("Connected, no person", between(1), "mid"),
            Series("Dialled, not taken", between(2), "low"),
            Series("Not dialled", between(3), "plain"),
        ],
        unit="%",
        more=[
            Series("Listed", [funnel.listed for funnel in funnels]),
            Series("Dialled", [funnel.dialled for funnel in funnels]),
            Series("People reached", [funnel.reached for funnel in funnels]),
        ],
        note="Share of the people on its lists.",
    )


def promises_chart(states: Mapping[str, int]) -> Chart:
    """What became of promises to call people back.

    :param states: each state in words, with how many are in it.
    """
    shown = {words: number for words, number in states.items() if number}
    return Chart(
        "promises",
        "What became of them",
        list(shown),
        "State",
        [Series("Promises", list(shown.values()), "count")],
        form="bars",
    )


def lateness_chart(steps: Sequence[str], kept: Sequence[int], late: Sequence[int]) -> Chart:
    """How long after their time people were called, of those who were reached.

    :param steps: of lateness, in words.
    :param kept: how many in each counted as kept,
    :param late: and as late.
    """
    return Chart(
        "lateness",
        "How late",
        steps,
        "After their time",
        [Series("Kept", kept, "good"), Series("Late", late, "mid")],
        note="A person who named a span of time is called late after its end.",
    )


def missed_chart(reasons: Mapping[str, int]) -> Chart:
    """Why promises were not kept."""
    ranked = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    if len(ranked) > MOST_BARS:
        others = sum(number for _, number in ranked[MOST_BARS:])
        ranked = [*ranked[:MOST_BARS], (f"{len(ranked) - MOST_BARS} others", others)]
    return Chart(
        "missed",
        "Why promises were missed",
        [reason for reason, _ in ranked],
        "Reason",
        [Series("Promises", [number for _, number in ranked], "low")],
        form="bars",
    )


def local(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as people of a zone write it, without the zone, which stands beside it once."""
    return f"{moment.astimezone(zone):%d %b %H:%M}"


def _by_depth(tallies: Sequence[Tally]) -> list[Series]:
    """Dialled calls in three layers that add up to all of them."""
    return [
        Series("Reached", [each.reached for each in tallies], "good"),
        Series("Connected, no person", [each.connected - each.reached for each in tallies], "mid"),
        Series("Dialled, not taken", [each.dialled - each.connected for each in tallies], "low"),
    ]


def _rates(
    key: str,
    title: str,
    labels: Sequence[str],
    header: str,
    tallies: Sequence[Tally],
    form: Literal["columns", "bars"] = "columns",
) -> Chart:
    shares = [_percent(each.reached, each.dialled) for each in tallies]
    return Chart(
        key,
        title,
        labels,
        header,
        [Series("Reached", shares, "good")],
        form=form,
        unit="%",
        more=[
            Series("Dialled", [each.dialled for each in tallies]),
            Series("Connected", [each.connected for each in tallies]),
            Series("People reached", [each.reached for each in tallies]),
        ],
        note="Share of the dialled calls that a person took.",
    )


def _ranked(key: str, title: str, header: str, counts: Sequence[Count], label: Any) -> Chart | None:
    sums: dict[str, Tally] = {}
    for each in counts:
        if each.counted_by is CountedBy.OUTCOME:
            sums.setdefault(label(each), Tally()).add(each.tally)
    if not sums:
        return None
    ranked = sorted(sums.items(), key=lambda each: (-each[1].calls, each[0]))
    if len(ranked) > MOST_BARS:
        rest = Tally()
        for _, tally in ranked[MOST_BARS:]:
            rest.add(tally)
        ranked = [*ranked[:MOST_BARS], (f"{len(sums) - MOST_BARS} others", rest)]
    return Chart(
        key,
        title,
        [name for name, _ in ranked],
        header,
        [Series("Calls", [tally.calls for _, tally in ranked], "count")],
        form="bars",
        more=[Series("Cost", [None if tally.cost is None else float(tally.cost) for _, tally in ranked])],
    )


def _percent(part: int | None, whole: int | None) -> float | None:
    return round(100 * part / whole, 1) if whole and part is not None else None


def campaign_charts(
    campaign: Campaign,
    counts: Sequence[Count],
    reasons: dict[str, int] | None,
    now: datetime,
    waves: Sequence[tuple[str, Funnel]] = (),
) -> dict[str, Chart]:
    """The charts of a campaign's page that have something to show, by their keys.

    :param campaign: the campaign.
    :param counts: how its calls went.
    :param reasons: what became of the query's rows; None where that is not known.
    :param now: the present, aware.
    :param waves: those of its launch, each a name and how many came how far. Default: there are none.
    """
    found = [
        funnel_chart(campaign.funnel) if campaign.funnel.listed is not None else None,
        left_out_chart(reasons) if reasons and set(reasons) - {Disposition.LISTED} else None,
        waves_chart(waves) if waves else None,
        over_time_chart(campaign, counts, now),
        by_hour_chart(campaign, counts),
        by_number_chart(counts),
        outcomes_chart(counts),
        classifications_chart(counts),
    ]
    return {chart.key: chart for chart in found if chart is not None}

"""What a run from a query to uploaded lists came to: its lists, its counts, and the line that says so."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from ringg_provider import wording
from ringg_provider.contacts.reasons import Disposition
from ringg_provider.contacts.waves import REHEARSAL
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.table import Launcher

if TYPE_CHECKING:
    from ringg_provider.contacts.pipeline import ListOptions
    from ringg_provider.contacts.sifting import Sifter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineResult:
    """What came of a run.

    :param items: its lists.
    :param summary: counts, as plain JSON.
    """

    items: Sequence[LaunchItem]
    summary: Mapping[str, Any]

    @classmethod
    def of_nobody(cls) -> Self:
        """The result where nobody is to be listed."""
        return cls([], {"lists": [], "rows": 0, "reasons": {}, "already_launched": False, "dry_run": False})

    @classmethod
    def of_all(cls, results: Sequence[PipelineResult], *, is_dry_run: bool) -> Self:
        """All lists of several uploads, and their counts; lists that were launched before do not count again.

        :param results: one for each launch key.
        :param is_dry_run: nothing was uploaded.
        """
        new = [result.summary for result in results if not result.summary["already_launched"]]
        reasons: Counter[str] = Counter()
        for summary in new:
            reasons.update(summary["reasons"])
        return cls(
            [item for result in results for item in result.items],
            {
                "rows": sum(summary["rows"] for summary in new),
                "reasons": dict(reasons.most_common()),
                "flow": next((summary["flow"] for summary in new if "flow" in summary), None),
                "lists": [each for summary in new for each in summary["lists"]],
                "dry_run": is_dry_run,
                "already_launched": bool(results) and not new,
            },
        )


def already_launched(
    options: ListOptions, ledger: LaunchLedger, launched: Sequence[LaunchItem], launcher: Launcher | None
) -> PipelineResult:
    """The result for a key that was launched before.

    :param options: with the key, and the connection to its ledger.
    :param ledger: its ledger.
    :param launched: the key's lists.
    :param launcher: the task that runs.
    """
    key, start = str(options.launch_key), ledger.first_start(str(options.launch_key), launched)
    by_us = start is not None and launcher is not None and start.is_of(launcher.dag_id, launcher.run_id)
    (log.info if by_us else log.warning)(
        "Launch key %r was launched %s: nothing is uploaded now and nobody new is called, its %s. If people are to be"
        " called once more, give that night a launch key of its own.",
        key,
        "before" if start is None else start.when_and_by_whom,
        "list stands" if len(launched) == 1 else f"{len(launched)} lists stand",
    )
    # Whoever starts one of them asks this ledger first, whatever was noted when it was listed.
    items = [replace(item, launch_key=key, ledger_conn_id=options.ledger_conn_id) for item in launched]
    return PipelineResult(items, {"already_launched": True, "lists": list(map(_in_summary, items))})


def uploaded(options: ListOptions, sifter: Sifter, flow: str, items: Sequence[LaunchItem]) -> PipelineResult:
    """The result of a run that has read its query to the end; it is said in the log, too.

    :param options: whether it was a dry run.
    :param sifter: what became of the rows.
    :param flow: of the lists.
    :param items: the lists, uploaded unless it was a dry run.
    """
    log.info("%s", _said(options, sifter, flow, items))
    waves = _in_waves(sifter, items)
    if waves:
        log.info(
            "One wave after the other, by a rollout: %s.",
            ", ".join(f"{_wave_said(wave['wave'])} {wave['rows']:,}" for wave in waves),
        )
    for wave in waves:
        if not wave["rows"] and items:
            log.warning("%s is empty: there are too few people for it.", _wave_said(wave["wave"]).capitalize())
    summary = {
        "rows": sifter.rows,
        "reasons": {str(reason): count for reason, count in _reasons(sifter, items).most_common()},
        "flow": flow,
        "lists": list(map(_in_summary, items)),
        "dry_run": options.dry_run,
        "already_launched": False,
    }
    return PipelineResult(items, summary | {"waves": waves} if waves else summary)


def left_out(counts: Counter[Disposition]) -> dict[str, int]:
    """How many rows are on no list, by reason, the most frequent first."""
    return {code: count for code, count in counts.most_common() if code is not Disposition.LISTED}


def _reasons(sifter: Sifter, items: Sequence[LaunchItem]) -> Counter[Disposition]:
    """How many rows there are of each disposition: whom the platform refused by its own count is on no list."""
    refused = sum(item.rejected for item in items if item.wave != REHEARSAL)
    counts = Counter(sifter.counts)
    counts[Disposition.LISTED] -= refused
    counts[Disposition.REJECTED_BY_PLATFORM] += refused
    return +counts


def _said(options: ListOptions, sifter: Sifter, flow: str, items: Sequence[LaunchItem]) -> str:
    """How the run ended, in one line."""
    people = listed(items)
    others = wording.tallied(left_out(_reasons(sifter, items))) or "nobody"
    rows = wording.counted(sifter.rows, "row")
    if not items:
        return f"Nothing was uploaded, from {rows} of the query. Left out: {others}."
    done = "Dry run, nothing was uploaded" if options.dry_run else "Uploaded"
    return (
        f"{done}: {wording.counted(people, 'person', 'people')} on {wording.counted(len(items), 'list')} ({flow}"
        f" flow), from {rows} of the query. Left out: {others}."
    )


def listed(items: Sequence[LaunchItem]) -> int:
    """How many people are on lists; the phones of a rehearsal are none."""
    return sum(item.rows or 0 for item in items if item.wave != REHEARSAL)


def _in_waves(sifter: Sifter, items: Sequence[LaunchItem]) -> list[dict[str, int]]:
    """How many contacts and lists each wave has; nothing where all are launched at once."""
    if sifter.dealer is None:
        return []
    first = REHEARSAL if sifter.rehearsal else REHEARSAL + 1
    waves = []
    for wave in range(first, len(sifter.dealer.shares) + 1):
        of_wave = [item for item in items if item.wave == wave]
        waves.append({"wave": wave, "rows": sum(item.rows or 0 for item in of_wave), "lists": len(of_wave)})
    return waves


def _wave_said(wave: int) -> str:
    return "the rehearsal" if wave == REHEARSAL else f"wave {wave}"


def _in_summary(item: LaunchItem) -> dict[str, Any]:
    told = {name: getattr(item, name) for name in ("list_id", "country_code", "rows", "rejected")}
    return told if item.wave is None else {**told, "wave": item.wave}

"""Run trials, one after the other: `make test-cluster SEEDS=20`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from demo.airflow import AirflowError
from demo.processes import ProcessEnded
from demo.stage import left_behind
from tests.cluster.report import Result, print_all, print_trial
from tests.cluster.trial import NotSettled, Times, run_trial


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="how many trials")
    parser.add_argument("--first", type=int, default=1, help="the first one's seed; the others count on")
    parser.add_argument("--campaigns", type=int, default=30, help="in each trial")
    parser.add_argument("--keep", type=Path, help="a folder for data and logs; default one that goes when all is well")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    results: list[Result] = []
    bad = False
    folder = options.keep or Path(tempfile.mkdtemp(prefix="ringg-provider-cluster-"))
    times = Times.for_campaigns(options.campaigns)
    for seed in range(options.first, options.first + options.seeds):
        try:
            result = run_trial(folder / f"seed-{seed}", seed, options.campaigns, say, times)
        except (AirflowError, NotSettled, ProcessEnded) as failure:
            say(f"Seed {seed} came to no end: {failure}")
            bad = True
            continue
        print_trial(result, console)
        results.append(result)
        bad = bad or bool(result.violations)
    print_all(results, console)
    if left := left_behind():
        say(f"Still running: {', '.join(left)}")
        bad = True
    if bad:
        say(f"All logs are in {folder}")
    elif not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bad)


def _end(number: int, _: object) -> None:
    raise SystemExit(f"Stopped by {signal.Signals(number).name}; everything is being ended.")


if __name__ == "__main__":
    sys.exit(main())

"""How many of the promises that could be kept were kept within a quarter of an hour, and who was rung twice.

    python benchmarks/promises.py                        # 60 people, two days; some five minutes
    python benchmarks/promises.py --people 200 --days 7 --crashes 0.2

People of the sandbox are called one morning, and most ask to be called back, in words of English and Hindi. Then every
quarter of an hour a run loads the calls, brings the promises up to them, lists who is due and starts the lists; time is
travelled through. What each person meant is known to the sandbox alone. A promise could be kept when a time was named,
some of it lawful, and far enough ahead: 40 minutes, of which an analysis takes 15 and the next run 15.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    """Live the days and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--days", type=float, default=2)
    parser.add_argument("--crashes", type=float, default=0.0, help="share of steps that go wrong")
    parser.add_argument("--retries", type=int, default=2, help="of a start whose worker died; the example has two")
    parser.add_argument("--horizon", type=float, default=20.0, help="minutes that a run lists ahead")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        from tests.support.environment import isolate_airflow

        isolate_airflow(Path(folder))
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = f'{{"conn_type": "sqlite", "host": "{folder}/warehouse.db"}}'
        with (Path(folder) / "log").open("w") as log, redirect_stdout(log):
            lines = live(given, Path(folder))
    print("\n".join(lines))


def live(given: argparse.Namespace, folder: Path) -> list[str]:
    """Live the days, after Airflow has been pointed at a folder of its own; returns what is to be said of them."""
    import time_machine

    from tests.callbacks.living import INDIA, Life, connection
    from tests.support.sandbox import running_sandbox

    begin = datetime(2027, 3, 1, 10, 2, tzinfo=ZoneInfo(INDIA.zone))
    rates = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0, "callback_rate": 0.8}
    with (
        time_machine.travel(begin, tick=True) as travel,
        running_sandbox(speed=1, seed=given.seed, history_rate_window_seconds=0, **rates) as sandbox,
    ):
        os.environ["AIRFLOW_CONN_RINGG_SANDBOX"] = connection(sandbox)
        arguments = {"horizon": timedelta(minutes=given.horizon)}
        life = Life(sandbox, travel, INDIA, random.Random(given.seed), given.crashes, arguments, given.retries)
        life.call_everybody(given.people, folder)
        life.live(begin + timedelta(days=given.days), only_eventful=True)
        life.load()
        life.look_back()
    kept = sum(promise["state"] == "kept" for promise in life.could)
    return [
        f"asked to be called back   {len(life.asked):,}: {dict(Counter(each['state'] for each in life.asked))}",
        f"could be kept             {len(life.could):,}",
        f"kept within 15 minutes    {kept:,} ({kept / max(1, len(life.could)):.1%}; the target is 99 %)",
        f"rung twice for one        {len(life.rung_twice):,}",
        f"rung outside lawful hours {len(life.rung_unlawfully):,}",
        f"crashes on the way        {len(life.crashed):,}",
    ]


if __name__ == "__main__":
    main()

"""`make demo` and `make airflow`: run two campaigns end to end and report, or leave everything running to look at."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from demo.airflow import USER, AirflowError
from demo.processes import ProcessEnded
from demo.report import print_report
from demo.stage import ROOT, SPEED, Stage, StageTaken, left_behind, set_stage
from demo.story import RunFailed, run_campaigns


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("command", choices=("run", "serve"), help="run the story and end; or serve until Ctrl-C")
    parser.add_argument("--generation", choices=("g2", "g3"), default="g3", help="of the API that the sandbox speaks")
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo", help="where data and logs go; emptied first")
    parser.add_argument("--dags", type=Path, default=ROOT / "example_dags", help="Airflow's DAGs folder")
    options = parser.parse_args()
    # A pipe or a file gets a fixed width: tables that are cut to 80 columns help nobody.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {line}", markup=False, soft_wrap=True)

    code = 0
    try:
        with set_stage(
            options.folder, options.dags, options.generation, say, schedules=options.command == "serve"
        ) as stage:
            if options.command == "run":
                run_campaigns(stage, say, lambda text: console.print(Markdown(text)))
                print_report(stage.warehouse, console)
            else:
                serve(stage, console)
    except StageTaken as taken:
        console.print(str(taken), markup=False, soft_wrap=True)
        return 1
    except (AirflowError, ProcessEnded, RunFailed) as failure:
        console.print(f"\n{failure}\n\nAll logs are in {options.folder}", markup=False, soft_wrap=True)
        code = 1
    except KeyboardInterrupt:
        console.print("\nInterrupted.")
        code = 130
    if left := left_behind():
        console.print(f"Still running: {', '.join(left)}")
        return code or 1
    say("Everything is stopped; no process is left")
    return code


def serve(stage: Stage, console: Console) -> None:
    """Say how to look around, and wait for Ctrl-C."""
    sandbox = str(stage.sandbox.base_url).removesuffix("/_sandbox/")
    warehouse = stage.warehouse.url.render_as_string(hide_password=False)
    told = how_to_look_around(stage.airflow.url, stage.airflow.password, sandbox, warehouse, stage.survey_csv)
    console.print(told, markup=False, soft_wrap=True)
    while True:
        stage.processes.check()
        time.sleep(1)


def how_to_look_around(airflow: str, password: str, sandbox: str, warehouse: str, survey_csv: Path) -> str:
    """What `make airflow` prints once everything is up: where what is, what to do first, and when calls are made.

    Args:
        airflow: its address.
        password: of its one user.
        sandbox: the sandbox's address.
        warehouse: the URL of the warehouse, with its password.
        survey_csv: a file for the DAG that takes one.
    """
    minutes = SPEED // 60
    return f"""
  Airflow   {airflow}   user {USER}, password {password}
  Campaigns {airflow}/plugin/ringg   what became of them; in Airflow: Browse > Ringg campaigns
  Sandbox   {sandbox}   its campaigns and calls
  Warehouse {warehouse}

Trigger ringg_nightly_campaign. Unpausing it makes last night's run too: from 02:00 to 04:00 in India that run
calls people at once; later it is too late (max_delay) and calls nobody. Whoever is called, is called by the
sandbox alone. ringg_large_campaign takes this file as its contacts, and asks you before it calls:
  {survey_csv}

Calls begin within a minute of a launch, at whatever hour it is: {minutes} minutes pass in the sandbox with every
second, so that the calling hours that a campaign waits for open soon, and a day's calls take less than a
minute. A call bears the time at which it was really made, which may lie before those hours.

Ctrl-C stops everything."""


if __name__ == "__main__":
    sys.exit(main())

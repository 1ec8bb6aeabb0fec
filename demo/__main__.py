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
from demo.stage import ROOT, Stage, StageTaken, left_behind, set_stage
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
    console.print(
        f"\n  Airflow   {stage.airflow.url}   user {USER}, password {stage.airflow.password}"
        f"\n  Campaigns {stage.airflow.url}/plugin/ringg   what became of them, also under Browse"
        f"\n  Sandbox   {sandbox}   its campaigns and calls"
        f"\n  Warehouse {stage.warehouse.url.render_as_string(hide_password=False)}"
        "\n\nTrigger ringg_nightly_campaign. Unpausing it alone makes last night's run, which calls nobody: it is"
        "\nmore than two hours late (max_delay). ringg_large_campaign takes this file as its contacts:"
        f"\n  {stage.survey_csv}"
        "\n\nThe sandbox makes a day's calls within a minute: their times lie before the hours that they were planned"
        "\nfor."
        "\n\nCtrl-C stops everything.",
        markup=False,
        soft_wrap=True,
    )
    while True:
        stage.processes.check()
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())

"""What importing every operator costs, at each parse of each DAG file: against the dbt Cloud provider.

    python benchmarks/imports.py               # needs the `bench` extra
    python benchmarks/imports.py --repeat 31

Both providers' modules are those that their provider info lists: operators, sensors, transfers, triggers and hooks.
Each run is a process of its own that has `airflow.sdk` already, as any DAG file has; the providers take turns. Time is
that of the processor, so that a busy machine counts less.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

PROVIDERS = {
    "ringg-provider": "ringg_provider.get_provider_info",
    "apache-airflow-providers-dbt-cloud": "airflow.providers.dbt.cloud.get_provider_info",
}
KINDS = ("operators", "sensors", "transfers", "triggers", "hooks")
#: The most that our modules may cost, as a share of the other provider's.
TARGET = 0.6


def modules_of(info: Mapping[str, Any]) -> list[str]:
    """The modules that a provider says its operators and the like are in."""
    found: list[str] = []
    for kind in KINDS:
        for entry in info.get(kind, ()):
            found += [entry["python-module"]] if "python-module" in entry else entry["python-modules"]
    return found


def child(modules: list[str]) -> None:
    """Import modules in this process, and print what it cost."""
    import airflow.sdk

    # The classes themselves: they are loaded when they are asked for.
    for name in ("DAG", "BaseHook", "BaseOperator", "BaseSensorOperator", "Connection", "ObjectStoragePath"):
        getattr(airflow.sdk, name)
    before = len(sys.modules)
    start = time.process_time()
    for module in modules:
        importlib.import_module(module)
    print(json.dumps({"seconds": time.process_time() - start, "modules": len(sys.modules) - before}))


def measure(modules: list[str], compiled: str) -> dict[str, Any]:
    """One process that imports modules, whose compiled form is kept in a folder."""
    arguments = [sys.executable, __file__, "--child", *modules]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=15, help="processes per provider; the median counts; default 15")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child)
        return
    modules = {name: modules_of(import_module(where).get_provider_info()) for name, where in PROVIDERS.items()}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in PROVIDERS}
    with tempfile.TemporaryDirectory(prefix="ringg-imports-") as compiled:
        for turn in range(chosen.repeat + 1):
            for name in PROVIDERS:
                found = measure(modules[name], compiled)
                if turn:  # the first one compiles
                    runs[name].append(found)
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {busy}\n")
    print("| beyond `airflow.sdk` | modules | milliseconds |\n|---|---:|---:|")
    cost = {}
    for name, measured in runs.items():
        cost[name] = statistics.median(run["seconds"] for run in measured)
        print(f"| {name} | {measured[0]['modules']} | {cost[name] * 1000:.0f} |")
    ours, theirs = cost.values()
    print(f"\n{ours / theirs:.2f} times as much; at most {TARGET} is wanted")


if __name__ == "__main__":
    main()

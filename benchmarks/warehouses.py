"""What a publication costs: statements or jobs, seconds and memory, for 200,000 calls, in every warehouse at hand.

    make test-warehouses ARGS=--co                                  # once: makes the environments
    .venv-warehouses/bin/python -m benchmarks.warehouses            # all; some minutes
    .venv-warehouses/bin/python -m benchmarks.warehouses --only duckdb --calls 20000

Each warehouse is measured in a process of its own, which publishes a state of a hundredth of the calls first: memory is
the peak above that. Then all calls, from nothing; then again, with nothing changed; then with one call in a hundred
changed. PostgreSQL, MariaDB (where the machine has one) and DuckDB are the real engines; Snowflake is fakesnow and
BigQuery is bqemulator, both on DuckDB, whose seconds say nothing of the real ones. DuckDB works inside our own process
and takes what memory it may; its connection lets it have 100 MB, which are counted with ours.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from more_itertools import chunked

from benchmarks import memory as process_memory
from benchmarks.history import a_call
from demo.postgres import EmbeddedPostgres
from ringg_provider.history.merging import CallStore, Wanted
from ringg_provider.history.tables import calls_table

WAREHOUSES = ("postgresql", "mariadb", "duckdb", "snowflake", "bigquery")
TARGETS = {"statements": 400, "memory in MB": 128.0}
DUCKDB_LIMITS = {"memory_limit": "100MB", "threads": 1}
#: The sizes of the two states, as shares of the calls.
SIZES = {"small": 0.01, "large": 1.0}


def fill(database: str, calls: int) -> None:
    """Make a state with finished calls in it, as loads of the history leave it."""
    from ringg_provider.warehouse import create_ringg_tables

    engine, now = sa.create_engine(database), dt.datetime.now(dt.UTC)
    create_ringg_tables(engine)
    store = CallStore(engine, calls_table(), Wanted(), lambda: now)
    for numbers in chunked(range(calls), 10_000):
        store.merge([a_call(number, now) for number in numbers])
    engine.dispose()


def start(name: str, opened: ExitStack, folder: Path) -> dict[str, str]:
    """Start a warehouse; the environment in which Airflow knows its two empty databases, `small` and `large`.

    Empty where this machine has no such server.
    """
    from tests.support import emulators
    from tests.support.mariadb import EmbeddedMariaDB, server_program

    def connections(of: Callable[[str], Any]) -> dict[str, str]:
        told = {f"AIRFLOW_CONN_COPY_{size.upper()}": of(size) for size in SIZES}
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in told.items()}

    if name == "duckdb":
        return connections(
            lambda size: {"conn_type": "duckdb", "host": str(folder / f"{size}.duckdb"), "extra": DUCKDB_LIMITS}
        )
    if name == "snowflake":
        port = opened.enter_context(emulators.snowflake_emulator())
        return {**connections(lambda _: emulators.SNOWFLAKE), "EMULATOR_PORT": str(port)}
    if name == "bigquery":
        origin = opened.enter_context(emulators.bigquery_emulator())
        for size in SIZES:
            emulators.make_dataset(origin, size)
        return {**connections(lambda _: emulators.BIGQUERY), "BIGQUERY_EMULATOR_HOST": origin}
    if name == "mariadb" and server_program() is None:
        return {}
    server: Any = (EmbeddedMariaDB if name == "mariadb" else EmbeddedPostgres)(folder / name)
    opened.enter_context(server)
    for size in SIZES:
        server.create_database(size)
    return connections(server.airflow_connection)


def measure(name: str) -> dict[str, float]:
    """In a process of its own: publish both states, and say what the large one took."""
    from tests.support.emulators import point_snowflake_at

    if name == "snowflake":
        point_snowflake_at(int(os.environ["EMULATOR_PORT"]))
        hooks = importlib.import_module("airflow.providers.snowflake.hooks.snowflake")
        with hooks.SnowflakeHook("copy_small").get_conn() as connection:
            for size in SIZES:
                connection.cursor().execute(f"CREATE SCHEMA {size}")
    publish(name, "small")
    before = process_memory.peak()
    result: dict[str, float] = {}
    for what in ("whole", "unchanged", "one in a hundred"):
        if what == "one in a hundred":
            change(os.environ["LARGE"])
        began = time.monotonic()
        counts = publish(name, "large")
        result[f"seconds, {what}"] = time.monotonic() - began
        result[f"rows, {what}"] = counts["rows"]
        result[f"statements, {what}"] = counts["statements"]
    result["memory in MB"] = (process_memory.peak() - before) / 1e6
    result["statements"] = max(value for key, value in result.items() if key.startswith("statements"))
    return result


def publish(name: str, size: str) -> dict[str, int]:
    """One publication, as a task runs it."""
    from ringg_provider.transfers.ringg_publish import RinggPublishOperator
    from tests.support.tasks import context

    operator = RinggPublishOperator(
        task_id="publish",
        state_conn_id=size,
        warehouse_conn_id=f"copy_{size}",
        schema=size if name in ("snowflake", "bigquery") else None,
    )
    return operator.execute(context())


def change(database: str) -> None:
    """Bring something new of one call in a hundred."""
    engine, table = sa.create_engine(database), calls_table()
    with engine.begin() as connection:
        one_in_a_hundred = table.c.call_id.like("______00-%")
        connection.execute(table.update().where(one_in_a_hundred).values(sub_status="VOICEMAIL"))
    engine.dispose()


def measured_apart(name: str, environment: dict[str, str]) -> dict[str, float]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.warehouses", "--measure", name]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def report(results: dict[str, dict[str, float]], calls: int) -> bool:
    """Print a table, and whether the targets are kept."""
    print(f"{calls:,} calls; {platform.python_version()}, {os.cpu_count()} processors")
    rows = list(next(iter(results.values())))
    print("| | " + " | ".join(results) + " |")
    print("|---" * (len(results) + 1) + "|")
    for row in rows:
        print(
            f"| {row} | " + " | ".join(f"{result[row]:,.1f}".removesuffix(".0") for result in results.values()) + " |"
        )
    kept = True
    for name, result in results.items():
        for what, most in TARGETS.items():
            if result[what] > most:
                kept = False
                print(f"MISSED: {name}, {what}: {result[what]:.0f}, at most {most:.0f}")
    return kept


def main() -> None:
    """Measure the warehouses named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--only", choices=WAREHOUSES, nargs="*", default=WAREHOUSES)
    parser.add_argument("--measure", choices=WAREHOUSES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="ringg-") as name, EmbeddedPostgres(Path(name) / "state") as state:
        folder = Path(name)
        for warehouse in arguments.only:
            environment = {"AIRFLOW_HOME": str(folder / "airflow"), "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
            for size, share in SIZES.items():
                database = f"{warehouse}_{size}"
                environment[size.upper()] = url = state.create_database(database)
                environment[f"AIRFLOW_CONN_{size.upper()}"] = state.airflow_connection(database)
                fill(url, int(arguments.calls * share))
            with ExitStack() as opened:
                if known := start(warehouse, opened, folder):
                    results[warehouse] = measured_apart(warehouse, environment | known)
                    print(f"{warehouse}: {json.dumps(results[warehouse])}", flush=True)
                else:
                    print(f"{warehouse}: this machine has none", flush=True)
    if not report(results, arguments.calls):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""From a table to uploaded contact lists: this provider against the ways that a DAG could go without it.

    python benchmarks/upload.py                # 1,000,000 rows; needs the `bench` extra
    python benchmarks/upload.py --rows 10000000 --only copy,upload,upload+ledger

Every way runs in a process of its own against the same real PostgreSQL and the same HTTP server, which reads uploads
and throws them away. Time is from the query to the last answer; memory is the peak of the process above what it held
when everything was imported.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks import memory

QUERY = "SELECT phone, name, policy_id, due_date FROM {table}"
VARIABLES = {"callee_name": "name", "policy_id": "policy_id", "due_date": "due_date"}
AGENT = "11111111-1111-4111-8111-111111111111"
WAYS = {
    "copy": "COPY ... TO STDOUT alone (the limit)",
    "cursor": "server-side cursor + csv, not uploaded",
    "get_records": "get_records + csv, not uploaded",
    "pandas": "pandas read_sql -> to_csv -> multipart",
    "upload": "SqlToRinggOperator",
    "upload+hours": "SqlToRinggOperator, calling hours",
    "upload+ledger": "SqlToRinggOperator, people ledger",
}

# Every tenth row of the dirty table: half of them are spelled otherwise, half cannot be called or are doubled.
_DIRTY = """
CASE WHEN i % 10 <> 0 THEN '+91' || n ELSE CASE (i / 10) % 10
    WHEN 0 THEN substr(n, 1, 5) || ' ' || substr(n, 6)
    WHEN 1 THEN '0' || n
    WHEN 2 THEN '91' || n
    WHEN 3 THEN '+91-' || substr(n, 1, 5) || '-' || substr(n, 6)
    WHEN 4 THEN '(0091) ' || n
    WHEN 5 THEN ''
    WHEN 6 THEN substr(n, 1, 8)
    WHEN 7 THEN '+91' || '9' || lpad(((i - 1)::bigint * 7368787 % 1000000007)::text, 9, '0')
    WHEN 8 THEN '+1415555' || lpad((i % 10000)::text, 4, '0')
    ELSE 'not available' END END"""


def make_tables(url: str, rows: int) -> None:
    """The same people twice, with clean numbers and with a tenth of them dirty."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for table, phone in (("clean", "'+91' || n"), ("dirty", _DIRTY)):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(
                f"CREATE TABLE {table} AS SELECT {phone} AS phone, 'Person ' || md5(i::text) AS name,"
                " 'POL-' || i AS policy_id, DATE '2026-01-01' + (i % 300)::int AS due_date FROM ("
                "SELECT i, '9' || lpad((i::bigint * 7368787 % 1000000007)::text, 9, '0') AS n"
                f" FROM generate_series(1, {rows}) AS i) AS numbered"
            )
            connection.execute(f"VACUUM ANALYZE {table}")


# --- the ways


def prepare(way: str, table: str, url: str, sink: str) -> Callable[[], int]:
    """Import everything that a way needs; returns what is measured, which returns how many rows it had."""
    query = QUERY.format(table=table)
    if way == "copy":
        import psycopg

        def copy() -> int:
            count = 0
            with psycopg.connect(url) as connection, connection.cursor().copy(f"COPY ({query}) TO STDOUT") as stream:
                for block in stream:
                    count += bytes(block).count(b"\n")
            return count

        return copy
    if way == "cursor":
        import psycopg

        def cursor() -> int:
            count = 0
            with psycopg.connect(url) as connection, tempfile.TemporaryFile("w", newline="") as file:
                write = csv.writer(file).writerows
                with connection.cursor(name="benchmark") as rows:
                    rows.execute(query)
                    while batch := rows.fetchmany(10_000):
                        write(batch)
                        count += len(batch)
            return count

        return cursor
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    if way == "get_records":

        def get_records() -> int:
            records = PostgresHook("warehouse").get_records(query)
            with tempfile.TemporaryFile("w", newline="") as file:
                csv.writer(file).writerows(records)
            return len(records)

        return get_records
    if way == "pandas":
        import httpx
        import pandas as pd

        def pandas() -> int:
            with closing(PostgresHook("warehouse").get_sqlalchemy_engine().raw_connection()) as connection:
                frame = pd.read_sql(query, connection)  # type: ignore[call-overload]
            with tempfile.NamedTemporaryFile(suffix=".csv") as file:
                frame.to_csv(file.name, index=False)
                with Path(file.name).open("rb") as body:
                    httpx.post(f"{sink}/campaign/upload-csv", files={"file": body}, timeout=120).raise_for_status()
            return len(frame)

        return pandas
    from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

    options = {"upload+hours": {"purpose": "promotional"}, "upload+ledger": {"contacts_table": "ringg_contacts"}}
    return lambda: run_operator(SqlToRinggOperator, query, **options.get(way, {}))


def run_operator(operator: Any, query: str, **options: Any) -> int:
    """One execution of the operator; how many rows it read."""

    class TaskInstance:
        dag_id, run_id, task_id, map_index = "benchmark", "run", "lists", -1
        summary: dict[str, Any]

        def xcom_push(self, key: str, value: Any) -> None:
            setattr(self, key, value)

    ti = TaskInstance()
    operator(
        task_id="lists",
        sql_conn_id="warehouse",
        sql=query,
        ringg_conn_id="ringg_sink",
        agent_id=AGENT,
        campaign_name="Benchmark",
        phone_column="phone",
        variables_map=VARIABLES,
        country_code="+91",
        call_config={"call_time": {"call_start_time": "09:00", "call_end_time": "21:00", "timezone": "Asia/Kolkata"}},
        launch_key="benchmark",
        invalid_rows_timeout=0.1,
        **options,
    ).execute({"ti": ti})
    return int(ti.summary["rows"])


def child(way: str, table: str, url: str, sink: str) -> None:
    """Measure one way in this process and print what was found."""
    measured = prepare(way, table, url, sink)
    baseline = memory.resident()
    start = time.perf_counter()
    rows = measured()
    seconds = time.perf_counter() - start
    print(json.dumps({"rows": rows, "seconds": seconds, "peak": max(0, memory.peak() - baseline)}))


# --- the other side


class Sink(BaseHTTPRequestHandler):
    """As much of the platform as an upload needs; bodies are read and thrown away."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The agents, the agent, or the status of a list."""
        names = ["callee_name", "mobile_number", "policy_id", "due_date"]
        agent = {"id": AGENT, "agent_type": "outbound", "agent_config": {"custom_variables": names}}
        status = {"bulk_list_id": "list", "status": "draft", "total_callees": 1, "invalidated_rows_count": 0}
        if "/agent/all" in self.path:
            self._answer({"data": {"agents": [agent]}})
        else:
            self._answer({"agents": agent} if "/agent/" in self.path else status)

    def do_POST(self) -> None:
        """An upload."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            left = int(self.headers["Content-Length"])
            while left:
                left -= len(self.rfile.read(min(left, 1 << 16)))
        self._answer({"bulk_list_id": f"list-{time.monotonic_ns()}"})

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def sink() -> Iterator[str]:
    """Serve uploads on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# --- the comparison


def measure(way: str, table: str, url: str, target: str, connection: str) -> dict[str, Any]:
    """One way in a process of its own, which finds nothing that an earlier one has left."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as cleaning:
        cleaning.execute("DROP TABLE IF EXISTS ringg_contacts")
    environment = {
        **os.environ,
        "AIRFLOW_CONN_WAREHOUSE": connection,
        "AIRFLOW_CONN_RINGG_SINK": json.dumps({"conn_type": "ringg", "host": target, "password": "key"}),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
    }
    arguments = [sys.executable, __file__, "--child", way, "--table", table, "--url", url, "--sink", target]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def report(results: dict[tuple[str, str], dict[str, Any]], rows: int) -> str:
    """The table in Markdown."""
    out = io.StringIO()
    print(f"| {rows:,} rows | numbers | seconds | rows/s | x COPY | peak MB |", file=out)
    print("|---|---|---:|---:|---:|---:|", file=out)
    for (table, way), found in results.items():
        limit = results.get((table, "copy"))
        ratio = f"{found['seconds'] / limit['seconds']:.1f}" if limit else ""
        print(
            f"| {WAYS[way]} | {'10 % dirty' if table == 'dirty' else 'clean'} | {found['seconds']:.2f} |"
            f" {found['rows'] / found['seconds']:,.0f} | {ratio} | {found['peak'] / 1e6:.0f} |",
            file=out,
        )
    return out.getvalue()


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="default 1,000,000")
    parser.add_argument("--only", default=",".join(WAYS), help=f"ways to measure, of {', '.join(WAYS)}; default all")
    parser.add_argument("--repeat", type=int, default=3, help="runs per way, of which the fastest counts; default 3")
    for hidden in ("--child", "--table", "--url", "--sink"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child, chosen.table, chosen.url, chosen.sink)
        return
    from demo.postgres import EmbeddedPostgres

    with (
        tempfile.TemporaryDirectory(prefix="ringg-benchmark-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as server,
        sink() as target,
    ):
        # PostgreSQL runs as a user of its own.
        Path(folder).chmod(0o755)
        url = server.create_database("benchmark").replace("postgresql+psycopg", "postgresql")
        make_tables(url, chosen.rows)
        results: dict[tuple[str, str], dict[str, Any]] = {}
        for table in ("clean", "dirty"):
            for way in chosen.only.split(","):
                connection = server.airflow_connection("benchmark")
                runs = [measure(way, table, url, target, connection) for _ in range(chosen.repeat)]
                results[table, way] = {
                    "rows": runs[0]["rows"],
                    "seconds": min(run["seconds"] for run in runs),
                    "peak": max(run["peak"] for run in runs),
                }
                print(f"{table} {way}: {[round(run['seconds'], 2) for run in runs]} s", file=sys.stderr)
        busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
        print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {busy}\n")
        print(report(results, chosen.rows))


if __name__ == "__main__":
    main()

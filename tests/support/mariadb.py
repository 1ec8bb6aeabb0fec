"""A real MariaDB from the machine, on a loopback port: the state database of those who have MySQL."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from demo.server import EmbeddedServer

# Durability is for data that must outlive the machine; this database is thrown away.
_SETTINGS = {
    "bind-address": "127.0.0.1",
    "innodb-buffer-pool-size": "128M",
    "innodb-doublewrite": "0",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-log-file-size": "64M",
    "max-connections": "200",
    "skip-log-bin": None,
    "skip-name-resolve": None,
    # MySQL's default, and an old server's: whatever needs another one has to say so.
    "sql-mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO",
    "character-set-server": "latin1",
}
_USER = "ringg"
#: How the names of our temporary tables end.
_TEMPORARY = r"\w+_[0-9a-f]{8}"


def server_program() -> str | None:
    """Where the machine has MariaDB's server; None where it has none."""
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/libexec")


class EmbeddedMariaDB(EmbeddedServer):
    """A MariaDB; see `EmbeddedServer`. The path of its folder must be short enough for a socket."""

    product = "MariaDB"
    stopped_by = (signal.SIGTERM, 20, signal.SIGKILL)

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.folder / "log"

    def prepare(self) -> tuple[Sequence[str | Path], dict[str, Any]]:
        """Make the data folder and the user."""
        # A server that starts removes what it takes for its own in the folder of temporary files.
        data, temporary = self.folder / "data", self.folder / "tmp"
        temporary.mkdir(parents=True)
        common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={temporary}", f"--user={getpass.getuser()}"]
        install = shutil.which("mariadb-install-db") or "mariadb-install-db"
        made = subprocess.run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"MariaDB could not be prepared in {self.folder}:\n{made.stdout}{made.stderr}")
        first = self.folder / "first.sql"
        first.write_text(
            f"CREATE USER {_USER}@'127.0.0.1' IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL ON *.* TO {_USER}@'127.0.0.1' WITH GRANT OPTION;\n"
            "DROP USER root@localhost;\n"
        )
        own = {"port": self.port, "socket": self.folder / "socket", "pid-file": self.folder / "pid", "init-file": first}
        settings = [f"--{name}" if value is None else f"--{name}={value}" for name, value in (own | _SETTINGS).items()]
        return [str(server_program()), *common, *settings], {}

    def answers(self) -> bool:
        """Whether it takes a connection."""
        try:
            self._connect().close()
        except pymysql.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        self._execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database."""
        self._execute(f"DROP DATABASE IF EXISTS {name}")

    def url(self, database: str, driver: str = "mysql+pymysql") -> str:
        """The SQLAlchemy URL of one of its databases; `mysql`, as Airflow's hook says, is what nearly everybody has."""
        return f"{driver}://{_USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def airflow_connection(self, database: str) -> str:
        """The same database as the value of an `AIRFLOW_CONN_...` variable, by the driver that has a wheel."""
        return json.dumps(
            {
                "conn_type": "mysql",
                "host": "127.0.0.1",
                "port": self.port,
                "login": _USER,
                "password": self._password,
                "schema": database,
                "extra": {"client": "mysql-connector-python"},
            }
        )

    def _execute(self, statement: str) -> None:
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def _connect(self) -> Any:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=_USER, password=self._password, autocommit=True, connect_timeout=5
        )


def hold_to_mysqls_rules(engine: sa.Engine) -> None:
    """Refuse what MariaDB allows and MySQL does not: a temporary table that is named twice in one statement, a table
    that is changed by what is selected from it, and, as some providers have set it, one that has no key.

    https://dev.mysql.com/doc/refman/8.4/en/temporary-table-problems.html
    https://dev.mysql.com/doc/refman/8.4/en/subquery-errors.html
    https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_sql_require_primary_key
    """

    def refuse(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.lstrip().startswith("CREATE TEMPORARY TABLE") and "PRIMARY KEY" not in statement:
            pytest.fail(f"MySQL refuses this where it is told to (error 3750), it has no key:\n{statement}")
        if changed_by_itself(statement):
            pytest.fail(f"MySQL refuses this (error 1093), the table is selected from too:\n{statement}")
        if named_twice := temporary_tables_named_twice(statement):
            pytest.fail(f"MySQL refuses this (error 1137), {', '.join(named_twice)} is named twice:\n{statement}")

    sa.event.listen(engine, "before_cursor_execute", refuse)


def changed_by_itself(statement: str) -> bool:
    """Whether an UPDATE or a DELETE selects from the table that it changes."""
    change = re.match(r"\s*(?:UPDATE|DELETE\s+FROM)\s+([\w.`]+)(.*)", statement, re.DOTALL | re.IGNORECASE)
    return change is not None and bool(
        re.search(rf"\b(?:FROM|JOIN)\s+{re.escape(change[1])}(?![\w`.])", change[2], re.IGNORECASE)
    )


def temporary_tables_named_twice(statement: str) -> list[str]:
    """Temporary tables that a statement reads from, or writes to, more than once."""
    named = re.findall(rf"(?:FROM|INTO|JOIN|TABLE|UPDATE|USING|,)\s+`?({_TEMPORARY})\b(?!`?\.)", statement)
    return sorted({name for name in named if named.count(name) > 1})

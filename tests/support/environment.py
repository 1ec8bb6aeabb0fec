"""The environment Airflow is configured by, to be set before anything imports Airflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def airflow_environment(home: Path) -> dict[str, str]:
    """Variables for an Airflow that lives in a folder of its own and talks to nobody."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": "cmluZ2ctcHJvdmlkZXItdGVzdHMtZmVybmV0LWtleS0=",
        "AIRFLOW__API_AUTH__JWT_SECRET": "ringg-provider-tests-only-0123456789-0123456789-0123456789",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",  # which 3.1.0 colours where no terminal reads it, too
    }


def isolate_airflow(home: Path) -> None:
    """Point this process at an Airflow of its own, whatever the machine's environment says about another."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
        del os.environ[name]
    (home / "dags").mkdir(parents=True, exist_ok=True)
    os.environ.update(airflow_environment(home))


def migrate(home: Path) -> None:
    """Create the tables of the metadata database; in a process of its own, because it rewires logging."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**os.environ, **airflow_environment(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"airflow db migrate failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")

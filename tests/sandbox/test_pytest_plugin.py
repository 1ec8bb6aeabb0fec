"""The plugin of pytest: the project that docs/testing.md shows, and a project that does not use it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "users_project"
MODULE = "ringg_provider.sandbox.pytest_plugin"


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest in a process of its own, without any setting of this one's Airflow or pytest."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST_", "RINGG"))
    }
    # The entry point is read from the installed package, which may be older than this tree.
    installed = "ringg" in entry_points(group="pytest11").names
    plugin = [] if installed else ["-p", MODULE]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_project_of_the_documentation_passes_its_own_tests(tmp_path: Path) -> None:
    project = shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    if version("apache-airflow-core") == "3.1.0":  # as the page says
        conftest = project / "conftest.py"
        migrate = next(line for line in conftest.read_text().splitlines() if '"migrate"' in line)
        reserialize = migrate.replace('"db", "migrate"', '"dags", "reserialize"')
        conftest.write_text(conftest.read_text().replace(migrate, f"{migrate}\n{reserialize}"))
    done = run_pytest(project)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\b3 passed", done.stdout)


def test_a_project_that_does_not_use_it_imports_no_server_and_keeps_its_connections(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import os, sys\n\n"
        "def test_own():\n"
        "    assert 'ringg_provider.sandbox.pytest_plugin' in sys.modules\n"
        "    heavy = {'fastapi', 'uvicorn', 'pydantic', 'airflow', 'httpx', 'sqlalchemy'}\n"
        "    assert heavy & set(sys.modules) == set()\n"
        "    assert not [name for name in os.environ if name.startswith('AIRFLOW_CONN')]\n"
    )
    # Other plugins of this environment may import what they like.
    others = sorted(each.name for each in entry_points(group="pytest11") if each.name != "ringg")
    done = run_pytest(tmp_path, *(word for name in others for word in ("-p", f"no:{name}")))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_test_that_ends_takes_its_connections_along(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import json, os, urllib.request\n\n"
        "def test_uses_it(ringg_sandbox):\n"
        "    there = json.loads(os.environ['AIRFLOW_CONN_RINGG_DEFAULT'])\n"
        "    assert there['host'] == ringg_sandbox.base_url and there['password'] == ringg_sandbox.api_key\n"
        "    assert json.loads(os.environ['AIRFLOW_CONN_SMARTALEX_DEFAULT'])['host'] == ringg_sandbox.smartalex_url\n"
        "    assert ringg_sandbox.dials()['numbers'] == {}\n\n"
        "def test_does_not():\n"
        "    assert not [name for name in os.environ if name.startswith('AIRFLOW_CONN')]\n"
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

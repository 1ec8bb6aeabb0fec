"""Every process of Airflow imports the plugin; only the API server imports what is behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environment import airflow_environment

#: What each process runs, and how it takes the plugins in.
_PROCESSES = {
    "worker": """
        import airflow.sdk.execution_time.task_runner
        import airflow.sdk.execution_time.supervisor
    """,
    "triggerer": "import airflow.jobs.triggerer_job_runner",
    "DAG processor": """
        import airflow.dag_processing.manager
        import airflow.dag_processing.processor
    """,
    "scheduler": "import airflow.jobs.scheduler_job_runner",
}
_PLUGINS = """
import importlib, json, sys
from airflow import plugins_manager
loaders = [plugins_manager]
try:
    loaders.append(importlib.import_module("airflow.sdk.plugins_manager"))
except ImportError:
    pass  # Airflow 3.1 has one for all
for loader in loaders:
    for name in ("ensure_plugins_loaded", "_get_plugins", "integrate_macros_plugins", "initialize_timetables_plugins",
                 "get_timetables_plugins", "get_operator_extra_links", "initialize_extra_operators_links_plugins"):
        if take := getattr(loader, name, None):
            take()
print(json.dumps(sorted(name for name in sys.modules if name.startswith("ringg_provider"))))
"""


@pytest.mark.parametrize("process", _PROCESSES)
def test_a_process_that_is_no_api_server_imports_the_plugin_alone(process: str, tmp_path: Path) -> None:
    code = "\n".join(line.strip() for line in _PROCESSES[process].splitlines()) + _PLUGINS
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **airflow_environment(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    ours = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in ours if name.startswith("ringg_provider.ui")] == [
        "ringg_provider.ui",
        "ringg_provider.ui.plugin",
    ]

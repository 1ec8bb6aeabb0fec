"""What the clients of both platforms share."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain

from ringg_provider.get_provider_info import get_provider_info


def test_a_dag_file_that_imports_everything_loads_no_http() -> None:
    info = get_provider_info()
    grouped = (
        entry["python-modules"] for kind in ("operators", "sensors", "hooks", "triggers") for entry in info[kind]
    )
    modules = [*chain.from_iterable(grouped), *(entry["python-module"] for entry in info["transfers"])]
    assert len(modules) > 10
    # Airflow loads httpx for its own ends, so that only an import of ours fails here.
    program = f"""
import sys, importlib
import airflow.providers.common.compat.sdk as sdk
sdk.BaseOperator, sdk.BaseHook, sdk.BaseSensorOperator
sys.modules["httpx"] = None
for module in {modules!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

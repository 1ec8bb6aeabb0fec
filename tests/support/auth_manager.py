"""Airflow's simple auth manager, with one person who may read a single DAG.

The simple one knows roles only; the one of `apache-airflow-providers-fab` has rights for single DAGs.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

from tests.support.api_server import OTHERS_DAG


class PerDagAuthManager(SimpleAuthManager):
    """Lets the stranger read `OTHERS_DAG`, and no other."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        allowed = super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
        named = details.id if details is not None else None
        return allowed and (user.username != "stranger" or named in (None, OTHERS_DAG))

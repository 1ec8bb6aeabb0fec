"""What every process of Airflow finds by the entry point ``airflow.plugins`` and needs: the reference of deadlines.

Airflow deserializes no other than those that a plugin names. It is a plugin of its own, beside that of the control
room, since it has to work without the extra ``ui``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

references: list[type[Any]] = []
try:
    from ringg_provider.deadlines import CallingHoursClose
except ImportError:  # Airflow 3.1 knows its own references alone
    pass
else:
    references = [CallingHoursClose]


class RinggDeadlinesPlugin(AirflowPlugin):
    """Lets a DAG's deadline count from the closing of the calling hours."""

    name = "ringg_deadlines"
    deadline_references = references

"""What a trigger may ask about the task that waits for it."""

from __future__ import annotations

from typing import Any

from airflow.triggers.base import BaseTrigger
from asgiref.sync import sync_to_async

#: Whether Airflow calls a trigger's ``on_kill``; Airflow 3.1 and 3.2 only cancel its ``run``.
ON_KILL_BY_AIRFLOW = hasattr(BaseTrigger, "on_kill")


def task_state(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str | None:
    """The state of one task instance, as the scheduler holds it; works in a worker and in a triggerer's thread."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    mapped = map_index is not None and map_index >= 0
    states = RuntimeTaskInstance.get_task_states(
        dag_id=dag_id, task_ids=[task_id], run_ids=[run_id], map_index=map_index if mapped else None
    )
    by_task: dict[str, Any] = states.get(run_id, {})
    return by_task.get(f"{task_id}_{map_index}" if mapped else task_id)


async def task_state_of(trigger: BaseTrigger) -> str | None:
    """The state of the task that the trigger belongs to; None when it has none."""
    ti = trigger.task_instance
    if ti is None:
        return None
    # The supervisor is asked synchronously: in a thread it cannot stall the event loop.
    return await sync_to_async(task_state)(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)

"""A task that waits for a person's yes or no, in Airflow's own way, and goes on with itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDeferred


def ask_a_person(
    context: Context,
    task_id: str,
    *,
    subject: str,
    body: str,
    answer_within: timedelta,
    resumed_with: Mapping[str, Any],
) -> NoReturn:
    """Park the task until somebody answers; it is resumed by ``execute_complete``.

    :param context: of the task.
    :param task_id: its id.
    :param subject: the question.
    :param body: what is to be known for an answer, in Markdown; nothing personal, because Airflow stores it.
    :param answer_within: how long a person has; then the answer is no.
    :param resumed_with: what ``execute_complete`` is given beside the answer, as plain JSON.
    """
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    approval = ApprovalOperator(
        task_id=task_id, subject=subject, body=body, defaults=ApprovalOperator.REJECT, response_timeout=answer_within
    )
    try:
        approval.execute(context)
    except BaseException as waiting:
        # TaskDeferred, or from Airflow 3.3 on one that parks the task without a trigger.
        if not isinstance(waiting, Exception) and hasattr(waiting, "method_name"):
            parked = cast("TaskDeferred", waiting)
            parked.method_name, parked.kwargs = "execute_complete", dict(resumed_with)
        raise
    raise AssertionError("an approval always waits")


def is_yes(event: Mapping[str, Any] | None) -> bool:
    """Whether a person said yes; whatever is not a clear one is a no, a time-out and an error included.

    :param event: what ``execute_complete`` was given.
    """
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    return list((event or {}).get("chosen_options") or ()) == [ApprovalOperator.APPROVE]

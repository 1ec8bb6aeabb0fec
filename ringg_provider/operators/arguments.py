"""When an operator's arguments are checked: before each of its methods that Airflow calls in a worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from ringg_provider.api.arguments import check_arguments
from ringg_provider.operators.errors import failing_without_retry, saying_what_failed

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

P = ParamSpec("P")
R = TypeVar("R")
Task = TypeVar("Task", bound="BaseOperator")


def with_checked_arguments(method: Callable[Concatenate[Task, P], R]) -> Callable[Concatenate[Task, P], R]:
    """For ``execute``, and for what it is resumed with: first check the arguments, by now rendered.

    Errors that trying again cannot help, of the arguments or of the method, fail the task without retry.
    """

    @wraps(method)
    def checked(task: Task, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with saying_what_failed(task.log), failing_without_retry():
            check_arguments(task)
            return method(task, *args, **kwargs)

    return checked

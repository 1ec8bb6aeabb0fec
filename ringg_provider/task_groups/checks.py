"""What a campaign in one call cannot be: said when its file is read, and not when a night has half passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib.util import find_spec
from inspect import Parameter, signature
from typing import Any

from ringg_provider.exceptions import InvalidRequest

#: Steps without which nobody is called.
NEEDED = ("upload", "launch")
#: What several steps are given alike.
SHARED = frozenset({
    "contacts_table", "from_numbers", "ledger_conn_id", "number_pool_id", "ringg_conn_id", "smartalex_conn_id",
    "state_conn_id",
})  # fmt: skip
#: What shapes the group while the file is read; everything else is rendered when a task runs, and may come from another
#: task or differ from segment to segment.
SHAPING = frozenset({
    "contacts_table", "deferrable", "group_id", "history_pool", "history_within", "not_called_within_days",
    "poll_interval", "rollout", "state_conn_id", "timeout",
})  # fmt: skip


def with_checked_steps(init: Callable[..., None]) -> Callable[..., None]:
    """For a group's ``__init__``: first refuse what is no campaign.

    :raises InvalidRequest: one of its arguments cannot be, or not with the others; its ``field`` says which.
    """
    parameters = signature(init).parameters

    @wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        defaults = {name: each.default for name, each in parameters.items() if each.default is not Parameter.empty}
        given = {**defaults, **dict(zip(list(parameters)[1:], args, strict=False)), **kwargs}
        steps = {name: given[name] for name, each in parameters.items() if each.annotation == "Step"}
        for field, rule in _faults(given, steps):
            raise InvalidRequest(f"{field}: {rule}", field=field)
        init(self, *args, **kwargs)

    return checked


def _faults(given: Mapping[str, Any], steps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong: the argument, and the rule."""
    for name in (*SHAPING & given.keys(), *steps):
        if comes_later(given[name]):
            yield (
                name,
                "must be known when the file is read: it cannot come from a task, nor differ from segment to segment.",
            )
    for name, step in steps.items():
        if not (isinstance(step, bool | Mapping) or callable(step)):
            yield name, "must be True, False, a dict of arguments, or a callable that returns a task."
        if step is False and name in NEEDED:
            yield name, "cannot be left out: without it nobody is called. Give it arguments, or a task of yours."
        if isinstance(step, Mapping) and (shared := sorted(SHARED & step.keys())):
            yield name, f"{shared[0]} is the same for several steps: give it to the group."
    yield from _of_rollout(given, steps)
    # What a callable or a dict gives the launch is its own matter.
    is_plain = isinstance(steps["launch"], bool | Mapping)
    if "from_numbers" in given and is_plain and (given["from_numbers"] is None) == (given["number_pool_id"] is None):
        yield "from_numbers", "give either it or number_pool_id: from which numbers people are called."
    reads_words = "from_numbers" in given and not (steps["promises"] is False or callable(steps["promises"]))
    if reads_words and find_spec("dateparser") is None:
        yield (
            "promises",
            "needs dateparser, which is not installed: pip install 'ringg-provider[callbacks]'.",
        )


def _of_rollout(given: Mapping[str, Any], steps: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from ringg_provider.task_groups.campaign import Rollout

    rollout, upload, launch = given["rollout"], steps["upload"], steps["launch"]
    if not (rollout is None or isinstance(rollout, Rollout)):
        yield "rollout", "must be Rollout(...), or None."
    if isinstance(upload, Mapping) and (dealt := sorted({"waves", "rehearsal"} & upload.keys())):
        yield (
            "upload",
            f"{dealt[0]} would be dealt, and all called at once: give rollout=Rollout({dealt[0]}=...) instead.",
        )
    if "settings" in given and isinstance(rollout, Rollout) and rollout.budget is not None:
        priced = callable(launch) or (isinstance(launch, Mapping) and launch.get("credits_per_call") is not None)
        if not priced:
            yield "rollout", "has a budget, and SmartAlex tells no price: give launch={'credits_per_call': ...}."


def require_own_key(launch_key: object) -> None:
    """Refuse a launch key that several segments would share: only the first of them would call anybody.

    :param launch_key: as it was given, in a mapped group.
    :raises InvalidRequest: it names no segment.
    """
    if isinstance(launch_key, str) and "map_index" not in launch_key:
        raise InvalidRequest(
            "launch_key: is the same for every segment, and under one key only the first would call anybody. Put"
            " {{ ti.map_index }} into it, or leave it out.",
            field="launch_key",
        )


def comes_later(value: object) -> bool:
    """Whether a value is another task's result, or an argument of a mapped group."""
    return hasattr(value, "iter_references") and hasattr(value, "resolve")


def task_of(field: str, made: Any) -> Any:
    """The task that a callable of the DAG returned.

    :param field: which step, for the error.
    :param made: what it returned: a task, or what calling a ``@task`` function returns.
    :raises InvalidRequest: it is no task.
    """
    task = getattr(made, "operator", made)
    if not hasattr(task, "task_id") or not hasattr(task, "output"):
        raise InvalidRequest(
            f"{field}: a callable must return a task, and returned {type(made).__name__}.", field=field
        )
    return task

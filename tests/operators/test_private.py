"""An argument that nobody sees: it survives what Airflow does with operators, and its errors quote nothing."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, literal

from ringg_provider.exceptions import InvalidRequest, RinggProviderError
from ringg_provider.operators.private import Private, Untold
from tests.support.tasks import context

NUMBER = "+919876543210"


class Task(BaseOperator):
    """An operator with a private argument."""

    def __init__(self, *, parameters: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.private = Private("parameters", parameters)
        self.sql = f"SELECT '{NUMBER}'"


class Querying(Task):
    """An operator with an argument that no lineage is told."""

    template_fields = ("sql",)
    sql = Untold[str]()


def rendered(value: Any, **more: Any) -> Any:
    task = Task(task_id="task", parameters=value)
    return task.private.rendered(task, context() | more)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))])
def test_copies_and_pickles_of_the_operator_keep_the_value(again: Any) -> None:
    task = again(Task(task_id="task", parameters={"phone": NUMBER}))
    assert task.private.rendered(task, context()) == {"phone": NUMBER}


@pytest.mark.parametrize(
    "again", [lambda task: task, copy.copy, copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))]
)
def test_an_untold_argument_is_an_attribute_and_nothing_that_json_takes(again: Any) -> None:
    task = again(Querying(task_id="task"))
    assert task.sql == f"SELECT '{NUMBER}'"
    with pytest.raises(TypeError):
        json.dumps(vars(task)["sql"])
    assert NUMBER not in str(vars(task)["sql"])
    task.sql = "SELECT {{ who }}"
    task.render_template_fields(context() | {"who": 7})
    assert task.sql == "SELECT 7"


def test_an_untold_argument_is_not_wrapped_twice_by_who_copies_attributes_one_by_one() -> None:
    task, other = Querying(task_id="task"), Querying(task_id="other")
    task.sql = "SELECT 1"
    setattr(other, "sql", vars(task)["sql"])  # noqa: B010 - as such a copy does it
    assert other.sql == "SELECT 1"
    vars(other)["sql"] = "SELECT 2"
    assert other.sql == "SELECT 2"
    del other.sql
    assert not hasattr(other, "sql")


def test_an_untold_argument_that_was_never_given_is_no_attribute() -> None:
    task = Querying(task_id="task")
    vars(task).pop("sql")
    assert not hasattr(task, "sql")


def test_no_text_and_no_json_shows_it() -> None:
    private = Private("parameters", [NUMBER])
    for text in (repr(private), str(private), f"{private}", json.dumps([private], default=repr)):
        assert NUMBER not in text
        assert "parameters" in text
    with pytest.raises(TypeError):
        json.dumps(private)
    assert not hasattr(private, "__dict__")


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (None, None),
        ("{{ who }}", NUMBER),
        ({"a": "{{ who }}", "b": 7}, {"a": NUMBER, "b": 7}),
        (["{{ who }}", {"deep": ("{{ who }}", None)}], [NUMBER, {"deep": (NUMBER, None)}]),
        ({"a": literal("{{ who }}")}, {"a": "{{ who }}"}),
    ],
)
def test_templates_are_rendered_wherever_they_stand(value: Any, becomes: Any) -> None:
    assert rendered(value, who=NUMBER) == becomes


def test_native_rendering_makes_objects_of_templates_and_leaves_text_alone() -> None:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        task = Task(
            task_id="task", parameters={"a": "{{ days }}", "b": NUMBER, "c": ["{{ [1, who] }}", "007", "x.sql"]}
        )
    value = task.private.rendered(task, context() | {"days": 3, "who": NUMBER})
    assert value == {"a": 3, "b": NUMBER, "c": [[1, NUMBER], "007", "x.sql"]}


@pytest.mark.parametrize(
    ("template", "error", "words"),
    [
        (NUMBER + " {{ nobody.at_all }}", InvalidRequest, "parameters: .*'nobody' is undefined"),
        ("{{ {'a': 1}['" + NUMBER + "'].x }}", InvalidRequest, "parameters: .*UndefinedError"),
        ("{{ who[number].x }}", InvalidRequest, "parameters: .*UndefinedError"),
        (NUMBER + " {{ unfinished", InvalidRequest, "parameters: .*TemplateSyntaxError"),
        ("{{ broken('" + NUMBER + "x') }}", RinggProviderError, "parameters: .*failed with ValueError"),
    ],
)
def test_an_error_in_a_template_names_the_argument_and_quotes_nothing(
    template: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        rendered([template], broken=int, who={}, number=NUMBER)
    assert NUMBER not in str(caught.value)
    assert caught.value.__context__ is None

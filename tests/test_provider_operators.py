"""What Airflow expects of every operator, sensor and transfer, and what a DAG author may rely on in all of ours."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import pytest

from ringg_provider.operators.private import Private
from tests.support.provided import offered_operators

OPERATORS = offered_operators()

#: Fields that can hold personal data: rendered fields are stored, so these are never templated.
PERSONAL = {"mobile_numbers", "parameters"}
#: What names things and times: a DAG author writes templates in these.
TEMPLATED_NAMES = {
    "sql",
    "suppression_sql",
    "launch_key",
    "campaign_name",
    "contacts",
    "rejects_path",
    "recordings_path",
}
#: What an author may write about a person, in text of their own or as a key or a file's name.
UNTOLD = {
    "about",
    "callback_url",
    "campaign_name",
    "contacts",
    "description",
    "from_numbers",
    "hook_params",
    "launch",
    "launch_key",
    "launches",
    "name",
    "objective",
    "recordings_path",
    "rejects_path",
    "sql",
    "state_suppression_sql",
    "suppression_sql",
}
TEMPLATED_ENDINGS = ("_conn_id", "_id", "_time")
#: Parameters that end like an id and are none.
NOT_TEMPLATED = {"task_id"}


@pytest.fixture(params=OPERATORS, ids=lambda operator: operator.__name__)
def operator(request: pytest.FixtureRequest) -> Any:
    return request.param


def our_inits(operator: type) -> list[Any]:
    """The constructors of ours that run, from the class up."""
    return [
        vars(base)["__init__"]
        for base in operator.__mro__
        if "__init__" in vars(base) and base.__module__.startswith("ringg_provider.")
    ]


def own_parameters(operator: type) -> dict[str, inspect.Parameter]:
    found: dict[str, inspect.Parameter] = {}
    for init in our_inits(operator):
        for parameter in list(inspect.signature(init).parameters.values())[1:]:
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                found.setdefault(parameter.name, parameter)
    return found


def instance(operator: Any) -> Any:
    """An operator whose required arguments are all the same word: a constructor that only assigns takes anything."""
    required = {
        name: "anything" for name, parameter in own_parameters(operator).items() if parameter.default is parameter.empty
    }
    return operator(task_id="task", **required)


def test_there_are_operators_to_look_at() -> None:
    assert len(OPERATORS) >= 10


def test_template_fields_are_attributes(operator: Any) -> None:
    made = instance(operator)
    assert [name for name in operator.template_fields if not hasattr(made, name)] == []


def test_every_argument_is_keyword_only(operator: Any) -> None:
    assert [
        name for name, parameter in own_parameters(operator).items() if parameter.kind is not parameter.KEYWORD_ONLY
    ] == []


def test_the_constructor_only_assigns(operator: Any) -> None:
    for init in our_inits(operator):
        function = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(init)))).body[0]
        assert isinstance(function, ast.FunctionDef)
        assert [ast.unparse(line) for line in function.body if not _only_assigns(line)] == []


def _only_assigns(line: ast.stmt) -> bool:
    match line:
        case ast.Expr(value=ast.Constant(value=str())):  # the docstring
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name("super")), attr="__init__"))):
            return True
        case (
            ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=attribute)], value=value)
            | ast.AnnAssign(target=ast.Attribute(value=ast.Name("self"), attr=attribute), value=value)
        ):
            # An argument is kept as it came; anything else that is kept is private and starts empty, or is kept out of
            # everybody's sight.
            match value:
                case ast.Name():
                    return True
                case ast.Constant() | ast.Call(func=ast.Name("Private"), args=[ast.Constant(), ast.Name()]):
                    return attribute.startswith("_")
    return False


def test_connections_ids_and_times_are_templated(operator: Any) -> None:
    wanted = {
        name
        for name in own_parameters(operator)
        if (name in TEMPLATED_NAMES or name.endswith(TEMPLATED_ENDINGS)) and name not in NOT_TEMPLATED
    }
    assert wanted - set(operator.template_fields) == set()


def test_what_can_be_personal_is_not_templated(operator: Any) -> None:
    assert PERSONAL & set(operator.template_fields) == set()


def test_every_operator_has_a_connection_to_a_platform_and_a_docstring(operator: Any) -> None:
    assert any(name.endswith("_conn_id") for name in own_parameters(operator))
    assert inspect.getdoc(operator)
    assert operator.__doc__


def test_what_may_be_about_a_person_is_no_attribute_that_lineage_copies(operator: Any) -> None:
    made = instance(operator)
    assert [name for name in sorted(UNTOLD & vars(made).keys()) if not isinstance(vars(made)[name], Private)] == []
    assert not PERSONAL & vars(made).keys()

"""Arguments that not everybody may see.

Airflow stores the template fields of a task in its database, and its lineage sends whatever attribute of an operator
can be written as JSON. What is personal or secret is therefore no template field, and its value is kept out of reach:
`Private`. What may stand in Airflow's database, as the author's own text, but in no lineage, is `Untold`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from airflow.providers.common.compat.sdk import BaseOperator, XComArg, literal
from jinja2 import Environment, TemplateError, UndefinedError

from ringg_provider.api.arguments import checked_argument
from ringg_provider.exceptions import InvalidRequest, RinggProviderError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

T = TypeVar("T")


class Private:
    """An argument's value, which no serializer copies and no text shows; copies and pickles of the operator keep it.

    :param name: of the argument.
    :param value: as the DAG gave it.
    """

    __slots__ = ("_name", "_value")

    def __init__(self, name: str, value: Any) -> None:
        self._name = name
        self._value = value

    def __repr__(self) -> str:
        return f"<{self._name}: not shown>"

    @property
    def value(self) -> Any:
        """As it was given, its templates not rendered."""
        return self._value

    def rendered(self, task: BaseOperator, context: Context) -> Any:
        """The value, with its templates rendered as those of a template field are, and checked as they are.

        What a mapped task gets from another one is data and no template. Text without a template stays text, also where
        templates are rendered as native objects, which would make a number of ``+919876543210``.

        :param task: whose argument it is.
        :param context: of the task.
        :raises InvalidRequest: a template is wrong, or what it gives breaks the rule of the argument.
        """
        return checked_argument(type(task), self._name, self._rendered(task, context))

    def _rendered(self, task: BaseOperator, context: Context) -> Any:
        if _is_output(task, self._name, context):
            return self._value
        try:
            environment = task.get_template_env()
            return task.render_template(_only_templates(self._value, environment), context, environment)
        except RinggProviderError:
            raise
        except TemplateError as error:
            why = _undefined_name(error, self._value) or type(error).__name__
            failure: RinggProviderError = InvalidRequest(
                f"{self._name}: a template in it cannot be rendered: {why}.", field=self._name
            )
        except Exception as error:  # noqa: BLE001 - a template calls anything
            failure = RinggProviderError(f"{self._name}: a template in it failed with {type(error).__name__}.")
        # Out here, so that an error that quotes the value is not even the context of ours.
        raise failure


class Untold(Generic[T]):
    """An attribute of an operator that no lineage copies: queries, keys and free text may hold a person's.

    To the operator, to Airflow's templates and to its copies it is an attribute as any other.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, task: None, owner: type) -> Untold[T]: ...

    @overload
    def __get__(self, task: object, owner: type) -> T: ...

    def __get__(self, task: object | None, owner: type) -> Untold[T] | T:
        if task is None:
            return self
        try:
            kept = vars(task)[self._name]
        except KeyError:
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}") from None
        value: T = kept.value if isinstance(kept, Private) else kept
        return value

    def __set__(self, task: object, value: T) -> None:
        # Who copies the attributes of a task one by one has it wrapped already.
        vars(task)[self._name] = value if isinstance(value, Private) else Private(self._name, value)

    def __delete__(self, task: object) -> None:
        vars(task).pop(self._name, None)


def _undefined_name(error: TemplateError, template: Any) -> str | None:
    """That a variable is undefined whose name the author wrote; any other text quotes the template, or data."""
    told = re.fullmatch(r"'([A-Za-z_]\w*)' is undefined", str(error), re.ASCII)
    return str(error) if isinstance(error, UndefinedError) and told and told[1] in str(template) else None


def _only_templates(value: Any, environment: Environment) -> Any:
    """The same with every text taken for itself that has no template."""
    if isinstance(value, str):
        starts = (environment.variable_start_string, environment.block_start_string)
        return value if any(start in value for start in starts) else literal(value)
    if isinstance(value, Mapping):
        return {name: _only_templates(each, environment) for name, each in value.items()}
    if isinstance(value, list | tuple):
        texts = [_only_templates(each, environment) for each in value]
        return texts if isinstance(value, list) else tuple(texts)
    return value


def _is_output(task: BaseOperator, name: str, context: Context) -> bool:
    """Whether a mapped argument is another task's output."""
    dag = task.get_dag()
    mapped = dag.task_dict.get(task.task_id) if dag is not None else None
    source = getattr(getattr(mapped, "expand_input", None), "value", None)
    if isinstance(source, Mapping):  # .expand(name=...)
        source = source.get(name)
    elif isinstance(source, Sequence):  # .expand_kwargs([...])
        source = source[context["ti"].map_index or 0]
    return isinstance(source, XComArg)

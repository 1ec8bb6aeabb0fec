"""OpenTelemetry spans around what a task does; where no tracer is set up, they cost some microseconds and go nowhere.

The API alone, which Airflow itself needs; who exports spans, and whether anybody does, is up to the process. The rooms
that know no Airflow import this, and this imports nothing of ours, so that a span can be put around any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Value = str | bool | int | float


class Span(Protocol):
    """A span that is open."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Add something that is only known later; as in :func:`span`, nothing personal."""


@contextmanager
def span(name: str, **attributes: Value | None) -> Iterator[Span]:
    """Open a span under the one that is open.

    An error that passes through is noted by its class alone (``error.type``): OpenTelemetry's own note of it would copy
    its text and its traceback.

    :param name: such as ``ringg.launch.start``; a constant, because spans are grouped by it.
    :param attributes: ids, counts and words of ours; they are written as ``ringg.`` and their name. None is left out.
        Never a number, a name, a text of a person, or what a DAG's author wrote.
    :return: a context manager that yields the span.
    """
    from opentelemetry.trace import Status, StatusCode

    known = {f"ringg.{key}": value for key, value in attributes.items() if value is not None}
    with _tracer().start_as_current_span(
        name, attributes=known, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(Status(StatusCode.ERROR))
            raise


def _tracer() -> Tracer:
    # Not at the top: a DAG file that only names operators does not need it.
    from opentelemetry import trace

    from ringg_provider import __version__

    return trace.get_tracer("ringg_provider", __version__)

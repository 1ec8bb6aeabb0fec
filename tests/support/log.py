"""What Airflow writes to a task's log: operators by its own logger, what is below them by Python's, in one stream."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

_LINE = re.compile(r"^\S+Z \[(?P<level>\w+) *\] (?P<text>.*?)(?= \[[\w.]+\] loc=| \[[\w.]+\]$|$)", re.DOTALL)
_BEGINS = re.compile(r"^(?=\S+Z \[\w+ *\] )", re.MULTILINE)


def logged(capture: pytest.CaptureFixture[str]) -> str:
    """What was logged: on the standard output; by Python's own loggers in Airflow 3.1.0 on the other one."""
    captured = capture.readouterr()
    return captured.out + captured.err


@dataclass
class TaskLog:
    """The log of what runs in a test, as it stands in Airflow's log.

    :param capture: of the test.
    """

    capture: pytest.CaptureFixture[str]
    text: str = field(default="")

    def lines(self, level: str | None = None) -> list[str]:
        """The messages so far, without time and place; of one level, or all."""
        self.text += logged(self.capture)
        found = [match for part in _BEGINS.split(self.text) if (match := _LINE.match(part.rstrip("\n")))]
        return [
            match["text"]
            for match in found
            if level in (None, match["level"]) and "outside of the Task Runner" not in match["text"]
        ]

    def line(self, words: str, level: str | None = None) -> str:
        """The one message with these words."""
        found = [line for line in self.lines(level) if words in line]
        assert len(found) == 1, self.text
        return found[0]

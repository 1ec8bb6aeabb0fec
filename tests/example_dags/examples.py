"""What the tests of the examples share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.dags import EXAMPLES

FILES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
CONTACTS_CSV = str(EXAMPLES / "contacts.csv")
GENERATIONS = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)


def changed(dag_id: str, old: str, new: str) -> str:
    """The source of an example with one thing changed, and without retries, so that a failure is one at once."""
    source = (EXAMPLES / f"{dag_id}.py").read_text()
    assert source.count(old) == 1
    return source.replace(old, new).replace('"retries": 2', '"retries": 0')


def most_dials(sandbox: Any) -> int:
    return int(sandbox.dials()["max_calls_per_number"])

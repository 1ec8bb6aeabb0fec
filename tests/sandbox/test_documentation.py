"""docs/sandbox.md says what there is."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import get_args

from ringg_provider.sandbox import Settings
from ringg_provider.sandbox.faults import Fault
from tests.sandbox.api import Api

_TEXT = (Path(__file__).parents[2] / "docs/sandbox.md").read_text()
_NAMED = set(re.findall(r"`([a-z0-9_]+)`", _TEXT))


def as_shown(value: object) -> str:
    """A default as the table writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}".removesuffix(".0") if isinstance(value, int | float | Decimal) else f"`{value}`"


def test_every_setting_and_every_kind_of_fault_is_named() -> None:
    assert set(Settings.model_fields) - _NAMED == set()
    assert set(get_args(Fault.model_fields["kind"].annotation)) - _NAMED == set()


def test_the_defaults_in_the_table_are_the_real_ones() -> None:
    defaults, checked = Settings(), 0
    for names, shown in re.findall(r"^\| (`[a-z_`, ]+`) \| ([^|]+) \|", _TEXT, re.MULTILINE):
        fields = [name for name in re.findall(r"[a-z_]+", names) if name in Settings.model_fields]
        values = re.split(r", ", shown.strip())
        if len(values) == len(fields):
            assert values == [as_shown(getattr(defaults, field)) for field in fields]
            checked += len(values)
    assert checked >= 30


def test_every_endpoint_of_the_sandbox_itself_is_named(api: Api) -> None:
    paths = api.sandbox.admin.get("/openapi.json").json()["paths"]
    for path in paths:
        if path.startswith("/_sandbox"):
            assert path in _TEXT or path.rsplit("/", 1)[1] == "resume", path

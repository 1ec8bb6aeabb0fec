"""Times come from DAGs in every form there is; what is made of them must not depend on the form."""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ringg_provider
from ringg_provider.hours.schedule import read_moment
from ringg_provider.launch.staleness import why_too_late
from ringg_provider.ringg.requests import CallConfig, CallTime
from ringg_provider.ringg.timing import planned_time, spans_ahead

PACKAGE = Path(ringg_provider.__file__).parent
ZONES = ["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Chatham"]


@given(
    st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - the zone is drawn for itself
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
    st.sampled_from([0, 1]),
)
def test_every_spelling_of_a_moment_is_the_same_moment(naive: datetime, theirs: str, ours: str, fold: int) -> None:
    moment = naive.replace(tzinfo=ZoneInfo(theirs), fold=fold).astimezone(UTC)
    aware = moment.astimezone(ZoneInfo(theirs))
    spellings = [aware, moment, pendulum.instance(moment), pendulum.instance(aware), aware.isoformat(), str(moment)]
    zone = pendulum.timezone(ours)
    for written in spellings:
        assert read_moment(written, zone, "start") == moment, repr(written)


@given(
    st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - that it is naive is the point
    st.sampled_from(ZONES),
)
def test_every_spelling_of_a_time_on_the_wall_is_the_same_moment(naive: datetime, ours: str) -> None:
    naive, zone = naive.replace(second=0, microsecond=0), pendulum.timezone(ours)
    spellings = [naive, pendulum.instance(naive, tz=None), naive.isoformat(), f"{naive:%Y-%m-%d %H:%M}"]
    moments = {read_moment(each, zone, "start").timestamp() for each in [*spellings, f"{naive:%d/%m/%Y, %H:%M}"]}
    assert len(moments) == 1
    day = naive.date()
    dates = [
        day,
        pendulum.date(day.year, day.month, day.day),
        day.isoformat(),
        f"{day}T00:00",
        f"{day:%d/%m/%Y, %H:%M}",
    ]
    assert len({read_moment(each, zone, "start").timestamp() for each in dates}) == 1


WINDOW = CallTime(call_start_time="09:00", call_end_time="21:00", timezone="Asia/Kolkata")
CONFIG = CallConfig(call_time=WINDOW)
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
SLOTS = {"mode": "absolute", "intervals": [{"start": "02/03/2026, 12:00", "end": "02/03/2026, 15:00"}]}
SPELLINGS: dict[str, Callable[[datetime], Any]] = {
    "aware": lambda moment: moment.astimezone(ZoneInfo("America/New_York")),
    "pendulum": pendulum.instance,
    "pendulum elsewhere": lambda moment: pendulum.instance(moment).in_timezone("Asia/Kolkata"),
    "ISO": lambda moment: moment.astimezone(ZoneInfo("Asia/Kolkata")).isoformat(),
    "on the wall": lambda moment: moment.astimezone(ZoneInfo("Asia/Kolkata")).replace(tzinfo=None),
    "on the wire": lambda moment: f"{moment.astimezone(ZoneInfo('Asia/Kolkata')):%d/%m/%Y, %H:%M}",
}


@pytest.mark.parametrize("now", [NOW, pendulum.instance(NOW)], ids=["plain now", "pendulum's now"])
@pytest.mark.parametrize("slots", [None, SLOTS], ids=["window", "slots"])
@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_when_a_campaign_will_dial_is_the_same_however_its_times_are_written(
    spelled: Callable[[datetime], Any], slots: Any, now: datetime
) -> None:
    start, end = NOW + timedelta(hours=1), NOW + timedelta(hours=5)
    expected = spans_ahead(CONFIG, start, end, slots, NOW)
    assert expected
    found = spans_ahead(CONFIG, spelled(start), spelled(end), slots, now)
    assert found == expected
    assert planned_time(CONFIG, spelled(start), "planned_start") == start
    late = why_too_late(now=now, planned_start=planned_time(CONFIG, spelled(NOW - timedelta(hours=3)), "planned"))
    assert late is not None
    assert "3.0 h later" in late


def test_a_dags_times_are_read_in_one_place() -> None:
    readers = [path for path in PACKAGE.rglob("*.py") if "pendulum.parse(" in path.read_text()]
    assert [path.relative_to(PACKAGE).as_posix() for path in readers] == ["hours/schedule.py"]


def is_span(node: ast.expr) -> bool:
    """Whether an expression names a span of time outright."""
    called = node.func if isinstance(node, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
    return name == "timedelta"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_divided_by_a_span_of_time(path: Path) -> None:
    """What pendulum subtracts, and its durations, cannot be divided by a `timedelta`; `total_seconds` always works."""
    with pytest.raises(AttributeError):
        _ = pendulum.duration(days=3) / timedelta(days=1)
    divisions = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
        and (is_span(node.right) or is_span(node.left))
    ]
    assert divisions == []

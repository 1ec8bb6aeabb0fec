"""From the sandbox's webhook over a socket to the row, compared with what loading the history alone gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.history.attempts import attempts_table
from ringg_provider.history.load import HistoryLoad, LoadCounts
from ringg_provider.history.tables import calls_table
from ringg_provider.inbox.apply import RinggApply
from ringg_provider.inbox.receiver import PATH
from ringg_provider.ringg.requests import EventSubscription
from tests.history.launching import SURVEY, client_of, ended, launch, wait_until
from tests.inbox.serving import CONN, SECRET, serving
from tests.inbox.telling import CLOCKS, ONLY_LISTED, ONLY_TOLD, rows_of
from tests.support.sandbox import Sandbox

ORIGIN = "https://inbox.example.com"
EVENTS = ["call_completed", "recording_completed", "platform_analysis_completed", "all_processing_completed"]
CALLS = calls_table()
ANALYSIS = {"summary", "classification", "platform_analysis", "disconnect_reason"}


def subscribe(sandbox: Sandbox, port: int) -> None:
    """Let the agent send its events to a receiver of this machine."""
    sandbox.settings(callback_origins={ORIGIN: f"http://127.0.0.1:{port}"})
    wanted = EventSubscription(
        event_type=EVENTS, callback_url=f"{ORIGIN}{PATH}/{CONN}", headers={"Authorization": f"Bearer {SECRET}"}
    )
    with client_of(sandbox) as client:
        client.set_event_subscriptions(SURVEY, [wanted])


def load(sandbox: Sandbox, engine: sa.Engine) -> LoadCounts:
    """Load the history."""
    with client_of(sandbox) as client:
        return HistoryLoad(client, engine, pacer=Pacer(60_000, 60.0)).run()


@pytest.mark.parametrize("generation", ["g2", "g3"])
def test_the_rows_equal_those_of_the_history_and_cost_no_request(
    sandbox_factory: Callable[..., Sandbox], sqlite: sa.Engine, tmp_path: Path, generation: str
) -> None:
    sandbox = sandbox_factory(generation, history_rate_window_seconds=0)
    with serving(sqlite) as receiver:
        subscribe(sandbox, receiver.port)
        list_id = launch(sandbox, tmp_path, 60)
        wait_until(lambda: sandbox.skip(hours=1) or ended(sandbox, list_id))
        sandbox.skip(hours=1)
        sandbox.deliveries()
    applied = RinggApply(sqlite, CONN).run()
    assert (applied.inserted, applied.settled, applied.unreadable) == (60, 60, 0)
    # Some calls of a quarter of an hour ago, so that the pass by date sees them.
    told = rows_of(sqlite, CALLS)
    counts = load(sandbox, sqlite)
    assert (counts.campaigns_known, counts.details_read) == (
        0,
        0,
    )  # sixty are one page: nothing is saved by asking twice

    alone = sa.create_engine(f"sqlite:///{tmp_path / 'alone.db'}")
    load(sandbox, alone)
    polled = rows_of(alone, CALLS)
    assert told.keys() == polled.keys()
    different = {
        (name, polled[key]["status"])
        for key in told
        for name in set(CALLS.c.keys()) - (ONLY_LISTED | ONLY_TOLD | CLOCKS)
        if _plain(told[key][name]) != _plain(polled[key][name])
    }
    # A link is signed anew each time. Of calls that nobody took, only webhooks bring an analysis.
    assert {name for name, status in different if status == "completed"} <= {"recording_url"}
    assert {name for name, status in different if status != "completed"} <= ANALYSIS
    rings: dict[str, int] = {}
    for row in _attempts(sqlite):
        rings[row["call_id"]] = rings.get(row["call_id"], 0) + 1
    assert rings.keys() == told.keys()
    assert max(rings.values()) == 2
    alone.dispose()


def _attempts(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(attempts_table())).mappings()]


def _plain(value: Any) -> Any:
    return float(value) if hasattr(value, "as_tuple") else value

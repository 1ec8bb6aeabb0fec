"""Saying when to call back from a page: who may, what stands in the table then, what is noted, and what is refused."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import sqlalchemy as sa

from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.ui.access import HEADER
from tests.support.api_server import DAG, OTHERS_DAG, ApiServer
from tests.support.browser import Window
from tests.ui.night import Night

# The first of them waits for two servers, a database and a night.
pytestmark = pytest.mark.timeout(900)

PROMISES = callbacks_table()
TOMORROW = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=1)
ASKED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
SEEN = {"asked_at": ASKED.isoformat()}
CALL = {"what": "call", "at": f"{TOMORROW:%Y-%m-%dT%H:%M}", **SEEN}


@pytest.fixture
def promise(tables: sa.Engine, night: Night, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Write an unclear promise of this test alone."""

    def write(**columns: Any) -> str:
        promise_id = f"promise-{abs(hash(request.node.nodeid))}"
        row = {
            "promise_id": promise_id, "platform": "ringg", "bulk_list_id": night.campaign_id, "state": "unclear",
            "asked_call_id": promise_id, "asked_at": ASKED, "timezone": "Asia/Tokyo",
            "words": "marked words",
        }  # fmt: skip
        with tables.begin() as connection:
            connection.execute(sa.delete(PROMISES).where(PROMISES.c.promise_id == promise_id))
            connection.execute(sa.insert(PROMISES).values({**row, **columns}))
        return promise_id

    return write


@pytest.fixture
def user(server: ApiServer) -> Iterator[httpx.Client]:
    """Somebody who may trigger DAGs."""
    with server.client("user") as client:
        yield client


def row_of(tables: sa.Engine, promise_id: str) -> Any:
    with tables.connect() as connection:
        return connection.execute(sa.select(PROMISES).where(PROMISES.c.promise_id == promise_id)).one()


def own(server: ApiServer) -> dict[str, str]:
    return {HEADER: "settle", "Origin": server.url.removesuffix("/airflow")}


def entries(server: ApiServer) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(server.home / "airflow.db")) as connection:
        query = "SELECT owner, dag_id, extra FROM log WHERE event = 'ringg_settle_callback' ORDER BY id"
        return connection.execute(query).fetchall()


def test_a_time_is_read_in_the_zone_of_the_person_and_noted(user, server, tables, promise) -> None:
    promise_id = promise()
    answer = user.post(f"ringg/settle/{DAG}/{promise_id}", headers=own(server), json=CALL)
    assert (answer.status_code, answer.json()) == (200, {"settled": True})
    row = row_of(tables, promise_id)
    assert (row.state, row.settled_by) == ("open", "person:user")
    assert row.due_at == row.earliest_at == row.latest_at == TOMORROW.replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    owner, dag_id, extra = entries(server)[-1]
    assert (owner, dag_id) == ("user", DAG)
    assert json.loads(extra) == {"promise_id": promise_id, "method": "POST", **CALL}
    again = user.post(f"ringg/settle/{DAG}/{promise_id}", headers=own(server), json={"what": "withdraw", **SEEN})
    assert (again.status_code, again.json()) == (
        409,
        {"detail": "It is unclear no more: reload the page to see what holds."},
    )
    assert row_of(tables, promise_id) == row


def test_nobody_need_call(user, server, tables, promise) -> None:
    promise_id = promise(timezone=None)
    said = {"what": "withdraw", "at": "", "timezone": "", **SEEN}
    assert user.post(f"ringg/settle/{DAG}/{promise_id}", headers=own(server), json=said).status_code == 200
    assert (row_of(tables, promise_id).state, row_of(tables, promise_id).due_at) == ("withdrawn", None)


@pytest.mark.parametrize(
    ("timezone", "said", "field"),
    [
        ("Asia/Tokyo", {**CALL, "at": ""}, "at"),
        ("Asia/Tokyo", {**CALL, "at": "soon"}, "at"),
        ("Asia/Tokyo", {**CALL, "at": "2020-01-01T10:00"}, "when"),
        ("Asia/Tokyo", {**CALL, "at": "2120-01-01T10:00"}, "when"),
        (None, CALL, "timezone"),
        (None, {**CALL, "timezone": "Mars/Olympus"}, "timezone"),
        ("Asia/Tokyo", {**CALL, "what": "forget"}, None),
        ("Asia/Tokyo", {"what": "withdraw"}, None),
        ("Asia/Tokyo", {}, None),
    ],
)
def test_what_is_no_time_is_refused_in_words(timezone, said, field, user, server, tables, promise) -> None:
    promise_id = promise(timezone=timezone)
    answer = user.post(f"ringg/settle/{DAG}/{promise_id}", headers=own(server), json=said)
    assert answer.status_code == 400
    assert field is None or answer.json()["detail"].startswith(field)
    assert row_of(tables, promise_id).state == "unclear"


@pytest.mark.parametrize("what", [{}, {"what": "withdraw", "at": ""}])
def test_what_they_have_asked_for_since_the_page_was_opened_is_not_settled_by_it(
    what, user, server, tables, promise
) -> None:
    promise_id = promise()
    page = user.get(f"ringg/page/settle/{DAG}/{promise_id}").text
    assert f'name="asked_at" value="{ASKED.isoformat()}"' in page
    with tables.begin() as connection:
        mine = PROMISES.c.promise_id == promise_id
        connection.execute(sa.update(PROMISES).where(mine).values(asked_at=ASKED + timedelta(minutes=5)))
    before = row_of(tables, promise_id)
    answer = user.post(f"ringg/settle/{DAG}/{promise_id}", headers=own(server), json={**CALL, **what})
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("They have asked again since this page was opened")
    assert row_of(tables, promise_id) == before


@pytest.mark.parametrize("person", ["viewer", "stranger"])
def test_who_may_not_trigger_the_dag_can_neither_ask_nor_settle(person, server, tables, promise) -> None:
    promise_id, noted = promise(), len(entries(server))
    with server.client(person) as client:
        assert client.get(f"ringg/page/settle/{DAG}/{promise_id}").status_code == 403
        for dag_id in (DAG, OTHERS_DAG):
            refused = client.post(f"ringg/settle/{dag_id}/{promise_id}", headers=own(server), json=CALL)
            assert refused.status_code == 403
    assert row_of(tables, promise_id).state == "unclear"
    assert len(entries(server)) == noted


def test_a_promise_is_settled_under_the_dag_whose_campaign_it_was_asked_in_only(user, server, tables, promise) -> None:
    promise_id = promise()
    for dag_id, other in ((OTHERS_DAG, promise_id), (DAG, "others-promise"), (DAG, "unnoted-promise"), (DAG, "none")):
        assert user.post(f"ringg/settle/{dag_id}/{other}", headers=own(server), json=CALL).status_code == 404
    assert row_of(tables, promise_id).state == row_of(tables, "others-promise").state == "unclear"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "own"},
        {HEADER: "settle"},
        {HEADER: "settle", "Origin": "https://elsewhere.example"},
        {HEADER: "settle", "Origin": "own", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_request_that_no_page_of_ours_sent_settles_nothing(headers, server, tables, promise) -> None:
    promise_id = promise()
    sent = {name: own(server)["Origin"] if value == "own" else value for name, value in headers.items()}
    with server.client("admin") as admin:
        cookie = {"Cookie": f"_token={admin.headers.pop('Authorization').removeprefix('Bearer ')}"}
        assert admin.get(f"ringg/page/settle/{DAG}/{promise_id}", headers=cookie).status_code == 200
        refused = admin.post(f"ringg/settle/{DAG}/{promise_id}", headers={**cookie, **sent}, json=CALL)
    assert refused.status_code == 403
    assert row_of(tables, promise_id).state == "unclear"


def test_in_a_browser_a_person_says_when_and_the_page_says_what_holds(
    window: Window, server: ApiServer, tables: sa.Engine, promise: Callable[..., str]
) -> None:
    promise_id = promise(timezone=None)
    window.page.goto(f"{server.url}/ringg/page/callbacks")
    row = window.page.get_by_role("row", name=promise_id)
    row.get_by_role("link", name="Settle …").click()
    window.page.get_by_role("heading", name="When are they to be called?").wait_for()
    window.page.locator("input[name=at]").fill(CALL["at"])
    window.page.get_by_role("button", name="Settle it").click()
    window.page.get_by_text("Not settled: timezone: ").wait_for()
    window.page.locator("select").select_option("Asia/Tokyo")
    window.page.get_by_role("button", name="Settle it").click()
    window.page.get_by_text("There is nothing to settle.").wait_for()
    assert window.page.locator("#state").inner_text() == "To be called"
    assert window.page.locator("#due").inner_text() == f"{TOMORROW:%a %Y-%m-%d %H:%M} Asia/Tokyo"
    assert row_of(tables, promise_id).state == "open"
    # The console tells of every answer that is an error.
    window.errors[:] = [error for error in window.errors if "400" not in error]


def test_its_charts_equal_the_table(window: Window, server: ApiServer, tables: sa.Engine, night: Night) -> None:
    window.page.goto(f"{server.url}/ringg/page/callbacks")
    window.page.locator(".drawing svg").first.wait_for()
    chart = window.page.locator(".chart", has_text="What became of them")
    chart.locator("summary").press("Enter")
    shown = dict(row.split("\t") for row in chart.locator("tbody").inner_text().splitlines())
    with tables.connect() as connection:
        query = sa.select(PROMISES.c.state, sa.func.count()).group_by(PROMISES.c.state)
        stored = dict(connection.execute(query.where(PROMISES.c.bulk_list_id != night.unnoted_id)).tuples().all())
    assert (shown["Kept"], shown["Late"]) == (str(stored["kept"]), str(stored["late"]))
    assert (shown["Missed"], shown["Unclear"]) == (str(stored["missed"]), str(stored["unclear"]))
    with window.page.expect_download() as kept:
        window.page.locator(".chart", has_text="How late").get_by_text("As a CSV file").click()
    assert kept.value.suggested_filename == "lateness.csv"

"""Every route of the running control room, asked by everybody: who gets an answer, and what is in none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute

from ringg_provider.inbox.receiver import Receiver
from ringg_provider.ui.app import build_app
from ringg_provider.ui.plugin import RinggPlugin
from tests.support.api_server import DAG, OTHERS_DAG, PEOPLE, ApiServer
from tests.support.sandbox import Sandbox
from tests.ui.night import MARKS, NAME, RUN_ID, Night

# The first of them waits for two servers, a database and a night.
pytestmark = pytest.mark.timeout(900)

#: Values of another kind in the place of an id: quotes, markup, a way up, and what is nobody's.
BAD_IDS = (
    "' OR '1'='1",
    '"; DROP TABLE ringg_launches; --',
    "<script>alert(1)</script>",
    "%",
    "~",
    "nobody's",
    "é" * 300,
)


@dataclass(frozen=True)
class Route:
    """A route of the app.

    :param method: GET, POST, ...
    :param path: with its parameters in braces.
    :param choices: the names of what may follow its question mark.
    """

    method: str
    path: str
    choices: tuple[str, ...] = ()

    @property
    def parameters(self) -> list[str]:
        """The names in braces."""
        return re.findall(r"{(\w+)(?::\w+)?}", self.path)

    def url(self, values: dict[str, str]) -> str:
        """Its address below Airflow."""
        return "/ringg" + re.sub(r"{(\w+)(?::\w+)?}", lambda found: quote(values[found[1]], safe=""), self.path)


def all_routes() -> list[Route]:
    """What the app really has: a new page is crawled without being named here."""
    routes = [route for route in build_app().routes if isinstance(route, APIRoute)]
    return [
        Route(method, route.path, tuple(choice.name for choice in route.dependant.query_params))
        for route in routes
        for method in sorted(route.methods - {"HEAD"})
    ]


ROUTES = all_routes()
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")


@pytest.fixture(scope="module")
def values(night: Night) -> dict[str, str]:
    """What stands for each parameter of a path."""
    return {
        "dag_id": DAG,
        "run_id": RUN_ID,
        "campaign_id": night.campaign_id,
        "list_id": night.campaign_id,
        "launch_key": night.launch_key,
        "chart": "funnel",
        "picture": "promises",
        "promise_id": night.promise_id,
    }


@pytest.fixture(scope="module")
def people(server: ApiServer) -> Iterator[dict[str | None, httpx.Client]]:
    """A client of everybody, and of nobody."""
    clients = {person: server.client(person) for person in (None, *PEOPLE)}
    yield clients
    for client in clients.values():
        client.close()


def ask(
    people: dict[str | None, httpx.Client], person: str | None, route: Route, values: dict[str, str], **chosen: str
) -> httpx.Response:
    client = people[person]
    answer = client.request(route.method, f"{client.base_url}{route.url(values).lstrip('/')}", params=chosen)
    assert answer.status_code < 500, answer.text
    assert_safe_headers(answer)
    assert_nothing_personal(answer)
    return answer


def assert_safe_headers(answer: httpx.Response, cached: str = "no-store") -> None:
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["frame-ancestors"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == cached
    assert answer.headers["Referrer-Policy"] == "same-origin"


def assert_nothing_personal(answer: httpx.Response) -> None:
    told = f"{answer.headers}\n{answer.text}"
    assert [mark for mark in MARKS if mark in told] == []
    assert re.findall(r"(?<![\w:.-])\+\d{8,15}\b", told) == []


def test_every_other_app_that_airflow_mounts_is_asked_by_everybody_elsewhere(monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW__RINGG__INBOX", "True")
    apps = {app["url_prefix"]: app["app"] for app in RinggPlugin().fastapi_apps}
    assert apps.keys() == {"/ringg", "/ringg/webhooks"}
    assert isinstance(apps["/ringg/webhooks"], Receiver)  # `test_inbox.py`


@each_route
def test_nobody_gets_an_answer_without_a_login(route, people, values) -> None:
    assert ask(people, None, route, values).status_code == 401


@each_route
def test_a_forged_login_gets_no_answer(route, server, people, values) -> None:
    for headers in ({"Authorization": "Bearer forged"}, {"Cookie": "_token=forged"}):
        answer = httpx.request(route.method, server.url + route.url(values), headers=headers)
        assert answer.status_code in (401, 403)


@each_route
def test_an_admin_is_answered(route, people, values) -> None:
    if missing := set(route.parameters) - values.keys():
        pytest.fail(f"say in `values` what stands for {missing} of {route.path}")
    code = ask(people, "admin", route, values).status_code
    assert code == (200 if route.method == "GET" else 403)  # a POST without our header


@each_route
def test_a_reader_of_another_dag_sees_nothing_of_this_one(route, people, values, night) -> None:
    answer = ask(people, "stranger", route, values)
    if "dag_id" in route.parameters:
        assert answer.status_code == 403
    assert answer.status_code in (200, 403, 404)
    for secret in (
        night.campaign_id,
        night.smartalex_id,
        night.unnoted_id,
        "Survey &lt;",
        "older version",
        night.launch_key,
        night.promise_id,
    ):
        assert secret not in answer.text


@each_route
@pytest.mark.parametrize("person", ["stranger", "viewer"])
def test_what_he_may_read_is_answered(route, person, people, values, night) -> None:
    others = values | {"dag_id": OTHERS_DAG, "campaign_id": night.others_id, "list_id": night.others_id}
    others |= {"launch_key": f"{OTHERS_DAG}-2026-11-26", "promise_id": "others-promise"}
    acts = "stop" in route.path or "settle" in route.path
    expected = 403 if acts or route.method != "GET" else 200
    assert ask(people, person, route, others).status_code == expected


@each_route
def test_an_id_of_another_kind_is_bound_and_found_nowhere(route, people, values, tables: sa.Engine) -> None:
    for parameter in route.parameters:
        for bad in BAD_IDS:
            answer = ask(people, "admin", route, values | {parameter: bad})
            assert answer.status_code in (200, 400, 403, 404)
            assert "<script>alert" not in answer.text
            assert NAME not in answer.text
    for choice in route.choices:
        for bad in BAD_IDS:
            answer = ask(people, "admin", route, values, **{choice: bad})
            assert answer.status_code in (200, 400, 403)
            assert "<script>alert" not in answer.text
    assert sa.inspect(tables).has_table("ringg_launches")


def test_a_campaign_that_no_dag_is_noted_for_is_for_who_may_read_everything(people, night) -> None:
    seen = {person: night.unnoted_id in people[person].get("ringg/page/").text for person in ("admin", "op", "viewer")}
    assert seen == {"admin": True, "op": True, "viewer": False}


def test_a_name_with_markup_is_text(people) -> None:
    listed = people["viewer"].get("ringg/page/").text
    assert "Survey &lt;script&gt;" in listed
    assert "<script>document" not in listed


def test_waves_brake_budget_and_webhooks_are_on_the_pages_of_who_may_see_their_dag(people, night) -> None:
    page = people["viewer"].get(f"ringg/page/campaign/{night.campaign_id}").text
    for words in ("A brake was pulled: opt outs: 12 of 40 calls (30.0%)", "Wave 1", "Budget “night”", "40.00"):
        assert words in page
    assert "ringg_sandbox" in people["viewer"].get("ringg/page/todo").text
    stranger = people["stranger"].get("ringg/page/todo").text
    assert "A brake was pulled" not in stranger


def test_promises_are_on_the_pages_of_who_may_see_their_dag_and_none_is_named_by_a_number(people, night) -> None:
    seen = {person: people[person].get("ringg/page/callbacks").text for person in ("admin", "viewer", "stranger")}
    ids = (night.promise_id, "others-promise", "unnoted-promise")
    assert {person: [each in page for each in ids] for person, page in seen.items()} == {
        "admin": [True, True, True],
        "viewer": [True, True, False],
        "stranger": [False, True, False],
    }
    assert night.smartalex_id in seen["admin"]  # whose promise has no id that a page may show
    assert "/page/settle/" not in seen["viewer"]
    assert f"/page/settle/{DAG}/{night.promise_id}" in people["user"].get("ringg/page/callbacks").text
    for person, number in (("viewer", "3 promises are unclear"), ("stranger", "1 promise is unclear")):
        assert number in people[person].get("ringg/page/todo").text
    assert "Callbacks" in people["viewer"].get(f"ringg/page/campaign/{night.campaign_id}").text


def test_static_files_are_for_everybody_and_nothing_else_is_among_them(people) -> None:
    answer = people[None].get("ringg/static/control_room.css")
    assert answer.status_code == 200
    assert_safe_headers(answer, cached="no-cache")
    for way in ("ringg/static/../app.py", "ringg/static/%2e%2e/app.py", "ringg/static/..%2fapp.py", "ringg/static/"):
        assert people[None].get(way).status_code in (401, 404)


def test_what_no_answer_may_hold_is_in_the_tables(tables: sa.Engine, platform: Sandbox, night: Night) -> None:
    with tables.connect() as connection:
        names = sa.inspect(tables).get_table_names()
        stored = [str(row) for name in names for row in connection.execute(sa.text(f"SELECT * FROM {name}"))]
    assert [mark for mark in MARKS if not any(mark in text for text in [*stored, platform.api_key])] == []

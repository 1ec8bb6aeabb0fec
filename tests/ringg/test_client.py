"""The clients over a socket: what is sent once, how lists are paged, what "nothing to stop" means."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ringg_provider.api.messages import Timeouts
from ringg_provider.exceptions import (
    InvalidRequest,
    NetworkError,
    NotFound,
    RateLimited,
    RinggProviderError,
    ServerError,
    TransientError,
    UnexpectedResponse,
    UnreadableAnswer,
)
from ringg_provider.ringg import PRODUCTION, AsyncRinggClient, RinggClient
from ringg_provider.ringg.requests import CallQuery, EventSubscription, StartCampaign, Terminate
from tests.ringg.examples import (
    AGENT,
    DAYS,
    HOOK,
    KINDS,
    LIST,
    MAKE,
    ONCE,
    POOL,
    REPEATABLE,
    SPEC,
    START,
    START_POOL,
    Example,
    anything,
)
from tests.support.http_server import UNREADABLE, Answer, Asked, ScriptedServer

KEY = "rg_live_secret0123"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "contacts.csv"
    file.write_text("Mobile Number,Name,Policy ID,Due Date\n+919876543210,Priya,P-1,20/10/2026\n")
    return file


def connect(server: ScriptedServer, **options: Any) -> RinggClient:
    return RinggClient(KEY, server.base_url, sleep=lambda _: None, **options)


# --- once, or until it succeeds -----------------------------------------------------------------------------


def test_the_examples_cover_every_method_of_the_client() -> None:
    methods = {name for name, _ in inspect.getmembers(RinggClient, inspect.isfunction) if not name.startswith("_")} - {
        "close"
    }
    assert {name.split()[0] for name in REPEATABLE | ONCE} == methods


@pytest.mark.parametrize(("path", "example"), (REPEATABLE | ONCE).values(), ids=list(REPEATABLE | ONCE))
def test_every_method_goes_to_its_endpoint_with_the_key(path: str, example: Example, csv: Path) -> None:
    with ScriptedServer(script=lambda asked: Answer(body=anything(asked.path))) as server, connect(server) as client:
        example(client, csv)
    assert set(server.paths) == {path}
    assert all(asked.headers["x-api-key"] == KEY for asked in server.asked)


LOST = [Answer(429), Answer(500), Answer(502), Answer(503), Answer(504), Answer(cut=True), Answer(body={}, truncate=9)]


@pytest.mark.parametrize(("path", "example"), ONCE.values(), ids=list(ONCE))
@pytest.mark.parametrize("answer", LOST, ids=lambda a: f"{a.status}{'-cut' * a.cut}{'-short' * bool(a.truncate)}")
def test_what_rings_a_phone_or_makes_a_list_is_sent_once_whatever_comes_back(
    path: str, example: Example, answer: Answer, csv: Path
) -> None:
    with ScriptedServer(answer) as server, connect(server) as client:
        with pytest.raises((ServerError, NetworkError, RateLimited)) as raised:
            example(client, csv)
        assert server.paths == [path]
    if isinstance(raised.value, NetworkError):
        assert raised.value.sent is True


@pytest.mark.parametrize(("path", "example"), REPEATABLE.values(), ids=list(REPEATABLE))
@pytest.mark.parametrize("answer", [Answer(503), Answer(cut=True)], ids=["503", "cut"])
def test_what_two_times_do_no_more_than_once_is_repeated(
    path: str, example: Example, answer: Answer, csv: Path
) -> None:
    def fail_once(asked: Asked) -> Answer:
        return answer if len(server.asked) == 1 else Answer(body=anything(asked.path))

    with ScriptedServer(script=fail_once) as server, connect(server) as client:
        example(client, csv)
        assert server.paths[:2] == [path, path]


@pytest.mark.parametrize(("path", "example"), ONCE.values(), ids=list(ONCE))
def test_what_rings_a_phone_or_makes_a_list_is_sent_once_though_its_answer_cannot_be_read(
    path: str, example: Example, csv: Path
) -> None:
    for answer in UNREADABLE.values():
        with ScriptedServer(answer) as server, connect(server) as client:
            with pytest.raises(UnexpectedResponse) as raised:
                example(client, csv)
            assert server.paths == [path]
        assert not isinstance(raised.value, TransientError)


@pytest.mark.parametrize(("path", "example"), REPEATABLE.values(), ids=list(REPEATABLE))
def test_a_read_is_repeated_after_an_answer_that_cannot_be_read(path: str, example: Example, csv: Path) -> None:
    left = list(UNREADABLE.values())
    with (
        ScriptedServer(script=lambda asked: left.pop() if left else Answer(body=anything(asked.path))) as server,
        connect(server, max_attempts=20, max_wait=10_000) as client,
    ):
        example(client, csv)
        assert server.paths[: len(UNREADABLE) + 1] == [path] * (len(UNREADABLE) + 1)


@pytest.mark.parametrize("body", [[], "maintenance", {}, {"message": "Back soon."}, {"calls": "none"}, {"calls": [{}]}])
def test_json_that_is_not_what_was_asked_for_is_no_answer_to_a_read_either(body: Any) -> None:
    wanted = {"calls": [{"id": "c-1", "status": "completed"}], "total": 1}
    with ScriptedServer(Answer(body=body), Answer(body=wanted)) as server, connect(server) as client:
        assert [call.id for call in client.list_calls_page(CallQuery()).calls] == ["c-1"]
        server.answers = [Answer(body=body)]
        with pytest.raises(UnreadableAnswer, match=r"^GET /calling/history: "):
            client.list_calls_page(CallQuery())
        server.asked.clear()
        with pytest.raises(UnreadableAnswer):
            client.list_calls_page(CallQuery(), retry=False)
        assert len(server.asked) == 1


# --- what the wire carries ----------------------------------------------------------------------------------


def test_a_start_goes_to_the_endpoint_of_its_number_source() -> None:
    with ScriptedServer() as server, connect(server) as client:
        client.start_campaign(START)
        client.start_campaign(START_POOL)
        client.make_call_async(MAKE)
    legacy, pool, large = (asked.json for asked in server.asked)
    assert legacy == {"agent_id": AGENT, "list_id": LIST, "from_numbers": START.from_numbers}
    assert pool == {
        "agent_id": AGENT,
        "list_id": LIST,
        "number_pool_id": POOL,
        "email_completion_user_ids": START_POOL.email_completion_user_ids,
    }
    assert large == MAKE.wire()
    assert "callback_url" not in legacy | pool | large


@pytest.mark.parametrize("method", [RinggClient.save_campaign, RinggClient.upload_csv])
def test_both_uploads_carry_the_same_form(method: Callable[..., Any], csv: Path) -> None:
    with ScriptedServer(Answer(body={"list_id": LIST})) as server, connect(server) as client:
        method(client, SPEC, csv)
    body = server.asked[0].body.decode()
    for name, value in SPEC.form().items():
        assert f'name="{name}"\r\n\r\n{value}\r\n' in body
    assert csv.read_text() in body


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("contacts.txt", b"x", "end in .csv"),
        ("contacts.csv", b"", "is empty"),
        ("contacts.csv", b"x" * (20 * 1024 * 1024 + 1), "at most 20 MB"),
        ("missing.csv", None, "no readable file"),
    ],
)
def test_a_file_that_the_platform_cannot_take_is_refused_before_anything_is_sent(
    tmp_path: Path, name: str, content: bytes | None, rule: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with ScriptedServer() as server, connect(server) as client:
        for method in (client.save_campaign, client.upload_csv):
            with pytest.raises(InvalidRequest, match=rule) as raised:
                method(SPEC, file)
            assert raised.value.field == "file"
        assert not server.asked


def test_event_subscriptions_replace_those_that_an_agent_has() -> None:
    with ScriptedServer() as server, connect(server) as client:
        client.set_event_subscriptions(AGENT, [HOOK, {"event_type": "call_started", "callback_url": "https://x.y/z"}])
        client.set_event_subscriptions(AGENT, [])
    assert server.asked[0].json == {
        "operation": "edit_event_subscriptions",
        "agent_id": AGENT,
        "event_subscriptions": [
            HOOK.wire(),
            {"event_type": ["call_started"], "callback_url": "https://x.y/z", "method_type": "POST"},
        ],
    }
    assert server.asked[1].json["event_subscriptions"] == []


def test_subscriptions_that_were_read_can_be_written_back() -> None:
    read = {"event_type": "call_completed", "callback_url": "https://x.y/z", "method_type": "POST", "headers": None}
    agent = {"agents": {"id": AGENT, "version_details": {"v": {"event_subscriptions": [read]}}}}
    with ScriptedServer(Answer(body=agent), Answer()) as server, connect(server) as client:
        present = client.get_agent(AGENT).event_subscriptions or []
        client.set_event_subscriptions(AGENT, [*present, HOOK])
    assert len(server.asked[1].json["event_subscriptions"]) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_asked_for_by_plain_dates_and_passed_on_as_they_are(kind: Any) -> None:
    body = {"performance_metrics": {"x": 1}, "cached": True}
    with ScriptedServer(Answer(body=body)) as server, connect(server) as client:
        assert client.get_analytics(kind, **DAYS) == body
    assert server.paths == [f"GET /analytics/{kind}"]
    assert dict(server.asked[0].query) == {
        "start_date": "2026-10-18",
        "end_date": "2026-10-19",
        "agent_id": AGENT,
        "bulk_list_id": LIST,
        "voicemail": "false",
    }


def test_a_query_for_calls_repeats_the_names_that_have_several_values() -> None:
    query = CallQuery(status=["completed", "failed"], to_number="+919876543210")
    with ScriptedServer(Answer(body={"calls": []})) as server, connect(server) as client:
        client.list_calls_page(query, limit=7, offset=3)
    without_range = [(name, value) for name, value in server.asked[0].query if not name.endswith("_date")]
    assert without_range == [
        ("status", "completed"),
        ("status", "failed"),
        ("to_number", "+919876543210"),
        ("sort_by", "created_at"),
        ("sort_order", "asc"),
        ("limit", "7"),
        ("offset", "3"),
    ]


@pytest.mark.parametrize("bad", ["", "a b", "a/b", "../all"])
def test_an_id_that_would_change_the_path_is_refused_before_anything_is_sent(bad: str) -> None:
    with ScriptedServer() as server, connect(server) as client:
        for method in (client.get_agent, client.get_upload_status, client.check_balance, client.get_call):
            with pytest.raises(InvalidRequest) as raised:
                method(bad)  # type: ignore[operator]
            assert raised.value.field
        assert not server.asked


def test_an_id_is_escaped_in_the_path() -> None:
    with ScriptedServer(Answer(404)) as server, connect(server) as client, pytest.raises(NotFound):
        client.get_upload_status("a?b#c%2F..")
    assert server.paths == ["GET /campaign/upload-status/a%3Fb%23c%252F.."]


@pytest.mark.parametrize("limit", [0, 201])
def test_a_page_of_calls_beyond_the_platforms_limit_is_refused(limit: int) -> None:
    with ScriptedServer() as server, connect(server) as client:
        with pytest.raises(InvalidRequest, match="from 1 to 200"):
            client.list_calls_page(CallQuery(), limit=limit)
        with pytest.raises(InvalidRequest, match="from 1 to 1000"):
            client.list_campaigns_page(limit=limit * 6)
        assert not server.asked


# --- paging -------------------------------------------------------------------------------------------------


def listing(
    key: str, rows: list[dict[str, Any]], cap: int, *, total: Any = None, echo: bool = True
) -> Callable[[Asked], Answer]:
    """A server that gives at most `cap` rows at a time."""

    def answer(asked: Asked) -> Answer:
        query = dict(asked.query)
        limit, offset = int(query["limit"]), int(query["offset"])
        size = min(limit, cap)
        body: dict[str, Any] = {key: rows[offset : offset + size]}
        place = {"total": len(rows) if total is None else total, "limit": size if echo else limit, "offset": offset}
        if key == "campaigns":
            body["pagination"] = place
        elif key == "calls":
            body |= place
        return Answer(body=body)

    return answer


def campaigns(count: int) -> list[dict[str, Any]]:
    return [{"id": f"c{n}", "name": f"C{n}", "campaign_status": "completed"} for n in range(count)]


def calls(count: int) -> list[dict[str, Any]]:
    return [{"id": f"k{n}", "status": "completed"} for n in range(count)]


@pytest.mark.parametrize("total", [None, 0, 50, 10_000, "many"])
@pytest.mark.parametrize(("count", "cap"), [(0, 50), (1, 50), (50, 50), (120, 50), (120, 1000), (7, 1)])
def test_all_campaigns_are_seen_once_whatever_the_server_caps_or_claims(count: int, cap: int, total: Any) -> None:
    script = listing("campaigns", campaigns(count), cap, total=total)
    with ScriptedServer(script=script) as server, connect(server) as client:
        assert [c.id for c in client.iter_campaigns()] == [f"c{n}" for n in range(count)]
    assert len(server.asked) <= count // cap + 2


def test_a_campaign_that_moves_to_the_next_page_while_reading_is_seen_once() -> None:
    rows = campaigns(5)
    pages = [rows[:3], rows[2:5], rows[4:5]]
    answers = [Answer(body={"campaigns": page}) for page in pages]
    with ScriptedServer(*answers) as server, connect(server) as client:
        assert [c.id for c in client.iter_campaigns(page_size=3)] == ["c0", "c1", "c2", "c3", "c4"]
    assert [dict(asked.query)["offset"] for asked in server.asked] == ["0", "3", "6"]


def test_a_server_that_ignores_the_offset_is_not_asked_for_ever() -> None:
    with ScriptedServer(Answer(body={"campaigns": campaigns(3)})) as server, connect(server) as client:
        assert len(list(client.iter_campaigns())) == 3
        assert len(server.asked) == 2


@pytest.mark.parametrize("status", [400, 422])
def test_a_page_size_that_the_server_refuses_is_made_smaller(status: int) -> None:
    listed = listing("campaigns", campaigns(120), 1000)

    def strict(asked: Asked) -> Answer:
        too_large = int(dict(asked.query)["limit"]) > 100
        return Answer(status, {"detail": "limit must be at most 100"}) if too_large else listed(asked)

    with ScriptedServer(script=strict) as server, connect(server) as client:
        assert len(list(client.iter_campaigns())) == 120
    with ScriptedServer(Answer(status, {"detail": "no"})) as server, connect(server) as client:
        with pytest.raises(InvalidRequest):
            list(client.iter_campaigns())
        assert len(server.asked) == 2


def test_a_campaign_is_found_on_any_page_and_the_rest_is_not_read() -> None:
    with ScriptedServer(script=listing("campaigns", campaigns(120), 50)) as server, connect(server) as client:
        found = client.find_campaign("c60")
        assert found is not None
        assert found.name == "C60"
        assert len(server.asked) == 2
        assert client.find_campaign("c999") is None


@pytest.mark.parametrize("cap", [100, 30])
def test_all_numbers_are_listed_whether_the_server_pages_or_not(cap: int) -> None:
    rows = [{"id": f"n{n}", "number": f"+9180310{n:05}"} for n in range(70)]
    with ScriptedServer(script=listing("workspace_numbers", rows, cap)) as server, connect(server) as client:
        assert [n.id for n in client.list_numbers()] == [f"n{n}" for n in range(70)]
    unpaged = Answer(body={"workspace_numbers": rows})
    with ScriptedServer(unpaged) as server, connect(server) as client:
        assert len(client.list_numbers()) == 70
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("count", "cap", "total", "echo", "requests"),
    [
        (0, 200, None, True, 1),
        (150, 200, None, True, 1),
        (200, 200, None, True, 2),
        (450, 200, None, True, 3),
        (450, 200, "many", True, 3),
        # A cap that the server owns up to, and one that only its total betrays.
        (150, 100, None, True, 2),
        (150, 100, "many", True, 2),
        (150, 100, None, False, 2),
        # A total that is too low ends nothing early; one that is too high costs one more request.
        (450, 200, 10, True, 3),
        (150, 200, 9999, True, 2),
    ],
)
def test_all_calls_are_read_once_with_few_requests(count: int, cap: int, total: Any, echo: bool, requests: int) -> None:
    script = listing("calls", calls(count), cap, total=total, echo=echo)
    with ScriptedServer(script=script) as server, connect(server) as client:
        assert [c.id for c in client.iter_calls(CallQuery())] == [f"k{n}" for n in range(count)]
    assert len(server.asked) == requests


# --- stopping -----------------------------------------------------------------------------------------------

STOPPED = Answer(body={"message": "Calls terminated successfully!"})


@pytest.mark.parametrize(
    "request_", [Terminate(campaign_id=LIST), Terminate(agent_id=AGENT), Terminate(call_ids=["c"])]
)
@pytest.mark.parametrize(
    ("answer", "stopped"),
    [
        (STOPPED, True),
        (Answer(400, {"detail": "No terminable calls found"}), False),
        (Answer(400, {"message": "Campaign not found"}), False),
        (Answer(400, {"message": "Campaign is already terminated"}), False),
    ],
)
def test_nothing_to_stop_is_no_error(request_: Terminate, answer: Answer, stopped: bool) -> None:
    with ScriptedServer(answer) as server, connect(server) as client:
        assert client.terminate(request_) is stopped
    assert server.asked[0].json == request_.wire()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, {"detail": "Invalid agent_id."}),
        Answer(401, {"detail": "Invalid credentials"}),
        Answer(404, {"detail": "Campaign not found"}),
        Answer(422, {"detail": "Provide one of campaign_id, agent_id"}),
        Answer(500, {"detail": "not found"}),
    ],
)
def test_a_stop_that_was_refused_is_an_error(answer: Answer) -> None:
    with ScriptedServer(answer) as server, connect(server) as client, pytest.raises(RinggProviderError) as raised:
        client.terminate(Terminate(campaign_id=LIST))
    assert raised.value.status_code == answer.status


def refusing(*unknown: str) -> Callable[[Asked], Answer]:
    """A server that refuses the whole request when one of the numbers is not known."""

    def answer(asked: Asked) -> Answer:
        found = [number for number in asked.json["mobile_numbers"] if number in unknown]
        if not found:
            return STOPPED
        return Answer(400, {"message": f"Mobile numbers not found in campaign: {', '.join(found)}"})

    return answer


def test_one_unknown_number_does_not_keep_the_others_from_being_stopped() -> None:
    numbers = ["+919876543210", "+919876543211", "+919876543212"]
    request = Terminate(campaign_id=LIST, mobile_numbers=numbers)
    with ScriptedServer(script=refusing(numbers[1])) as server, connect(server) as client:
        assert client.terminate(request) is True
    assert [asked.json["mobile_numbers"] for asked in server.asked] == [numbers, [numbers[0], numbers[2]]]
    assert all(asked.json["campaign_id"] == LIST for asked in server.asked)


def test_only_unknown_numbers_are_nothing_to_stop() -> None:
    numbers = ["+919876543210", "+919876543211"]
    with ScriptedServer(script=refusing(*numbers)) as server, connect(server) as client:
        assert client.terminate(Terminate(mobile_numbers=numbers)) is False
        assert len(server.asked) == 1


# --- the client itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", " ", "a b", "abc\n", "schlüssel", None])
@pytest.mark.parametrize("client", [RinggClient, AsyncRinggClient])
def test_a_key_that_cannot_be_one_is_refused_at_once(client: Any, key: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        client(key)
    assert raised.value.field == "api_key"


def test_the_default_is_production_and_no_repr_shows_the_key() -> None:
    with RinggClient(KEY) as client:
        assert repr(client) == f"RinggClient('{PRODUCTION}')"
    assert repr(AsyncRinggClient(KEY)) == f"AsyncRinggClient('{PRODUCTION}')"
    assert PRODUCTION == "https://prod-api.ringg.ai/ca/api/v0"


def test_a_client_that_was_left_is_closed() -> None:
    with ScriptedServer(Answer(body={"workspace_info": {"id": "w"}})) as server:
        with connect(server) as client:
            client.get_workspace()
        with pytest.raises(RuntimeError, match="closed"):
            client.get_workspace()


def test_timeouts_and_attempts_can_be_chosen() -> None:
    with (
        ScriptedServer(Answer(delay=0.5)) as server,
        connect(server, timeout=Timeouts(read=0.05), max_attempts=2) as client,
    ):
        with pytest.raises(NetworkError):
            client.get_workspace()
        assert len(server.asked) == 2


def test_a_request_is_checked_when_it_is_made_so_that_no_client_is_needed_to_see_it_fail() -> None:
    with pytest.raises(InvalidRequest):
        StartCampaign(agent_id="a", list_id="l")
    with pytest.raises(InvalidRequest):
        EventSubscription(event_type=["call_completed"], callback_url="http://x")


# --- the same, asynchronously -------------------------------------------------------------------------------


async def _all(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def test_the_async_client_answers_as_the_other_one_does() -> None:
    rows = listing("campaigns", campaigns(120), 50)

    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/campaign/all"):
            return rows(asked)
        if asked.path.endswith("/terminate"):
            return refusing("+919876543211")(asked)
        body = anything(asked.path) | {"workspace_info": {"id": "w"}, "calls": calls(3), "total": "many"}
        return Answer(body=body)

    request = Terminate(mobile_numbers=["+919876543210", "+919876543211"])
    with ScriptedServer(script=script) as server:
        with connect(server) as client:
            expected = [
                client.get_workspace(),
                client.get_upload_status(LIST),
                client.list_campaigns_page(5, 7),
                list(client.iter_campaigns()),
                client.find_campaign("c60"),
                client.find_campaign("nowhere"),
                client.list_calls_page(CallQuery(), 5),
                client.get_call("c"),
                client.terminate(request),
            ]
        sync_paths = server.paths[:]
        server.asked.clear()
        async with AsyncRinggClient(KEY, server.base_url) as other:
            found = [
                await other.get_workspace(),
                await other.get_upload_status(LIST),
                await other.list_campaigns_page(5, 7),
                await _all(other.iter_campaigns()),
                await other.find_campaign("c60"),
                await other.find_campaign("nowhere"),
                await other.list_calls_page(CallQuery(), 5),
                await other.get_call("c"),
                await other.terminate(request),
            ]
        assert found == expected
        assert server.paths == sync_paths


def test_the_async_client_has_the_signatures_of_the_other_one() -> None:
    def signatures(client: type) -> Iterator[tuple[str, list[str]]]:
        for name, method in inspect.getmembers(client, inspect.isfunction):
            if not name.startswith("_") and name not in ("close", "aclose"):
                yield name, [p.name for p in inspect.signature(method).parameters.values()]

    sync = dict(signatures(RinggClient))
    for name, parameters in signatures(AsyncRinggClient):
        assert parameters == sync[name][: len(parameters)]

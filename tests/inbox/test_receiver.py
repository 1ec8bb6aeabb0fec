"""What is authentic is stored whole before it is answered 200; whatever else comes stores nothing and tells nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from ringg_provider.inbox.receiver import MAX_BODY, PATH, Limits, build_app
from ringg_provider.inbox.senders import Sender
from ringg_provider.inbox.store import Delivery, inbox_table, not_applied
from tests.inbox.payloads import CALL, CAMPAIGN, HARD, NAME, NUMBER, SAID, UNREADABLE, ringg, smartalex
from tests.inbox.serving import ALEX, ALEX_SECRET, BEARER, CONN, SECRET, Serving, request, serving, statuses, whole
from tests.support.databases import Warehouse, each_of

TABLE = inbox_table()
BODIES = {**{name: body for name, (body, _) in UNREADABLE.items()}, **HARD}

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


def stored(engine: sa.Engine) -> list[Delivery]:
    if not sa.inspect(engine).has_table("ringg_inbox"):
        return []
    with engine.connect() as connection:
        return not_applied(connection, TABLE, [CONN, ALEX], 100_000)


def signed(body: bytes, secret: str = ALEX_SECRET, *, seconds_ago: float = 0, **changed: str) -> dict[str, str]:
    at = str(int((time.time() - seconds_ago) * 1000))
    v1 = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    parts = {"t": at, "v1": v1} | changed
    return {"X-SmartAlex-Signature": ",".join(f"{name}={value}" for name, value in parts.items())}


# What is stored.


def test_a_delivery_is_stored_before_it_is_answered(database: Warehouse) -> None:
    with serving(database.engine) as receiver:
        answer = receiver.deliver(ringg())
        (found,) = stored(database.engine)
    assert (answer.status_code, answer.json()) == (200, {"detail": "stored"})
    assert (found.conn_id, found.event_type, found.call_id, found.bulk_list_id, found.body) == (
        CONN, "call_completed", CALL, CAMPAIGN, ringg(),
    )  # fmt: skip


def test_whatever_an_authentic_body_is_it_is_stored_and_answered_200(database: Warehouse) -> None:
    with serving(database.engine) as receiver:
        answers = {name: receiver.deliver(body).status_code for name, body in BODIES.items()}
        assert answers == dict.fromkeys(BODIES, 200)
        assert {each.body for each in stored(database.engine)} == set(BODIES.values())
        assert receiver.counted["stored", "ringg"] == len(BODIES)
        assert receiver.counted["unreadable", "ringg"] == len(UNREADABLE)
        # Three of the hard ones have an event named "x".
        assert receiver.counted["unknown_event", "ringg"] == 3


def test_the_same_delivery_again_is_answered_200_and_stored_once(receiver: Serving, sqlite: sa.Engine) -> None:
    assert [receiver.deliver(ringg()).status_code for _ in range(3)] == [200] * 3
    assert len(stored(sqlite)) == 1
    assert receiver.counted == {("stored", "ringg"): 1, ("known", "ringg"): 2}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_vendors_methods_that_have_a_body_are_taken(receiver: Serving, sqlite: sa.Engine, method: str) -> None:
    assert receiver.deliver(ringg(), method=method).status_code == 200
    assert len(stored(sqlite)) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_other_methods_are_not_since_every_proxy_would_write_their_address_down(
    receiver: Serving, sqlite: sa.Engine, method: str
) -> None:
    answer = receiver.deliver(ringg(), method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, PUT, PATCH")
    assert stored(sqlite) == []


def test_a_body_of_a_megabyte_is_stored_and_a_longer_one_is_refused(receiver: Serving, sqlite: sa.Engine) -> None:
    assert receiver.deliver(b"x" * MAX_BODY).status_code == 200
    assert receiver.deliver(b"x" * (MAX_BODY + 1)).status_code == 413
    assert receiver.deliver(iter([b"x" * 100_000] * 11)).status_code == 413  # in chunks, without its length
    assert receiver.deliver(iter([b"y" * 100_000] * 10)).status_code == 200
    assert len(stored(sqlite)) == 2
    assert receiver.counted["too_large", "unknown"] == 2


# Who is let in.


@pytest.mark.parametrize(
    ("headers", "conn_id"),
    [
        ({}, CONN),
        ({"Authorization": ""}, CONN),
        ({"Authorization": "Bearer"}, CONN),
        ({"Authorization": SECRET}, CONN),
        ({"Authorization": f"Basic {SECRET}"}, CONN),
        ({"Authorization": f"Bearer {SECRET}x"}, CONN),
        ({"Authorization": f"Bearer {SECRET[:-1]}"}, CONN),
        ({"Authorization": f"Bearer {SECRET} {SECRET}"}, CONN),
        ({"Authorization": f"Bearer {ALEX_SECRET}"}, CONN),
        ({"Authorization": "Bearer \u00e9\u00e9".encode("latin-1")}, CONN),
        (BEARER, "nobody"),
        (BEARER, ALEX),
        (BEARER, "ringg%2Fdefault"),
        (BEARER, "%00"),
        (BEARER, "..%2f..%2fetc"),
        (BEARER, "x" * 300),
        (BEARER, "' OR 1=1 --"),
    ],
)
def test_without_the_connections_secret_nothing_is_stored_or_read(
    receiver: Serving, sqlite: sa.Engine, headers: dict[str, Any], conn_id: str
) -> None:
    answer = receiver.deliver(ringg(), conn_id, headers=headers)
    expected = 404 if "%2" in conn_id.lower() else 401
    assert answer.status_code == expected
    assert stored(sqlite) == []
    assert sum(count for (outcome, _), count in receiver.counted.items() if outcome != "refused") == 0


def test_two_authorizations_are_none(receiver: Serving) -> None:
    headers = [("Authorization", f"Bearer {SECRET}"), ("Authorization", "Bearer another-secret-of-somebody")]
    assert receiver.deliver(ringg(), headers=headers).status_code == 401


def test_a_connection_that_is_not_there_cannot_be_told_from_a_wrong_secret(receiver: Serving) -> None:
    def refusal(conn_id: str) -> tuple[Any, ...]:
        began = time.monotonic()
        answer = receiver.deliver(ringg(), conn_id, headers={"Authorization": "Bearer a-wrong-secret-of-somebody"})
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        assert time.monotonic() - began >= Limits().refused_after
        return answer.status_code, answer.content, headers

    assert refusal(CONN) == refusal("nobody") == refusal(CONN) == refusal("nobody")


def test_a_connection_without_a_secret_lets_nobody_in(receiver: Serving) -> None:
    receiver.senders["empty"] = Sender("ringg", ())
    for token in ("None", "null", "()", "x"):
        assert receiver.deliver(ringg(), "empty", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_strangers_body_is_not_waited_for(receiver: Serving) -> None:
    with receiver.connect() as connection:
        connection.sendall(request(b"", "Content-Length: 900000", secret="a-wrong-secret-of-somebody"))
        assert statuses(connection) == [401]


def test_a_new_secret_is_taken_at_once_and_the_old_one_while_it_is_kept(receiver: Serving) -> None:
    assert receiver.deliver(ringg()).status_code == 200
    new = "the-new-secret-of-the-tests"
    receiver.senders[CONN] = Sender("ringg", (new, SECRET))
    time.sleep(1.1)
    assert receiver.deliver(ringg(), headers={"Authorization": f"Bearer {new}"}).status_code == 200
    assert receiver.deliver(ringg()).status_code == 200
    assert receiver.looked_up == [CONN, CONN]


def test_smartalex_signs(receiver: Serving, sqlite: sa.Engine) -> None:
    body = smartalex(call_id="c")
    assert receiver.deliver(body, ALEX, headers=signed(body)).status_code == 200
    assert receiver.deliver(body, ALEX, headers={"Authorization": f"Bearer {ALEX_SECRET}"}).status_code == 200
    (found,) = stored(sqlite)
    assert (found.event_type, found.call_id) == ("call.completed", "c")


@pytest.mark.parametrize(
    "headers",
    [
        signed(smartalex(call_id="other")),
        signed(smartalex(), "a-wrong-secret-of-somebody"),
        signed(smartalex(), v1="0" * 64),
        signed(smartalex(), v1=""),
        signed(smartalex(), t="1"),
        signed(smartalex(), t="9" * 13),
        {"X-SmartAlex-Signature": "nonsense"},
    ],
)
def test_a_wrong_signature_stores_nothing(receiver: Serving, sqlite: sa.Engine, headers: dict[str, str]) -> None:
    assert receiver.deliver(smartalex(), ALEX, headers=headers).status_code == 401
    assert stored(sqlite) == []


def test_a_signature_holds_for_five_minutes_and_not_for_ringg(receiver: Serving) -> None:
    for seconds_ago, expected in ((290, 200), (310, 401), (-50, 200), (-70, 401)):
        headers = signed(smartalex(), seconds_ago=seconds_ago)
        assert receiver.deliver(smartalex(), ALEX, headers=headers).status_code == expected
    assert receiver.deliver(ringg(), CONN, headers=signed(ringg(), SECRET)).status_code == 401


def test_who_cannot_be_looked_up_is_told_to_come_again(receiver: Serving) -> None:
    receiver.senders[CONN] = OSError("the vault is away")
    answer = receiver.deliver(ringg())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")


# The database.


def test_while_the_database_is_away_nothing_is_answered_200(sqlite: sa.Engine) -> None:
    away = sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing", connect_args={"connect_timeout": 2})
    engines = iter([away, away, sqlite])
    with serving(lambda: next(engines)) as receiver:
        answer = receiver.deliver(ringg())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert receiver.counted == {("failed", "ringg"): 1}
        assert receiver.deliver(ringg()).status_code == 200
    assert len(stored(sqlite)) == 1


def test_a_database_that_lost_its_table_answers_503_until_it_is_back(database: Warehouse) -> None:
    with serving(database.engine) as receiver:
        assert receiver.deliver(ringg()).status_code == 200
        database.execute("ALTER TABLE ringg_inbox RENAME TO elsewhere")
        assert receiver.deliver(ringg(a=1)).status_code == 503
        assert httpx.get(f"{receiver.url}/health").status_code == 503
        database.execute("ALTER TABLE elsewhere RENAME TO ringg_inbox")
        assert receiver.deliver(ringg(a=1)).status_code == 200
        assert httpx.get(f"{receiver.url}/health").status_code == 200
    assert len(stored(database.engine)) == 2


def test_a_connection_that_the_server_cut_costs_no_delivery(warehouse: Warehouse) -> None:
    with serving(warehouse.engine) as receiver:
        assert receiver.deliver(ringg(a=1)).status_code == 200
        other = sa.create_engine(warehouse.url)
        with other.begin() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        other.dispose()
        assert receiver.deliver(ringg(a=2)).status_code == 200
    assert len(stored(warehouse.engine)) == 2


def test_one_delivery_that_the_database_refuses_does_not_take_others_with_it(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.payload LIKE '%poison%' THEN RAISE 'no: %', NEW.payload; END IF; RETURN NEW; END $$"
    )
    with serving(warehouse.engine) as receiver:
        assert receiver.deliver(ringg()).status_code == 200
        warehouse.execute("CREATE TRIGGER refuse BEFORE INSERT ON ringg_inbox FOR EACH ROW EXECUTE FUNCTION refuse()")
        bodies = [ringg(note="poison" if number == 20 else number) for number in range(40)]
        connections = [receiver.connect() for _ in bodies]
        for connection, body in zip(connections, bodies, strict=True):
            connection.sendall(whole(body))
        answers = [statuses(connection) for connection in connections]
        for connection in connections:
            connection.close()
    assert answers == [[503] if number == 20 else [200] for number in range(40)]
    assert len(stored(warehouse.engine)) == 40


def test_a_database_that_holds_no_inbox_is_refused(duckdb_warehouse: Warehouse, caplog: Any) -> None:
    with serving(duckdb_warehouse.engine) as receiver:
        assert receiver.deliver(ringg()).status_code == 503
    assert "duckdb does not enforce unique keys" in caplog.text


def test_many_deliveries_share_a_commit(warehouse: Warehouse) -> None:
    with serving(warehouse.engine) as receiver:
        receiver.deliver(ringg())
        commits = 0

        @sa.event.listens_for(warehouse.engine, "commit")
        def count(_: Any) -> None:
            nonlocal commits
            commits += 1

        connections = [receiver.connect() for _ in range(200)]
        for number, connection in enumerate(connections):
            connection.sendall(whole(ringg(number=number)))
        assert [statuses(connection) for connection in connections] == [[200]] * 200
        for connection in connections:
            connection.close()
    assert commits < 100


# What is told.


@pytest.mark.slow
def test_nothing_of_a_request_is_in_any_log(database: Warehouse, caplog: Any, capfd: Any) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(database.engine, access_log=True, log_level="info") as receiver:
        for body in BODIES.values():
            receiver.deliver(body)
            receiver.deliver(body, "nobody")
        receiver.deliver(ringg(), params={"to": NUMBER, "name": NAME, "said": SAID})
        receiver.deliver(b"x" * 2_000_000)
        database.execute("DROP TABLE ringg_inbox")
        receiver.deliver(ringg(a=1))
        with receiver.connect() as connection:
            connection.sendall(f"{NUMBER} {NAME}\r\n{SAID}\r\n\r\n".encode())
            statuses(connection)
    captured = capfd.readouterr()
    # The test's own client says what it sends.
    said = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    told = "\n".join([*said, captured.out, captured.err])
    assert f"{PATH}/{CONN}" in told
    assert "cannot be stored" in told
    assert [mark for mark in (NUMBER[1:], NAME, SAID, SECRET) if mark in told] == []


def test_what_is_not_an_address_of_the_inbox_is_404(receiver: Serving) -> None:
    for path in ("/", PATH, f"{PATH}/", f"{PATH}/{CONN}/more", f"/{CONN}", "/health/x", "/ringg/page/", "//"):
        assert httpx.post(receiver.url + path, content=ringg(), headers=BEARER).status_code == 404


def test_how_it_is_can_be_asked_without_a_secret(receiver: Serving) -> None:
    assert httpx.get(f"{receiver.url}/health").json() == {"detail": "deliveries can be stored"}
    assert httpx.head(f"{receiver.url}/health").status_code == 200
    assert httpx.post(f"{receiver.url}/health").status_code == 405


# Where it is mounted.


@pytest.fixture(params=[("", ""), ("/airflow", "/airflow"), ("/airflow", "")], ids=["alone", "below", "behind a proxy"])
def mounted(request: Any, sqlite: sa.Engine) -> Iterator[tuple[httpx.Client, str]]:
    """The app in a FastAPI, as Airflow mounts it; below a path that a proxy takes away, or does not."""
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    root_path, path = request.param
    outer = FastAPI(root_path=root_path)
    app = build_app(lambda conn_id: Sender("ringg", (SECRET,)) if conn_id == CONN else None, lambda: sqlite, prefix="")
    outer.mount(PATH, app)
    with TestClient(outer) as client:
        yield client, path


def test_it_can_be_mounted_below_a_path(mounted: tuple[httpx.Client, str], sqlite: sa.Engine) -> None:
    client, path = mounted
    assert client.post(f"{path}{PATH}/{CONN}", content=ringg(), headers=BEARER).status_code == 200
    assert client.post(f"{path}{PATH}/{CONN}", content=ringg()).status_code == 401
    assert client.post(f"{path}{PATH}/{CONN}/{CONN}", content=ringg(), headers=BEARER).status_code == 404
    assert client.get(f"{path}{PATH}/health").status_code == 405
    assert json.loads(stored(sqlite)[0].body)["call_id"] == CALL

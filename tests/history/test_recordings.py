"""Recordings over a real socket: streamed, whole, held to the hosts that are allowed."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.recordings import RecordingStore
from tests.support.http_server import Answer, Asked, ScriptedServer

SOUND = bytes(range(256)) * 4000
AUDIO = {"Content-Type": "audio/mpeg", "ETag": '"v1"'}


def store(folder: Any, **options: Any) -> RecordingStore:
    options = {"hosts": ["127.0.0.1"], "refresh": lambda call_id: None, "sleep": lambda seconds: None, **options}
    return RecordingStore(folder, **options)


def serve(asked: Asked) -> Answer:
    return Answer(body=SOUND, headers=AUDIO)


def test_a_recording_is_named_by_its_call_and_its_kind(tmp_path: Path) -> None:
    with ScriptedServer(script=serve) as server:
        found = store(tmp_path / "new").store([("c1", f"{server.origin}/a/b.wav?sig=1"), ("c2", f"{server.origin}/x")])
    assert [(each.call_id, each.size) for each in found] == [("c1", len(SOUND)), ("c2", len(SOUND))]
    assert (tmp_path / "new" / "c1.wav").read_bytes() == SOUND
    assert (tmp_path / "new" / "c2.mp3").read_bytes() == SOUND
    assert found[0].path == str(tmp_path / "new" / "c1.wav")


def test_object_storage_takes_them(tmp_path: Path) -> None:
    folder = ObjectStoragePath(f"file://{tmp_path}/recordings")
    with ScriptedServer(script=serve) as server:
        (found,) = store(folder).store([("c1", f"{server.origin}/a.mp3")])
    assert found.path == f"file://{tmp_path}/recordings/c1.mp3"
    assert ObjectStoragePath(found.path).read_bytes() == SOUND


BROKEN = Answer(body=bytes(reversed(SOUND))[:300_000], headers=AUDIO, truncate=len(SOUND) - 300_000)


def test_a_broken_transfer_is_begun_again(tmp_path: Path) -> None:
    answers = [BROKEN, Answer(503), Answer(429), BROKEN, Answer(body=SOUND, headers=AUDIO)]
    slept: list[float] = []
    with ScriptedServer(*answers) as server:
        (found,) = store(tmp_path, sleep=slept.append).store([("c1", f"{server.origin}/a.mp3")])
        assert [asked.headers.get("range") for asked in server.asked] == [None] * 5
    assert (tmp_path / "c1.mp3").read_bytes() == SOUND
    assert found.size == len(SOUND)
    assert slept == [1.0, 2.0, 4.0, 8.0]


def test_a_transfer_that_always_breaks_is_left_for_the_next_run(tmp_path: Path) -> None:
    with ScriptedServer(script=lambda asked: BROKEN) as server:
        assert store(tmp_path).store([("c1", f"{server.origin}/a.mp3")]) == []
        assert len(server.asked) == 5
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_no_recording(tmp_path: Path) -> None:
    part = {**AUDIO, "Content-Range": f"bytes 100-{len(SOUND) - 1}/{len(SOUND)}"}
    with ScriptedServer(script=lambda asked: Answer(206, SOUND[100:], part)) as server:
        assert store(tmp_path).store([("c1", f"{server.origin}/a.mp3")]) == []


def test_an_empty_recording_is_left_for_the_next_run(tmp_path: Path) -> None:
    with ScriptedServer(Answer(body=b"", headers=AUDIO)) as server:
        assert store(tmp_path).store([("c1", f"{server.origin}/a.mp3")]) == []
    assert list(tmp_path.iterdir()) == []


LONG_HOST = f"https://{'a' * 70}.ringg.ai/a.mp3"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(body=b"not gzip", headers={**AUDIO, "Content-Encoding": "gzip"}), id="damaged encoding"),
        pytest.param(Answer(302, headers={"Location": LONG_HOST}), id="redirect to a host that can be none"),
        pytest.param(Answer(302, headers={"Location": "http://[::1/a.mp3"}), id="redirect to no address"),
    ],
)
def test_one_bad_answer_does_not_keep_the_others_from_being_stored(tmp_path: Path, answer: Answer) -> None:
    def script(asked: Asked) -> Answer:
        return answer if asked.path == "/bad.mp3" else serve(asked)

    with ScriptedServer(script=script) as server:
        links = [("bad", f"{server.origin}/bad.mp3"), ("long", LONG_HOST), ("good", f"{server.origin}/a.mp3")]
        found = store(tmp_path, hosts=["127.0.0.1", "*.ringg.ai"]).store(links)
    assert [each.call_id for each in found] == ["good"]


def test_a_host_that_encodes_although_it_was_asked_not_to_is_understood(tmp_path: Path) -> None:
    packed = gzip.compress(SOUND)
    encoded = {**AUDIO, "Content-Encoding": "gzip"}
    broken = Answer(body=packed[:-100], headers=encoded, truncate=100)
    with ScriptedServer(broken, Answer(body=packed, headers=encoded)) as server:
        store(tmp_path).store([("c1", f"{server.origin}/a.mp3")])
    assert (tmp_path / "c1.mp3").read_bytes() == SOUND


def test_a_bad_request_that_speaks_of_expiry_is_an_expired_link(tmp_path: Path) -> None:
    def script(asked: Asked) -> Answer:
        body = b"<Error><Code>ExpiredToken</Code></Error>" if asked.path == "/old.mp3" else b"<Error>Nonsense</Error>"
        return serve(asked) if asked.path == "/fresh.mp3" else Answer(400, body)

    with ScriptedServer(script=script) as server:
        links = [(name, f"{server.origin}/{name}.mp3") for name in ("old", "odd")]
        found = store(tmp_path, refresh=lambda call_id: f"{server.origin}/fresh.mp3").store(links)
    assert [each.call_id for each in found] == ["old"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_link_is_refreshed_once(tmp_path: Path, status: int) -> None:
    def script(asked: Asked) -> Answer:
        return serve(asked) if asked.path == "/fresh.mp3" else Answer(status)

    refreshed: list[str] = []
    with ScriptedServer(script=script) as server:

        def refresh(call_id: str) -> str:
            refreshed.append(call_id)
            return f"{server.origin}/fresh.mp3"

        found = store(tmp_path, refresh=refresh).store([("c1", f"{server.origin}/old.mp3")])
    assert [each.call_id for each in found] == ["c1"]
    assert refreshed == ["c1"]


def test_a_link_that_stays_expired_is_left_for_the_next_run(tmp_path: Path) -> None:
    with ScriptedServer(Answer(403)) as server:
        url = f"{server.origin}/old.mp3"
        assert store(tmp_path, refresh=lambda call_id: url).store([("c1", url)]) == []
        assert len(server.asked) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.mp3",
        "http://127.0.0.1@evil.example/a.mp3",
        "http://user@127.0.0.1/a.mp3",
        "//127.0.0.1/a.mp3",
        "http://[::1/a.mp3",
        "javascript:alert(1)",
        "",
    ],
)
def test_only_allowed_http_hosts_are_fetched(tmp_path: Path, url: str) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was fetched")

    assert store(tmp_path, fetch=never).store([("c1", url)]) == []


def test_a_redirect_is_followed_to_allowed_hosts_only(tmp_path: Path) -> None:
    with ScriptedServer(script=serve) as target:

        def script(asked: Asked) -> Answer:
            place = {"/good": f"{target.origin}/a.mp3", "/bad": "http://localhost:1/a.mp3", "/loop": "/loop"}[
                asked.path
            ]
            return Answer(302, headers={"Location": place})

        with ScriptedServer(script=script) as server:
            names = ["good", "bad", "loop"]
            found = store(tmp_path).store([(name, f"{server.origin}/{name}") for name in names])
    assert [each.call_id for each in found] == ["good"]


def test_domains_can_be_allowed_as_a_whole(tmp_path: Path) -> None:
    allowed = store(tmp_path, hosts=["*.ringg.ai", "cdn.example.com"])
    assert allowed.allows("https://recordings.ringg.ai/a.mp3")
    assert allowed.allows("https://CDN.example.com:8443/a.mp3")
    assert not allowed.allows("https://ringg.ai.evil.example/a.mp3")
    assert not allowed.allows("https://evilringg.ai/a.mp3")


def test_without_allowed_hosts_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="recording_hosts") as caught:
        store(tmp_path, hosts=[" "])
    assert caught.value.field == "recording_hosts"


def test_a_call_id_cannot_leave_the_folder(tmp_path: Path) -> None:
    with ScriptedServer(script=serve) as server:
        store(tmp_path / "in").store([("../../out", f"{server.origin}/a.mp3")])
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["______out-a94848ef2d11e787.mp3"]


def test_odd_call_ids_do_not_share_a_file(tmp_path: Path) -> None:
    odd = ["a/b", "a.b", "a_b", "x" * 300, "x" * 301]
    with ScriptedServer(script=serve) as server:
        found = store(tmp_path).store([(call_id, f"{server.origin}/a.mp3") for call_id in odd])
    assert len({each.path for each in found}) == len(odd)
    assert (tmp_path / "a_b.mp3").exists()


def test_no_link_is_ever_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(Answer(500)) as server:
        store(tmp_path, attempts=2).store([("c1", f"{server.origin}/a.mp3?signature=very-secret")])
    store(tmp_path).store([("c2", "https://elsewhere.example/a.mp3?signature=very-secret")])
    assert "very-secret" not in caplog.text
    assert "c1" in caplog.text
    assert "c2" in caplog.text

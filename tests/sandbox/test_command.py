"""`ringg-sandbox` as a process, and the sandbox as a library."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from ringg_provider.sandbox import Settings, running
from ringg_provider.sandbox.__main__ import main


@contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A sandbox of its own and the address it printed."""
    command = [sys.executable, "-m", "ringg_provider.sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            found = re.fullmatch(r"sandbox listening on (http://127\.0\.0\.1:\d+)\n", line)
            assert found, f"{line!r} {running.poll()}"
            yield running, found[1]
        finally:
            running.kill()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_answers_at_once_and_stops_quietly(sent: signal.Signals) -> None:
    options = ("--port", "0", "--generation", "g2", "--api-key", "mine", "--balance", "12.5", "--speed", "60")
    with process(*options) as (server, url):
        answer = httpx.get(f"{url}/ca/api/v0/workspace", headers={"X-API-KEY": "mine"})
        assert answer.json()["workspace_info"]["credits"] == 12
        settings = httpx.get(f"{url}/_sandbox/settings").json()
        assert (settings["generation"], settings["speed"], settings["balance"]) == ("g2", 60, "12.5")
        server.send_signal(sent)
        out, err = server.communicate(timeout=10)
        assert (out, err) == ("", "")


def test_a_port_that_is_taken_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as stopped:
            main(["--port", str(port)])
    assert stopped.value.code == 1
    assert capsys.readouterr().err == f"ringg-sandbox: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("options", "name"),
    [(["--speed", "0"], "speed"), (["--generation", "g4"], "generation"), (["--lines", "0"], "lines")],
)
def test_an_option_that_cannot_be_meant_is_named(
    capsys: pytest.CaptureFixture[str], options: list[str], name: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(options)
    assert stopped.value.code == 2
    assert name in capsys.readouterr().err


def test_two_sandboxes_in_one_process_know_nothing_of_each_other() -> None:
    with running(Settings(api_key="one")) as one, running(Settings(api_key="two")) as two:
        assert one.url != two.url
        httpx.patch(f"{one.url}/_sandbox/settings", json={"balance": 1}).raise_for_status()
        info = httpx.get(f"{two.base_url}/workspace", headers={"X-API-KEY": two.api_key}).json()
        assert info["workspace_info"]["credits"] == 1_000_000
        assert httpx.get(f"{two.base_url}/workspace", headers={"X-API-KEY": "one"}).status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(one.url)


def test_the_sandbox_needs_nothing_of_the_provider_or_of_airflow() -> None:
    code = (
        "import sys, ringg_provider.sandbox\n"
        "ours = {m for m in sys.modules if m.startswith('ringg_provider.')}\n"
        "assert all(m.startswith('ringg_provider.sandbox') for m in ours), ours\n"
        "assert not {'airflow', 'httpx', 'sqlalchemy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""The parts of the demo that others rely on: its people, its processes, its database, its masks."""

from __future__ import annotations

import os
import re
import sys
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
import sqlalchemy as sa

from demo import contacts
from demo.__main__ import how_to_look_around
from demo.postgres import EmbeddedPostgres
from demo.processes import ProcessEnded, Processes
from demo.report import mask

TODAY = date(2026, 1, 1)


def people(seed: int) -> list[dict[str, object]]:
    rows = [{**row} for row in contacts.generate(2_000, seed, TODAY)]
    for row in rows:
        del row["updated_at"]
    return rows


def test_the_same_seed_makes_the_same_people() -> None:
    assert people(7) == people(7)
    assert people(7) != people(8)


def test_most_people_can_be_called_and_every_defect_occurs() -> None:
    phones = [str(row["phone"] or "").strip() for row in people(7)]
    digits = [re.sub(r"\D", "", phone) for phone in phones]
    mobiles = [number[-10:] for number in digits if re.fullmatch(r"(0091|91|0)?[7-9]\d{9}", number)]
    assert len(mobiles) > 1_700
    assert len(mobiles) > len(set(mobiles)), "nobody is there twice"
    assert "" in phones
    assert "call the office" in phones
    assert any(number.startswith("1800") for number in digits)
    assert any(phone.startswith("+1") for phone in phones)
    assert any(not str(row["full_name"] or "").strip() for row in people(7))


def test_some_who_could_be_called_have_asked_not_to_be(postgres: EmbeddedPostgres) -> None:
    engine = sa.create_engine(postgres.create_database("demo_contacts"))
    assert contacts.load(engine, count=1_000) == 1_000
    both = sa.select(sa.func.count()).join_from(
        contacts.contacts, contacts.do_not_call, contacts.contacts.c.phone == contacts.do_not_call.c.phone
    )
    with engine.connect() as connection:
        assert 10 < connection.execute(both).scalar_one() < 100
    engine.dispose()


@pytest.mark.parametrize(
    ("number", "masked"), [("+919845012345", "+91********45"), ("12345", "*****"), ("", ""), (None, "")]
)
def test_a_masked_number_shows_its_country_and_two_digits(number: str | None, masked: str) -> None:
    assert mask(number) == masked


@pytest.mark.parametrize(
    "hiding",
    [
        "os.setsid()",
        # Celery's workers and Airflow's API server do so: what says what they are overwrites their environment.
        "os.setpgid(0, 0); import setproctitle; setproctitle.setproctitle('x' * 5000)",
    ],
    ids=["in a session of its own", "with a title over its environment"],
)
def test_a_process_that_detached_itself_is_ended_too(tmp_path: Path, hiding: str) -> None:
    grandchild = f"import os, time; {hiding}; print(os.getpid(), flush=True); time.sleep(600)"
    child = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(600)"
    with Processes(tmp_path / "logs") as processes:
        log = processes.start("parent", [sys.executable, "-c", child], os.environ)
        deadline = time.monotonic() + 20
        while not log.read_text().strip():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pid = int(log.read_text())
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_process_that_ends_by_itself_is_noticed_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path / "logs") as processes:
        processes.start("short", [sys.executable, "-c", "print('last words'); raise SystemExit(3)"], os.environ)
        with pytest.raises(ProcessEnded, match=r"short ended with code 3:\nlast words"):
            check_for(10, processes)


def check_for(seconds: float, processes: Processes) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        processes.check()
        time.sleep(0.05)


def test_the_database_listens_on_loopback_only_asks_for_a_password_and_ends() -> None:
    with TemporaryDirectory(prefix="ringg-demo-") as folder, EmbeddedPostgres(Path(folder) / "data") as server:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        assert {listener.laddr.ip for listener in process.net_connections() if listener.status == "LISTEN"} == {
            "127.0.0.1"
        }
        right = sa.make_url(server.create_database("one"))
        with sa.create_engine(right).connect() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
        with pytest.raises(sa.exc.OperationalError, match="password"):
            sa.create_engine(right.set(password="wrong")).connect()
    assert not psutil.pid_exists(process.pid) or process.status() == psutil.STATUS_ZOMBIE


def test_who_looks_around_is_told_where_the_campaigns_are_and_when_calls_are_made() -> None:
    told = how_to_look_around("http://a", "secret", "http://s", "postgresql://w", Path("/survey.csv"))
    for line in (
        "  Airflow   http://a   user admin, password secret",
        "  Campaigns http://a/plugin/ringg   what became of them; in Airflow: Browse > Ringg campaigns",
        "  Sandbox   http://s   its campaigns and calls",
        "  /survey.csv",
    ):
        assert line in told.splitlines()
    assert "Calls begin within a minute of a launch, at whatever hour it is: 30 minutes pass" in told

"""One trial: campaigns run under the monkey, an operator clears what failed, and all is judged."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import sqlalchemy as sa

from demo.airflow import USER, AirflowError
from demo.postgres import EmbeddedPostgres
from tests.cluster.airflow import ClusteredAirflow
from tests.cluster.campaigns import DAGS, Campaign, fill, plan
from tests.cluster.evidence import ENDED, Metadata, gather
from tests.cluster.journal import Journal
from tests.cluster.monkey import Monkey
from tests.cluster.processes import Machines
from tests.cluster.proxy import DROPPED, LATE, LOST, PASSED, LossyProxy, Odds
from tests.cluster.report import Result
from tests.cluster.verdict import Run, judge
from tests.support.operations import Operations
from tests.support.sandbox import Sandbox, running_sandbox, where_it_is

ROOT = Path(__file__).parents[2]
#: Seconds that pass in the sandbox with every second of ours: a campaign lasts some ten of ours.
SPEED = 240
ODDS = Odds(starts={PASSED: 60, DROPPED: 15, LATE: 12, LOST: 13}, others={PASSED: 985, DROPPED: 15})


#: Seconds after which a part of Airflow that has not come up, or does not answer, is taken for broken; before `pace`.
PATIENCE = 180


@dataclass(frozen=True)
class Times:
    """How long parts of a trial take, in seconds on two idle cores; until all has ended, as long as anything moves.

    Attributes:
        monkey: striking.
        standstill: without a task that changes its state, until what has not ended is taken to have come to nothing:
            in that time a worker is found to be gone, and an unknown outcome is looked into.
        heartbeats: of the schedulers, that come in that time too; a machine that has too much to do gives fewer.
    """

    monkey: float
    standstill: float = 75
    heartbeats: int = 15

    @classmethod
    def for_campaigns(cls, count: int) -> Self:
        """What so many campaigns take: each has some five tasks."""
        return cls(monkey=40 + 6 * count)


class NotSettled(RuntimeError):
    """Airflow did not do in time what it must do whatever the provider does; the text says what it was at."""


def run_trial(folder: Path, seed: int, count: int, say: Callable[[str], None], times: Times) -> Result:
    """Run one trial.

    Args:
        folder: an empty one, for data and logs.
        seed: draws campaigns, strikes and what the proxy loses.
        count: of campaigns.
        say: gets a line for everything that happens.
        times: how long it may take.

    Raises:
        NotSettled: Airflow came not up, or did not load the history in the end.
    """
    began = time.monotonic()
    journal = Journal(say)
    journal.note(f"seed {seed}: {count} campaigns")
    campaigns = plan(count, seed)
    options = {"refuse_second_start": False, "history_rate_window_seconds": 0, "speed": SPEED, "lines": 1000}
    with EmbeddedPostgres(folder / "postgres") as postgres, running_sandbox("g3", **options) as sandbox:
        warehouse = sa.create_engine(postgres.create_database("warehouse"))
        fill(warehouse, campaigns)
        port = int(sandbox.url.rsplit(":", 1)[1])
        with LossyProxy(port, ODDS, seed, journal) as proxy, Machines(folder / "processes") as machines:
            airflow = _airflow(folder / "airflow", postgres, sandbox, proxy)
            airflow.prepare()
            metadata = Metadata(sa.create_engine(postgres.url("airflow")), airflow.home / "logs", campaigns)
            trial = _Trial(campaigns, airflow, machines, metadata, journal, times)
            first_ends = trial.under_the_monkey(seed, proxy)
            proxy.behave()
            trial.clear_what_failed()
            _let_calls_end(sandbox, journal)
            trial.load_the_rest()
            runs = metadata.runs()
            machines.stop()
            left = [process.name() for process in machines.survivors()]
        evidence = gather(campaigns, runs, sandbox, warehouse, left)
        warehouse.dispose()
    violations = judge(evidence, (ROOT / "docs" / "runbook.md").read_text())
    return Result(seed, time.monotonic() - began, airflow.pace, journal.counts, first_ends, evidence, violations)


def _airflow(home: Path, postgres: EmbeddedPostgres, sandbox: Sandbox, proxy: LossyProxy) -> ClusteredAirflow:
    def connection(conn_type: str, path: str, requests_per_minute: str) -> str:
        host = f"http://127.0.0.1:{proxy.port}{path}"
        extra = {requests_per_minute: 60_000}
        return json.dumps({"conn_type": conn_type, "host": host, "password": sandbox.api_key, "extra": extra})

    return ClusteredAirflow(
        home,
        Path(__file__).parent / "dags",
        postgres,
        {
            "AIRFLOW_CONN_WAREHOUSE": postgres.airflow_connection("warehouse"),
            "AIRFLOW_CONN_RINGG_LOSSY": connection(
                "ringg", sandbox.base_url.removeprefix(sandbox.url), "history_requests_per_minute"
            ),
            "AIRFLOW_CONN_SMARTALEX_LOSSY": connection(
                "smartalex", sandbox.smartalex_url.removeprefix(sandbox.url), "requests_per_minute"
            ),
            "PYTHONPATH": str(ROOT),
        },
    )


class _Trial:
    """The parts of a trial in which Airflow runs."""

    def __init__(
        self,
        campaigns: Sequence[Campaign],
        airflow: ClusteredAirflow,
        machines: Machines,
        metadata: Metadata,
        journal: Journal,
        times: Times,
    ) -> None:
        self._airflow, self._machines = airflow, machines
        self._metadata, self._journal, self._times = metadata, journal, times
        self._waiting = [(campaign, run_id) for campaign in campaigns for run_id in campaign.runs]
        self._runs = len(self._waiting)
        self._pace = airflow.pace
        airflow.start_parts(machines)
        self._api = Operations(airflow.url, USER, airflow.password)
        self._api.make_pool("ringg_history", 4, "Readers of Ringg's call history")
        for dag_id in DAGS:
            self._api.wait_for_dag(dag_id, PATIENCE * self._pace)
        journal.note(f"the cluster is up: {self._runs} runs to come, pace {self._pace:.1f}")

    def under_the_monkey(self, seed: int, proxy: LossyProxy) -> list[Run]:
        """Start the runs little by little, striking all the while; how they have ended when that has settled."""
        monkey = Monkey(seed, self._pace, self._machines, self._api, self._journal)
        at_a_time = max(2, self._runs // 10)
        deadline = time.monotonic() + self._times.monkey * self._pace
        try:
            while time.monotonic() < deadline and not (self._all_ended() and not self._waiting):
                self._feed(at_a_time)
                for _ in self._moments(min(monkey.pause(), deadline - time.monotonic())):
                    monkey.tend()
                    if proxy.holding > 0 and monkey.is_tempted():
                        break
                monkey.strike(list(self._metadata.states()), lambda: proxy.holding > 0)
                self._say_how_far()
        finally:
            monkey.stop()
        self._journal.note("the monkey is gone")
        for _ in self._while_moving():
            monkey.tend()
            self._feed(self._runs)
            if not self._waiting and self._all_ended():
                break
        self._say_how_far()
        return self._metadata.runs()

    def clear_what_failed(self) -> None:
        """Do what the runbook says of a task whose worker was gone, and of most errors: clear the run, once."""
        failed = [where for where, state in self._metadata.states().items() if state == "failed"]
        for dag_id, run_id in failed:
            self._insist(lambda dag_id=dag_id, run_id=run_id: self._api.clear_run(dag_id, run_id))
        self._journal.note(f"cleared {len(failed)} runs that had failed")
        for _ in self._while_moving():
            if self._all_ended():
                break
        self._say_how_far()

    def load_the_rest(self) -> None:
        """Load what campaigns did after their run had read the history.

        Raises:
            NotSettled: that did not end well.
        """
        where = ("load_the_rest", "load_the_rest")
        self._insist(lambda: self._api.start_run(*where, {}))
        for _ in self._while_moving():
            if self._metadata.states().get(where) in ENDED:
                break
        if (state := self._metadata.states().get(where)) != "success":
            raise NotSettled(f"The run that loads the rest of the history is {state}; see {self._airflow.home}/logs.")

    def _feed(self, count: int) -> None:
        for campaign, run_id in self._waiting[:count]:
            conf = {"key": campaign.key, "timezone": where_it_is(6)}
            try:
                self._api.start_run(campaign.dag_id, run_id, conf)
            except (httpx.HTTPError, AirflowError) as refused:
                self._journal.note(f"could not trigger {run_id} now: {type(refused).__name__}")
                return
            self._waiting.remove((campaign, run_id))

    def _insist(self, call: Callable[[], None]) -> None:
        """Ask again while the API server comes back."""
        for _ in self._moments(PATIENCE * self._pace):
            with contextlib.suppress(httpx.HTTPError):
                return call()
        raise NotSettled(f"Airflow's API did not answer; its log is in {self._machines.logs}.")

    def _all_ended(self) -> bool:
        return all(state in ENDED for state in self._metadata.states().values())

    def _say_how_far(self) -> None:
        states = list(self._metadata.states().values())
        counted = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        self._journal.note(f"runs: {counted or 'none'}; {len(self._waiting)} to come")

    def _while_moving(self) -> Iterator[None]:
        """Moments, until Airflow stands still: nothing has changed for long, and its schedulers have looked often.

        Raises:
            NotSettled: nothing has changed, and they looked no more.
        """
        last, moved = None, time.monotonic()
        beats: set[Any] = set()
        for _ in self._moments(math.inf):
            if (now := self._metadata.tasks()) != last:
                last, moved = now, time.monotonic()
                beats.clear()
            beats |= self._metadata.heartbeats()
            still = time.monotonic() - moved
            if still > self._times.standstill * self._pace:
                if len(beats) > self._times.heartbeats:
                    self._journal.note(f"nothing has changed for {still:.0f} s")
                    return
                if still > 8 * self._times.standstill * self._pace:
                    raise NotSettled(f"The schedulers stand still; their logs are in {self._machines.logs}.")
            yield

    def _moments(self, seconds: float) -> Iterator[None]:
        """One at once, and then one every half second until so many seconds are over."""
        deadline = time.monotonic() + seconds
        while True:
            yield
            if time.monotonic() > deadline:
                return
            time.sleep(0.5)


def _let_calls_end(sandbox: Sandbox, journal: Journal) -> None:
    """Let time pass until no call is to come, and costs and analyses are there."""
    for _ in range(10):
        sandbox.skip(hours=24)
        open_calls = [
            status for status in sandbox.state()["call_counts"] if status in ("registered", "ongoing", "retry")
        ]
        if not open_calls:
            sandbox.skip(hours=2)
            return
    journal.note(f"calls have not ended on the platform: {open_calls}")

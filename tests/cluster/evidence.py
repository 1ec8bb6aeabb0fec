"""Reads what there is to judge: the platform's truth, our tables, and what Airflow says of its runs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.cluster.campaigns import Campaign
from tests.cluster.verdict import Call, Evidence, Person, Run
from tests.support.sandbox import Sandbox

ENDED = ("success", "failed")
#: What a task ends in, so that a run that has not ended waits for the others.
_DONE = ("success", "failed", "skipped", "upstream_failed", "removed")


class Metadata:
    """Airflow's metadata database, which is there when the API server is not.

    Args:
        engine: of the database.
        logs: the folder of the tasks' logs.
        campaigns: whose runs these are.
    """

    def __init__(self, engine: sa.Engine, logs: Path, campaigns: Sequence[Campaign]) -> None:
        self._engine, self._logs = engine, logs
        self._keys = {run_id: campaign.key for campaign in campaigns for run_id in campaign.runs}

    def states(self) -> dict[tuple[str, str], str]:
        """The state of each run so far, by DAG and run id."""
        rows = self._rows("SELECT dag_id, run_id, state FROM dag_run")
        return {(dag_id, run_id): state for dag_id, run_id, state in rows}

    def tasks(self) -> set[tuple[Any, ...]]:
        """Every task instance so far, with the number of its try and its state."""
        rows = self._rows("SELECT dag_id, run_id, task_id, map_index, try_number, state FROM task_instance")
        return set(map(tuple, rows))

    def heartbeats(self) -> set[tuple[Any, ...]]:
        """The last heartbeat of each scheduler, which it gives every five seconds when it has the time."""
        return set(map(tuple, self._rows("SELECT id, latest_heartbeat FROM job WHERE job_type = 'SchedulerJob'")))

    def runs(self) -> list[Run]:
        """How each run of a campaign has ended."""
        return [
            Run(self._keys[run_id], run_id, state, self._errors(dag_id, run_id), self._unfinished(dag_id, run_id))
            for (dag_id, run_id), state in sorted(self.states().items())
            if run_id in self._keys
        ]

    def _unfinished(self, dag_id: str, run_id: str) -> list[str]:
        rows = self._rows(
            "SELECT task_id, map_index, state, try_number, coalesce(hostname, '') FROM task_instance"
            " WHERE dag_id = :dag_id AND run_id = :run_id AND (state IS NULL OR state NOT IN :done) ORDER BY 1, 2",
            {"dag_id": dag_id, "run_id": run_id},
        )
        return [
            f"{task_id}[{index}] {state or 'not scheduled'}, try {tries}" for task_id, index, state, tries, _ in rows
        ]

    def _errors(self, dag_id: str, run_id: str) -> frozenset[str]:
        rows = self._rows(
            "SELECT task_id, map_index, try_number FROM task_instance"
            " WHERE dag_id = :dag_id AND run_id = :run_id AND state = 'failed'",
            {"dag_id": dag_id, "run_id": run_id},
        )
        run = self._logs / f"dag_id={dag_id}" / f"run_id={run_id}"
        found: set[str] = set()
        for task_id, index, tries in rows:
            task = run / f"task_id={task_id}"
            found.update(errors_in((task / f"map_index={index}" if index >= 0 else task) / f"attempt={tries}.log"))
        return frozenset(found)

    def _rows(self, statement: str, values: dict[str, Any] | None = None) -> list[Any]:
        text = sa.text(statement)
        if ":done" in statement:
            text = text.bindparams(sa.bindparam("done", _DONE, expanding=True))
        with self._engine.connect() as connection:
            return list(connection.execute(text, values or {}))


def errors_in(log: Path) -> Iterator[str]:
    """The errors, by class, that the log of an attempt names as what the attempt ended with."""
    if not log.exists():
        return
    for line in log.read_text(errors="replace").splitlines():
        try:
            details = json.loads(line).get("error_detail") or []
        except (ValueError, AttributeError):
            continue
        # The first is what was raised at last; ours are named in the text of Airflow's.
        for detail in details[:1]:
            ours = re.match(r"(\w+): ", str(detail["exc_value"]))
            is_airflows = detail["exc_type"] in ("AirflowFailException", "AirflowSkipException")
            yield ours[1] if ours and is_airflows else detail["exc_type"]


def gather(
    campaigns: Sequence[Campaign], runs: Sequence[Run], sandbox: Sandbox, warehouse: sa.Engine, left: Collection[str]
) -> Evidence:
    """Put together what there is to judge.

    Args:
        campaigns: what was planned.
        runs: how they ended.
        sandbox: the platform's truth.
        warehouse: our tables.
        left: names of processes that are still there.
    """
    state, dials = sandbox.state(), sandbox.dials()
    flows = {campaign["id"]: campaign["flow"] for campaign in state["campaigns"]}

    def call_of(call: Mapping[str, Any]) -> Call:
        if flows.get(call["list_id"]) == "smartalex":
            # On its wire each try is a call, and there is one; it has words of its own for how that went.
            return Call(f"call_{call['id']}_1", call["list_id"], call["to_number"], None)
        return Call(call["id"], call["list_id"], call["to_number"], call["status"])

    with warehouse.connect() as connection:

        def rows(statement: str) -> list[Any]:
            return list(connection.execute(sa.text(statement)))

        chosen: dict[str, set[str]] = {campaign.key: set() for campaign in campaigns}
        for key, contact_id in rows("SELECT launch_key, contact_id FROM people"):
            chosen[key].add(contact_id)
        return Evidence(
            runs=runs,
            chosen=chosen,
            opted_out={phone for (phone,) in rows("SELECT phone FROM do_not_call")},
            starts={list_id: entry["launches"] for list_id, entry in dials["lists"].items()},
            calls=[call_of(call) for call in state["calls"]],
            ledger={(key, list_id): state for key, list_id, state in rows(_LEDGER)},
            people=[Person(*row) for row in rows(_PEOPLE)],
            loaded=[Call(*row) for row in rows(_RINGG)] + [Call(*row) for row in rows(_SMARTALEX)],
            left=sorted(left),
        )


_LEDGER = "SELECT launch_key, list_id, state FROM ringg_launches"
_PEOPLE = "SELECT launch_key, contact_key, list_id, phone, disposition FROM ringg_contacts"
_RINGG = "SELECT call_id, bulk_list_id, to_number_e164, status FROM ringg_calls"
_SMARTALEX = "SELECT call_id, campaign_id, to_number_e164, NULL FROM smartalex_calls"

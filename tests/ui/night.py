"""A night in the tables of the control room: two DAGs' campaigns, and in every personal column a mark of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.contacts.people import people_table
from ringg_provider.history.counts import counts_table, write_counts
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from ringg_provider.inbox.store import Delivery, add, inbox_table
from ringg_provider.launch import braked
from ringg_provider.launch.budget import Budget
from ringg_provider.launch.reservations import Reservations
from ringg_provider.launch.rollout import Check, Pulled
from ringg_provider.launch.table import launches
from ringg_provider.operators.ringg import RinggSaveCampaignOperator, RinggStartCampaignOperator
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.requests import NewCampaign, NewContact
from ringg_provider.sql.creating import create_tables
from tests.support.api_server import DAG, OTHERS_DAG
from tests.support.sandbox import Sandbox, where_it_is
from tests.support.tasks import Run, TaskInstance

#: A run's id as Airflow makes them: with what an address has another meaning for.
RUN_ID = "manual__2026-11-26T01:00:00+00:00"
#: A name that would be a program if a page took it for markup.
NAME = "Survey <script>document.title='taken'</script> & <b>more</b>"
OTHERS_NAME = "Survey of others"
PEOPLE = 300
AGENT = "22222222-2222-4222-8222-222222222222"
LINE = "aaaaaaaa-0000-4000-8000-000000000001"
#: It is morning there, so that no campaign ends before the tests do.
ZONE = where_it_is(6)
ALL_DAY = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": ZONE}}
API_KEY = "rg_live_marked-key-of-the-workspace"

#: What no answer may hold, wherever it stands in the tables.
MARKS = (
    API_KEY,
    "+919810077001",  # a person
    "9810077001",
    "+918047099001",  # a caller number
    "8047099001",
    "Marked Callee",
    "marked transcript",
    "marked summary",
    "marked analysis",
    "marked-recording",
    "marked-customer",  # a key of the warehouse
    "marked query value",
    "marked unknown field",
    "marked webhook",
    "marked words",
)


@dataclass(frozen=True)
class Night:
    """What was launched.

    :param campaign_id: of DAG `DAG`, by Ringg; it still has nearly all of its `PEOPLE` to call.
    :param smartalex_id: of the same DAG, by SmartAlex.
    :param others_id: of DAG `OTHERS_DAG`, by Ringg.
    :param promise_id: of a person whom the first called, and nobody knows when to call back.
    :param unnoted_id: launched by a version that noted neither DAG nor connection.
    :param launch_key: of the first.
    """

    campaign_id: str
    smartalex_id: str
    others_id: str
    unnoted_id: str
    launch_key: str = f"{DAG}-2026-11-26"
    promise_id: str = "promise-unclear"


def launch_ringg(sandbox: Sandbox, folder: Path, dag_id: str, name: str, launch_key: str) -> str:
    """Upload and start a campaign as a DAG does it; returns its id."""
    file = folder / "contacts.csv"
    people = "".join(f"+9198100{number:05d},Person {number}\n" for number in range(PEOPLE))
    file.write_text(f"Mobile Number,Name\n{people}")
    attempt = {"ti": TaskInstance(dag_id=dag_id, run_id=RUN_ID), "dag_run": Run()}
    common: dict[str, Any] = {"task_id": "launch", "ringg_conn_id": sandbox.conn_id, "agent_id": AGENT}
    list_id = RinggSaveCampaignOperator(
        **common,
        campaign_name=name,
        contacts=str(file),
        variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"},
        country_code="+91",
        call_config=ALL_DAY,
    ).execute(attempt)
    start = RinggStartCampaignOperator(
        **common, list_id=list_id, from_numbers=[LINE], launch_key=launch_key, state_conn_id="warehouse"
    )
    return str(start.execute(attempt))


def launch_smartalex(sandbox: Sandbox, launch_key: str) -> str:
    """The same with SmartAlex."""
    settings = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": ZONE, "max_retries": 0}
    with SmartAlexClient(sandbox.api_key, sandbox.smartalex_url, requests_per_minute=60_000) as client:
        campaign = client.create_campaign(NewCampaign(name="Alex", agent_id="agent_survey", settings=settings))
        people = [NewContact(phone=f"+9198200{number:05d}", first_name="Ann") for number in range(PEOPLE)]
        client.add_contacts(campaign.id, people)
    attempt = {"ti": TaskInstance(dag_id=DAG, run_id=RUN_ID), "dag_run": Run()}
    start = SmartAlexStartCampaignOperator(
        task_id="launch_alex",
        smartalex_conn_id=sandbox.smartalex_conn_id,
        campaign_id=campaign.id,
        launch_key=launch_key,
        state_conn_id="warehouse",
    )
    return str(start.execute(attempt))


def spend_a_night(engine: sa.Engine, sandbox: Sandbox, folder: Path) -> Night:
    """Launch the campaigns, and fill the tables as a load would have, with the marks."""
    night = Night(
        launch_ringg(sandbox, folder, DAG, NAME, Night.launch_key),
        launch_smartalex(sandbox, f"{DAG}-alex"),
        launch_ringg(sandbox, folder, OTHERS_DAG, OTHERS_NAME, f"{OTHERS_DAG}-2026-11-26"),
        launch_ringg(sandbox, folder, DAG, "Survey of an older version", "older"),
    )
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE ringg_launches SET dag_id = NULL, run_id = NULL, conn_id = NULL WHERE list_id = :list"),
            {"list": night.unnoted_id},
        )
        # What a start sends may hold what the DAG's author wrote.
        marked = json.dumps({"fingerprint": "x", "request": {"list_id": night.campaign_id, "x": "marked query value"}})
        connection.execute(
            sa.text("UPDATE ringg_launches SET intent = CAST(:intent AS JSON) WHERE list_id = :list"),
            {"list": night.campaign_id, "intent": marked},
        )
    _fill(engine, night)
    return night


def _fill(engine: sa.Engine, night: Night) -> None:
    calls, campaigns, people = calls_table(), campaigns_table(), people_table()
    alex = smartalex_calls_table()
    counts = counts_table()
    create_tables(engine, calls, campaigns, people, state_table(), alex, counts)
    now = datetime.now(UTC).replace(microsecond=0)
    began = now - timedelta(hours=1)
    times = {"created_at": began, "first_read_at": now, "read_at": now}
    names = {night.campaign_id: NAME, night.others_id: OTHERS_NAME, night.unnoted_id: "Survey of an older version"}
    personal = {
        "to_number": "+919810077001",
        "to_number_e164": "+919810077001",
        "callee_name": "Marked Callee",
        "summary": "marked summary",
        "transcript": [{"speaker": "user", "text": "marked transcript"}],
        "recording_url": "https://example.invalid/marked-recording",
        "raw": {"anything": "marked unknown field"},
    }
    with engine.begin() as connection:
        for campaign_id, name in names.items():
            connection.execute(
                sa.insert(campaigns).values(
                    campaign_id=campaign_id, name=name, agent_id=AGENT, status="ongoing", state="running",
                    total_count=PEOPLE, registered_count=PEOPLE - 2, completed_count=1, calls=2, calls_open=1,
                    calls_incomplete=0, calls_completed=1, calls_dialled=2, calls_connected=1, calls_reached=1,
                    cost=2, first_call_at=began, last_call_at=began,
                    raw={"anything": "marked unknown field"}, history_state="open",
                    history_reason="calls are not read to the end", updated_at=now, **times,
                )
            )  # fmt: skip
            for number, status in enumerate(("completed", "failed")):
                connection.execute(
                    sa.insert(calls).values(
                        call_id=f"{campaign_id}-{number}", bulk_list_id=campaign_id, agent_id=AGENT,
                        agent_name="Survey agent", call_type="outbound", from_number="+918047099001", status=status,
                        sub_status="busy" if status == "failed" else None, is_final=True, attempted_at=began,
                        duration_seconds=42, cost=1, cost_final=True, classification="Interested",
                        platform_analysis={"a": "marked analysis"}, client_analysis={"a": "marked analysis"},
                        recording_path="s3://bucket/marked-recording", details_raw={"a": "marked unknown field"},
                        status_since=now, history_state="open", changed_at=now, **personal, **times,
                    )
                )  # fmt: skip
            for number, disposition in enumerate(("listed", "listed", "suppressed", "invalid_phone")):
                connection.execute(
                    sa.insert(people).values(
                        launch_key=night.launch_key if campaign_id == night.campaign_id else campaign_id,
                        contact_key=f"marked-customer-{number}", occurrence=1, recorded_at=now,
                        list_id=campaign_id if disposition == "listed" else None, phone="+919810077001",
                        disposition=disposition, detail="marked query value",
                    )
                )  # fmt: skip
        connection.execute(
            sa.insert(alex).values(
                call_id="alex-1", campaign_id=night.smartalex_id, direction="outbound", status="completed",
                is_final=True, duration_seconds=9, **personal, **times,
            )
        )  # fmt: skip
    write_counts(engine, counts, calls, names)
    _roll_out(engine, night, now)
    _promise(engine, night, now)


def _promise(engine: sa.Engine, night: Night, now: datetime) -> None:
    """In each state a promise, and some that are another DAG's, nobody's, or named by a telephone number."""
    table = callbacks_table()
    create_tables(engine, table)
    due = now - timedelta(hours=3)
    states: dict[str, dict[str, Any]] = {
        "kept": {"due_at": due, "kept_at": due, "seconds_late": 60},
        "late": {"due_at": due, "kept_at": due, "seconds_late": 3000},
        "missed": {"due_at": due, "state_reason": "they were called and not reached"},
        "open": {"due_at": now + timedelta(hours=3)},
        "unclear": {"state_reason": "no time was said"},
    }
    whose = {
        **{f"promise-{state}": (night.campaign_id, state) for state in states},
        "others-promise": (night.others_id, "unclear"),
        "unnoted-promise": (night.unnoted_id, "unclear"),
        f"{night.smartalex_id}/+919810077001/1": (night.smartalex_id, "unclear"),
    }
    with engine.begin() as connection:
        for promise_id, (campaign_id, state) in whose.items():
            connection.execute(
                sa.insert(table).values(
                    promise_id=promise_id, platform="ringg", bulk_list_id=campaign_id, asked_call_id=promise_id,
                    asked_at=now - timedelta(days=1), contact_key="marked-customer-0", to_number_e164="+919810077001",
                    callee_name="Marked Callee", words="marked words", timezone="Asia/Kolkata", state=state,
                    first_seen_at=now, changed_at=now, **states[state],
                )
            )  # fmt: skip


def _roll_out(engine: sa.Engine, night: Night, now: datetime) -> None:
    """Its list is a wave that a brake stopped, within a budget; and a webhook of its connection waits."""
    inbox = inbox_table()
    create_tables(engine, braked.brakes, inbox)
    with engine.begin() as connection:
        of_list = launches.c.list_id == night.campaign_id
        item = dict(connection.execute(sa.select(launches.c.item).where(of_list)).scalar_one())
        connection.execute(sa.update(launches).where(of_list).values(item={**item, "wave": 1}))
        braked.pull(connection, night.launch_key, Pulled(Check("opt_outs", 0.3, 12, 40, 0.08, 0.02), 0.95), now)
        body = json.dumps({"event_type": "call_completed", "to_number": "+919810077001", "x": "marked webhook"})
        add(connection, inbox, [Delivery.of("ringg_sandbox", body.encode(), now - timedelta(hours=2))])
    Reservations(engine).reserve(Budget("night", Decimal(500)), night.launch_key, "1", 40, now)

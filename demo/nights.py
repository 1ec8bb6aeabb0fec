"""Some nights' campaigns, written into the tables as uploads, launches and loads leave them, without a platform.

For pictures of the control room, and for tests of it: `python -m demo` lets a sandbox call within minutes, so that its
nights have one hour and no yesterday. The same seed makes the same calls.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.history.closing import Closing, ListsRead
from ringg_provider.history.counts import counts_table
from ringg_provider.history.merging import CallStore, CampaignStore, Wanted
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from ringg_provider.inbox.store import Delivery, add, inbox_table, mark_applied, mark_unreadable
from ringg_provider.launch import braked
from ringg_provider.launch.budget import Budget
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger, SetNotes
from ringg_provider.launch.reservations import Reservations
from ringg_provider.launch.rollout import Check, Pulled
from ringg_provider.launch.table import STARTED, Launcher, launches
from ringg_provider.launch.terms import Intent
from ringg_provider.sql.creating import create_tables

RENEWALS, SURVEY, CAREFUL = "ringg_nightly_campaign", "ringg_large_campaign", "ringg_careful_campaign"
OPENS, CLOSES = 10, 19
#: Nobody's numbers: those that a night calls from.
LINES = ("+918047100101", "+918047100102", "+918047100103")
_ZONES = ("Asia/Kolkata", "Europe/London", "America/New_York", "America/Los_Angeles", "Pacific/Auckland", "Asia/Tokyo")
_LEFT_OUT = {
    "suppressed": 41, "called_recently": 27, "other_country": 19, "phone_invalid": 11, "duplicate": 9,
    "outside_calling_hours": 6, "phone_missing": 4,
}  # fmt: skip
_SAID = ("already_done", "interested", "callback", "question", "not_interested", "opt_out")
#: Of ten people, how many take a call in the hours from ten o'clock on.
_TAKE = (5.2, 5.8, 5.5, 4.1, 4.4, 5.0, 6.1, 7.0, 7.4)


@dataclass(frozen=True)
class _Plan:
    """One campaign of a night."""

    dag_id: str
    name: str
    people: int
    #: How much of it was called when it was last looked at.
    done: float = 1.0
    state: str = "completed"
    #: Whether its start is known, was sent, or was not.
    launch: str = "started"
    #: Of a rollout, which wave it is.
    wave: int | None = None


def fill(
    engine: sa.Engine,
    *,
    nights: int = 8,
    people: int = 900,
    now: datetime | None = None,
    seed: int = 7,
    rollout: bool = False,
    promises: bool = False,
) -> None:
    """Write nights into a state database.

    Args:
        engine: the database; what is missing of the tables is made.
        nights: how many, the last one being today's, which is still calling.
        people: on a list, about.
        now: the present, aware.
        seed: of all that is by chance.
        rollout: whether there is also one in waves that a brake has stopped today, within a budget, and some webhooks.
        promises: whether people have asked to be called back.
    """
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    chance = random.Random(seed)
    zone = _afternoon(now)
    calls, campaigns, counts = calls_table(), campaigns_table(), counts_table()
    create_tables(engine, calls, campaigns, counts, state_table())
    ledger = LaunchLedger(engine)
    store = CallStore(engine, calls, Wanted(analysis=False), lambda: now)
    listing = CampaignStore(engine, campaigns)
    for back in reversed(range(nights)):
        day = now.astimezone(zone).replace(hour=0, minute=0, second=0) - timedelta(days=back)
        opening, closing = day.replace(hour=OPENS), day.replace(hour=CLOSES)
        for plans in [*_plans(back, people, chance), *([_waves(people)] if rollout and back == 0 else [])]:
            key = f"{plans[0].dag_id}-{day:%Y-%m-%d}"
            ids = [_id(chance) for _ in plans]
            _launch(ledger, engine, key, plans, ids, opening, closing, zone, chance)
            for plan, campaign_id in zip(plans, ids, strict=True):
                if plan.launch != "started":
                    continue
                read_at = min(now, closing.astimezone(UTC))
                rows = list(_calls(campaign_id, plan, opening, read_at, chance))
                ended = sum(row["is_final"] for row in rows)
                listing.merge(
                    [
                        {
                            "campaign_id": campaign_id, "name": plan.name, "agent_id": _agent(plan),
                            "status": plan.state, "state": plan.state, "created_at": opening - timedelta(hours=8),
                            "updated_at": read_at,
                            "campaign_start_time": opening, "campaign_end_time": closing, "total_count": plan.people,
                            "registered_count": plan.people - ended, "completed_count": ended, "read_at": read_at,
                        }
                    ]
                )  # fmt: skip
                store.merge([{**row, "read_at": now} for row in rows])
    if rollout:
        _stop_rollout(engine, f"{CAREFUL}-{now.astimezone(zone):%Y-%m-%d}", now, zone)
        _receive(engine, now)
    everything = Closing(store, listing, counts, started_at=now, give_up_after=timedelta(days=3))
    with engine.connect() as connection:
        ids = list(connection.execute(sa.select(campaigns.c.campaign_id)).scalars())
    everything.close(ListsRead(dict.fromkeys(ids, now), {each: listing.news_of(each) for each in ids}))
    if promises:
        _promise(engine, campaigns, now, zone, chance)


def _plans(back: int, people: int, chance: random.Random) -> Iterator[list[_Plan]]:
    """The campaigns of the night so many days ago, one list of them for each launch key."""
    size = [int(people * chance.uniform(0.8, 1.2)) for _ in range(3)]
    today = {"done": 0.55, "state": "running"} if back == 0 else {}
    stopped = {"done": 0.4, "state": "terminated"} if back == 3 else {}
    renewals: dict[str, Any] = {**today, **stopped}
    yield [
        _Plan(RENEWALS, "Renewals (1 of 2)", size[0], **renewals),
        _Plan(RENEWALS, "Renewals (2 of 2)", size[1] // 3, **renewals),
    ]
    if back == 0:
        yield [_Plan(SURVEY, "Survey after a visit", size[2], launch="start_sent")]
    elif back % 2 == 0:
        yield [_Plan(SURVEY, "Survey after a visit", size[2])]


def _waves(people: int) -> list[_Plan]:
    """A rehearsal and three waves, the second of which was stopped."""
    return [
        _Plan(CAREFUL, "New agent (rehearsal)", 3, wave=0),
        _Plan(CAREFUL, "New agent (wave 1)", people // 20, wave=1),
        _Plan(CAREFUL, "New agent (wave 2)", people // 3, done=0.6, state="terminated", wave=2),
        _Plan(CAREFUL, "New agent (wave 3)", people * 2, launch="listed", wave=3),
    ]


def _stop_rollout(engine: sa.Engine, key: str, now: datetime, zone: ZoneInfo) -> None:
    create_tables(engine, braked.brakes)
    pulled = Pulled(Check("failures", 0.71, 161, 227, 0.62, 0.5), 0.95)
    with engine.begin() as connection:
        braked.pull(connection, key, pulled, now, Launcher(CAREFUL, "manual__1", "rollout"))
    budget = Budget("new agent", Decimal(600), per="month", timezone=zone.key)
    store = Reservations(engine)
    for part, amount, cost in (("wave 1", 20, 17), ("wave 2", 120, 61)):
        store.reserve(budget, key, part, amount, now)
        store.settle(key, part, cost, now)


def _receive(engine: sa.Engine, now: datetime) -> None:
    table = inbox_table()
    create_tables(engine, table)
    came = [
        Delivery.of("ringg_default", f"{number}".encode(), now - timedelta(minutes=200 - number))
        for number in range(90)
    ]
    with engine.begin() as connection:
        add(connection, table, came)
        mark_applied(connection, table, [each.digest for each in came[:60]], now)
        mark_unreadable(connection, table, {came[60].digest: "the body is no JSON object"}, now)


def _promise(engine: sa.Engine, campaigns: sa.Table, now: datetime, zone: ZoneInfo, chance: random.Random) -> None:
    """People of all nights who asked to be called back, and what became of that."""
    table = callbacks_table()
    create_tables(engine, table)
    with engine.begin() as connection:
        known = connection.execute(sa.select(campaigns.c.campaign_id, campaigns.c.first_call_at)).all()
        rows = [
            _promised(f"{campaign_id}-{number}", campaign_id, began + timedelta(minutes=20 * number), now, zone, chance)
            for campaign_id, began in known
            if began is not None
            for number in range(12)
            if began + timedelta(minutes=20 * number) < now
        ]
        connection.execute(sa.insert(table), rows)


def _promised(
    call_id: str, campaign_id: str, asked_at: datetime, now: datetime, zone: ZoneInfo, chance: random.Random
) -> dict[str, Any]:
    """One of them: most are called on the minute, a few late, some opted out, and of some nobody could tell when."""
    row: dict[str, Any] = {
        "promise_id": call_id, "platform": "ringg", "conn_id": "ringg_default", "bulk_list_id": campaign_id,
        "asked_call_id": call_id, "asked_at": asked_at, "words": "tomorrow", "to_number_e164": "+919000000000",
        "first_seen_at": asked_at, "changed_at": now, "timezone": zone.key, "state": "unclear", "state_reason": None,
        "due_at": None, "kept_at": None, "seconds_late": None, "settled_by": None,
    }  # fmt: skip
    if (chance.random() < 0.05 or call_id.endswith("-7")) and now - asked_at < timedelta(days=2):
        return row | {"state_reason": chance.choice(("it may be one of two days", "no time was said"))}
    due = _while_open(asked_at + timedelta(minutes=30 * chance.randint(2, 44)), zone)
    late = max(0.0, chance.gauss(90, 120)) if chance.random() < 0.93 else chance.expovariate(1 / 5400)
    row |= {"due_at": due, "settled_by": "platform words", "state": "open"}
    if due > now - timedelta(hours=1):
        return row | {"state": "listed" if due < now + timedelta(minutes=20) else "open"}
    if chance.random() < 0.02:
        return row | {"state": "withdrawn", "state_reason": "opted out"}
    if chance.random() < 0.07:
        reasons = ("they were called and not reached", "no lawful hour is left for it", "it was on no list in time")
        return row | {"state": "missed", "state_reason": chance.choices(reasons, (6, 2, 1))[0]}
    kept_at = due + timedelta(seconds=late)
    return row | {"state": "kept" if late <= 900 else "late", "kept_at": kept_at, "seconds_late": late}


def _while_open(moment: datetime, zone: ZoneInfo) -> datetime:
    """A time of night is put off to the next morning, as what was promised is."""
    local = moment.astimezone(zone)
    if OPENS <= local.hour < CLOSES:
        return moment
    morning = local if local.hour < OPENS else local + timedelta(days=1)
    return morning.replace(hour=OPENS).astimezone(UTC)


def _launch(
    ledger: LaunchLedger,
    engine: sa.Engine,
    key: str,
    plans: list[_Plan],
    ids: list[str],
    opening: datetime,
    closing: datetime,
    zone: ZoneInfo,
    chance: random.Random,
) -> None:
    call_time = {"call_start_time": f"{OPENS}:00", "call_end_time": f"{CLOSES}:00", "timezone": zone.key}
    items = [
        LaunchItem(
            list_id=list_id, flow="standard", agent_id=_agent(plan), country_code="+91", rows=plan.people,
            call_config={"call_time": call_time}, campaign_start_time=opening.isoformat(),
            campaign_end_time=closing.isoformat(), launch_key=key, wave=plan.wave,
        )
        for plan, list_id in zip(plans, ids, strict=True)
    ]  # fmt: skip
    run_id = f"scheduled__{(opening - timedelta(hours=8)).astimezone(UTC).isoformat()}"
    share = sum(plan.people for plan in plans) / 1000
    reasons = {code: int(number * share * chance.uniform(0.7, 1.3)) for code, number in _LEFT_OUT.items()}
    reasons = {"listed": sum(plan.people for plan in plans), **{code: n for code, n in reasons.items() if n}}
    notes = SetNotes({list_id: plan.name for plan, list_id in zip(plans, ids, strict=True)}, reasons)
    ledger.replace_set(key, items, Launcher(plans[0].dag_id, run_id, "upload_contacts"), notes)
    for place, (plan, item) in enumerate(zip(plans, items, strict=True)):
        intents = ledger.for_key(key, item=item, launcher=Launcher(plan.dag_id, run_id, "launch", place))
        if plan.launch == "listed":
            continue
        intents.claim(Intent(str(item.list_id), "fingerprint", {}))
        if plan.launch == "started":
            intents.confirm(str(item.list_id))
    # It was then, and not while this is written.
    of_key = sa.update(launches).where(launches.c.launch_key == key)
    # A rollout comes after what a page should begin with.
    listed = opening - timedelta(hours=8 if plans[0].wave is None else 9)
    sent = opening - timedelta(hours=7)
    with engine.begin() as connection:
        connection.execute(of_key.values(listed_at=listed))
        connection.execute(of_key.where(launches.c.start_sent_at.is_not(None)).values(start_sent_at=sent))
        connection.execute(of_key.where(launches.c.state == STARTED).values(started_at=sent))


def _calls(
    campaign_id: str, plan: _Plan, opening: datetime, until: datetime, chance: random.Random
) -> Iterator[dict[str, Any]]:
    """The calls of a campaign, the last ones not dialled yet where it is not through."""
    length = max((until - opening.astimezone(UTC)).total_seconds(), 60.0)
    dialled = int(plan.people * plan.done)
    for number in range(plan.people):
        row: dict[str, Any] = {
            "call_id": f"{campaign_id}-{number}", "bulk_list_id": campaign_id, "agent_id": _agent(plan),
            "call_type": "outbound", "to_number": f"+9190000{number:05d}", "to_number_e164": f"+9190000{number:05d}",
            "created_at": opening, "is_final": False, "status": "registered",
        }  # fmt: skip
        if number >= dialled:
            if plan.state == "terminated":
                row |= {"status": "cancelled", "is_final": True, "cost": 0, "cost_final": True}
            yield row
            continue
        at = opening + timedelta(seconds=length * (number + chance.random()) / dialled * 0.94)
        line = chance.choices((0, 1, 2), (5, 4, 2))[0]
        take = _TAKE[min(at.hour - OPENS, len(_TAKE) - 1)] / 10 - (0.22 if line == 2 else 0.0)
        row |= {"attempted_at": at, "from_number": LINES[line], "is_final": True, "cost_final": True}
        if chance.random() < take:
            said = chance.choices(_SAID, (30, 24, 14, 11, 18, 3))[0]
            length_of_call = chance.gauss(48, 18)
            row |= {"status": "completed", "sub_status": "ACCEPTED", "classification": said}
            row |= {"duration_seconds": max(length_of_call, 6), "cost": round(max(length_of_call, 6) / 60, 2)}
        elif chance.random() < 0.3:
            row |= {"status": "completed", "sub_status": "VOICEMAIL_DETECTED", "classification": "voicemail"}
            row |= {"duration_seconds": 13, "cost": 0.2, "voicemail_detected": True}
        else:
            row |= {"status": "failed", "sub_status": chance.choice(("RETRY_LIMIT_REACHED", "BUSY", "NO_ANSWER"))}
            row |= {"duration_seconds": 0, "cost": 0}
        yield row


def _agent(plan: _Plan) -> str:
    return f"{'1' if plan.dag_id == RENEWALS else '2'}1111111-1111-4111-8111-111111111111"


def _id(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _afternoon(now: datetime) -> ZoneInfo:
    """A zone where people may be called at this moment, whenever that is."""
    return max(map(ZoneInfo, _ZONES), key=lambda zone: -abs(now.astimezone(zone).hour + 0.5 - 15))

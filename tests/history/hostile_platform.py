"""A simulated platform that behaves as badly as the real one may, with a truth to compare with.

It stands where the client stands. Calls are added, dialled, ended, costed and analysed while somebody pages through
them; pages come twice, empty or shortened, requests are refused or fail, and `total` can be a word. Time is simulated:
whoever waits, waits for no time at all, but the world goes on.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ringg_provider.exceptions import NetworkError, NotFound, RateLimited, ServerError, UnreadableAnswer
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import CallDetails, CallPage, Campaign

START = dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)


@dataclass
class Behaviour:
    """How badly it behaves; chances are per request."""

    many: bool = False
    range_by_default: bool = False  # a request without dates gets the calls of a month long ago
    filter_by_call_id: bool = True
    sorted_by_creation: bool = True
    dates_mean_attempt: bool = False
    page_cap: int = 200
    repeat: float = 0.0
    empty: float = 0.0
    fail: float = 0.0
    garbage: float = 0.0
    refuse: float = 0.0
    details_fail: float = 0.0
    limit: int = 10
    period: float = 60.0


class Killed(BaseException):
    """The process ends here."""


@dataclass
class TrueCall:
    """A call as it really is."""

    id: str
    number: str
    list_id: str | None
    created_at: dt.datetime
    starts_at: dt.datetime
    ends_at: dt.datetime
    outcome: str
    costed_at: dt.datetime
    analysed_at: dt.datetime
    retried: bool

    def status(self, now: dt.datetime) -> str:
        if now < self.starts_at:
            return "registered"
        if now < self.ends_at:
            return "retry" if self.retried and now > self.starts_at + (self.ends_at - self.starts_at) / 2 else "ongoing"
        return self.outcome

    def attempted_at(self, now: dt.datetime) -> dt.datetime | None:
        return self.starts_at if now >= self.starts_at else None


@dataclass
class HostilePlatform:
    """The platform; `now` and `sleep` are its clock.

    :param seed: everything that happens follows from it.
    :param behaviour: how badly it behaves.
    """

    seed: int
    behaviour: Behaviour = field(default_factory=Behaviour)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.clock = 0.0
        self.calls: list[TrueCall] = []
        self.campaigns: dict[str, dt.datetime] = {}
        self.poisoned: dict[str, Exception] = {}  # what asking for the details of a call ends in, for ever
        self.unreadable: dict[str, Exception] = {}  # what asking for the calls of a list ends in, for ever
        self.asked: list[CallQuery] = []
        self.lives: int | None = None  # after so many requests whoever asks is killed
        self.statuses: dict[str, str] = {}  # what the listing says of a campaign, whatever is true
        self.hidden: set[str] = set()  # campaigns that the listing leaves out
        self.planned: list[TrueCall] = []
        self.requests: deque[float] = deque()
        self.refused = 0
        self.last_answers: dict[str, tuple[dict[str, Any], bool]] = {}
        self.calm = False

    # --- time

    def now(self) -> dt.datetime:
        return START + dt.timedelta(seconds=self.clock)

    def monotonic(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += max(0.0, seconds)
        self._register()

    def _register(self) -> None:
        now = self.now()
        due = [call for call in self.planned if call.created_at <= now]
        self.planned = [call for call in self.planned if call.created_at > now]
        self.calls += due

    # --- what is going to happen

    def plan_campaign(self, calls: int, *, begin: float, spread: float) -> str:
        """Let a campaign register its calls over `spread` seconds from `begin` on."""
        list_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        last = START - dt.timedelta(days=3650)
        for _ in range(calls):
            call = self.plan_call(list_id, begin + self.random.uniform(0, spread))
            last = max(last, call.ends_at)
        self.campaigns[list_id] = last
        return list_id

    def plan_single(self, begin: float) -> None:
        """Let a call be made that belongs to no campaign."""
        self.plan_call(None, begin)

    def plan_call(self, list_id: str | None, begin: float) -> TrueCall:
        """Let one call be made, of a campaign or of none."""
        dice = self.random
        created = START + dt.timedelta(seconds=begin, microseconds=dice.randrange(1_000_000))
        starts = created + dt.timedelta(seconds=dice.uniform(1, 5000))
        ends = starts + dt.timedelta(seconds=dice.uniform(5, 900))
        call = TrueCall(
            id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            number=f"+9198{dice.randrange(10**8):08d}",
            list_id=list_id,
            created_at=created,
            starts_at=starts,
            ends_at=ends,
            outcome=dice.choice(["completed", "completed", "completed", "failed", "error", "cancelled"]),
            costed_at=ends + dt.timedelta(seconds=dice.uniform(0, 600)),
            analysed_at=ends + dt.timedelta(seconds=dice.uniform(0, 9000)),
            retried=dice.random() < 0.3,
        )
        (self.planned if created > self.now() else self.calls).append(call)
        return call

    def settled(self) -> bool:
        """Whether nothing is going to change any more."""
        now = self.now()
        return not self.planned and all(max(c.ends_at, c.costed_at, c.analysed_at) <= now for c in self.calls)

    # --- the client's methods

    def list_calls_page(self, query: CallQuery, limit: int, offset: int, *, retry: bool) -> CallPage:
        """One page, or something else."""
        assert not retry, "the client must not repeat what counts against the limit"
        self.asked.append(query)
        self._live()
        self.sleep(self.random.uniform(0.05, 2.0))
        self._count_request()
        self._misbehave()
        for list_id in query.bulk_list_id or ():
            if list_id in self.unreadable:
                raise self.unreadable[list_id]
        found = self._select(query)
        body = self._page(found, min(limit, self.behaviour.page_cap), offset)
        key = query.model_dump_json()
        last_page, was_empty = self.last_answers.get(key, ({}, False))
        if not self.calm and last_page and self.random.random() < self.behaviour.repeat:
            body, was_empty = last_page, False
        elif not self.calm and not was_empty and self.random.random() < self.behaviour.empty:
            # Twice in a row and without a total, nobody could tell this from the end.
            body, was_empty = {**body, "calls": [], "count": 0}, self.behaviour.many
        else:
            last_page, was_empty = body, False
        self.last_answers[key] = (last_page, was_empty)
        return CallPage.read(body)

    def get_call(self, call_id: str, send_analysis: bool = True) -> CallDetails:
        """The details of a call."""
        self._live()
        if not self.calm and self.random.random() < self.behaviour.details_fail:
            raise ServerError("It failed.", status_code=500)
        if call_id in self.poisoned:
            raise self.poisoned[call_id]
        call = next((each for each in self.calls if each.id == call_id), None)
        if call is None:
            raise NotFound("Call not found.", status_code=404)
        return CallDetails.read({"status": "success", "data": self.details(call)})

    def iter_campaigns(self) -> Iterator[Campaign]:
        """The campaigns that have begun."""
        self._live()
        now = self.now()
        for list_id, end in self.campaigns.items():
            begun = any(call.list_id == list_id for call in self.calls)
            more = any(call.list_id == list_id for call in self.planned)
            over = begun and not more and now > end
            status = "completed" if over else "ongoing" if begun else "scheduled"
            status = self.statuses.get(list_id, status)
            if list_id in self.hidden:
                continue
            yield Campaign.read({"id": list_id, "name": "Campaign", "campaign_status": status})

    # --- how it answers

    def _count_request(self) -> None:
        while self.requests and self.requests[0] <= self.clock - self.behaviour.period:
            self.requests.popleft()
        if len(self.requests) >= self.behaviour.limit:
            self.refused += 1
            raise RateLimited("Too many.", retry_after=self.random.choice([None, 7.0]))
        self.requests.append(self.clock)

    def _live(self) -> None:
        if self.lives is not None:
            if self.lives == 0:
                self.lives = None
                raise Killed
            self.lives -= 1

    def _misbehave(self) -> None:
        if self.calm:
            return
        if self.random.random() < self.behaviour.garbage:
            raise UnreadableAnswer("GET /calling/history was answered 200 with a body that is not JSON.")
        if self.random.random() < self.behaviour.refuse:
            raise RateLimited("Somebody else reads too.", retry_after=self.random.choice([None, 3.0]))
        if self.random.random() < self.behaviour.fail:
            raise self.random.choice([ServerError("It failed.", status_code=503), NetworkError("It broke.")])

    def _select(self, query: CallQuery) -> list[TrueCall]:
        found = list(self.calls)
        now = self.now()
        if self.behaviour.range_by_default and None in (query.start_date, query.end_date):
            return []
        if query.bulk_list_id:
            found = [call for call in found if call.list_id in query.bulk_list_id]
        if query.call_id and self.behaviour.filter_by_call_id:
            found = [call for call in found if call.id == query.call_id]
        for bound, is_start in ((query.start_date, True), (query.end_date, False)):
            if bound is None:
                continue
            limit = dt.datetime.fromisoformat(str(bound))
            times = [
                (call, call.attempted_at(now) if self.behaviour.dates_mean_attempt else call.created_at)
                for call in found
            ]
            found = [call for call, at in times if at is not None and (at >= limit if is_start else at <= limit)]
        found.sort(key=lambda call: call.created_at, reverse=not self.behaviour.sorted_by_creation)
        return found

    def _page(self, found: list[TrueCall], limit: int, offset: int) -> dict[str, Any]:
        rows = [self.row(call) for call in found[offset : offset + limit]]
        total: int | str = "many" if self.behaviour.many else len(found)
        return {"calls": rows, "limit": limit, "offset": offset, "count": len(rows), "total": total}

    def row(self, call: TrueCall) -> dict[str, Any]:
        """A call as the history shows it now."""
        now = self.now()
        status = call.status(now)
        over = status == call.outcome and now >= call.ends_at
        costed = now >= call.costed_at
        attempted = call.attempted_at(now)
        talked = over and call.outcome == "completed"
        return {
            "id": call.id,
            "to_number": call.number,
            "name": "Somebody",
            "status": status,
            "sub_status": "ACCEPTED" if talked else "QUEUED",
            "created_at": call.created_at.isoformat(),
            "call_attempt_time": attempted.isoformat() if attempted else None,
            "call_duration": 12.5 if talked else None,
            "call_cost": 0.25 if costed and talked else None,
            "credits_processed": costed if over else False,
            "transcript": '[{"bot": "Hello"}, {"user": "Yes"}]' if talked else "[]",
            "voicemail_detected": False if over else None,
            "a_new_field": {"unknown": status},
        }

    def details(self, call: TrueCall) -> dict[str, Any]:
        """A call's details as they are now."""
        now = self.now()
        talked = call.status(now) == "completed"
        body: dict[str, Any] = {"id": call.id, "call_status": call.status(now), "to_number": call.number}
        if talked and now >= call.analysed_at:
            body["platform_analysis"] = {"summary": f"Said yes {call.id[:4]}", "classification": "interested"}
        return body

    def truth(self) -> dict[str, tuple[Any, ...]]:
        """What the table must say of every call, by id."""
        now = self.now()
        return {
            call.id: (
                call.list_id,
                call.status(now),
                call.number,
                call.created_at,
                0.25 if call.outcome == "completed" else None,
                f"Said yes {call.id[:4]}" if call.outcome == "completed" else None,
            )
            for call in self.calls
        }

"""Waves, brakes and a budget against crashes, retries, clears, races, late costs and changing prices.

Attempts are stepped: each of their atomic steps is one of the machine's, so that any of them may come between two of
another's, or be the last. The stores are the real ones. At the end, mutants show that the machine would notice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import comb
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import StaticPool, create_engine

from ringg_provider.contacts.waves import WaveDealer
from ringg_provider.exceptions import BudgetExhausted, RinggProviderError
from ringg_provider.launch.budget import Budget
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.protocol import launch
from ringg_provider.launch.reservations import Reservations
from ringg_provider.launch.rollout import Brakes, Check, Observed, Pulled, Verdict, judge
from ringg_provider.launch.terms import Evidence, ListState

#: Of one key everybody who comes late in the query opts out; the other one is above the limit by chance alone.
BAD, GOOD = "bad-2026-11-26", "good-2026-11-26"
PEOPLE = 240
FATES = (*["fine"] * 4, "killed before", "killed after")
WAVES = (0.5,)
BRAKES = Brakes(opt_outs=0.05, min_calls=20)
MORNING = datetime(2026, 11, 26, 6, tzinfo=UTC)
BUDGET = Budget("shared", Decimal(400), per="day")


def opts_out(key: str, person: int) -> bool:
    return person >= PEOPLE // 2 if key == BAD else person % 18 == 0


class Killed(BaseException):
    """The worker died."""


class Platform:
    """A platform that never refuses a second start."""

    def __init__(self) -> None:
        self.people: dict[str, list[tuple[str, int]]] = {}
        self.started: set[str] = set()
        self.dials: Counter[tuple[str, int]] = Counter()
        self.known: set[str] = set()
        self.fate = "fine"

    def upload(self, key: str, people: Sequence[int]) -> str:
        list_id = f"list-{len(self.people)}"
        self.people[list_id] = [(key, person) for person in people]
        return list_id

    def look(self, list_id: str) -> ListState:
        return ListState.STARTED if list_id in self.started else ListState.READY

    def look_closer(self, list_id: str) -> Evidence:
        return Evidence(self.look(list_id), has_calls=list_id in self.started)

    def start(self, request: Mapping[str, Any]) -> None:
        fate, self.fate = self.fate, "fine"
        if fate == "killed before":
            raise Killed
        self.started.add(request["list_id"])
        self.dials.update(self.people[request["list_id"]])
        if fate == "killed after":
            raise Killed


class RolloutMachine(RuleBasedStateMachine):
    """What may become of two campaigns that share a budget."""

    def __init__(self) -> None:
        super().__init__()
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        self.ledger, self.reservations = LaunchLedger(engine), Reservations(engine)
        self.platform = Platform()
        self.now = MORNING
        self.price = Decimal(1)
        self.attempts: list[Iterator[None]] = []
        self.estimates: dict[str, Decimal] = {}
        self.costs: dict[str, Decimal] = {}
        self.days: dict[str, datetime] = {}
        self.verdicts: list[tuple[str, Pulled]] = []
        self.started_when_braked: dict[str, int] = {}

    # What a mutant may replace.

    def wave_of(self, key: str, place: int, person: int) -> int:
        """The wave of a person who comes at a place of the query."""
        return WaveDealer(WAVES, key).wave_of(str(person))

    def judged(self, observed: Observed) -> Verdict:
        """The verdict on what is known."""
        return judge(BRAKES, observed)

    def pay_and_start(self, key: str, items: Sequence[LaunchItem]) -> Iterator[None]:
        """Reserve for every list of a wave, then start them."""
        for item in items:
            self.reserve(key, item)
            yield
        for item in items:
            self.start(key, item)
            yield

    # One attempt, in the order of the operator.

    def attempt(self, key: str, order: Sequence[int]) -> Iterator[None]:
        """Upload, then wave by wave: reserve, start, wait, judge."""
        waves: dict[int, list[int]] = {1: [], 2: []}
        for place, person in enumerate(order):
            waves[self.wave_of(key, place, person)].append(person)
        fresh = [
            LaunchItem(
                list_id=self.platform.upload(key, people),
                flow="standard",
                agent_id="agent",
                country_code="+91",
                call_config={},
                rows=len(people),
                launch_key=key,
                wave=number,
            )
            for number, people in waves.items()
        ]
        yield
        stored = self.ledger.replace_set(key, fresh)
        yield
        for number in sorted(waves):
            items = [item for item in stored if item.wave == number]
            self.stop_if_above(key, stored)
            if self.ledger.braked(key) is not None:
                return
            try:
                yield from self.pay_and_start(key, items)
            except BudgetExhausted:
                for item in items:
                    self.reservations.release(key, str(item.list_id), self.now)
                    yield
                return
            while not all(str(item.list_id) in self.platform.known for item in items):
                yield
            self.stop_if_above(key, stored)
            yield

    def reserve(self, key: str, item: LaunchItem) -> None:
        """What an attempt does before a wave, and once more between a claim and its start."""
        list_id = str(item.list_id)
        launched = self.ledger.for_key(key).find(list_id) is not None
        amount = self.price * (item.rows or 0)
        self.reservations.reserve(BUDGET, key, list_id, amount, self.now, launched=launched)

    def start(self, key: str, item: LaunchItem) -> None:
        """Start one list through the launch protocol."""
        list_id, machine = str(item.list_id), self

        class Paying(Platform):
            def __init__(self) -> None:
                self.look, self.look_closer = machine.platform.look, machine.platform.look_closer  # type: ignore[method-assign]

            def start(self, request: Mapping[str, Any]) -> None:
                machine.before_sending(key, item)
                fresh = list_id not in machine.platform.started
                try:
                    machine.platform.start(request)
                finally:
                    if fresh and list_id in machine.platform.started:
                        machine.note_start(key, list_id, item.rows or 0)

        request = {"list_id": list_id}
        ticks = iter(range(10**6))
        launch(
            list_id,
            request,
            lambda: request,
            Paying(),
            self.ledger.for_key(key),
            sleep=lambda seconds: None,
            monotonic=lambda: float(next(ticks) * 50),
        )

    def before_sending(self, key: str, item: LaunchItem) -> None:
        """The claim is made: what another attempt gave back meanwhile is reserved anew."""
        self.reservations.hold(BUDGET, key, str(item.list_id), self.now)

    def note_start(self, key: str, list_id: str, people: int) -> None:
        """What the list will really cost, and on which day."""
        reserved = self.reservations.find(key, list_id)
        self.estimates[list_id] = reserved.charged if reserved is not None else Decimal(0)
        self.costs[list_id] = self.price * people
        self.days[list_id] = self.now

    def stop_if_above(self, key: str, items: Sequence[LaunchItem]) -> None:
        """Judge what is known of the key, and pull the brake."""
        known = [one for item in items if (one := str(item.list_id)) in self.platform.known]
        called = [who for list_id in known for who in self.platform.people[list_id]]
        if not called:
            return
        opted_out = sum(opts_out(*who) for who in called)
        pulled = self.judged(Observed(calls=len(called), reached=len(called), opt_outs=opted_out)).pulled
        if pulled is not None:
            self.verdicts.append((key, pulled))
            self.ledger.pull_brake(key, pulled)
            self.started_when_braked.setdefault(key, self.started_of(key))

    def started_of(self, key: str) -> int:
        """How many lists of a key were started."""
        return sum(self.platform.people[list_id][0][0] == key for list_id in self.platform.started)

    # What happens.

    @precondition(lambda self: len(self.attempts) < 4)
    @rule(key=st.sampled_from([BAD, BAD, GOOD]), turned=st.booleans())
    def a_task_begins(self, key: str, turned: bool) -> None:
        """A first attempt, a retry, a clear or a twin; the query may give the same people in another order."""
        people = list(range(PEOPLE))
        self.attempts.append(self.attempt(key, people[::-1] if turned else people))

    @precondition(lambda self: self.attempts)
    @rule(
        which=st.integers(0, 3),
        steps=st.integers(1, 12),
        fate=st.sampled_from(FATES),
    )
    def a_task_goes_on(self, which: int, steps: int, fate: str) -> None:
        """Some steps of an attempt, the next start of which may be its last."""
        attempt = self.attempts[which % len(self.attempts)]
        self.platform.fate = fate
        try:
            for _ in range(steps):
                next(attempt)
        except (StopIteration, Killed, RinggProviderError):
            self.attempts.remove(attempt)
        self.platform.fate = "fine"

    @precondition(lambda self: self.attempts)
    @rule(which=st.integers(0, 3))
    def a_worker_dies(self, which: int) -> None:
        """Between two steps."""
        del self.attempts[which % len(self.attempts)]

    @rule()
    def calls_become_known(self) -> None:
        """Of all lists that run."""
        self.platform.known |= self.platform.started

    @rule(final=st.booleans())
    def costs_come(self, final: bool) -> None:
        """Late, and some of them again."""
        for list_id, cost in self.costs.items():
            key = self.platform.people[list_id][0][0]
            self.reservations.settle(key, list_id, cost if final else cost / 2, self.now, final=final)

    @rule(price=st.sampled_from(["0.5", "1", "1", "3"]))
    def the_price_changes(self, price: str) -> None:
        """For estimates and costs from now on."""
        self.price = Decimal(price)

    @rule(hours=st.sampled_from([1, 20]))
    def time_passes(self, hours: int) -> None:
        """To the next day, maybe."""
        self.now += timedelta(hours=hours)

    # What always holds.

    @invariant()
    def nobody_is_called_twice_under_a_key(self) -> None:
        assert max(self.platform.dials.values(), default=0) <= 1

    @invariant()
    def no_day_costs_more_than_its_budget_but_for_wrong_estimates(self) -> None:
        for day in {moment.date() for moment in self.days.values()}:
            lists = [list_id for list_id, moment in self.days.items() if moment.date() == day]
            assert all(self.estimates[one] for one in lists), "started, and not reserved"
            # A price may change between a reservation and the start that it is for.
            error = sum((max(self.costs[one] - self.estimates[one], Decimal(0)) for one in lists), Decimal(0))
            assert sum((self.costs[one] for one in lists), Decimal(0)) <= BUDGET.credits + error

    @invariant()
    def a_pulled_brake_is_final(self) -> None:
        for key, started in self.started_when_braked.items():
            assert self.started_of(key) == started

    @invariant()
    def no_brake_is_pulled_that_chance_explains(self) -> None:
        for _, pulled in self.verdicts:
            assert by_chance(pulled.check) <= 1 - BRAKES.confidence

    @invariant()
    def what_is_wrong_with_everybody_shows_in_the_first_wave(self) -> None:
        first_known = [list_id for list_id in self.platform.known if self.platform.people[list_id][0][0] == BAD]
        if first_known and not any(key == BAD for key, _ in self.verdicts):
            assert self.started_of(BAD) <= 1


def by_chance(check: Check) -> float:
    """How likely so many or more are at the limit."""
    limit = Fraction(check.limit)
    return float(
        sum(comb(check.of, k) * limit**k * (1 - limit) ** (check.of - k) for k in range(check.count, check.of + 1))
    )


class ReservesAfterTheStart(RolloutMachine):
    """What a list costs is asked for when it runs."""

    def pay_and_start(self, key: str, items: Sequence[LaunchItem]) -> Iterator[None]:
        for item in items:
            self.start(key, item)
            yield
            self.reserve(key, item)
            yield

    def before_sending(self, key: str, item: LaunchItem) -> None:
        pass


class GoesByTheBareShare(RolloutMachine):
    """Above is above."""

    def judged(self, observed: Observed) -> Verdict:
        share = observed.opt_outs / observed.reached
        check = Check("opt_outs", share, observed.opt_outs, observed.reached, share, 0.05)
        return Verdict(Pulled(check, 0.95) if check.is_above else None, (check,))


class DealsByPosition(RolloutMachine):
    """The first half of the query is the first wave."""

    def wave_of(self, key: str, place: int, person: int) -> int:
        return 1 if place < PEOPLE * WAVES[0] else 2


class ForgetsThatItWasBraked(RolloutMachine):
    """A retry judges anew instead of asking what stands: with calls that are not known any more, it goes on."""

    def stop_if_above(self, key: str, items: Sequence[LaunchItem]) -> None:
        super().stop_if_above(key, items)
        with self.ledger.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM ringg_brakes")
            connection.exec_driver_sql("UPDATE ringg_launches SET state = 'listed' WHERE state = 'braked'")


class TestRollout(RolloutMachine.TestCase):  # type: ignore[name-defined,misc]
    """The real one."""

    settings: ClassVar[settings] = settings(
        max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
    )


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [ReservesAfterTheStart, GoesByTheBareShare, DealsByPosition, ForgetsThatItWasBraked])
def test_the_machine_notices(mutant: type[RolloutMachine]) -> None:
    enough = settings(
        max_examples=400,
        stateful_step_count=60,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(mutant, settings=enough)

"""What can be checked before anything changes on a server.

``check_...`` refuse, and stand before every upload and start. ``judge_...`` report, for a person who decides: they hold
the same things against the same rules, and more.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

import pendulum

from ringg_provider.api.errors import explained
from ringg_provider.exceptions import InvalidRequest, NotFound
from ringg_provider.hours.plan import ContactProfile, Held
from ringg_provider.hours.planner import NoRule, WindowPlanner
from ringg_provider.hours.rules import CallingHours, CallingRules, Purpose
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.launch.protocol import ListState
from ringg_provider.launch.staleness import StalenessVerdict
from ringg_provider.preflight.estimates import CostEstimate, Feasibility, RetryFit, TimeSpan
from ringg_provider.preflight.report import Check, Finding, Level
from ringg_provider.ringg.starts import Callers

log = logging.getLogger(__name__)

#: The variables that every Ringg list must map, whatever the agent's prompt uses.
PERMANENT_VARIABLES = frozenset({"callee_name", "mobile_number"})


class AgentLike(Protocol):
    """The part of an agent that is checked."""

    @property
    def id(self) -> str: ...
    @property
    def agent_type(self) -> str | None: ...
    @property
    def is_outbound(self) -> bool: ...
    @property
    def variables(self) -> Collection[str] | None: ...


class NumberLike(Protocol):
    """The part of a caller number that is checked."""

    @property
    def id(self) -> str: ...
    @property
    def number(self) -> str | None: ...
    @property
    def is_test_number(self) -> bool: ...
    @property
    def is_spam(self) -> bool: ...
    @property
    def provider(self) -> str | None: ...
    @property
    def number_pool_id(self) -> str | None: ...


class UserLike(Protocol):
    """The part of a workspace member that is checked."""

    @property
    def id(self) -> str: ...


class ReadsAgents(Protocol):
    """A client that can read one agent."""

    def get_agent(self, agent_id: str) -> AgentLike: ...


class ReadsCallers(Protocol):
    """A client that can read caller numbers and workspace members."""

    def list_numbers(self) -> Sequence[NumberLike]: ...
    def list_users(self) -> Sequence[UserLike]: ...


def check_agent(client: ReadsAgents, agent_id: str) -> AgentLike:
    """Read the agent and refuse one that cannot call out.

    :raises InvalidRequest: ``agent_id`` is not an agent of this workspace, or not an outbound one.
    """
    try:
        agent = client.get_agent(agent_id)
    except NotFound as error:
        raise InvalidRequest(f"agent_id: there is no agent {agent_id} in this workspace.", field="agent_id") from error
    if not agent.is_outbound:
        raise InvalidRequest(
            f"agent_id: agent {agent_id} is of type {agent.agent_type!r}; a campaign needs an outbound one.",
            field="agent_id",
        )
    return agent


def check_variables(
    agent: AgentLike, variables_map: Mapping[str, str], *, allow_unreadable: bool = False
) -> frozenset[str]:
    """Refuse a map that leaves one of the agent's variables without a column; warn of keys the agent does not use.

    :param agent: as read from the platform.
    :param variables_map: agent variable -> column.
    :param allow_unreadable: whether an agent whose variables cannot be read passes. Default False: fail closed.
    :return: the variables that the agent uses, ``callee_name`` and ``mobile_number`` included.
    :raises InvalidRequest: ``variables_map`` misses a variable, or the agent's variables cannot be read.
    """
    if agent.variables is None and not allow_unreadable:
        raise InvalidRequest(
            f"variables_map: the variables of agent {agent.id} cannot be read, so the map cannot be checked.",
            field="variables_map",
        )
    needed = PERMANENT_VARIABLES | frozenset(agent.variables or ())
    missing = needed - variables_map.keys()
    if missing:
        raise InvalidRequest(
            f"variables_map: every variable of the agent must be mapped; not mapped: {_names(missing)}.",
            field="variables_map",
        )
    unused = variables_map.keys() - needed
    if unused and agent.variables is not None:
        log.warning("variables_map: the agent has no such variables: %s.", _names(unused))
    return needed


def check_callers(
    client: ReadsCallers,
    from_numbers: Sequence[str] | None,
    email_completion_user_ids: Sequence[str] | None = None,
) -> None:
    """Refuse caller numbers and users that the platform would only find wrong after accepting the start.

    :param client: reads them.
    :param from_numbers: number ids, or numbers spelled exactly as the workspace lists them.
    :param email_completion_user_ids: members to mail.
    :raises InvalidRequest: a number is not in the workspace or is a test number; a user is not a member.
    """
    if from_numbers:
        known = {
            key: number for number in _numbers(client, "from_numbers") for key in (number.id, number.number) if key
        }
        for position, wanted in enumerate(from_numbers):
            number = known.get(wanted)
            if number is None:
                raise InvalidRequest(
                    f"from_numbers: entry {position + 1} is not a caller number of this workspace. Give its id from "
                    "GET /workspace/numbers, or the number spelled exactly as listed there.",
                    field="from_numbers",
                )
            if number.is_test_number:
                raise InvalidRequest(
                    f"from_numbers: entry {position + 1} (id {number.id}) is a test number, which cannot place "
                    "campaign calls.",
                    field="from_numbers",
                )
            if number.is_spam:
                log.warning("from_numbers: number %s is flagged as spam; fewer people will pick up.", number.id)
    if email_completion_user_ids:
        with explained("email_completion_user_ids: the workspace's members, whom these must be among, cannot be read"):
            strangers = set(email_completion_user_ids) - {user.id for user in client.list_users()}
        if strangers:
            raise InvalidRequest(
                f"email_completion_user_ids: not members of this workspace: {_names(strangers)}.",
                field="email_completion_user_ids",
            )


def _numbers(client: ReadsCallers, wanted_for: str) -> Sequence[NumberLike]:
    with explained(f"{wanted_for}: the workspace's caller numbers, which this must be among, cannot be read"):
        return client.list_numbers()


# --- the preflight: the same rules, reported instead of raised ----------------------------------------------


def judge_agent(client: ReadsAgents, agent_id: str) -> tuple[Finding, AgentLike | None]:
    """Whether the agent is there and calls out; the agent itself is for the checks that follow."""
    try:
        agent = check_agent(client, agent_id)
    except InvalidRequest as error:
        return Finding(Check.AGENT, Level.ERROR, str(error)), None
    return Finding(Check.AGENT, Level.OK, "The agent is there and calls out."), agent


def judge_variables(agent: AgentLike, variables_map: Mapping[str, str]) -> Finding:
    """Whether every variable of the agent gets a value, and nothing is mapped in vain."""
    try:
        needed = check_variables(agent, variables_map)
    except InvalidRequest as error:
        return Finding(Check.VARIABLES, Level.ERROR, str(error))
    if unused := variables_map.keys() - needed:
        return Finding(
            Check.VARIABLES, Level.WARNING, f"variables_map: the agent has no such variables: {_names(unused)}."
        )
    return Finding(Check.VARIABLES, Level.OK, f"All {len(needed)} variables of the agent are mapped.")


def judge_callers(client: ReadsCallers, callers: Callers, country_codes: Collection[str]) -> Iterator[Finding]:
    """Whether the caller numbers, the pool and the members to mail are what a campaign can use.

    :param client: reads them.
    :param callers: who is to call.
    :param country_codes: dial prefixes of the lists, such as ``+91``.
    """
    if bool(callers.from_numbers) == bool(callers.number_pool_id):
        yield Finding(
            Check.CALLER_NUMBERS, Level.ERROR, "Give exactly one of from_numbers and number_pool_id to call from."
        )
    elif callers.number_pool_id:
        yield _judge_pool(_numbers(client, "number_pool_id"), callers.number_pool_id)
    else:
        yield from _judge_numbers(_numbers(client, "from_numbers"), callers.from_numbers or (), country_codes)
    if callers.email_completion_user_ids:
        try:
            check_callers(client, None, callers.email_completion_user_ids)
        except InvalidRequest as error:
            yield Finding(Check.USERS, Level.ERROR, str(error))
        else:
            yield Finding(Check.USERS, Level.OK, "Everybody to mail is a member of the workspace.")


def _judge_numbers(
    numbers: Sequence[NumberLike], wanted: Sequence[str], country_codes: Collection[str]
) -> Iterator[Finding]:
    known = {key: number for number in numbers for key in (number.id, number.number) if key}
    places = [position for position, name in enumerate(wanted, 1) if name not in known]
    twice = len(wanted) - len(set(wanted))
    if places or twice:
        problem = f"not caller numbers of this workspace: entries {_listed(places)}" if places else "one is named twice"
        yield Finding(Check.CALLER_NUMBERS, Level.ERROR, f"from_numbers: {problem}.")
    else:
        yield Finding(Check.CALLER_NUMBERS, Level.OK, f"All {len(wanted)} caller numbers are in the workspace.")
    found = {known[name].id: known[name] for name in wanted if name in known}
    if tests := [number.id for number in found.values() if number.is_test_number]:
        yield Finding(
            Check.TEST_NUMBERS,
            Level.ERROR,
            f"from_numbers: test numbers cannot place campaign calls: {_names(tests)}.",
        )
    else:
        yield Finding(Check.TEST_NUMBERS, Level.OK, "No caller number is a test number.")
    if flagged := [number.id for number in found.values() if number.is_spam]:
        yield Finding(
            Check.SPAM_NUMBERS,
            Level.WARNING,
            f"from_numbers: flagged as spam, so fewer people will pick up: {_names(flagged)}.",
        )
    else:
        yield Finding(Check.SPAM_NUMBERS, Level.OK, "No caller number is flagged as spam.")
    if foreign := [
        number.id
        for number in found.values()
        if (number.provider or "").lower() != "twilio"
        and not all((number.number or "").startswith(code) for code in country_codes)
    ]:
        yield Finding(
            Check.FOREIGN_NUMBERS,
            Level.WARNING,
            "from_numbers: abroad, calls go through with Twilio numbers only, and these are of another country than "
            f"the people on the list: {_names(foreign)}.",
        )
    else:
        yield Finding(Check.FOREIGN_NUMBERS, Level.OK, "The caller numbers can reach the lists' countries.")


def _judge_pool(numbers: Sequence[NumberLike], number_pool_id: str) -> Finding:
    members = [number for number in numbers if number.number_pool_id == number_pool_id]
    usable = [number for number in members if not number.is_test_number]
    if not usable:
        message = "number_pool_id: no caller number of this workspace is in that pool, so that nobody could be called."
        return Finding(Check.NUMBER_POOL, Level.ERROR, message)
    if all(number.is_spam for number in usable):
        message = f"number_pool_id: all {len(usable)} numbers of the pool are flagged as spam."
        return Finding(Check.NUMBER_POOL, Level.WARNING, message)
    flagged = sum(number.is_spam for number in usable)
    skipped = f"; {flagged} flagged as spam are skipped" if flagged else ""
    return Finding(Check.NUMBER_POOL, Level.OK, f"The pool has {len(usable)} numbers{skipped}.")


def judge_list_state(state: ListState) -> Finding:
    """Whether the platform would let the list be started."""
    level, message = _LIST_STATES.get(
        state, (Level.WARNING, "The platform does not say clearly whether the list has been started.")
    )
    return Finding(Check.LIST_STATE, level, message)


_ADOPTED = (Level.WARNING, "The list has been started already: it will be adopted, and nobody is called again.")
_LIST_STATES = {
    ListState.READY: (Level.OK, "The list is ready."),
    # That it cannot be paid is what `credits` says.
    ListState.INSUFFICIENT_BALANCE: (Level.OK, "The list is checked, and waits for credits."),
    ListState.PREPARING: (Level.WARNING, "The platform still checks the list; wait for its upload."),
    ListState.STARTED: _ADOPTED,
    ListState.ENDED: _ADOPTED,
    ListState.FAILED: (Level.ERROR, "The list failed on the platform; upload it again."),
    ListState.TERMINATED: (Level.ERROR, "The list was terminated, which is final."),
    ListState.MISSING: (Level.ERROR, "The list does not exist in this workspace."),
}


def judge_staleness(verdict: StalenessVerdict) -> Finding:
    """Whether it is early enough, and the run one that may call."""
    if verdict.is_stale:
        return Finding(Check.STALENESS, Level.ERROR, verdict.message)
    return Finding(Check.STALENESS, Level.OK, "It is not too late to start, and the run may call.")


def judge_hours(
    rules: CallingRules,
    purpose: Purpose | None,
    window: DailyWindow,
    spans: Sequence[TimeSpan],
    country_code: str,
    *,
    no_rule: NoRule = "refuse",
    blackout_dates: Collection[date | str] = (),
    calls_per_contact: int = 1,
) -> Iterator[Finding]:
    """Whether the hours in which the campaign will dial are allowed in the list's country, as far as that tells.

    :param rules: the calling hours.
    :param purpose: of the calls; None: nobody said, which is a warning.
    :param window: the daily window that will be sent.
    :param spans: when the campaign will dial: aware, half-open, in order, at least one.
    :param country_code: dial prefix of the list.
    :param no_rule: ``allow`` takes a country without a rule as allowed; anything else as not.
    :param blackout_dates: local dates on which nobody is called.
    :param calls_per_contact: one and the retries.
    """
    if purpose is None:
        yield Finding(
            Check.CALLING_HOURS, Level.WARNING, "The calling hours were not looked at: say the purpose of the calls."
        )
        return
    schedule = Schedule(pendulum.instance(spans[0][0]), pendulum.instance(spans[-1][1]))
    planner = WindowPlanner(
        rules, purpose=purpose, window=window, schedule=schedule, no_rule=no_rule, blackout_dates=blackout_dates
    )
    profile = planner.profile_of_code(country_code)
    if isinstance(profile, Held):
        yield Finding(Check.CALLING_HOURS, Level.ERROR, profile.detail)
        return
    country = profile.country
    strictest = rules.hours_for(country, None, purpose)
    if strictest is None and no_rule != "allow":
        yield Finding(
            Check.CALLING_HOURS,
            Level.ERROR,
            f"There is no calling-hours rule for {country} and the purpose {purpose}: add one to calling_hours, or say "
            "no_rule='allow'.",
        )
        return
    yield _judge_minutes(planner, profile, window, spans, purpose)
    nationwide = rules.hours_for(country, country, purpose)
    yield _judge_attempts(strictest, nationwide, calls_per_contact, country)


def _judge_minutes(
    planner: WindowPlanner,
    profile: ContactProfile,
    window: DailyWindow,
    spans: Sequence[TimeSpan],
    purpose: Purpose,
) -> Finding:
    """Fine everywhere, forbidden everywhere, or a matter of where in the country somebody is."""
    strictly = _first_outside(spans, planner.callable_spans(profile))
    if strictly is None:
        return Finding(Check.CALLING_HOURS, Level.OK, f"Allowed in all of {profile.country} for {purpose} calls.")
    # The campaign's own zone is where its people are meant to be; a zone of another country tells nothing of that.
    meant = (window.timezone,) if window.timezone in profile.zones else profile.zones
    alone = [ContactProfile(profile.country, profile.country, (zone,)) for zone in meant]
    if all(_first_outside(spans, planner.callable_spans(part)) is not None for part in alone):
        where = f" ({meant[0]})" if len(meant) == 1 else ""
        return Finding(
            Check.CALLING_HOURS,
            Level.ERROR,
            f"At {_minute(strictly)} the campaign would dial, and nobody in {profile.country}{where} may be called "
            f"then for {purpose} calls: narrow the daily window or the dates.",
        )
    return Finding(
        Check.CALLING_HOURS,
        Level.WARNING,
        f"At {_minute(strictly)} the campaign would dial, when only some parts of {profile.country} may be called "
        f"for {purpose} calls: let SqlToRinggOperator split the list by where people are, with its purpose.",
    )


def _judge_attempts(
    strictest: CallingHours | None, nationwide: CallingHours | None, calls: int, country: str
) -> Finding:
    for hours, level, place in (
        (nationwide, Level.ERROR, f"in {country}"),
        (strictest, Level.WARNING, f"in some parts of {country}"),
    ):
        limit = None if hours is None else hours.max_attempts_per_day
        if limit is not None and calls > limit:
            return Finding(
                Check.ATTEMPTS,
                level,
                f"Up to {calls} calls to one person are asked for, and {place} at most {limit} in 24 hours are "
                f"allowed: set retry_count to {limit - 1}.",
            )
    return Finding(Check.ATTEMPTS, Level.OK, f"Up to {calls} calls to one person break no limit.")


def judge_retries(fit: RetryFit, *, must_fit: bool) -> Finding:
    """Whether the last retry comes before the hours are over; by choice an error instead of a warning."""
    if fit.fits:
        return Finding(Check.RETRIES, Level.OK, f"All {fit.attempts} attempts fit before the calling hours are over.")
    return Finding(Check.RETRIES, Level.ERROR if must_fit else Level.WARNING, fit.message)


#: What a workspace may upload per list at first, and once the company's details are saved.
FIRST_ALLOWANCE, USUAL_ALLOWANCE = 100, 5_000
#: From so many rows on, the vendor means the large flow to be used.
LARGE_FLOW_ROWS = 5_000


def judge_rows(rows: int | None, *, allowance: int | None, accepted: bool, large: bool) -> Finding:
    """Whether the workspace may upload so many rows in one list.

    :param rows: on the list; None when not known.
    :param allowance: of the workspace; None when not known.
    :param accepted: the platform has the list already.
    :param large: it goes through the large flow.
    """

    def found(level: Level, message: str) -> Finding:
        return Finding(Check.ROW_ALLOWANCE, level, message)

    if rows is None:
        return found(Level.WARNING, "It is not known how many rows the list has: give rows.")
    if not large and rows >= LARGE_FLOW_ROWS:
        return found(Level.WARNING, f"Lists of {LARGE_FLOW_ROWS:,} rows and more are meant for the large flow.")
    if accepted:
        return found(Level.OK, "The platform has accepted the list.")
    if allowance is not None:
        if rows > allowance:
            return found(Level.ERROR, f"{rows:,} rows are more than the workspace's allowance of {allowance:,} a list.")
        return found(Level.OK, f"{rows:,} rows are within the workspace's allowance.")
    if rows <= FIRST_ALLOWANCE:
        return found(Level.OK, f"Every workspace may upload {FIRST_ALLOWANCE} rows.")
    needs = "the company's details in the dashboard" if rows <= USUAL_ALLOWANCE else "an agreement with the vendor"
    return found(Level.WARNING, f"{rows:,} rows in one list need {needs}; give row_allowance where it is known.")


def judge_credits(cost: CostEstimate, *, told_sufficient: bool | None, unpaid_lists: int) -> Finding:
    """Whether there are credits enough: what the platform says, and our own estimate.

    :param cost: our estimate, with what can be spent.
    :param told_sufficient: what the platform answered when it was asked about the lists; None when it was not asked.
    :param unpaid_lists: lists that the platform shows as waiting for credits.
    """
    if unpaid_lists or told_sufficient is False:
        what = f"{unpaid_lists} lists wait for credits" if unpaid_lists else "the platform says that credits lack"
        return Finding(Check.CREDITS, Level.ERROR, f"Top up: {what}.")
    if cost.basis != "none":
        level = Level.OK if cost.sufficient else Level.ERROR
        return Finding(Check.CREDITS, level, cost.message)
    if told_sufficient:
        return Finding(Check.CREDITS, Level.OK, "The platform says that the credits suffice.")
    if cost.spendable_credits is not None and cost.spendable_credits <= 0:
        return Finding(Check.CREDITS, Level.ERROR, "The workspace has no credits to spend: top up.")
    return Finding(Check.CREDITS, Level.WARNING, cost.message)


def judge_feasibility(outlook: Feasibility) -> Finding:
    """Whether everybody will be reached before the hours are over."""
    level = {True: Level.OK, False: Level.ERROR, None: Level.WARNING}[outlook.fits]
    return Finding(Check.FEASIBILITY, level, outlook.message)


def _first_outside(spans: Iterable[TimeSpan], allowed: Sequence[TimeSpan]) -> datetime | None:
    """The first moment of ``spans`` that no span of ``allowed`` has; both in order."""
    for begin, end in spans:
        moment = begin
        for opens, closes in allowed:
            if opens <= moment < closes:
                moment = closes
        if moment < end:
            return moment
    return None


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}"


def _listed(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

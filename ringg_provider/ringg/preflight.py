"""What can be checked before anything changes on a server.

``check_...`` refuse, and stand before every upload and start. ``judge_...`` report, for a person who decides: they hold
the same things against the same rules, and more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from ringg_provider import wording
from ringg_provider.api.errors import explained
from ringg_provider.exceptions import InvalidRequest, NotFound, RinggProviderError
from ringg_provider.launch.terms import ListState
from ringg_provider.preflight.report import Check, Finding, Level
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.limits import (
    FIRST_ROW_ALLOWANCE,
    LARGE_FLOW_ROWS,
    PERMANENT_VARIABLES,
    USUAL_ROW_ALLOWANCE,
)
from ringg_provider.ringg.responses import Agent, CallerNumber
from ringg_provider.ringg.starts import Callers

log = logging.getLogger(__name__)

# --- the agent and its variables ----------------------------------------------------------------------------


def check_agent(client: RinggClient, agent_id: str) -> Agent:
    """Read the agent and refuse one that cannot call out.

    :raises InvalidRequest: ``agent_id`` is not an agent of this workspace, not an outbound one, or archived.
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
    if agent.is_archived or _is_listed_as_archived(client, agent_id):
        raise InvalidRequest(f"agent_id: agent {agent_id} is archived; choose one that is in use.", field="agent_id")
    return agent


def _is_listed_as_archived(client: RinggClient, agent_id: str) -> bool:
    """What only the list of agents says, as far as the platform's pages tell."""
    with explained("agent_id: the workspace's agents, of which this must be one that is in use, cannot be read"):
        return any(agent.is_archived for agent in client.list_agents() if agent.id == agent_id)


def judge_agent(client: RinggClient, agent_id: str) -> tuple[Finding, Agent | None]:
    """Whether the agent is there and calls out; the agent itself is for the checks that follow."""
    try:
        agent = check_agent(client, agent_id)
    except InvalidRequest as error:
        return Finding(Check.AGENT, Level.ERROR, str(error)), None
    name = f" {agent.name!r}" if agent.name else ""
    return Finding(Check.AGENT, Level.OK, f"The agent{name} is there and calls out."), agent


def check_variables(
    agent: Agent, variables_map: Mapping[str, str], *, allow_unreadable: bool = False
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


def judge_variables(agent: Agent, variables_map: Mapping[str, str]) -> Finding:
    """Whether every variable of the agent gets a value, and nothing is mapped in vain."""
    try:
        needed = check_variables(agent, variables_map)
    except InvalidRequest as error:
        return Finding(Check.VARIABLES, Level.ERROR, str(error))
    unused = _about(variables_map.keys() - needed, "variables_map: the agent has no such variables")
    mapped = f"Mapped: {wording.counted(len(needed), 'variable')} of the agent, which are all."
    return Finding.of(Check.VARIABLES, unused, mapped, Level.WARNING)


# --- who calls, and who is told -----------------------------------------------------------------------------


def check_callers(client: RinggClient, callers: Callers, country_codes: Collection[str] = ()) -> None:
    """Refuse caller numbers and users that the platform would only find wrong after accepting the start.

    :param client: reads them.
    :param callers: who is to call.
    :param country_codes: dial prefixes of the lists, where they are known.
    :raises InvalidRequest: a number is not in the workspace or is a test number, a pool has no number that can call, or
        a user is not a member.
    """
    for finding in judge_callers(client, callers, country_codes):
        if finding.level is Level.ERROR:
            raise InvalidRequest(finding.message, field=finding.message.partition(":")[0])
        if finding.level is Level.WARNING:
            log.warning("%s", finding.message)


def judge_callers(client: RinggClient, callers: Callers, country_codes: Collection[str]) -> Iterator[Finding]:
    """Whether the caller numbers, the pool and the members to mail are what a campaign can use.

    :param client: reads them.
    :param callers: who is to call.
    :param country_codes: dial prefixes of the lists, such as ``+91``.
    """
    if bool(callers.from_numbers) == bool(callers.number_pool_id):
        yield Finding(
            Check.CALLER_NUMBERS,
            Level.ERROR,
            "from_numbers: give exactly one of from_numbers and number_pool_id to call from.",
        )
    elif callers.number_pool_id:
        with explained("number_pool_id: the caller numbers, which say what is in a pool, cannot be read"):
            numbers = client.list_numbers()
        yield _judge_pool(numbers, callers.number_pool_id)
    else:
        with explained("from_numbers: the workspace's caller numbers, which these must be among, cannot be read"):
            numbers = client.list_numbers()
        yield from _judge_numbers(numbers, callers.from_numbers or (), country_codes)
    if callers.email_completion_user_ids:
        with explained("email_completion_user_ids: the workspace's members, whom these must be among, cannot be read"):
            strangers = set(callers.email_completion_user_ids) - {user.id for user in client.list_users()}
        yield Finding.of(
            Check.USERS,
            _about(strangers, "email_completion_user_ids: not members of this workspace"),
            "Everybody to mail is a member of the workspace.",
        )


def said_agents(client: RinggClient, agent_ids: Iterable[str]) -> str:
    """The agents as a person knows them: ``Renewals (1111...)``, the id alone where the name cannot be read."""
    return ", ".join(_named(agent_id, partial(_agent_name, client, agent_id)) for agent_id in agent_ids)


def said_callers(client: RinggClient, callers: Callers) -> str:
    """Who calls, as a person knows it: how many numbers, or ``pool Main pool (bbbb...)``."""
    if not callers.number_pool_id:
        return wording.counted(len(callers.from_numbers or []), "caller number")
    return "pool " + _named(callers.number_pool_id, partial(_pool_name, client, callers.number_pool_id))


def _agent_name(client: RinggClient, agent_id: str) -> str | None:
    return client.get_agent(agent_id).name


def _pool_name(client: RinggClient, number_pool_id: str) -> str | None:
    # A name is worth one request.
    pools = client.list_number_pools(retry=False)
    return next((pool.name for pool in pools if pool.id == number_pool_id), None)


def _named(of_id: str, name: Callable[[], str | None]) -> str:
    try:
        found = name()
    except RinggProviderError:
        found = None  # the checks say what cannot be read
    return f"{found} ({of_id})" if found else of_id


def _judge_numbers(
    numbers: Sequence[CallerNumber], wanted: Sequence[str], country_codes: Collection[str]
) -> Iterator[Finding]:
    known = {key: number for number in numbers for key in (number.id, number.number) if key}
    places = [position for position, name in enumerate(wanted, 1) if name not in known]
    if places:
        yield Finding(
            Check.CALLER_NUMBERS,
            Level.ERROR,
            f"from_numbers: not caller numbers of this workspace: entries {', '.join(map(str, places))}. Give ids from"
            " GET /workspace/numbers, or numbers spelled exactly as listed there.",
        )
    elif len(wanted) > len({known[name].id for name in wanted}):
        yield Finding(Check.CALLER_NUMBERS, Level.ERROR, "from_numbers: one number is named twice.")
    else:
        fine = f"In the workspace: {wording.counted(len(wanted), 'caller number')}."
        yield Finding(Check.CALLER_NUMBERS, Level.OK, fine)
    found = {known[name].id: known[name] for name in wanted if name in known}
    tests = [number.id for number in found.values() if number.is_test_number]
    yield Finding.of(
        Check.TEST_NUMBERS,
        _about(tests, "from_numbers: test numbers cannot place campaign calls"),
        "No caller number is a test number.",
    )
    flagged = [number.id for number in found.values() if number.is_spam]
    yield Finding.of(
        Check.SPAM_NUMBERS,
        _about(flagged, "from_numbers: flagged as spam, so fewer people will pick up"),
        "No caller number is flagged as spam.",
        Level.WARNING,
    )
    foreign = [
        number.id
        for number in found.values()
        if (number.provider or "").lower() != "twilio"
        and not all((number.number or "").startswith(code) for code in country_codes)
    ]
    yield Finding.of(
        Check.FOREIGN_NUMBERS,
        _about(
            foreign,
            "from_numbers: abroad, calls go through with Twilio numbers only, and these are of another country than "
            "the people on the list",
        ),
        "The caller numbers can reach the lists' countries.",
        Level.WARNING,
    )


def _judge_pool(numbers: Sequence[CallerNumber], number_pool_id: str) -> Finding:
    members = [number for number in numbers if number.number_pool_id == number_pool_id]
    usable = [number for number in members if not number.is_test_number]
    if not usable:
        if all(number.number_pool_id is None for number in numbers):
            message = "number_pool_id: the platform does not say which numbers are in a pool."
            return Finding(Check.NUMBER_POOL, Level.WARNING, message)
        message = "number_pool_id: no caller number of this workspace is in that pool, so that nobody could be called."
        return Finding(Check.NUMBER_POOL, Level.ERROR, message)
    if all(number.is_spam for number in usable):
        message = f"number_pool_id: all {len(usable)} numbers of the pool are flagged as spam."
        return Finding(Check.NUMBER_POOL, Level.WARNING, message)
    flagged = sum(number.is_spam for number in usable)
    skipped = f"; {flagged} flagged as spam {'is' if flagged == 1 else 'are'} skipped" if flagged else ""
    return Finding(Check.NUMBER_POOL, Level.OK, f"The pool has {len(usable)} numbers{skipped}.")


# --- the list -----------------------------------------------------------------------------------------------


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


def judge_staleness(why_too_late: str | None) -> Finding:
    """Whether it is early enough, and the run one that may call."""
    return Finding.of(Check.STALENESS, why_too_late, "It is not too late to start, and the run may call.")


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
    if rows <= FIRST_ROW_ALLOWANCE:
        return found(Level.OK, f"Every workspace may upload {FIRST_ROW_ALLOWANCE} rows.")
    needs = "the company's details in the dashboard" if rows <= USUAL_ROW_ALLOWANCE else "an agreement with the vendor"
    return found(Level.WARNING, f"{rows:,} rows in one list need {needs}; give row_allowance where it is known.")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _about(names: Collection[str], problem: str) -> str | None:
    """What is wrong with some things, and with which; None when there are none."""
    return f"{problem}: {_names(names)}." if names else None

"""What can be checked before anything changes on a server: the agent, its variables, the numbers, the users to mail."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from ringg_provider.exceptions import InvalidRequest, NotFound

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
        known = {key: number for number in client.list_numbers() for key in (number.id, number.number) if key}
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
        strangers = set(email_completion_user_ids) - {user.id for user in client.list_users()}
        if strangers:
            raise InvalidRequest(
                f"email_completion_user_ids: not members of this workspace: {_names(strangers)}.",
                field="email_completion_user_ids",
            )


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

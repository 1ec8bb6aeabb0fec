"""The errors of this package, arranged by what the caller should do about them.

    RinggProviderError
    ├── TransientError                   trying again later can help
    │   ├── RateLimited                  429: not acted upon
    │   ├── ServerError                  5xx
    │   ├── NetworkError                 no answer; `sent` says whether the request may have arrived
    │   │   ├── UntrustedCertificate     no connection: whose certificate it is, nobody vouches for
    │   │   └── ProxyRefused             no connection: a proxy lets nobody through as he is
    │   ├── UnreadableAnswer             a read was answered with something that cannot be read
    │   ├── DatabaseUnavailable          a database went away, or was busy
    │   ├── HistoryNotCurrent            the history has to be loaded first
    │   ├── ReplacedByAnotherRun         lists of another run stand under the key, and wait to be launched
    │   └── Stopped                      the task that builds lists was told to stop
    ├── PermanentError                   it cannot, until a person changes something
    │   ├── AuthenticationError          401
    │   ├── PermissionDenied             403
    │   ├── NotFound                     404
    │   │   ├── CampaignNotFound         (SmartAlex)
    │   │   └── AgentNotFound            (SmartAlex)
    │   ├── InvalidRequest               a rule is broken; `field` says where
    │   ├── WrongState                   what was asked does not fit the present state
    │   │   ├── StaleCampaign            too late to start
    │   │   ├── CampaignAlreadyActive    (SmartAlex)
    │   │   ├── CampaignNotActive        (SmartAlex)
    │   │   └── NoContacts               (SmartAlex)
    │   ├── QueryFailed                  a database refused
    │   ├── PreflightFailed              the checks before a start found something
    │   ├── BudgetExhausted              a budget does not suffice: nobody is called
    │   └── InsufficientBalance          402
    ├── LaunchOutcomeUnknown             it cannot be told whether a list was started
    ├── LaunchInterrupted                told to stop before the start
    ├── LaunchedByAnotherRun             nothing is left to do: the task ends skipped
    ├── CampaignFailed
    ├── CampaignTerminated
    ├── CampaignBraked                   a brake was pulled: the rest of the launch key is never started
    ├── TooFewCalled                     fewer people were listed, or reached, than the DAG demands
    ├── InvalidContacts                  nobody, or too few, can be called
    │   └── NoContacts                   (SmartAlex)
    └── UnexpectedResponse               an answer that cannot be read; whether the platform acted is not known
        └── UnreadableAnswer

The text of an error names the field and the rule, and never holds personal data.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar


class RinggProviderError(Exception):
    """The root of every error that this package raises.

    :param message: one or two sentences: what is wrong, and the next step.
    :param status_code: the HTTP status that the platform answered with, or None when there was no answer.
    """

    #: The heading of ``docs/runbook.md`` that says what to do.
    runbook: ClassVar[str] = ""

    def __init__(self, message: str, *, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class TransientError(RinggProviderError):
    """Trying again later can help; Airflow's own retries are the right answer.

    :param retry_after: seconds that the platform asked to wait, or None when it did not say.
    """

    runbook = "Rate limited, server error, network error"

    def __init__(self, message: str, *, retry_after: float | None = None, status_code: int | None = None) -> None:
        super().__init__(message, status_code=status_code)
        self.retry_after = retry_after


class RateLimited(TransientError):
    """The platform refused the request because of its rate limit (429); it was not acted upon."""


class ServerError(TransientError):
    """The platform failed (5xx). A request that changes something may have been acted upon all the same."""


class NetworkError(TransientError):
    """No answer arrived.

    :param sent: False when the request certainly never reached the platform (no connection was made), else
        True.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class HistoryNotCurrent(TransientError):
    """Calls of a recent campaign are not all in the tables yet; loading the history again will help."""

    runbook = "History not current"


class ReplacedByAnotherRun(TransientError):
    """Another run's lists took the place of this one under their key, and have not been launched yet."""

    runbook = "Another run launched the key"


class Stopped(TransientError):
    """The run was told to stop; its files are gone."""

    runbook = "Launch interrupted"


class PermanentError(RinggProviderError):
    """Trying again cannot help until a person changes something."""

    runbook = "Invalid request"


class AuthenticationError(PermanentError):
    """The API key is missing, wrong or was rotated (401)."""

    runbook = "Authentication error, permission denied"


class PermissionDenied(PermanentError):
    """The key or its workspace may not do this (403)."""

    runbook = "Authentication error, permission denied"


class NotFound(PermanentError):
    """There is no such thing in this workspace (404)."""

    runbook = "Not found"


class InvalidRequest(PermanentError):
    """A request that breaks a rule, found here before sending or by the platform (400, 422 and other 4xx).

    :param field: the field that breaks the rule, with dots into nested ones, or None when it is not known.
    """

    def __init__(self, message: str, *, field: str | None = None, status_code: int | None = None) -> None:
        super().__init__(message, status_code=status_code)
        self.field = field


class WrongState(PermanentError):
    """The thing exists, but what was asked does not fit its present state (409, or a 400 that says so)."""

    runbook = "Wrong state: still being checked"


class StaleCampaign(WrongState):
    """It is too late to start the campaign, or the run that would start it is not one that may call people."""

    runbook = "Stale campaign"


class PreflightFailed(PermanentError):
    """The checks before a start found what must be put right first; the text names their codes."""

    runbook = "Preflight failed"


class InsufficientBalance(PermanentError):
    """Credits, or the workspace's row allowance, do not suffice (402, or a 400 that says so).

    :param required_credits: credits that the campaign needs, where the platform said so.
    :param available_credits: credits that the workspace has, where the platform said so.
    :param additional_balance_required: credits that are missing, where the platform said so.
    """

    runbook = "Insufficient balance"

    def __init__(
        self,
        message: str,
        *,
        required_credits: Decimal | None = None,
        available_credits: Decimal | None = None,
        additional_balance_required: Decimal | None = None,
        status_code: int | None = None,
    ) -> None:
        super().__init__(message, status_code=status_code)
        self.required_credits = required_credits
        self.available_credits = available_credits
        self.additional_balance_required = additional_balance_required


class BudgetExhausted(PermanentError):
    """A budget does not suffice for what is to be started; nothing was started.

    :param required: credits that are to be reserved.
    :param available: credits that are left in the period.
    :param next_period: when the next period begins, as ISO 8601 with its offset; None where there is none.
    """

    runbook = "Budget exhausted"

    def __init__(
        self,
        message: str,
        *,
        required: Decimal | None = None,
        available: Decimal | None = None,
        next_period: str | None = None,
    ) -> None:
        super().__init__(message)
        self.required = required
        self.available = available
        self.next_period = next_period


class QueryFailed(PermanentError):
    """A database refused a statement, or rows. The text names the kind of error and never a value of a row."""

    runbook = "The database refused"


class UntrustedCertificate(NetworkError):
    """No connection was made, because the certificate of the other side is not trusted. Not tried again at once."""


class ProxyRefused(NetworkError):
    """No connection was made, because a proxy wants a login or forbids the host. Not tried again at once."""


class DatabaseUnavailable(TransientError):
    """A database went away, was busy, or gave up a transaction; trying again can help."""

    runbook = "The database refused"


class LaunchOutcomeUnknown(RinggProviderError):
    """It could not be settled whether a list was started.

    The message says what to check before anything is sent again.
    """

    runbook = "Launch outcome unknown"


class LaunchInterrupted(RinggProviderError):
    """The task was told to stop before the start request was sent; nothing was started."""

    runbook = "Launch interrupted"


class LaunchedByAnotherRun(RinggProviderError):
    """Another run launched the key with lists of its own, so that this list is never started; nothing is left to do."""

    runbook = "Another run launched the key"


class CampaignFailed(RinggProviderError):
    """The platform reports that the campaign failed."""

    runbook = "Campaign failed"


class CampaignTerminated(RinggProviderError):
    """The campaign was stopped before it had ended by itself."""

    runbook = "Campaign terminated"


class CampaignBraked(RinggProviderError):
    """A brake was pulled: what ran was stopped, and the rest of the launch key is never started.

    :param brake: which one.
    :param share: the share that was found.
    :param count: how many calls count against the brake.
    :param bound: what the true share is at least, with the confidence asked for.
    """

    runbook = "Campaign braked"

    def __init__(
        self,
        message: str,
        *,
        brake: str | None = None,
        share: float | None = None,
        count: int | None = None,
        bound: float | None = None,
    ) -> None:
        super().__init__(message)
        self.brake = brake
        self.share = share
        self.count = count
        self.bound = bound


class TooFewCalled(RinggProviderError):
    """Fewer people were listed, or reached, than ``min_listed`` or ``min_reached`` demands."""

    runbook = "Too few called"


class InvalidContacts(RinggProviderError):
    """The contacts cannot be called as given: none is valid, or too many are not."""

    runbook = "Invalid contacts"


class UnexpectedResponse(RinggProviderError):
    """The platform answered something that cannot be read; whether it acted is not known."""

    runbook = "Unexpected response"


class UnreadableAnswer(TransientError, UnexpectedResponse):
    """A read was answered with something that cannot be read, such as a proxy's page or half a body."""

    runbook = "Unexpected response"


# SmartAlex names five refusals by code. Each says what to do, and by its base what kind of refusal it is.
# https://docs.getsmartalex.com/api-reference/campaigns


class CampaignNotFound(NotFound):
    """There is no such campaign in this workspace (`campaign_not_found`)."""


class CampaignAlreadyActive(WrongState):
    """The campaign is making calls already (`campaign_already_active`)."""

    runbook = "SmartAlex: a campaign refuses"


class CampaignNotActive(WrongState):
    """Only a campaign that makes calls can be paused (`campaign_not_active`)."""

    runbook = "SmartAlex: a campaign refuses"


class AgentNotFound(NotFound):
    """There is no such agent in this workspace (`agent_not_found`)."""


class NoContacts(WrongState, InvalidContacts):
    """The campaign has nobody to call (`no_contacts`)."""

    runbook = "SmartAlex: a campaign refuses"

"""What Ringg AI's errors mean beyond their status: the same 400 tells of money, of a state, or of a broken rule.

https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign
https://docs.ringg.ai/api-reference/endpoint/campaign/check-large-campaign-balance
"""

from __future__ import annotations

import re
from decimal import Decimal

from ringg_provider.api.errors import error_by_status, error_of, said_in
from ringg_provider.api.messages import Response
from ringg_provider.api.response_model import to_decimal
from ringg_provider.exceptions import InsufficientBalance, RinggProviderError, WrongState

#: What any key of the vendor looks like.
KEY_PATTERN = re.compile(r"\b(?:rg_live|rg_test|ringg_live)_\w+")

# "balance" and "credit" as words; the state insufficient_balance is one word to a regular expression.
_ABOUT_MONEY = re.compile(r"\b(balance|credits?)\b", re.IGNORECASE)
_ABOUT_STATE = re.compile(
    r"\bnot ready\b|\balready\b|\bnot in\b.*\b(state|status)\b|\bnot in insufficient_balance\b"
    r"|\b(cannot|can not|can't)\b.*\b(scheduled|ongoing|running|completed|terminated)\b",
    re.IGNORECASE | re.DOTALL,
)


def ringg_error(response: Response) -> RinggProviderError | None:
    """What is wrong with an answer; None when it is a success or an expected status."""
    return None if error_of(response) is None else refusal(response)


def refusal(response: Response) -> RinggProviderError:
    """The typed error for an answer that is not a success, by its words where the status does not tell."""
    words = response.raw_text()
    match response.status_code:
        case 402:
            return _insufficient(response)
        case 400 if _ABOUT_MONEY.search(words):
            return _insufficient(response)
        case 400 if _ABOUT_STATE.search(words):
            return WrongState(
                f"{said_in(response)} Look at the campaign's present state first.", status_code=response.status_code
            )
    return error_by_status(response)


def _insufficient(response: Response) -> InsufficientBalance:
    def number(name: str) -> Decimal | None:
        held = (response.value(*holder, name) for holder in ((), ("detail",), ("error",), ("data",)))
        return next((found for found in map(to_decimal, held) if found is not None), None)

    return InsufficientBalance(
        f"{said_in(response)} Top up the workspace or lower what is asked of it, then try again.",
        required_credits=number("required_credits"),
        available_credits=number("available_credits"),
        additional_balance_required=number("additional_balance_required"),
        status_code=response.status_code,
    )

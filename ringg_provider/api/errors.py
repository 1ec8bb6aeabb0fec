"""What the statuses of HTTP mean, as typed errors. What a platform means beyond them stands in its own `errors.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ringg_provider.api.messages import Request, Response
from ringg_provider.exceptions import (
    AuthenticationError,
    InsufficientBalance,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    RinggProviderError,
    ServerError,
    UnexpectedResponse,
    WrongState,
)


def error_of(response: Response) -> RinggProviderError | None:
    """What is wrong with an answer by its status; None when it is 2xx or expected."""
    fine = response.is_success or response.status_code in response.request.expects
    return None if fine else error_by_status(response)


def error_by_status(response: Response) -> RinggProviderError:
    """The typed error for an answer that is not a success."""
    status, said = response.status_code, said_in(response)
    match status:
        case 401:
            return AuthenticationError(f"{said} Check the API key of the connection.", status_code=status)
        case 402:
            return InsufficientBalance(
                f"{said} Top up the workspace or lower what is asked of it, then try again.", status_code=status
            )
        case 403:
            return PermissionDenied(
                f"{said} Ask an owner of the workspace to allow it, or use another key.", status_code=status
            )
        case 404:
            return NotFound(f"{said} {_where_to_look(response.request)}", status_code=status)
        case 408:
            return ServerError(said, retry_after=response.retry_after, status_code=status)
        case 409:
            return WrongState(f"{said} Wait until the one in progress is done.", status_code=status)
        case 413:
            return InvalidRequest(f"{said} Send a smaller file.", field="file", status_code=status)
        case 429:
            wait = "later" if response.retry_after is None else f"in {response.retry_after:.0f} s"
            return RateLimited(
                f"{said} The request was not acted upon; try again {wait}.",
                retry_after=response.retry_after,
                status_code=status,
            )
        case _ if 300 <= status < 400:
            return UnexpectedResponse(
                f"{response.request} was redirected ({status}), and was not sent again to another address."
                " Check that the base URL is exactly that of the API.",
                status_code=status,
            )
        case _ if 400 <= status < 500:
            return InvalidRequest(said, field=response.field(), status_code=status)
    return ServerError(said + response.request.doubt, retry_after=response.retry_after, status_code=status)


def _where_to_look(request: Request) -> str:
    if request.of is None and request.json is None and request.form is None:
        return "Check that the base URL is that of the API, and that the workspace has this function."
    return f"Check {request.of or 'the ids'}, that the key is of the same workspace, and that it has this function."


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Say of an error of the platform what it keeps from being done, and for which parameter.

    :param what: begins the sentence: "skip_dnc: the contacts ... cannot be read".
    """
    try:
        yield
    except RinggProviderError as error:
        error.args = (f"{what}. {error}",)
        raise


def said_in(response: Response) -> str:
    """What was asked and how it was answered, as one or more sentences without anything personal."""
    answered, text = f"{response.request} was answered {response.status_code}", response.text()
    said = f"{answered}: {text}" if text else answered
    return said if said.endswith((".", "!", "?")) else said + "."

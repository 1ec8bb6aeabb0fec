"""Files behind links that are not the platform's API: without key, without following redirects, streamed.

httpx is imported late: this module is loaded with DAG files, which download nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ringg_provider import __version__
from ringg_provider.api.messages import DEFAULT_TIMEOUTS, Timeouts
from ringg_provider.api.redaction import unlogged
from ringg_provider.exceptions import (
    NetworkError,
    RinggProviderError,
    UnexpectedResponse,
    UnreadableAnswer,
    UntrustedCertificate,
)

if TYPE_CHECKING:
    import httpx


class Download:
    """An answer that is being read piece by piece.

    :param answer: what httpx gave.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self.status_code = answer.status_code
        self.content_type = answer.headers.get("content-type")
        #: Where a redirect leads; None for every other answer.
        self.location: str | None = answer.headers.get("location") if answer.is_redirect else None

    def chunks(self) -> Iterator[bytes]:
        """The body. Raises `NetworkError` when it breaks off, `UnreadableAnswer` when it cannot be decoded."""
        try:
            yield from self._answer.iter_bytes(1 << 16)
        except _failures() as error:
            failure = _failure("A download broke off", error)
        else:
            return
        raise failure


@contextmanager
def download(url: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Iterator[Download]:
    """Open a link that is not the platform's API.

    :param url: checked by the caller; links are secrets, so it is in no log and no error.

    Raises `NetworkError` when there is no answer, `UnexpectedResponse` for an address that is none, here or in a
    redirect.
    """
    import httpx

    from ringg_provider.api.connecting import client_options

    headers = {"User-Agent": f"ringg-provider/{__version__}", "Accept-Encoding": "identity"}
    failure = None
    with unlogged(), ExitStack() as stack:
        try:
            options = client_options(url) | {"timeout": timeouts.for_httpx(), "follow_redirects": False}
            client = stack.enter_context(httpx.Client(**options))
            answer = stack.enter_context(client.stream("GET", url, headers=headers))
        except _failures() as error:
            failure = _failure("A download got no answer", error)
        else:
            yield Download(answer)
    if failure is not None:
        raise failure


def _failures() -> tuple[type[Exception], ...]:
    import httpx

    # Beside those of httpx, a host name that can be none: httpx lets the errors of its encoding through.
    return httpx.RequestError, httpx.InvalidURL, ValueError


def _failure(what: str, error: Exception) -> RinggProviderError:
    """Our own error; to be raised outside of `except`, because the other one's text may hold the link."""
    import httpx

    from ringg_provider.api.connecting import distrust_in

    if (distrust := distrust_in(error)) is not None:
        return UntrustedCertificate(f"{what}: its host's certificate is not trusted ({distrust}).", sent=False)
    said = f"{what} ({type(error).__name__})."
    match error:
        case httpx.TransportError():
            return NetworkError(said)
        case httpx.DecodingError():
            return UnreadableAnswer(said)
    return UnexpectedResponse(said)

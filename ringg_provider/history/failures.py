"""What cannot be read hinders nothing else from being read, and is named at the end."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from ringg_provider.exceptions import AuthenticationError, RateLimited, RinggProviderError, TransientError

_log = logging.getLogger(__name__)

T = TypeVar("T")


class UntilFailure(Generic[T]):
    """What comes of an iteration before it fails; `failure` says afterwards what it failed of, if it did."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self.failure: RinggProviderError | None = None

    def __iter__(self) -> Iterator[T]:
        try:
            yield from self._items
        except RinggProviderError as failure:
            self.failure = failure


class Failures:
    """What could not be read while the rest is. It stops nobody but where the platform is out of order.

    A refused key ends everything at once.
    """

    _IN_A_ROW = 3  # fewer that fail one after the other may be bad ones; from here on it is the platform

    def __init__(self) -> None:
        self._failed: list[tuple[str, RinggProviderError]] = []
        self._in_a_row = 0
        self.outage = False

    def note(self, what: str, failure: RinggProviderError) -> None:
        """Note that something could not be read.

        :param what: it was; nothing personal.
        :param failure: why.
        :raises AuthenticationError: the key is refused.
        """
        if isinstance(failure, AuthenticationError):
            raise failure
        _log.warning("Could not read %s: %s", what, failure)
        self._failed.append((what, failure))
        self._in_a_row += 1
        self.outage = self.outage or self._in_a_row >= self._IN_A_ROW or isinstance(failure, RateLimited)

    def note_success(self) -> None:
        """Note that something else could be read: the platform is there."""
        self._in_a_row = 0

    def raise_if_any(self) -> None:
        """Raise one of the failures, a passing one if there is any, with the names of all in its text."""
        if not self._failed:
            return
        what, failure = next((each for each in self._failed if isinstance(each[1], TransientError)), self._failed[0])
        names = ", ".join(name for name, _ in self._failed[:5])
        more = f" and {len(self._failed) - 5} more" if len(self._failed) > 5 else ""
        rest = "What is after them was left for the next load" if self.outage else "Everything else is loaded"
        said = copy.copy(failure)
        said.args = (f"Could not read {names}{more}. {rest}. The failure of {what}: {failure}",)
        raise said from failure

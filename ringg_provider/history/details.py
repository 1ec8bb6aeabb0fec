"""Read what only a call's details have, several calls at a time, into the table."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa

from ringg_provider.exceptions import AuthenticationError, NotFound, RinggProviderError
from ringg_provider.history.merging import CallStore
from ringg_provider.history.rows import details_row
from ringg_provider.ringg.responses import CallDetails

_SEVERAL = 5  # fewer calls that all fail may be bad calls; from here on it is the platform


class ReadsDetails(Protocol):
    """What is needed of a client to read details; it is used from several threads."""

    def get_call(self, call_id: str, send_analysis: bool = True) -> CallDetails:
        """Read the details of one call."""
        ...


@dataclass
class FoundDetails:
    """What came back.

    :param details: of the calls that could be read.
    :param failed: how many could not be read.
    :param failure: the last failure among them; a call that is not known is none.
    """

    details: list[CallDetails] = field(default_factory=list, repr=False)
    failed: int = 0
    failure: RinggProviderError | None = None

    @property
    def outage(self) -> RinggProviderError | None:
        """The failure, if not one of several calls could be read: it says nothing about any of them."""
        return self.failure if not self.details and self.failed >= _SEVERAL else None


def read_details(source: ReadsDetails, call_ids: Sequence[str], *, workers: int) -> FoundDetails:
    """Read the details of some calls, analysis included.

    One call that fails does not keep the others from being read.

    :param source: reaches the workspace; repeats what may be repeated.
    :param call_ids: the calls.
    :param workers: how many at the same time.
    :return: what could be read.
    :raises AuthenticationError: the key is refused.

    https://docs.ringg.ai/api-reference/endpoint/history/get-call-details
    """
    found = FoundDetails()

    def read(call_id: str) -> CallDetails | RinggProviderError | None:
        try:
            details = source.get_call(call_id, send_analysis=True)
        except AuthenticationError:
            raise
        except NotFound:
            return None
        except RinggProviderError as failure:
            return failure
        return details if details.id == call_id else None

    if not call_ids:
        return found
    with ThreadPoolExecutor(max_workers=min(workers, len(call_ids)), thread_name_prefix="ringg-details") as pool:
        for outcome in pool.map(read, call_ids):
            if isinstance(outcome, CallDetails):
                found.details.append(outcome)
                continue
            found.failed += 1
            if outcome is not None:
                found.failure = outcome
    return found


class DetailsPass:
    """Reads details into the table of calls, and counts.

    :param source: reaches the workspace.
    :param calls: the table.
    :param workers: details read at the same time.
    :param transcripts: keep what was said.
    """

    def __init__(self, source: ReadsDetails, calls: CallStore, *, workers: int, transcripts: bool) -> None:
        self._source = source
        self._calls = calls
        self._workers = workers
        self._transcripts = transcripts
        self.read = 0
        self.failed = 0
        self._outage: RinggProviderError | None = None

    @property
    def outage(self) -> RinggProviderError | None:
        """What kept every single call from being read: that is not a few calls of bad luck."""
        return None if self.read else self._outage

    def complete(self, scope: sa.ColumnElement[bool]) -> None:
        """Read the details of the calls that lack an analysis that is wanted.

        :param scope: which calls.
        """
        for batch in self._calls.open(sa.and_(self._calls.lacks_analysis, scope)):
            self.of([row.call_id for row in batch])
            if self.outage is not None:
                return

    def of(self, call_ids: Sequence[str]) -> None:
        """Read the details of these calls."""
        found = read_details(self._source, call_ids, workers=self._workers)
        self.read += len(found.details)
        self.failed += found.failed
        self._outage = found.outage or self._outage
        if found.outage is None:
            self._calls.note_asked(call_ids)
        now = self._calls.now()
        self._calls.merge([details_row(each, read_at=now, transcripts=self._transcripts) for each in found.details])

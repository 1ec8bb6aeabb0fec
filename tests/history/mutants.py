"""Wrong ways to read pages, kept so that the tests can be shown to notice them."""

from __future__ import annotations

from ringg_provider.history.paging import PAGE_SIZE, PageReader, Sweep
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import CallPage


class TrustsItsFirstPass(Sweep):
    """Takes a slice for complete however it ended: totals that moved, repeated pages, an early empty page."""

    @property
    def complete(self) -> bool:
        return True


class StepsByTheLimit(Sweep):
    """Asks for offsets 0, 200, 400, ... even when the pages are shorter than what was asked for."""

    def __init__(self, reader: PageReader, query: CallQuery, first_limit: int = PAGE_SIZE) -> None:
        super().__init__(_RoundingUp(reader), query, first_limit)  # type: ignore[arg-type]


class _RoundingUp:
    def __init__(self, reader: PageReader) -> None:
        self._reader = reader

    def page(self, query: CallQuery, offset: int, limit: int) -> CallPage:
        return self._reader.page(query, -(-offset // PAGE_SIZE) * PAGE_SIZE, limit)


class SendsNoRange(Sweep):
    """Asks for whatever dates the platform has for a default."""

    def __init__(self, reader: PageReader, query: CallQuery, first_limit: int = PAGE_SIZE) -> None:
        super().__init__(reader, query.model_copy(update={"start_date": None, "end_date": None}), first_limit)


MUTANTS = [TrustsItsFirstPass, StepsByTheLimit, SendsNoRange]

"""Callbacks that SmartAlex certainly did not make -> drafts with their people, ready to be started."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from ringg_provider.api.arguments import Span
from ringg_provider.transfers.callbacks_to_lists import CallbacksToListsOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator


class CallbacksToSmartAlexOperator(CallbacksToListsOperator, SqlToSmartAlexOperator):
    """Put people on a new draft whose pending callback SmartAlex has not made: each promise is on one draft at most.

    SmartAlex makes its callbacks by itself. One is listed here only when it was still pending at its time and is gone
    since, and when all calls up to a quarter of an hour after that are known, and none of them was to the person, from
    a quarter of an hour before its time on, answered or not. One that is pending, or was gone before its time, is never
    listed. Nobody is called: give each item of the result to ``SmartAlexStartCampaignOperator``, which asks the
    promises once more right before the start. A draft calls as soon as it is started. See ``docs/promises.md``. Follows
    https://docs.getsmartalex.com/essentials/callbacks.

    Returns what ``SqlToSmartAlexOperator`` returns, with ``callbacks_table``, ``state_conn_id`` and ``history_table``
    in each item.

    The parameters are those of :class:`~ringg_provider.transfers.callbacks_to_lists.CallbacksToListsOperator` and
    :class:`~ringg_provider.transfers.sql_to_smartalex.SqlToSmartAlexOperator`, and:

    :param contact_columns: ``first_name``, ``last_name``, ``email``, ``company`` -> column of ``callbacks_table``, such
        as ``callee_name``, or of ``sql``. Default none.
    :param horizon: default 5 minutes.
    """

    template_fields: Sequence[str] = (
        *CallbacksToListsOperator.shared_template_fields,
        "smartalex_conn_id",
        "contact_columns",
        "settings",
        "description",
    )
    of_platform: ClassVar[str] = "smartalex"

    def __init__(self, *, horizon: Span = timedelta(minutes=5), **kwargs: Any) -> None:
        super().__init__(horizon=horizon, **kwargs)

    def suppression(self) -> dict[str, Any] | None:
        """The same, and whether the platform's own do-not-call counts."""
        asked = super().suppression()
        return {**(asked or {"country_code": self.country_code}), "skip_dnc": True} if self.skip_dnc else asked

    def slot_of(self, moment: datetime, now: datetime) -> datetime | None:
        """As soon as possible: a draft knows no time."""
        return None

    def is_draft(self, list_id: str) -> bool:
        """Whether the platform has it as a draft."""
        from ringg_provider.launch.terms import ListState
        from ringg_provider.smartalex.campaigns import SmartAlexLaunchTarget

        return SmartAlexLaunchTarget(self.hook.client).look(list_id) is ListState.READY

    def is_open(self, moment: datetime) -> bool:
        """Whether the hours of ``settings`` are open."""
        from ringg_provider.hours.schedule import DailyWindow
        from ringg_provider.smartalex.preflight import as_settings

        settings = as_settings(self.settings)
        window = DailyWindow.from_call_time(settings.calling_hours_start, settings.calling_hours_end, settings.timezone)
        return window.is_open(moment)

"""Promises to call people back that are due -> contact lists on Ringg AI, ready to be started."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from ringg_provider.api.arguments import Span
from ringg_provider.transfers.callbacks_to_lists import CallbacksToListsOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

if TYPE_CHECKING:
    from ringg_provider.callbacks.elsewhere import Elsewhere
    from ringg_provider.callbacks.planning import Promise

#: Promises that are due within so long are on one list.
_SLOT = timedelta(minutes=5)
#: What is due sooner is called as soon as possible: a list has to be uploaded and started first.
_SOON = timedelta(minutes=3)
#: An agent that has called back since then still does.
_OF_LATE = timedelta(days=30)


class CallbacksToRinggOperator(CallbacksToListsOperator, SqlToRinggOperator):
    """Upload small lists of the people who asked to be called back about now: each promise is on one list at most.

    Nobody is called: give each item of the result to ``RinggLaunchOperator``, which asks the promises and the opt-outs
    once more right before the start. Run it every few minutes, behind ``RinggCallbacksOperator``; see
    ``docs/promises.md`` and the example ``ringg_promises``. Follows
    https://docs.ringg.ai/documentation/deploy/campaigns/calling-list.

    A promise is taken in one atomic step, under a launch key of the run. A retry goes on with what the run took; a run
    that dies gives it back after ``release_after``, where its list was certainly never started. People who opted out,
    whom a cap protects, who were reached since, or to whom another call is under way, are not listed. A list is started
    at the time of the latest promise on it, five minutes after the earliest at most.

    Returns what ``SqlToRinggOperator`` returns, with ``callbacks_table``, ``state_conn_id`` and ``history_table`` in
    each item. Without a promise that is due it returns an empty list.

    The parameters are those of :class:`~ringg_provider.transfers.callbacks_to_lists.CallbacksToListsOperator` and
    :class:`~ringg_provider.transfers.sql_to_ringg.SqlToRinggOperator`, and:

    :param variables_map: agent variable -> column of ``callbacks_table``, such as ``callee_name``, or of ``sql``.
    :param horizon: default 20 minutes, for a run every quarter of an hour.
    :param platform_calls_back: whether the platform may call back by itself, as an agent may be set up: then it is
        waited for, and a promise is listed only when all calls up to a quarter of an hour after its time, or after the
        end of its span, are known, and none was the platform's. Default True, since nothing tells how an agent is set
        up. Say False only where callbacks are switched off in all agents that are asked: people are called twice
        otherwise. Of an agent that called back in the last thirty days, as ``history_table`` knows, it is not believed.
    """

    template_fields: Sequence[str] = (
        *CallbacksToListsOperator.shared_template_fields,
        "ringg_conn_id",
        "variables_map",
        "call_config",
        "attempts_table",
    )
    of_platform: ClassVar[str] = "ringg"

    def __init__(
        self,
        *,
        variables_map: dict[str, str],
        horizon: Span = timedelta(minutes=20),
        platform_calls_back: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(variables_map=variables_map, horizon=horizon, **kwargs)
        self.platform_calls_back = platform_calls_back

    def slot_of(self, moment: datetime, now: datetime) -> datetime | None:
        """The end of the five minutes in which the moment is."""
        if moment < now + _SOON:
            return None
        slots = -(-moment.timestamp() // _SLOT.total_seconds())
        return datetime.fromtimestamp(slots * _SLOT.total_seconds(), UTC)

    def end_of(self, promises: Iterable[Promise]) -> datetime | None:
        """The first moment at which one of them can be kept no longer, inside the window of ``call_config``."""
        from ringg_provider.ringg.timing import as_call_config, window_of

        ends = [promise.give_up_at for promise in promises if promise.give_up_at is not None]
        if not ends:
            return None
        # The platform knows whole minutes.
        end = min(ends).replace(second=0, microsecond=0)
        return end if window_of(as_call_config(self.call_config)).is_open(end) else None

    def is_draft(self, list_id: str) -> bool:
        """Whether it is ready to be started, and has no call."""
        from ringg_provider.launch.terms import ListState
        from ringg_provider.ringg.campaigns import RinggLaunchTarget

        lists = RinggLaunchTarget(self.hook.client, "standard")
        if (state := lists.look(list_id)) is not ListState.AMBIGUOUS:
            return state in (ListState.READY, ListState.PREPARING)
        closer = lists.look_closer(list_id)
        return closer.listed in (None, ListState.READY, ListState.PREPARING) and not closer.has_calls

    def is_open(self, moment: datetime) -> bool:
        """Whether the daily window of ``call_config`` is open."""
        from ringg_provider.ringg.timing import as_call_config, window_of

        return window_of(as_call_config(self.call_config)).is_open(moment)

    def agents_that_call_back(self, elsewhere: Elsewhere) -> Iterable[str]:
        """All that are asked, or those of which such a call is known."""
        if self.platform_calls_back:
            return super().agents_that_call_back(elsewhere)
        known = elsewhere.calls_back(since=datetime.now(UTC) - _OF_LATE)
        contradicted = known.intersection(self.asked_of or [self.agent_id])
        if contradicted:
            self.log.warning(
                "platform_calls_back=False, and the platform has called back for %s in the last thirty days: the"
                " promises of these agents are left to it.",
                ", ".join(sorted(contradicted)),
            )
        return known

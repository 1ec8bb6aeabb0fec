"""Ringg's webhooks: which moment of a call which subscription hears of, and by which rules it is delivered.

Follows https://docs.ringg.ai/webhooks/initial-setup and https://docs.ringg.ai/webhooks/error-handling. Where no page
says when later attempts come, it does what seems likely.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from ringg_provider.sandbox import wire_webhooks
from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.courier import Courier, Delivery, Rules
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.wire import has_recording
from ringg_provider.sandbox.world import World

#: Simulated seconds from a call's end until its recording can be heard.
_RECORDED_AFTER = 5.0
#: Simulated seconds before the attempts after the first.
_G2_PAUSES = (10.0, 60.0, 120.0)
_G3_PAUSES_AT_A_START = (10.0, 20.0)
_G3_LATER_PAUSES = (60.0, 600.0, 3600.0, 6 * 3600.0)
_STARTS = frozenset({"call_started", "call_ringing", "call_ongoing"})


class RinggWebhooks:
    """Watches the calls of a world.

    :param world: the calls; this becomes what it tells of them.
    :param courier: takes what is to be sent.
    :param recording_link: the link to a call's recording.
    """

    def __init__(self, world: World, courier: Courier, recording_link: Callable[[Call], str | None]) -> None:
        self.world = world
        self.courier = courier
        self.recording_link = recording_link
        world.on_call = self._changed

    def _changed(self, call: Call, before: str | None) -> None:
        if not self.world.workspace.agents[call.agent_id].event_subscriptions:
            return
        if before is None:
            self._soon("call_started", call)
        elif call.status == "ongoing":
            if self.world.settings.call_started_twice:
                self._soon("call_started", call)
        elif before == "ongoing" or call.status == "cancelled":
            self._soon("call_completed", call)
            if call.is_final and call.attempts:
                # By the end of this moment it is known when the analysis will be there.
                self.world.events.after(0.0, self._processed, call)

    def _processed(self, call: Call) -> None:
        """Plan what comes after a call's end. A call that was never dialled has nothing to analyse."""
        events = self.world.events
        ended, analysed = events.now(), call.analysed_at or events.now()
        recorded = ended + _RECORDED_AFTER if has_recording(call) else ended
        if has_recording(call):
            events.at(recorded, self._send, "recording_completed", call)
        events.at(analysed, self._send, "platform_analysis_completed", call)
        if self.world.settings.client_analysis:
            events.at(analysed, self._send, "client_analysis_completed", call)
        events.at(max(analysed, recorded), self._send, "all_processing_completed", call)

    def _soon(self, event: str, call: Call) -> None:
        """Send at this moment's end, when all that changed with it has changed."""
        self.world.events.after(0.0, self._send, event, call)

    def _send(self, event: str, call: Call) -> None:
        subscriptions = [
            each
            for each in self.world.workspace.agents[call.agent_id].event_subscriptions
            if event in each["event_type"]
        ]
        if not subscriptions:
            return
        body = self.body(event, call)
        for each in subscriptions:
            self.courier.post(
                Delivery(
                    event,
                    call.id,
                    each["callback_url"],
                    body,
                    f"{each['callback_url']}|{call.to_number}|{event}|{len(call.attempts)}|{call.status}",
                    rules(self.world.settings, event),
                    self.world.events,
                    each["method_type"],
                    each["headers"],
                )
            )

    def body(self, event: str, call: Call) -> bytes:
        """What an event of a call says now."""
        payload = wire_webhooks.payload(event, call, self.world, self.recording_link(call))
        return json.dumps(payload, ensure_ascii=False).encode()

    def send_again(self, events: list[str]) -> int:
        """Tell these events of every call that has ended once more, also of calls that were made up; returns how many.

        A call that was made up has told of nothing: so a benchmark gets as many deliveries as it wants.
        """
        before = self.courier.pending
        for call, event in chain.from_iterable(((call, event) for event in events) for call in self.world.calls):
            if call.is_final:
                self._send(event, call)
        return self.courier.pending - before


def rules(settings: Settings, event: str) -> Rules:
    """How deliveries of an event are made, by the generation of the documentation."""
    only_200 = settings.webhook_success == "200" or (settings.webhook_success == "auto" and not settings.is_g3)
    pause: Any = _g2_pause
    if settings.is_g3:
        pause = _g3_pause_at_a_start if event in _STARTS else _g3_pause
    return Rules(
        (lambda status: status == 200) if only_200 else (lambda status: 200 <= status < 300),
        pause,
        heeds_retry_after=settings.is_g3 and event in _STARTS,
    )


def _g2_pause(attempts: int, status: int | None) -> float | None:  # noqa: ARG001 - every failure is alike
    return _G2_PAUSES[attempts - 1] if attempts <= len(_G2_PAUSES) else None


def _g3_pause(attempts: int, status: int | None) -> float | None:
    return _unless_refused(_G3_LATER_PAUSES, attempts, status)


def _g3_pause_at_a_start(attempts: int, status: int | None) -> float | None:
    return _unless_refused(_G3_PAUSES_AT_A_START, attempts, status)


def _unless_refused(pauses: tuple[float, ...], attempts: int, status: int | None) -> float | None:
    if status is not None and 400 <= status < 500 and status != 429:
        return None
    return pauses[attempts - 1] if attempts <= len(pauses) else None

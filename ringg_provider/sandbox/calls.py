"""One call: what is known about it, and how it will go. Depends on seed, number and attempt, not on the clock: but who
asks to be called back means a time after it, and is then reached at that time only (`people`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ringg_provider.sandbox.dice import dice_of
from ringg_provider.sandbox.settings import Outcome, Settings
from ringg_provider.sandbox.wishes import Wish, wish_for

UNANSWERED = frozenset({"busy", "not_picked", "failed"})
FINAL = frozenset({"completed", "failed", "error", "cancelled", "forwarded"})

ATTEMPT_WORDS = {
    "completed": "ACCEPTED",
    "voicemail": "ACCEPTED",
    "busy": "Busy Line",
    "not_picked": "No Answer",
    "failed": "Failed",
    "dnd": "DND",
    "error": "Failed",
}
# What an attempt that reached nobody is called when it is the last one.
_REASONS = {
    "busy": "FAILED",
    "not_picked": "USER_DID_NOT_JOIN",
    "failed": "NOT_ABLE_TO_CALL",
    "dnd": "DND_SKIPPED",
    "error": "NOT_ABLE_TO_CALL",
}
_RINGS = {"busy": 3.0, "not_picked": 30.0, "failed": 2.0, "dnd": 0.0, "error": 1.0}


@dataclass(slots=True)
class Attempt:
    """One time the phone was rung. `started_at` is Unix time of the wall, the rest is simulated seconds."""

    started_at: float
    outcome: Outcome
    ring_seconds: float
    talk_seconds: float
    sub_status: str
    from_number: str


@dataclass(slots=True, eq=False)
class Call:
    """A call of a campaign, or a single one (`list_id` is None).

    `talk` counts how often the person was spoken to before it; `wish` is what they ask for in this one,
    once `heard`.
    """

    to_number: str
    name: str
    variables: dict[str, str]
    agent_id: str
    list_id: str | None
    launch: int
    created_at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "registered"
    sub_status: str = "IN_DB"
    attempts: list[Attempt] = field(default_factory=list)
    duration: float = 0.0
    cost: Decimal = Decimal(0)
    ended_at: float | None = None
    costed_at: float | None = None
    analysed_at: float | None = None
    dialable: bool = True
    call_type: str = "outbound"
    parent_call_id: str | None = None
    talk: int = 0
    wish: Wish | None = None
    heard: bool = False

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def called_at(self) -> float | None:
        return self.attempts[-1].started_at if self.attempts else None

    @property
    def connected(self) -> bool:
        return self.status == "completed"

    @property
    def is_voicemail(self) -> bool:
        return self.connected and self.attempts[-1].outcome == "voicemail"


def simulate(
    call: Call, attempt: int, settings: Settings, max_call_length: int, *, waits: bool | None = None
) -> Attempt:
    """How attempt number `attempt` (from 1) of this call goes.

    `waits` says whether the person waits for it: True picks up, False does not, None is left to chance.
    """
    dice = dice_of(settings.seed, call.to_number, attempt)
    outcome = _outcome(call, attempt, settings, dice.random())
    if waits is not None and call.dialable and call.to_number not in settings.forced_outcomes:
        outcome = "completed" if waits else "not_picked" if outcome == "completed" else outcome
    answered = round(dice.uniform(4, 25), 2)
    ring, talk, sub_status = _RINGS.get(outcome, answered), 0.0, _REASONS.get(outcome, "ACCEPTED")
    if outcome == "voicemail":
        talk, sub_status = round(dice.uniform(6, 20), 2), "VOICEMAIL_DETECTED"
    elif outcome == "completed":
        talk = round(min(dice.lognormvariate(3.5, 0.7), 3600.0) + 3, 2)
        if dice.random() < 0.1:
            sub_status = "USER_LEFT"
    if talk > max_call_length:
        talk, sub_status = float(max_call_length), "MAX_CALL_DURATION"
    return Attempt(0.0, outcome, ring, talk, sub_status, "")


def _outcome(call: Call, attempt: int, settings: Settings, roll: float) -> Outcome:
    if not call.dialable:
        return "failed"
    forced = settings.forced_outcomes.get(call.to_number)
    if forced:
        return forced[min(attempt, len(forced)) - 1]
    shares: tuple[tuple[Outcome, float], ...] = (
        ("busy", settings.busy_rate),
        ("not_picked", settings.not_picked_rate),
        ("failed", settings.failed_rate),
        ("voicemail", settings.voicemail_rate),
    )
    for outcome, share in shares:
        if roll < share:
            return outcome
        roll -= share
    return "completed"


def cost_of(talk_seconds: float, settings: Settings) -> Decimal:
    minutes = Decimal(str(talk_seconds)) / 60
    return (minutes * settings.cost_per_minute).quantize(Decimal("0.01"), ROUND_HALF_UP)


def analysis_delay(call: Call, settings: Settings) -> float:
    """Simulated seconds from the end of the call to its analysis; differs per call, so analyses arrive out of order."""
    low, high = settings.analysis_min_seconds, settings.analysis_max_seconds
    return dice_of(settings.seed, call.to_number, "analysis delay").uniform(low, max(low, high))


_ANSWERS = (
    ("Yes, tell me more.", "interested", "positive"),
    ("No, I am not interested.", "not_interested", "negative"),
    ("I have done that already.", "already_done", "neutral"),
    ("यह किस बारे में है?", "question", "neutral"),
)


def transcript(call: Call, settings: Settings) -> list[dict[str, str]]:
    """What was said: nothing on a call that never connected."""
    if not call.connected:
        return []
    if call.is_voicemail:
        return [{"user": "Please leave a message after the tone."}]
    answer = _answer(call, settings)[0]
    turns = [{"bot": f"Hello {call.name}, do you have a minute?"}, {"user": answer}]
    details = [f"{key.replace('_', ' ')} {value}" for key, value in call.variables.items()
               if key not in ("callee_name", "mobile_number")]  # fmt: skip
    if details:
        turns.append({"bot": f"It is about {', '.join(details)}."})
    turns.append({"bot": "Thank you, good bye."})
    return turns


def _answer(call: Call, settings: Settings) -> tuple[str, str, str]:
    wish = wish_of(call, settings)
    if wish is not None:
        return f"I am busy, please call me {wish.words}.", "callback", "neutral"
    return dice_of(settings.seed, call.to_number, "answer", call.talk).choice(_ANSWERS)


def wish_of(call: Call, settings: Settings) -> Wish | None:
    """When the person asks to be called back; None where they do not. It is said once, and stays."""
    if not call.heard and call.connected and not call.is_voicemail and call.ended_at is not None:
        call.heard = True
        zone, forced = settings.zone_of(call.to_number), settings.forced_wishes.get(call.to_number)
        if forced is None:
            dice = dice_of(settings.seed, call.to_number, "callback", call.talk)
            if dice.random() < settings.callback_rate:
                call.wish = wish_for(dice, call.ended_at, zone, settings.vague_callback_rate)
        elif call.talk < len(forced) and forced[call.talk][0]:
            words, seconds = forced[call.talk]
            at = None if seconds is None else call.ended_at + seconds
            call.wish = Wish(words, zone, at, at)
    return call.wish


def platform_analysis(call: Call, settings: Settings) -> dict[str, Any]:
    """The built-in analysis; without a word from the callee it is the short one the vendor documents."""
    dice = dice_of(settings.seed, call.to_number, "analysis")
    hangup = dice.choice(("agent_hangup", "user_hangup"))
    if not call.connected or call.is_voicemail:
        said = "A voicemail answered." if call.is_voicemail else "The callee was not reached."
        label = "voicemail" if call.is_voicemail else "no_conversation"
        return {
            "summary": said,
            "classification": label,
            "key_points": [],
            "action_items": [],
            "call_disconnect_reason": hangup,
        }
    answer, label, sentiment = _answer(call, settings)
    return {
        "summary": f"The callee said: {answer}",
        "classification": label,
        "key_points": [answer],
        "action_items": ["Call back"] if label == "callback" else [],
        "sentiment": sentiment,
        "sentiment_reason": "Judged by the answer.",
        "callback_requested": label == "callback",
        "callback_requested_time": call.wish.words if call.wish else None,
        "callback_requested_via_human_agent": False,
        "call_disconnect_reason": hangup,
        "timezone": settings.zone_of(call.to_number),
        "input_tokens": dice.randint(300, 900),
        "output_tokens": dice.randint(50, 200),
    }

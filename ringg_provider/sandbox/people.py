"""What people remember: who asked to be called back, and that they answer when they are called then, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ringg_provider.sandbox.calls import Attempt, Call, wish_of
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.wishes import Wish


@dataclass(frozen=True, slots=True)
class Ring:
    """One time the phone of somebody rang who waits to be called back. `at` is when the caller wanted it to."""

    call: Call
    attempt: int
    at: float
    reached: bool


@dataclass(slots=True, eq=False)
class Promise:
    """Somebody who asked to be called back: in which call and attempt, and what has rung since."""

    call: Call
    attempt: int
    wish: Wish
    rings: list[Ring] = field(default_factory=list)

    def is_now(self, at: float, patience: float) -> bool | None:
        """Whether it is the time that they named; None where they named none."""
        if self.wish.earliest is None or self.wish.latest is None:
            return None
        return self.wish.earliest - patience <= at <= self.wish.latest + patience

    @property
    def kept(self) -> Ring | None:
        return next((ring for ring in self.rings if ring.reached), None)


class People:
    """Everybody who was ever called from one workspace.

    :param settings: how long people wait around the time that they named.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.promises: list[Promise] = []
        #: Told of a promise when it is made.
        self.on_promise: Callable[[Promise], None] = lambda _: None
        self._waiting: dict[str, Promise] = {}
        self._talks: dict[str, int] = {}

    def waits(self, call: Call, at: float) -> bool | None:
        """Whether the person waits for a call at a time, or is to be left alone; None where they asked for nothing.

        :param call: the call.
        :param at: when the caller wanted to ring, Unix time of the wall.
        """
        patience, promise = self.settings.callback_patience_seconds, self._waiting.get(call.to_number)
        return None if promise is None or patience is None else promise.is_now(at, patience)

    def rung(self, call: Call, attempt: Attempt, at: float) -> None:
        """The phone rings."""
        promise = self._waiting.get(call.to_number)
        call.talk = self._talks.get(call.to_number, 0)
        if promise is not None:
            reached = attempt.outcome == "completed"
            promise.rings.append(Ring(call, len(call.attempts), at, reached))
            if reached:
                del self._waiting[call.to_number]

    def spoke(self, call: Call) -> None:
        """A person has spoken to the agent, and may have asked to be called back."""
        wish = wish_of(call, self.settings)
        self._talks[call.to_number] = call.talk + 1
        if wish is None:
            return
        promise = Promise(call, len(call.attempts), wish)
        self._waiting[call.to_number] = promise
        self.promises.append(promise)
        self.on_promise(promise)

    def waiting(self) -> list[Promise]:
        """Whoever has not been reached since they asked, and named a time."""
        return [promise for promise in self._waiting.values() if promise.wish.earliest is not None]

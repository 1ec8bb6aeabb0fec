"""Misbehaviour on demand, as data: which request is to go wrong, how, and how often."""

from __future__ import annotations

from hashlib import blake2b
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from ringg_provider.sandbox.errors import below_base

Kind = Literal["latency", "status", "cut", "late_effect", "wrong_total", "repeat_page", "empty_page"]
DeliveryKind = Literal["lost", "doubled", "late", "reordered", "cut", "garbage"]


class Fault(BaseModel):
    """One misbehaviour, for the next `times` requests that match; then it is gone.

    `path` is a template or a prefix without the base path: `/campaign/start`, `/campaign/upload-status/{id}`,
    `/campaign` for everything below it. `skip` lets that many matching requests pass first.

    | kind | what happens |
    |---|---|
    | latency | waits `seconds` before acting, or acts and answers `seconds` later (`when: after`) |
    | status | answers `status` (with `headers`, `body`) without acting, or after having acted (`when: after`) |
    | cut | closes the connection before acting, after acting, or in the middle of the answer (`when: during`) |
    | late_effect | a start is accepted but acts `seconds` later; `answer` says what the caller sees meanwhile |
    | wrong_total | a page says `total` where the number of matches belongs |
    | repeat_page | a page shows the rows of the page before it |
    | empty_page | a page has no rows, whatever its total says |
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = "/"
    kind: Kind
    when: Literal["before", "during", "after"] = "before"
    times: int = Field(1, ge=1)
    skip: int = Field(0, ge=0)
    status: int = Field(503, ge=400, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = None
    seconds: float = Field(1.0, ge=0)
    answer: Literal["normal", "cut", "status"] = "normal"
    total: int | str = 0

    @model_validator(mode="after")
    def _only_a_cut_happens_during(self) -> Fault:
        if self.when == "during" and self.kind != "cut":
            raise ValueError("when: during is for kind: cut")
        return self

    def matches(self, method: str, path: str) -> bool:
        if self.method not in ("*", method):
            return False
        wanted = [part for part in (below_base(self.path) or self.path).split("/") if part]
        given = [part for part in (below_base(path) or path).split("/") if part]
        return len(wanted) <= len(given) and all(
            w == g or (w.startswith("{") and w.endswith("}")) for w, g in zip(wanted, given, strict=False)
        )


class DeliveryFault(BaseModel):
    """One misbehaviour of webhooks, for the next `times` deliveries that match; then it is gone.

    `event_type` is an event's name, or `*`. `skip` lets that many matching deliveries pass first. With a `share` below
    1 only so many of them are struck, always the same ones under one seed; `times: null` keeps the fault for good.

    | kind | what happens |
    |---|---|
    | lost | nothing is sent, and nobody is told |
    | doubled | the same body is sent `copies` times |
    | late | it is sent `seconds` later |
    | reordered | it is sent after `behind` later ones, or after `seconds` if none follow |
    | cut | the connection is closed in the middle of the body; the platform then tries again by its own rules |
    | garbage | `body` is sent in its place; by default something that cannot be read, of several sorts |
    """

    model_config = ConfigDict(extra="forbid")

    kind: DeliveryKind
    event_type: str = "*"
    times: int | None = Field(1, ge=1)
    skip: int = Field(0, ge=0)
    share: float = Field(1.0, gt=0, le=1)
    seconds: float = Field(5.0, ge=0, description="Real ones.")
    copies: int = Field(2, ge=2)
    behind: int = Field(1, ge=1)
    body: str | None = None

    def matches(self, event_type: str, lot: str) -> bool:
        """Whether it strikes a delivery of this event; `lot` is what tells one delivery from the others."""
        drawn = int.from_bytes(blake2b(f"{self.kind}|{lot}".encode(), digest_size=8).digest()) / 2**64
        return self.event_type in ("*", event_type) and drawn < self.share


F = TypeVar("F", bound=Fault | DeliveryFault)


class FaultBook(Generic[F]):
    """The faults still to come, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[F] = []

    def add(self, fault: F) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def pending(self) -> list[F]:
        return list(self._faults)

    def take(self, *what: str) -> F | None:
        """The first fault for this request (method and path) or delivery (event and lot), counted down."""
        for fault in self._faults:
            if not fault.matches(*what):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
            return fault
        return None

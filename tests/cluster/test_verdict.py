"""Each thing that must not be is found, alone, in evidence that is otherwise in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.cluster.verdict import Call, Evidence, Person, Run, Violation, called_twice, judge

ANA, BEN, EVE = "+919800000001", "+919800000002", "+919800000003"
RUNBOOK = "`LaunchOutcomeUnknown`. A start was sent, and it cannot be told whether it took effect."
CALLS = [Call("c1", "list", ANA, "completed"), Call("c2", "list", BEN, "failed")]


def people_of(key: str, list_id: str | None) -> list[Person]:
    return [
        Person(key, f"{key}-ana", list_id, ANA, "listed"),
        Person(key, f"{key}-ben", list_id, BEN, "listed"),
        Person(key, f"{key}-eve", None, EVE, "suppressed"),
    ]


IN_ORDER = Evidence(
    runs=[Run("key", "run-a", "success"), Run("key", "run-b", "failed", ["LaunchOutcomeUnknown"])],
    chosen={"key": ["key-ana", "key-ben", "key-eve"]},
    opted_out=[EVE],
    starts={"list": 1, "draft": 0},
    calls=CALLS,
    ledger={("key", "list"): "started", ("key", "draft"): "replaced"},
    people=people_of("key", "list"),
    loaded=CALLS,
)


def with_calls(*calls: Call, **more: object) -> Evidence:
    """The same calls on the platform and in the tables."""
    return replace(IN_ORDER, calls=[*CALLS, *calls], loaded=[*CALLS, *calls], **more)  # type: ignore[arg-type]


def test_what_is_in_order_is_not_found_fault_with() -> None:
    assert judge(IN_ORDER, RUNBOOK) == []


BROKEN: dict[str, tuple[Callable[[], Evidence], list[Violation]]] = {
    "a number that one list called twice": (
        lambda: with_calls(Call("c3", "list", ANA, "completed")),
        [Violation("called twice", "key-ana under key: 2 calls")],
    ),
    "a number that two lists of a key called": (
        lambda: with_calls(
            Call("c3", "other", ANA, "completed"),
            starts={"list": 1, "other": 1},
            ledger={("key", "list"): "started", ("key", "other"): "start_sent"},
            people=[*IN_ORDER.people, Person("key", "key-ana", "other", ANA, "listed")],
        ),
        [Violation("called twice", "key-ana under key: 2 calls")],
    ),
    "a list that was started twice": (
        lambda: replace(IN_ORDER, starts={"list": 2}),
        [Violation("started twice", "list list: 2 starts")],
    ),
    "somebody who opted out and was called": (
        lambda: with_calls(Call("c3", "list", EVE, "completed")),
        [Violation("called though opted out", "call c3")],
    ),
    "somebody who was called and is on no list": (
        lambda: with_calls(Call("c3", "list", "+919800000009", "completed")),
        [Violation("called without being on the list", "call c3 of list list")],
    ),
    "a run that has not ended": (
        lambda: replace(IN_ORDER, runs=[Run("key", "run-a", "running", (), ["launch[0] deferred, try 2"])]),
        [Violation("a run has not ended", "run-a is running: launch[0] deferred, try 2")],
    ),
    "an error that the runbook does not know": (
        lambda: replace(IN_ORDER, runs=[Run("key", "run-a", "failed", ["KeyError"])]),
        [Violation("an end without an entry in the runbook", "run-a: KeyError")],
    ),
    "a run that failed without an error": (
        lambda: replace(IN_ORDER, runs=[Run("key", "run-a", "failed")]),
        [Violation("an end without an entry in the runbook", "run-a: no error, its worker was gone")],
    ),
    "a list that was started though another took its place": (
        lambda: replace(IN_ORDER, starts={"list": 1, "draft": 1}),
        [Violation("the ledger is wrong", "list draft of key is started, and 'replaced' in the ledger")],
    ),
    "a list that was started and stands in no ledger": (
        lambda: replace(IN_ORDER, starts={"list": 1, "stray": 1}),
        [Violation("started without a ledger", "list stray")],
    ),
    "a call that is in no table": (
        lambda: replace(IN_ORDER, loaded=CALLS[:1]),
        [Violation("a call is in no table", "call c2 of list list")],
    ),
    "a row without a call": (
        lambda: replace(IN_ORDER, loaded=[*CALLS, Call("c9", "list", ANA, "completed")]),
        [Violation("a row without a call", "call c9")],
    ),
    "a row that fell behind its call": (
        lambda: replace(IN_ORDER, loaded=[CALLS[0], replace(CALLS[1], status="ongoing")]),
        [Violation("a row differs from its call", "call c2: status")],
    ),
    "a call of two rows": (
        lambda: replace(IN_ORDER, loaded=[*CALLS, CALLS[0]]),
        [Violation("a call has two rows", "1 rows too many")],
    ),
    "somebody of whom nothing is noted": (
        lambda: replace(IN_ORDER, chosen={"key": ["key-ana", "key-ben", "key-eve", "key-zoe"]}),
        [Violation("on no list, and without a reason", "key-zoe of key")],
    ),
    "somebody who is left out without a reason": (
        lambda: replace(IN_ORDER, people=[*IN_ORDER.people[:2], Person("key", "key-eve", None, EVE, "")]),
        [Violation("on no list, and without a reason", "key-eve of key")],
    ),
    "somebody who is noted on a list that was replaced": (
        lambda: replace(
            IN_ORDER, people=[*IN_ORDER.people, Person("key", "key-zoe", "draft", "+919800000009", "listed")]
        ),
        [Violation("on a list that stands no more", "key-zoe of key")],
    ),
    "somebody on a started list who was not called": (
        lambda: replace(
            IN_ORDER, people=[*IN_ORDER.people, Person("key", "key-zoe", "list", "+919800000009", "listed")]
        ),
        [Violation("on the list, and never called", "key-zoe of key")],
    ),
    "a process that is left": (
        lambda: replace(IN_ORDER, left=["celery"]),
        [Violation("a process is left", "celery")],
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_must_not_be_is_found(fault: str) -> None:
    broken, violations = BROKEN[fault]
    assert judge(broken(), RUNBOOK) == violations


def never_started(*ends: str) -> Evidence:
    """A list whose start was sent and never arrived."""
    runs = [Run("key", end, end, ["LaunchOutcomeUnknown"] if end == "failed" else ()) for end in ends]
    ledger = {("key", "list"): "start_sent"}
    return replace(IN_ORDER, runs=runs, starts={"list": 0}, calls=[], loaded=[], ledger=ledger)


def test_people_on_a_list_that_was_never_started_are_excused_where_a_run_says_so() -> None:
    assert judge(never_started("success", "failed"), RUNBOOK) == []
    assert {broken.rule for broken in judge(never_started("success"), RUNBOOK)} == {"on the list, and never called"}


def test_a_ledger_that_says_started_of_what_was_not_is_found() -> None:
    claimed = replace(never_started("failed"), ledger={("key", "list"): "started"})
    assert [broken.rule for broken in judge(claimed, RUNBOOK)] == ["the ledger is wrong"]


def test_those_who_were_called_twice_are_counted_by_key() -> None:
    assert called_twice(IN_ORDER) == {}
    doubled = with_calls(Call("c3", "list", ANA, "completed"))
    assert called_twice(doubled) == {("key", ANA): 2}


def test_the_text_of_a_violation_holds_no_number() -> None:
    texts = [str(violation) for broken, _ in BROKEN.values() for violation in judge(broken(), RUNBOOK)]
    assert not [text for text in texts if "+91" in text]

"""What must be true when everything has ended: a pure function from what was found to what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

#: What the ledger says of a list whose start was sent, answered or not, and of one that another took the place of.
_SENT, _REPLACED = ("started", "start_sent"), "replaced"


@dataclass(frozen=True)
class Run:
    """How a run ended.

    Attributes:
        key: its launch key.
        run_id: which run.
        state: "success" or "failed", anything else when it has not ended.
        errors: the errors, by class, that its failed tasks ended with; none where their worker was gone each time.
        unfinished: its tasks that have not ended, with their states.
    """

    key: str
    run_id: str
    state: str
    errors: Collection[str] = ()
    unfinished: Sequence[str] = ()


@dataclass(frozen=True)
class Call:
    """A call, as the platform or our tables have it; `number` is in E.164, `status` None where it is not compared."""

    call_id: str
    list_id: str
    number: str
    status: str | None


@dataclass(frozen=True)
class Person:
    """A row of the table of people: who was put on which list, or why not."""

    key: str
    contact_id: str
    list_id: str | None
    number: str | None
    disposition: str


@dataclass(frozen=True)
class Evidence:
    """What was found in the end.

    Attributes:
        runs: every run.
        chosen: the contact ids that the queries return, by launch key.
        opted_out: numbers that nobody may call.
        starts: by list, how often the platform was made to start it.
        calls: the platform's calls, except for its own retries of one.
        ledger: by launch key and list, the state in the launch ledger.
        people: the table of people.
        loaded: the tables of calls.
        left: processes that still ran after everything was stopped.
    """

    runs: Sequence[Run]
    chosen: Mapping[str, Collection[str]]
    opted_out: Collection[str]
    starts: Mapping[str, int]
    calls: Sequence[Call]
    ledger: Mapping[tuple[str, str], str]
    people: Sequence[Person]
    loaded: Sequence[Call]
    left: Sequence[str] = ()

    def keys(self) -> dict[str, str]:
        """The launch key of every list that the ledger knows."""
        return {list_id: key for key, list_id in self.ledger}


@dataclass(frozen=True)
class Violation:
    """Something that must not be.

    Attributes:
        rule: which rule is broken.
        what: by what; a contact's id, and never a number.
    """

    rule: str
    what: str


def judge(evidence: Evidence, runbook: str) -> list[Violation]:
    """Everything that is wrong.

    Args:
        evidence: what was found.
        runbook: the text of `docs/runbook.md`.
    """
    return [
        *_called_twice(evidence),
        *_called_wrongly(evidence),
        *_runs(evidence, runbook),
        *_ledger(evidence),
        *_history(evidence),
        *_people(evidence),
        *(Violation("a process is left", name) for name in evidence.left),
    ]


def called_twice(evidence: Evidence) -> Counter[tuple[str, str]]:
    """How often each number was called under each key, of those that were called more than once."""
    keys = evidence.keys()
    calls = Counter((keys.get(call.list_id, f"no key, list {call.list_id}"), call.number) for call in evidence.calls)
    return Counter({who: count for who, count in calls.items() if count > 1})


def _called_twice(evidence: Evidence) -> Iterator[Violation]:
    who = {(person.key, person.number): person.contact_id for person in evidence.people if person.list_id}
    for (key, number), count in called_twice(evidence).items():
        yield Violation("called twice", f"{who.get((key, number), 'somebody')} under {key}: {count} calls")
    for list_id, starts in evidence.starts.items():
        if starts > 1:
            yield Violation("started twice", f"list {list_id}: {starts} starts")


def _called_wrongly(evidence: Evidence) -> Iterator[Violation]:
    listed = {(person.list_id, person.number) for person in evidence.people if person.disposition == "listed"}
    for call in evidence.calls:
        if call.number in evidence.opted_out:
            yield Violation("called though opted out", f"call {call.call_id}")
        elif (call.list_id, call.number) not in listed:
            yield Violation("called without being on the list", f"call {call.call_id} of list {call.list_id}")


def _runs(evidence: Evidence, runbook: str) -> Iterator[Violation]:
    for run in evidence.runs:
        if run.state not in ("success", "failed"):
            tasks = ", ".join(run.unfinished) or "none of its tasks is unfinished"
            yield Violation("a run has not ended", f"{run.run_id} is {run.state}: {tasks}")
        elif run.state == "failed" and not any(f"`{error}" in runbook for error in run.errors):
            named = ", ".join(sorted(run.errors)) or "no error, its worker was gone"
            yield Violation("an end without an entry in the runbook", f"{run.run_id}: {named}")


def _ledger(evidence: Evidence) -> Iterator[Violation]:
    keys = evidence.keys()
    for list_id, starts in evidence.starts.items():
        if not starts:
            continue
        if (key := keys.get(list_id)) is None:
            yield Violation("started without a ledger", f"list {list_id}")
        elif (state := evidence.ledger[key, list_id]) not in _SENT:
            yield Violation("the ledger is wrong", f"list {list_id} of {key} is started, and {state!r} in the ledger")
    for (key, list_id), state in evidence.ledger.items():
        if state == "started" and not evidence.starts.get(list_id):
            yield Violation("the ledger is wrong", f"list {list_id} of {key} was never started, but the ledger says so")


def _history(evidence: Evidence) -> Iterator[Violation]:
    true = {call.call_id: call for call in evidence.calls}
    loaded = {call.call_id: call for call in evidence.loaded}
    for call_id in true.keys() - loaded.keys():
        yield Violation("a call is in no table", f"call {call_id} of list {true[call_id].list_id}")
    for call_id in loaded.keys() - true.keys():
        yield Violation("a row without a call", f"call {call_id}")
    for call_id in true.keys() & loaded.keys():
        if true[call_id] != loaded[call_id]:
            differing = [
                name
                for name in ("list_id", "number", "status")
                if getattr(true[call_id], name) != getattr(loaded[call_id], name)
            ]
            yield Violation("a row differs from its call", f"call {call_id}: {', '.join(differing)}")
    if len(loaded) < len(evidence.loaded):
        yield Violation("a call has two rows", f"{len(evidence.loaded) - len(loaded)} rows too many")


def _people(evidence: Evidence) -> Iterator[Violation]:
    noted = {(person.key, person.contact_id) for person in evidence.people}
    for key, contacts in evidence.chosen.items():
        for contact_id in contacts:
            if (key, contact_id) not in noted:
                yield Violation("on no list, and without a reason", f"{contact_id} of {key}")
    called = {(call.list_id, call.number) for call in evidence.calls}
    badly = {run.key for run in evidence.runs if run.state != "success"}
    for person in evidence.people:
        if not person.disposition:
            yield Violation("on no list, and without a reason", f"{person.contact_id} of {person.key}")
        if person.disposition != "listed":
            continue
        if evidence.ledger.get((person.key, str(person.list_id)), _REPLACED) == _REPLACED:
            yield Violation("on a list that stands no more", f"{person.contact_id} of {person.key}")
        elif (person.list_id, person.number) in called:
            continue
        elif evidence.starts.get(str(person.list_id)) or person.key not in badly:
            yield Violation("on the list, and never called", f"{person.contact_id} of {person.key}")

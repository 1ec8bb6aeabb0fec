"""The paths of the launch protocol, one by one; test_launch_machine.py takes them all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from ringg_provider.exceptions import (
    AuthenticationError,
    CampaignFailed,
    CampaignTerminated,
    InsufficientBalance,
    InvalidRequest,
    LaunchInterrupted,
    LaunchOutcomeUnknown,
    NetworkError,
    NotFound,
    RateLimited,
    RinggProviderError,
    ServerError,
    TransientError,
    UnexpectedResponse,
    WrongState,
)
from ringg_provider.launch.protocol import launch
from ringg_provider.launch.terms import Evidence, Intent, Launched, ListState, fingerprint
from tests.launch.hostile import Clock

ASKED = {"agent_id": "agent-1", "from_numbers": ["number-1"]}
REQUEST = {"list_id": "list-1", "agent_id": "agent-1"}
Answer = ListState | RinggProviderError


class ScriptedPlatform:
    """Answers each look with the next entry, and with the last one ever after; counts starts."""

    def __init__(
        self,
        *looks: Answer,
        start: Iterable[RinggProviderError | None] = (None,),
        evidence: Evidence | None = None,
    ) -> None:
        self._looks = list(looks)
        self._answers = list(start)
        self._evidence = evidence or Evidence(None, has_calls=False)
        self.looked_at: list[str] = []
        self.sent: list[Mapping[str, Any]] = []

    def look(self, list_id: str) -> ListState:
        self.looked_at.append(list_id)
        answer = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(answer, RinggProviderError):
            raise answer
        return answer

    def look_closer(self, list_id: str) -> Evidence:
        return self._evidence

    def start(self, request: Mapping[str, Any]) -> None:
        self.sent.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer


class Journal:
    """An intent store that also remembers what was asked of it."""

    def __init__(self, standing: Intent | None = None, *, remembers: bool = True) -> None:
        self.standing = standing
        self.remembers = remembers
        self.calls: list[str] = []

    def find(self, list_id: str) -> Intent | None:
        return self.standing

    def claim(self, intent: Intent) -> Intent | None:
        self.calls.append("claim")
        if self.standing is not None:
            return self.standing
        self.standing = intent
        return None

    def forget(self, intent: Intent) -> None:
        self.calls.append("forget")
        self.standing = None

    def confirm(self, list_id: str) -> None:
        self.calls.append(f"confirm {list_id}")


def stands(list_id: str = "list-1", asked: Mapping[str, Any] = ASKED) -> Journal:
    """A store in which an earlier attempt left its intent."""
    return Journal(Intent(list_id, fingerprint(asked), REQUEST))


def start(
    platform: ScriptedPlatform,
    store: Journal | None = None,
    *,
    prepare: Callable[[], Mapping[str, Any]] = lambda: REQUEST,
    clock: Clock | None = None,
    **options: Any,
) -> Launched:
    clock = clock or Clock()
    return launch(
        "list-1",
        ASKED,
        prepare,
        platform,
        store or Journal(),
        sleep=clock.sleep,
        monotonic=clock.monotonic,
        **options,
    )


READY, STARTED, ENDED = ListState.READY, ListState.STARTED, ListState.ENDED
LOST = NetworkError("connection reset", sent=True)


def test_a_draft_is_claimed_then_sent_once_then_confirmed() -> None:
    platform, store = ScriptedPlatform(READY), Journal()
    assert start(platform, store) == Launched("list-1", STARTED, adopted=False)
    assert platform.sent == [REQUEST]
    assert store.calls == ["claim", "confirm list-1"]


@pytest.mark.parametrize("state", [STARTED, ENDED])
def test_a_list_that_was_started_is_adopted_and_nothing_is_sent_or_checked(state: ListState) -> None:
    platform, store = ScriptedPlatform(state), Journal()
    assert start(platform, store, prepare=lambda: pytest.fail("checked")) == Launched("list-1", state, adopted=True)
    assert platform.sent == []
    assert store.calls == ["confirm list-1"]


@pytest.mark.parametrize(
    ("state", "error"), [(ListState.FAILED, CampaignFailed), (ListState.TERMINATED, CampaignTerminated)]
)
@pytest.mark.parametrize("store", [Journal, stands], ids=["at first sight", "after an intent of ours"])
def test_a_campaign_that_went_wrong_is_reported_and_never_started_again(
    state: ListState, error: type[RinggProviderError], store: Callable[[], Journal]
) -> None:
    platform = ScriptedPlatform(state)
    with pytest.raises(error, match="list-1"):
        start(platform, store())
    assert platform.sent == []


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (ListState.PREPARING, WrongState),
        (ListState.INSUFFICIENT_BALANCE, InsufficientBalance),
        (ListState.UNKNOWN, LaunchOutcomeUnknown),
    ],
)
def test_a_list_that_is_not_ready_is_not_started_and_leaves_no_intent(
    state: ListState, error: type[RinggProviderError]
) -> None:
    platform, store = ScriptedPlatform(state), Journal()
    with pytest.raises(error, match="list-1"):
        start(platform, store)
    assert platform.sent == []
    assert store.calls == []


def test_a_listing_that_lags_behind_an_upload_is_waited_for() -> None:
    platform, clock = ScriptedPlatform(ListState.MISSING, ListState.MISSING, READY), Clock()
    start(platform, clock=clock)
    assert platform.sent == [REQUEST]
    assert clock.sleeps == [5.0]


def test_a_list_that_is_shown_nowhere_in_the_time_is_started_because_some_listings_hide_drafts() -> None:
    platform, store, clock = ScriptedPlatform(ListState.MISSING), Journal(), Clock()
    assert start(platform, store, clock=clock) == Launched("list-1", STARTED, adopted=False)
    assert clock.now == 120
    assert store.calls == ["claim", "confirm list-1"]


@pytest.mark.parametrize("last", [ListState.MISSING, TransientError("down")])
def test_looks_that_fail_shorten_no_wait_and_the_last_one_must_be_good(last: Answer) -> None:
    looks = [ListState.MISSING, *[TransientError("down")] * 23, ListState.MISSING, last]
    platform, clock = ScriptedPlatform(*looks), Clock()
    if last is ListState.MISSING:
        assert start(platform, clock=clock) == Launched("list-1", STARTED, adopted=False)
    else:
        with pytest.raises(LaunchOutcomeUnknown, match="its state is unknown"):
            start(platform, clock=clock)
    assert clock.now == 120
    assert platform.sent == ([REQUEST] if last is ListState.MISSING else [])


@pytest.mark.parametrize("refusal", [NotFound("no such list"), InvalidRequest("no such number")])
def test_a_refusal_of_a_list_that_was_never_shown_is_believed_and_leaves_no_intent(refusal: RinggProviderError) -> None:
    platform, store, clock = ScriptedPlatform(ListState.MISSING, start=[refusal]), Journal(), Clock()
    with pytest.raises(type(refusal), match="no such"):
        start(platform, store, clock=clock)
    assert clock.now == 120, "what was looked for before is not looked for again"
    assert store.calls == ["claim", "forget"]


def test_a_404_for_a_list_that_runs_is_an_adoption() -> None:
    platform = ScriptedPlatform(ListState.MISSING, ListState.MISSING, STARTED, start=[NotFound("no such list")])
    assert start(platform, settle_timeout=0.0) == Launched("list-1", STARTED, adopted=True)


@pytest.mark.parametrize(
    ("looks", "refusal"),
    [
        ([READY, ListState.MISSING], InvalidRequest("no such number")),
        ([ListState.MISSING], WrongState("already started")),
    ],
    ids=["was shown before", "is said to be started"],
)
def test_a_refusal_of_a_list_that_is_shown_nowhere_afterwards_is_not_believed_otherwise(
    looks: list[ListState], refusal: RinggProviderError
) -> None:
    platform, store = ScriptedPlatform(*looks, start=[refusal]), Journal()
    with pytest.raises(LaunchOutcomeUnknown, match="shows it as missing"):
        start(platform, store)
    assert store.calls == ["claim"]


@pytest.mark.parametrize("state", [READY, ListState.MISSING, ListState.INSUFFICIENT_BALANCE])
def test_what_was_forgotten_with_a_clear_is_looked_for_and_nothing_is_sent(state: ListState) -> None:
    platform, clock = ScriptedPlatform(state), Clock()
    with pytest.raises(LaunchOutcomeUnknown, match=r"Keep task state and resume.*list-1.*launch_key"):
        start(platform, Journal(Intent("list-1", None, {})), clock=clock)
    assert platform.sent == []
    assert clock.now == pytest.approx(120, abs=5), "a listing that lags has the time to catch up"


def test_what_was_forgotten_with_a_clear_and_is_shown_as_started_is_adopted() -> None:
    platform = ScriptedPlatform(READY, STARTED)
    assert start(platform, Journal(Intent("list-1", None, {}))).adopted
    assert platform.sent == []


def test_a_hidden_list_is_not_started_where_no_intent_would_have_been_kept() -> None:
    platform = ScriptedPlatform(ListState.MISSING)
    with pytest.raises(NotFound, match="launch_key and ledger_conn_id"):
        start(platform, Journal(remembers=False))
    assert platform.sent == []


@pytest.mark.parametrize("evidence", [Evidence(None, has_calls=True), Evidence(STARTED, has_calls=False)])
def test_a_list_that_only_another_listing_or_a_call_shows_is_adopted(evidence: Evidence) -> None:
    platform = ScriptedPlatform(ListState.MISSING, evidence=evidence)
    assert start(platform).adopted
    assert platform.sent == []


def test_a_hidden_list_with_an_intent_is_not_started_and_its_outcome_is_unknown() -> None:
    platform, store = ScriptedPlatform(ListState.MISSING), stands()
    with pytest.raises(LaunchOutcomeUnknown, match="shows the list as missing"):
        start(platform, store)
    assert platform.sent == []


def test_a_hidden_list_whose_start_was_lost_is_not_started_by_the_next_attempt() -> None:
    platform, store = ScriptedPlatform(ListState.MISSING, start=[LOST]), Journal()
    for _ in range(2):
        with pytest.raises(LaunchOutcomeUnknown):
            start(platform, store)
    assert len(platform.sent) == 1


# Completed: processed, or finished?


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (Evidence(None, has_calls=True), ENDED),
        (Evidence(READY, has_calls=True), ENDED),
        (Evidence(STARTED, has_calls=False), STARTED),
    ],
)
def test_completed_with_a_call_or_a_started_campaign_is_adopted(evidence: Evidence, state: ListState) -> None:
    platform = ScriptedPlatform(ListState.AMBIGUOUS, evidence=evidence)
    assert start(platform) == Launched("list-1", state, adopted=True)
    assert platform.sent == []


def test_completed_that_is_listed_as_a_draft_without_calls_is_started() -> None:
    platform = ScriptedPlatform(ListState.AMBIGUOUS, evidence=Evidence(READY, has_calls=False))
    start(platform)
    assert platform.sent == [REQUEST]


def test_completed_that_nothing_explains_is_neither_started_nor_adopted() -> None:
    platform, store = ScriptedPlatform(ListState.AMBIGUOUS, evidence=Evidence(None, has_calls=False)), Journal()
    with pytest.raises(LaunchOutcomeUnknown, match="ambiguous"):
        start(platform, store)
    assert platform.sent == []
    assert store.calls == []


def test_after_a_lost_answer_completed_alone_does_not_count_as_started() -> None:
    platform = ScriptedPlatform(READY, ListState.AMBIGUOUS, start=[LOST], evidence=Evidence(READY, has_calls=False))
    with pytest.raises(LaunchOutcomeUnknown):
        start(platform)


# Answers that do not tell.


@pytest.mark.parametrize(
    "lost",
    [LOST, ServerError("bad gateway", status_code=502), UnexpectedResponse("a page of HTML")],
    ids=["no answer", "5xx", "gibberish"],
)
def test_a_lost_answer_is_settled_when_the_platform_shows_the_list_as_started(lost: RinggProviderError) -> None:
    platform, store, clock = (
        ScriptedPlatform(READY, READY, ListState.PREPARING, STARTED, start=[lost]),
        Journal(),
        Clock(),
    )
    assert start(platform, store, clock=clock) == Launched("list-1", STARTED, adopted=False)
    assert len(platform.sent) == 1
    assert store.calls == ["claim", "confirm list-1"]
    assert clock.sleeps == [5.0, 5.0]


def test_a_lost_answer_with_a_list_that_stays_a_draft_is_outcome_unknown_and_keeps_the_intent() -> None:
    platform, store, clock = ScriptedPlatform(READY, start=[LOST]), Journal(), Clock()
    with pytest.raises(LaunchOutcomeUnknown, match=r"list-1.*shows the list as ready.*not started again") as caught:
        start(platform, store, clock=clock)
    assert caught.value.__cause__ is LOST
    assert len(platform.sent) == 1
    assert store.calls == ["claim"]
    assert clock.now == 120


@pytest.mark.parametrize("state", [ListState.FAILED, ListState.TERMINATED])
def test_a_lost_answer_with_a_campaign_that_went_wrong_is_reported_as_such(state: ListState) -> None:
    with pytest.raises((CampaignFailed, CampaignTerminated)):
        start(ScriptedPlatform(READY, state, start=[LOST]))


def test_a_platform_that_is_unwell_while_the_answer_is_settled_is_asked_again() -> None:
    platform = ScriptedPlatform(
        READY, ServerError("unwell"), NotFound("hidden"), UnexpectedResponse("a page of HTML"), STARTED, start=[LOST]
    )
    assert start(platform).state is STARTED
    assert len(platform.sent) == 1


def test_a_key_that_is_refused_while_the_answer_is_settled_does_not_hide_that_the_outcome_is_unknown() -> None:
    platform, store = ScriptedPlatform(READY, AuthenticationError("rotated"), start=[LOST]), Journal()
    with pytest.raises(LaunchOutcomeUnknown, match="list-1"):
        start(platform, store)
    assert store.calls == ["claim"]


# Refusals.


@pytest.mark.parametrize("state", [READY, ListState.INSUFFICIENT_BALANCE])
def test_a_refusal_of_a_list_that_is_still_a_draft_is_raised_and_forgotten(state: ListState) -> None:
    refusal = InvalidRequest("no such number", field="from_numbers")
    platform, store = ScriptedPlatform(READY, state, start=[refusal]), Journal()
    with pytest.raises(InvalidRequest) as caught:
        start(platform, store)
    assert caught.value is refusal
    assert store.calls == ["claim", "forget"]


def test_a_refusal_of_a_list_that_was_started_is_an_adoption() -> None:
    platform = ScriptedPlatform(READY, STARTED, start=[WrongState("already started")])
    assert start(platform) == Launched("list-1", STARTED, adopted=True)


def test_a_refusal_of_a_list_whose_state_cannot_be_read_names_both_and_keeps_the_intent() -> None:
    platform, store = (
        ScriptedPlatform(READY, ServerError("unwell"), start=[InvalidRequest("no such number")]),
        Journal(),
    )
    with pytest.raises(LaunchOutcomeUnknown, match=r"refused to start list list-1 \(no such number\).*unknown"):
        start(platform, store)
    assert store.calls == ["claim"]


# Requests that certainly did not arrive.


@pytest.mark.parametrize(
    "unsent", [NetworkError("refused", sent=False), RateLimited("slow down")], ids=["no connection", "429"]
)
def test_a_request_that_did_not_arrive_is_sent_again(unsent: TransientError) -> None:
    platform, store = ScriptedPlatform(READY, start=[unsent, unsent, None]), Journal()
    assert start(platform, store).adopted is False
    assert len(platform.sent) == 3
    assert store.calls == ["claim", "confirm list-1"]


@pytest.mark.parametrize(
    "unsent", [NetworkError("refused", sent=False), RateLimited("slow down")], ids=["no connection", "429"]
)
def test_a_request_that_never_arrives_is_given_up_and_forgotten_so_that_a_retry_may_start(
    unsent: TransientError,
) -> None:
    platform, store = ScriptedPlatform(READY, start=[unsent]), Journal()
    with pytest.raises(type(unsent)):
        start(platform, store)
    assert len(platform.sent) == 4
    assert store.calls == ["claim", "forget"]
    assert start(ScriptedPlatform(READY), store).adopted is False


def test_the_wait_between_such_requests_is_what_the_platform_asked_for_up_to_a_minute() -> None:
    clock = Clock()
    asked = [RateLimited("slow down", retry_after=7.0), RateLimited("slow down", retry_after=3600.0), None]
    start(ScriptedPlatform(READY, start=asked), clock=clock)
    assert clock.sleeps == [7.0, 60.0]


def test_a_request_whose_second_sending_is_lost_is_settled_and_not_sent_a_third_time() -> None:
    platform, store = ScriptedPlatform(READY, start=[NetworkError("refused", sent=False), LOST]), Journal()
    with pytest.raises(LaunchOutcomeUnknown):
        start(platform, store)
    assert len(platform.sent) == 2
    assert store.calls == ["claim"]


# Again.


def test_an_intent_without_a_started_list_is_settled_and_never_sent_again() -> None:
    platform, store = ScriptedPlatform(READY), stands()
    with pytest.raises(LaunchOutcomeUnknown, match="was sent or was about to be"):
        start(platform, store, prepare=lambda: pytest.fail("prepared"))
    assert platform.sent == []


def test_an_intent_whose_list_is_shown_as_started_after_a_while_is_adopted() -> None:
    platform, store = ScriptedPlatform(READY, READY, STARTED), stands()
    launched = start(platform, store)
    assert launched == Launched("list-1", STARTED, adopted=True, before=launched.before)
    assert launched.before
    assert launched.before.list_id == "list-1"
    assert store.calls == ["confirm list-1"]


def test_an_intent_that_asked_for_something_else_is_never_ignored() -> None:
    platform, store = ScriptedPlatform(READY), stands(asked={"agent_id": "another"})
    with pytest.raises(LaunchOutcomeUnknown, match="with another request"):
        start(platform, store)
    assert platform.sent == []


def test_an_intent_that_asked_for_something_else_does_not_matter_once_the_list_runs() -> None:
    assert start(ScriptedPlatform(STARTED), stands(asked={"agent_id": "another"})).adopted


def test_the_list_that_the_key_was_launched_with_is_adopted_in_the_place_of_another() -> None:
    platform, store = ScriptedPlatform(STARTED), stands("the first list")
    launched = start(platform, store)
    assert launched == Launched("the first list", STARTED, adopted=True, before=launched.before)
    assert launched.before
    assert launched.before.list_id == "the first list"
    assert platform.looked_at == ["the first list"]


def test_a_claim_that_somebody_else_won_meanwhile_is_followed() -> None:
    class LosesTheRace(Journal):
        def find(self, list_id: str) -> Intent | None:
            return None

        def claim(self, intent: Intent) -> Intent | None:
            return intent

    platform = ScriptedPlatform(READY, READY, STARTED)
    launched = start(platform, LosesTheRace())
    assert launched == Launched("list-1", STARTED, adopted=True, before=launched.before)
    assert launched.before
    assert launched.before.list_id == "list-1"
    assert platform.sent == []


def test_a_launch_that_a_person_gave_up_is_not_looked_after_for_two_minutes() -> None:
    platform, store, clock = ScriptedPlatform(READY, start=[LOST]), Journal(), Clock()
    with pytest.raises(LaunchOutcomeUnknown):
        start(platform, store, clock=clock, unwanted=lambda: bool(platform.sent))
    assert len(platform.sent) == 1
    assert clock.sleeps == []
    assert store.calls == ["claim"]


# Stopping and checking before anything is sent.


def test_a_task_that_is_told_to_stop_before_the_claim_leaves_nothing_behind() -> None:
    platform, store = ScriptedPlatform(READY), Journal()
    with pytest.raises(LaunchInterrupted, match="nothing was sent"):
        start(platform, store, interrupted=lambda: True)
    assert platform.sent == []
    assert store.calls == []


def test_a_task_that_is_told_to_stop_between_the_claim_and_the_post_withdraws_the_claim() -> None:
    platform, store = ScriptedPlatform(READY), Journal()
    with pytest.raises(LaunchInterrupted):
        start(platform, store, interrupted=lambda: "claim" in store.calls)
    assert platform.sent == []
    assert store.calls == ["claim", "forget"]


def test_a_check_that_fails_leaves_no_intent() -> None:
    def refuse() -> Mapping[str, Any]:
        raise InvalidRequest("a test number", field="from_numbers")

    platform, store = ScriptedPlatform(READY), Journal()
    with pytest.raises(InvalidRequest):
        start(platform, store, prepare=refuse)
    assert platform.sent == []
    assert store.calls == []


def test_a_platform_that_cannot_be_asked_at_first_leaves_everything_to_a_retry() -> None:
    store = Journal()
    with pytest.raises(ServerError):
        start(ScriptedPlatform(ServerError("unwell")), store)
    assert store.calls == []


def test_the_intent_holds_the_request_that_is_sent_and_the_digest_of_what_was_asked() -> None:
    store = Journal()
    start(ScriptedPlatform(READY), store)
    assert store.standing == Intent("list-1", fingerprint(ASKED), REQUEST)


def test_a_fingerprint_does_not_depend_on_the_order_of_keys_but_on_every_value() -> None:
    assert fingerprint({"a": 1, "b": {"c": [1, 2]}}) == fingerprint({"b": {"c": [1, 2]}, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint({"a": [1, 2]}) != fingerprint({"a": [2, 1]})

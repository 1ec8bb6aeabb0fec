"""Whether a campaign that has ended called anybody, and reached anybody: asked of the platform, as far as is needed."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ringg_provider import wording
from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import TooFewCalled
from ringg_provider.history.outcomes import UNDIALLED
from ringg_provider.history.paging import PAGE_SIZE, ListsCalls, PageReader, calls_of
from ringg_provider.history.telling import nobody, outcomes_in_words
from ringg_provider.ringg.responses import Call, CallStatus
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.requests import CallFilter, Generation
from ringg_provider.smartalex.responses import Call as SmartAlexCall

#: Where nobody asks for a number, so many calls are looked at for somebody who was reached.
CALLS_LOOKED_AT = 2_000


@dataclass
class Reach:
    """What was seen of a campaign's calls.

    :param campaign_id: which.
    :param calls: how many were looked at; of them
    :param dialled: dialled at least once,
    :param reached: taken by a person.
    :param outcomes: the platform's word for it -> how many.
    :param is_whole: whether there are no others.
    """

    campaign_id: str
    calls: int = 0
    dialled: int = 0
    reached: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    is_whole: bool = True

    @property
    def warning(self) -> str | None:
        """What is wrong with it, for a person; None where somebody was reached."""
        if self.reached:
            return None
        told = outcomes_in_words(self.outcomes)
        return nobody(self.campaign_id, self.calls, self.dialled, told, is_whole=self.is_whole)


def reach_of(
    client: ListsCalls,
    campaign_id: str,
    pacer: Pacer,
    *,
    enough: int | None = None,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Reach:
    """Look at the calls of a campaign of Ringg until enough people were reached.

    :param client: reaches the workspace.
    :param campaign_id: the campaign.
    :param pacer: keeps the history's rate limit.
    :param enough: how many people that are. Default one, and 2,000 calls are looked at for him.
    :param now: the present time, aware; for tests.
    """
    # What nobody asked for is not waited for.
    pages = PageReader(client, pacer, attempts=1 if enough is None else 8)
    found, query, ids = Reach(campaign_id), calls_of(campaign_id, now()), set[str]()
    offset = 0
    while found.reached < (enough or 1):
        if enough is None and offset >= CALLS_LOOKED_AT:
            found.is_whole = False
            return found
        page = pages.page(query, offset)
        fresh = [call for call in page.calls if call.id not in ids]
        ids |= {call.id for call in fresh}
        for call in fresh:
            _add(found, call)
        offset += len(page.calls)
        if not fresh or (page.total is not None and offset >= page.total and len(page.calls) < PAGE_SIZE):
            return found
    found.is_whole = False
    return found


def _add(found: Reach, call: Call) -> None:
    status = call.status.value.lower() if hasattr(call.status, "value") else str(call.status).lower()
    machine = CallStatus.is_machine(call.voicemail_detected, call.sub_status)
    found.calls += 1
    found.dialled += call.call_attempt_time is not None or status not in UNDIALLED
    found.reached += status == "completed" and not machine
    found.outcomes[call.sub_status or status] += 1


def reach_of_smartalex(client: SmartAlexClient, campaign_id: str, *, enough: int | None = None) -> Reach:
    """Look at the calls of a campaign of SmartAlex until enough people were reached.

    The newer API does not say of which campaign a call is: there, calls of its contacts since its start are looked at.

    :param client: reaches the workspace.
    :param campaign_id: the campaign.
    :param enough: how many people that are. Default one, and 2,000 calls are looked at for him.
    """
    found, people = Reach(campaign_id), set[str]()
    for number, call in enumerate(_calls_of_smartalex(client, campaign_id)):
        if enough is None and number >= CALLS_LOOKED_AT:
            found.is_whole = False
            break
        status = (call.status or "").lower()
        found.calls += 1
        found.dialled += call.is_final
        found.outcomes[status] += 1
        if status == "completed":
            people.add(call.contact_id or call.phone_number or call.id)
            found.reached = len(people)
            if found.reached >= (enough or 1):
                found.is_whole = False
                break
    return found


def _calls_of_smartalex(client: SmartAlexClient, campaign_id: str) -> Iterable[SmartAlexCall]:
    if client.generation is Generation.OLD:
        return client.iter_calls(CallFilter(campaign_id=campaign_id))
    campaign = client.get_campaign(campaign_id)
    began = campaign.started_at or campaign.created_at
    hours = None
    if began is not None:
        hours = max(1, int((dt.datetime.now(dt.UTC) - began).total_seconds() // 3600) + 1)
    contacts = {contact.id for contact in client.iter_contacts(campaign_id=campaign_id)}
    return (call for call in client.iter_calls(CallFilter(since_hours=hours)) if call.contact_id in contacts)


def require_listed(listed: int | None, least: int | None) -> None:
    """Refuse a launch of too few people, before anybody is called.

    :param listed: how many people are on the lists; None where that is not known.
    :param least: ``min_listed``.
    :raises TooFewCalled: fewer than that.
    """
    if least is not None and listed is not None and listed < least:
        raise TooFewCalled(
            f"min_listed: {wording.counted(listed, 'person is', 'people are')} on the lists, and at least {least:,}"
            " must be. XCom `summary` of the task that made them says why the others were left out."
        )


def require_reached(reaches: Sequence[Reach], least: int | None) -> None:
    """Refuse an end at which too few people were reached.

    :param reaches: the campaigns, each looked at until enough were reached.
    :param least: ``min_reached``.
    :raises TooFewCalled: fewer than that; the text says what became of the calls.
    """
    reached = sum(each.reached for each in reaches)
    if least is None or reached >= least:
        return
    outcomes: Mapping[str, int] = sum((each.outcomes for each in reaches), Counter[str]())
    raise TooFewCalled(
        f"min_reached: {wording.counted(reached, 'person was', 'people were')} reached, and at least {least:,} must be:"
        f" of {wording.counted(sum(each.calls for each in reaches), 'call')},"
        f" {sum(each.dialled for each in reaches):,} dialled ({outcomes_in_words(outcomes)}), in campaign"
        f" {', '.join(each.campaign_id for each in reaches)}."
    )

"""How the campaigns of one run look on SmartAlex, and how people get on them."""

from __future__ import annotations

import csv
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pendulum

from ringg_provider import wording
from ringg_provider.api.errors import explained
from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.lists import ContactList, Form, ListGroup
from ringg_provider.contacts.optouts import read_opt_outs
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.pipeline import ListOptions, Refusals
from ringg_provider.contacts.sifting import Planner
from ringg_provider.exceptions import StaleCampaign
from ringg_provider.hours.plan import WindowPlan
from ringg_provider.hours.schedule import DailyWindow, Schedule, resolve_schedule
from ringg_provider.launch.item import LaunchItem
from ringg_provider.smartalex.client import SmartAlexClient
from ringg_provider.smartalex.requests import CONTACT_FIELDS, CampaignSettings, NewCampaign, NewContact

log = logging.getLogger(__name__)

#: Header of the phones in our own spool; the platform takes people as JSON.
_PHONE = "phone"


def suppress_do_not_call(client: SmartAlexClient, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
    """Add whom the platform knows as do-not-call.

    :param client: reaches the workspace.
    :param exclusions: gets their numbers.
    :param cleaner: reads numbers.
    :raises RinggProviderError: they cannot be read; the message says so.
    """
    with explained(
        "skip_dnc: the contacts that the platform holds as do-not-call cannot be read, so nothing is uploaded or"
        " started; only where the workspace has none, set skip_dnc=False"
    ):
        people = [person for person in client.iter_contacts(status="dnc") if person.is_dnc]
    lost = 0
    for person in people:
        opt_outs = read_opt_outs((person.phone,), cleaner)
        exclusions.suppressed.add(sorted(opt_outs.numbers))
        lost += bool(opt_outs.lost)
    if lost:
        log.warning(
            "skip_dnc: %s of the platform without a valid telephone number may be called.",
            wording.counted(lost, "do-not-call contact"),
        )


@dataclass(kw_only=True)
class SmartAlexDestination:
    """This run's campaigns: name, hours, zone."""

    options: ListOptions
    client: SmartAlexClient
    variables: Mapping[str, str]
    settings: CampaignSettings
    description: str | None
    skip_dnc: bool
    contacts_per_request: int
    may_be_empty: frozenset[str] = frozenset(CONTACT_FIELDS)
    variables_field: ClassVar[str] = "contact_columns"
    form: Form = field(init=False)
    window: DailyWindow = field(init=False)
    schedule: Schedule = field(init=False)

    def __post_init__(self) -> None:
        options, settings = self.options, self.settings
        self.form = Form(tuple(self.variables), _PHONE, sys.maxsize)
        self.window = DailyWindow.from_call_time(
            settings.calling_hours_start, settings.calling_hours_end, settings.timezone
        )
        self.schedule = resolve_schedule(self.window, options.campaign_start_time, options.campaign_end_time)
        self._campaign(ListGroup(options.country_code), 1, 1)

    def planner(self) -> Planner | None:
        """Plans each contact's calling window."""
        return self.options.planner(self.window, self.schedule)

    def exclude(self, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
        """Leave out as suppressed whom the platform knows as do-not-call."""
        if self.skip_dnc:
            suppress_do_not_call(self.client, exclusions, cleaner)

    def choose_flow(self, rows: int) -> str:
        """There is one flow."""
        return "smartalex"

    def item(self, contacts: ContactList, of: int) -> LaunchItem:
        """What is returned for a list that is not uploaded."""
        return self._item(self._campaign(contacts.group, contacts.number, of), contacts, None)

    def upload(self, contacts: ContactList, of: int) -> LaunchItem:
        """Make a draft and put everybody on it."""
        end = self._schedule(contacts.group).end
        if end <= pendulum.now("UTC"):
            raise StaleCampaign(
                f"List {contacts.number} was not uploaded: its calling hours were over at {end.isoformat()}, while it"
                " was made. Build a new one for a new time."
            )
        campaign = self._campaign(contacts.group, contacts.number, of)
        created = self.client.create_campaign(campaign)
        self.client.add_contacts(created.id, _people(contacts), per_request=self.contacts_per_request, distinct=True)
        log.info("Campaign %s: %s, a draft.", created.id, wording.counted(contacts.rows, "person", "people"))
        return self._item(campaign, contacts, created.id)

    def judge(self, items: Sequence[LaunchItem], cleaner: PhoneCleaner) -> tuple[Sequence[LaunchItem], Refusals]:
        """The platform has no report of refused contacts: what it does not take, it refuses whole."""
        return items, {}

    def _campaign(self, group: ListGroup, number: int, of: int) -> NewCampaign:
        """The campaign of a list, with the hours of its people."""
        settings = self.settings
        if isinstance(group.plan, WindowPlan):
            plan = group.plan
            retries = settings.max_retries
            if plan.max_attempts_per_day is not None:
                retries = min(retries, plan.max_attempts_per_day - 1)
            settings = CampaignSettings(
                calling_hours_start=f"{plan.window.opens:%H:%M}",
                calling_hours_end=f"{plan.window.closes:%H:%M}",
                timezone=plan.window.timezone,
                concurrent_calls=settings.concurrent_calls,
                max_retries=retries,
            )
        return NewCampaign(
            name=self.options.list_name(number, of, group.wave),
            agent_id=self.options.agent_id,
            description=self.description,
            settings=settings,
        )

    def _schedule(self, group: ListGroup) -> Schedule:
        return group.plan.schedule if isinstance(group.plan, WindowPlan) else self.schedule

    def _item(self, campaign: NewCampaign, contacts: ContactList, list_id: str | None) -> LaunchItem:
        schedule = self._schedule(contacts.group)
        return LaunchItem(
            list_id=list_id,
            flow="smartalex",
            agent_id=campaign.agent_id,
            country_code=contacts.group.country_code,
            settings=campaign.settings.wire(),
            campaign_start_time=schedule.start.isoformat(),
            campaign_end_time=schedule.end.isoformat(),
            rows=contacts.rows,
            launch_key=self.options.launch_key,
            ledger_conn_id=self.options.ledger_conn_id,
            wave=contacts.group.wave,
        )


def _people(contacts: ContactList) -> Iterator[NewContact]:
    """The people of a prepared list, one after the other."""
    with contacts.path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            phone = row.pop(_PHONE)
            yield NewContact(phone=phone, **{name: text.strip() or None for name, text in row.items()})

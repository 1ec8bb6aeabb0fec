"""A warehouse query -> drafts on SmartAlex with their people, and a reason for every row left out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ringg_provider.api.arguments import Count
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.options import SMARTALEX_CALLS
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.operators.private import Untold
from ringg_provider.smartalex.limits import CONTACTS_PER_REQUEST
from ringg_provider.smartalex.requests import CONTACT_FIELDS, CampaignSettings
from ringg_provider.transfers.sql_to_lists import SqlToListsOperator

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ringg_provider.contacts.pipeline import ListOptions
    from ringg_provider.contacts.scratch import Scratch
    from ringg_provider.smartalex import SmartAlexClient
    from ringg_provider.smartalex.destination import SmartAlexDestination


class SqlToSmartAlexOperator(SqlToListsOperator):
    """Run a query and put the people in it on new drafts, cleaned, without duplicates and those who opted out.

    Nobody is called: give each item of the result to ``SmartAlexStartCampaignOperator``. A task that dies while it adds
    people leaves a draft that is never started; the next attempt makes a new one. With a ledger, only complete sets can
    be started. See ``docs/contacts.md`` for what is cleaned. Follows
    https://docs.getsmartalex.com/api-reference/campaigns.

    Returns a list with one dict per campaign: ``{"list_id", "flow": "smartalex", "agent_id", "country_code",
    "settings", "campaign_start_time", "campaign_end_time", "rows", "rejected", "launch_key", "ledger_conn_id"}``, and
    ``wave`` where there are waves. The platform knows no end of a campaign: the times are what the calling hours were
    planned for, and ``max_delay`` of the start looks at the first; after the second, pause what is left. The counts of
    the run go to XCom ``summary``.

    The parameters are those of :class:`~ringg_provider.transfers.sql_to_lists.SqlToListsOperator`, where
    ``history_table`` is by default ``smartalex_calls`` (in which only the older API says who was called), and:

    :param contact_columns: ``first_name``, ``last_name``, ``email``, ``company`` -> query column. Default none; all
        cells may be empty.
    :param settings: hours, zone, concurrent calls, retries, as a dict or ``CampaignSettings``. With ``purpose``, hours
        and zone are those of each contact's own, inside these.
    :param description: of the campaigns, for people. Default none.
    :param skip_dnc: leave out whom the platform knows as do-not-call. Default True.
    :param contacts_per_request: default 500.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    template_fields: Sequence[str] = (
        *SqlToListsOperator.shared_template_fields,
        "smartalex_conn_id",
        "contact_columns",
        "settings",
        "description",
    )
    ui_color = "#efe4d6"

    description = Untold[str | None]()

    def __init__(
        self,
        *,
        settings: dict[str, Any] | CampaignSettings,
        contact_columns: dict[str, str] | None = None,
        description: str | None = None,
        skip_dnc: bool = True,
        contacts_per_request: Count = CONTACTS_PER_REQUEST,
        smartalex_conn_id: str = SmartAlexHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = settings
        self.contact_columns = contact_columns
        self.description = description
        self.skip_dnc = skip_dnc
        self.contacts_per_request = contacts_per_request
        self.smartalex_conn_id = smartalex_conn_id

    default_history_table = SMARTALEX_CALLS

    @staticmethod
    def describe_history(name: str) -> sa.Table:
        """The platform's table of calls, by its name."""
        from ringg_provider.history.smartalex import smartalex_calls_table

        return smartalex_calls_table(name)

    @cached_property
    def hook(self) -> SmartAlexHook:
        """The hook of this attempt."""
        return SmartAlexHook(self.smartalex_conn_id)

    def check(self) -> None:
        """Refuse what can be known to be wrong without asking anybody."""
        super().check()
        strangers = set(self.contact_columns or {}) - set(CONTACT_FIELDS)
        if strangers:
            raise InvalidRequest(
                f"contact_columns: only {', '.join(CONTACT_FIELDS)} are known, not {', '.join(sorted(strangers))}.",
                field="contact_columns",
            )

    def destination(self, client: SmartAlexClient, options: ListOptions, scratch: Scratch) -> SmartAlexDestination:
        """Check the settings and the agent before a row is read."""
        # Loaded when a task runs, and not with every DAG file.
        from ringg_provider.smartalex.destination import SmartAlexDestination
        from ringg_provider.smartalex.preflight import as_settings, check_agent

        destination = SmartAlexDestination(
            options=options,
            client=client,
            variables=dict(self.contact_columns or {}),
            settings=as_settings(self.settings),
            description=self.description,
            skip_dnc=self.skip_dnc,
            contacts_per_request=self.contacts_per_request,
        )
        check_agent(client, self.agent_id)
        return destination

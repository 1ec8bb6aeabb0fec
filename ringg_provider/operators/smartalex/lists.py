"""Create a campaign as a draft, and put people on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider import wording
from ringg_provider.api.arguments import Count, DialPrefix, Parameters
from ringg_provider.exceptions import WrongState
from ringg_provider.hooks.sql import sql_connection
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.private import Private, Untold
from ringg_provider.operators.smartalex.campaign import BaseSmartAlexOperator
from ringg_provider.operators.timely import TimelyOperator
from ringg_provider.smartalex.limits import CONTACTS_PER_REQUEST
from ringg_provider.smartalex.preflight import as_settings, check_agent
from ringg_provider.smartalex.requests import CampaignSettings, NewCampaign, NewContact
from ringg_provider.smartalex.responses import CampaignState

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class SmartAlexCreateCampaignOperator(BaseSmartAlexOperator):
    """Create a campaign as a draft; nobody is called before it is started.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. Returns the campaign's id.

    :param name: a label for people.
    :param agent_id: the agent that speaks; it must be ready.
    :param settings: hours, zone, concurrent calls, retries, as a dict or ``CampaignSettings``. Default the vendor's:
        09:00 to 17:00 UTC, which is rarely what is meant.
    :param description: for people. Default none.
    :param objective: what the agent is to reach; newer API only. Default none.
    :param phone_number_id: the caller number; newer API only. Default none.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    template_fields: Sequence[str] = (
        "smartalex_conn_id",
        "name",
        "agent_id",
        "settings",
        "description",
        "objective",
        "phone_number_id",
    )

    name = Untold[str]()
    description = Untold[str | None]()
    objective = Untold[str | None]()

    def __init__(
        self,
        *,
        name: str,
        agent_id: str,
        settings: dict[str, Any] | CampaignSettings | None = None,
        description: str | None = None,
        objective: str | None = None,
        phone_number_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.agent_id = agent_id
        self.settings = settings
        self.description = description
        self.objective = objective
        self.phone_number_id = phone_number_id

    @with_checked_arguments
    def execute(self, context: Context) -> str:
        """Check the settings and the agent, then create."""
        with self.hook as hook:
            campaign = NewCampaign(
                name=self.name,
                agent_id=self.agent_id,
                settings=as_settings(self.settings),
                description=self.description,
                objective=self.objective,
                phone_number_id=self.phone_number_id,
            )
            check_agent(hook.client, self.agent_id)
            created = hook.client.create_campaign(campaign)
            self.log.info("Campaign %s is created as a draft.", created.id)
            return created.id


class SmartAlexAddContactsOperator(BaseSmartAlexOperator, TimelyOperator):
    """Put the people of a query on a draft, cleaned and without duplicates.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. A task that dies half way leaves a draft with a part
    of the people, and a retry would add them twice: so it is refused when the draft has contacts already, where the
    platform says how many. :class:`~ringg_provider.transfers.sql_to_smartalex.SqlToSmartAlexOperator` does creating
    and adding in one task and has ledgers, calling hours and suppression. Returns how many were added.

    :param campaign_id: a draft.
    :param sql_conn_id: connection of the database; any ``DbApiHook``.
    :param hook_params: more arguments for the hook of ``sql_conn_id``, as ``SQLExecuteQueryOperator`` has them. Default
        none.
    :param sql: one SELECT with the columns ``phone`` and, optionally, ``first_name``, ``last_name``, ``email`` and
        ``company``.
    :param parameters: values for the query, in the driver's style. Templates in them are rendered; what comes of it is
        never logged and never stored. Beside them, a percent sign of the query is written ``%%`` where that
        style has them.
    :param country_code: ``+91``: what a number without a code belongs to.
    :param contacts_per_request: default 500.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.

    In which runs nobody is added is said by the parameters of :class:`~ringg_provider.operators.timely.TimelyOperator`.
    """

    template_fields: Sequence[str] = (
        "smartalex_conn_id",
        "campaign_id",
        "sql_conn_id",
        "hook_params",
        "sql",
        "country_code",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}

    sql = Untold[str]()
    hook_params = Untold[Mapping[str, Any] | None]()

    def __init__(
        self,
        *,
        campaign_id: str,
        sql_conn_id: str,
        sql: str,
        country_code: DialPrefix,
        parameters: Parameters | None = None,
        hook_params: Mapping[str, Any] | None = None,
        contacts_per_request: Count = CONTACTS_PER_REQUEST,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.sql_conn_id = sql_conn_id
        self.sql = sql
        self._parameters = Private("parameters", parameters)
        self.hook_params = hook_params
        self.country_code = country_code
        self.contacts_per_request = contacts_per_request

    @with_checked_arguments
    def execute(self, context: Context) -> int:
        """Read the query to its end, then add."""
        self.refuse_if_stale(context, f"Nobody was added to campaign {self.campaign_id}.")
        with self.hook as hook:
            people = self._people(self._parameters.rendered(self, context))
            client = hook.client
            campaign = client.get_campaign(self.campaign_id)
            if campaign.state is not CampaignState.DRAFT or campaign.contacts:
                raise WrongState(
                    f"Campaign {self.campaign_id} is {campaign.status} with {campaign.contacts or 'no'} contacts:"
                    " people are only added to an empty draft, so that nobody is on it twice. Create a new one."
                )
            added = client.add_contacts(self.campaign_id, people, per_request=self.contacts_per_request, distinct=True)
            self.log.info("Added to campaign %s: %s.", self.campaign_id, wording.counted(added, "contact"))
            return added

    def _people(self, parameters: Any) -> list[NewContact]:
        # What reads rows and numbers is loaded when a task runs, and not with every DAG file.
        from ringg_provider.smartalex.people import read_people
        from ringg_provider.sql.reading import open_rows

        with (
            sql_connection(self.sql_conn_id, hook_params=self.hook_params) as connection,
            open_rows(connection, self.sql, parameters) as rows,
        ):
            return read_people(rows, self.country_code)

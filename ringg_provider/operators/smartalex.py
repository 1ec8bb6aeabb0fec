"""Operators for SmartAlex campaigns: create a draft, add contacts, start at most once, pause and resume."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pendulum

from ringg_provider.api.arguments import Amount, Count, DialPrefix, Parameters
from ringg_provider.exceptions import CampaignNotActive, InvalidRequest, PermanentError, StaleCampaign, WrongState
from ringg_provider.history.options import SMARTALEX_CALLBACKS, SMARTALEX_CALLS
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.hooks.sql import sql_connection
from ringg_provider.hours.plan import spans_left
from ringg_provider.hours.schedule import DailyWindow, Schedule, Time, read_time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.progress import Progress
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.launching import LaunchOperator
from ringg_provider.operators.on_platform import OnSmartAlex
from ringg_provider.operators.private import Private
from ringg_provider.operators.promised import refuse_if_not_promised
from ringg_provider.operators.promising import PromisesOperator
from ringg_provider.operators.rolling_out import RolloutOperator
from ringg_provider.operators.timely import TimelyOperator
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.campaigns import SmartAlexLaunchTarget, SmartAlexStart, pause, read_progress, resume
from ringg_provider.smartalex.limits import CONTACTS_PER_REQUEST
from ringg_provider.smartalex.preflight import as_settings, check_agent
from ringg_provider.smartalex.requests import CampaignSettings, NewCampaign, NewContact
from ringg_provider.smartalex.responses import CampaignState
from ringg_provider.triggers.smartalex import SmartAlexCampaignTrigger, SmartAlexRolloutTrigger

if TYPE_CHECKING:
    from decimal import Decimal

    import sqlalchemy as sa
    from airflow.providers.common.compat.sdk import Context
    from sqlalchemy import Engine

    from ringg_provider.callbacks.loading import PromiseCounts, PromiseTerms
    from ringg_provider.history.observing import Watched
    from ringg_provider.launch.rollout import Observed


class _SmartAlexOperator(OnSmartAlex):
    """Base of the operators."""

    ui_color = "#efe4d6"


class SmartAlexCreateCampaignOperator(_SmartAlexOperator):
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


class SmartAlexAddContactsOperator(_SmartAlexOperator, TimelyOperator):
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
            self.log.info("Campaign %s: %d contacts were added.", self.campaign_id, added)
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


class _SmartAlexCallingOperator(_SmartAlexOperator, LaunchOperator):
    """Base of the operators that start campaigns."""

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign."""
        return self.hook.campaign_url(campaign_id)

    def read_progress(self, campaign_id: str) -> Progress:
        """Look at the campaign once."""
        return read_progress(self.hook.client, campaign_id)

    def cancel_campaign(self, campaign_id: str) -> None:
        """Pause it, whatever it looks like: the platform has no way to cancel."""
        with SmartAlexHook(self.smartalex_conn_id) as hook:
            try:
                hook.client.pause_campaign(campaign_id)
            except CampaignNotActive as error:
                self.log.info("Campaign %s does not call: %s", campaign_id, error)

    def completion_trigger(self, **options: Any) -> SmartAlexCampaignTrigger:
        """The trigger that waits for the campaign's end."""
        return SmartAlexCampaignTrigger(smartalex_conn_id=self.smartalex_conn_id, **options)


class SmartAlexStartCampaignOperator(_SmartAlexCallingOperator):
    """Start a draft at most once; optionally wait for the campaign's end.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. A campaign that is active, paused or completed is
    adopted. It runs from the start until everybody was processed, inside its calling hours: the platform knows no end.
    Returns the id that was started or adopted.

    :param campaign_id: the draft, or one item of ``SqlToSmartAlexOperator``'s result.
    :param planned_start: when it was to start, for ``max_delay``: aware datetime, ISO string, or naive in UTC. Default
        None, or the item's.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.

    The parameters for waiting and launching are those of
    :class:`~ringg_provider.operators.launching.LaunchOperator`. The platform cannot cancel: ``cancel_on_kill`` pauses.
    """

    template_fields: Sequence[str] = (
        "smartalex_conn_id",
        "campaign_id",
        "planned_start",
        *LaunchOperator.launching_template_fields,
    )

    def __init__(
        self,
        *,
        campaign_id: str | dict[str, Any],
        planned_start: Time = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.planned_start = planned_start

    @with_checked_arguments
    def execute(self, context: Context) -> str:
        """Look, intend, start once, settle; then wait if asked to."""
        start = SmartAlexStart(*self._asked_for())
        check = partial(self._check, context, start)
        return self.launch_and_wait(context, start, SmartAlexLaunchTarget(self.hook.client), check)

    def _check(self, context: Context, start: SmartAlexStart) -> None:
        """The last checks before a start; of a list of promises, whether all of them are still to be kept."""
        self.refuse_if_stale(context, f"List {start.list_id} was not started.", start.planned)
        given: object = self.campaign_id
        if isinstance(given, Mapping):
            refuse_if_not_promised(LaunchItem.of(given, "campaign_id"))

    def listed(self) -> tuple[str | None, str | None, str, int | None]:
        """The list that the arguments name; of a bare id, the agent is not known."""
        given: object = self.campaign_id
        if not isinstance(given, Mapping):
            return str(given), None, self.platform, None
        item = LaunchItem.of(given, "campaign_id")
        return item.list_id, item.agent_id, item.flow, item.rows

    def _asked_for(self) -> tuple[str, datetime | None]:
        given: object = self.campaign_id
        planned = self.planned_start
        if isinstance(given, Mapping):
            item = LaunchItem.of(given, "campaign_id")
            if item.flow != "smartalex":
                raise InvalidRequest(
                    "campaign_id: the item is of another platform than SmartAlex.", field="campaign_id"
                )
            campaign_id = self.take_ledger_of(item)
            planned = planned or item.campaign_start_time
        elif isinstance(given, str) and given:
            campaign_id = given
        else:
            raise InvalidRequest(
                "campaign_id: must be an id, or one item of SqlToSmartAlexOperator's result.", field="campaign_id"
            )
        return campaign_id, _planned(planned)


class SmartAlexRolloutOperator(RolloutOperator, _SmartAlexCallingOperator):
    """Launch the waves of ``SqlToSmartAlexOperator(waves=...)`` one after the other.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. The platform cannot cancel: what a brake stops is
    paused, and where a person lets the rollout go on, resumed. A wave whose planned hours are over is not started
    (`StaleCampaign`), so give the lists days enough. See ``docs/rollouts.md``.

    :param credits_per_call: what one contact costs, for the ``budget``; the platform tells no price. Default None.
    :param history_table: table of ``SmartAlexCallsToSqlOperator``, in the state database. Default ``smartalex_calls``.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.

    Waves are parameters of :class:`~ringg_provider.operators.rolling_out.RolloutOperator`, brakes of
    :class:`~ringg_provider.operators.braking.BrakingOperator`, the budget of
    :class:`~ringg_provider.operators.budgeted.BudgetedOperator`, waiting and launching of
    :class:`~ringg_provider.operators.launching.LaunchOperator`.
    """

    template_fields: Sequence[str] = (
        *RolloutOperator.rollout_template_fields,
        "smartalex_conn_id",
        "credits_per_call",
        "history_table",
        *LaunchOperator.launching_template_fields,
    )

    def __init__(
        self, *, credits_per_call: Amount | None = None, history_table: str = SMARTALEX_CALLS, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.credits_per_call = credits_per_call
        self.history_table = history_table

    def launch_item(self, context: Context, item: LaunchItem) -> str:
        """Start a draft at most once, unless its time is over."""
        if item.flow != "smartalex":
            raise InvalidRequest("launches: the lists are of another platform than SmartAlex.", field="launches")
        start = SmartAlexStart(self.take_ledger_of(item), _planned(item.campaign_start_time))
        return self.launch_and_wait(
            context, start, SmartAlexLaunchTarget(self.hook.client), partial(self._check, context, start, item)
        )

    def pending_upload(self, context: Context, item: LaunchItem) -> None:
        """The platform takes people in at once."""

    def wait_until_taken_in(self, item: LaunchItem) -> None:
        """The platform takes people in at once."""

    def estimated_cost(self, items: Sequence[LaunchItem]) -> Decimal | None:
        """By ``credits_per_call``."""
        if self.credits_per_call is None or any(item.rows is None for item in items):
            return None
        return self.credits_per_call * sum(item.rows or 0 for item in items)

    def look_at_calls(self, engine: Engine, watched: Watched) -> Observed:
        """What the table of calls knows; what is not fresh in it, the campaigns' calls are read for first."""
        from ringg_provider.history.observing import observe_smartalex
        from ringg_provider.history.smartalex import CallLoad, smartalex_calls_table

        load = CallLoad(self.hook.client, engine, smartalex_calls_table(self.history_table))
        return observe_smartalex(
            engine,
            watched,
            table=self.history_table,
            client=self.hook.client,
            read=load.run,
            fresh_for=timedelta(seconds=self.judge_interval),
        )

    def cost_so_far(self, engine: Engine, list_id: str) -> None:
        """The platform tells no cost."""

    def resume_campaign(self, campaign_id: str) -> None:
        """Let a paused campaign go on."""
        resume(self.hook.client, campaign_id)

    def rollout_trigger(self, **options: Any) -> SmartAlexRolloutTrigger:
        """What waits for news."""
        return SmartAlexRolloutTrigger(smartalex_conn_id=self.smartalex_conn_id, **options)

    def _check(self, context: Context, start: SmartAlexStart, item: LaunchItem) -> None:
        """Refuse a campaign that comes too late, or whose planned hours are over by now."""
        self.refuse_if_stale(context, f"Campaign {start.list_id} was not started.", self.due(start.planned))
        end = _planned(item.campaign_end_time)
        if start.planned is None or end is None:
            return
        settings = as_settings(item.settings)
        window = DailyWindow.from_call_time(settings.calling_hours_start, settings.calling_hours_end, settings.timezone)
        begin, until = (pendulum.instance(at).in_timezone(window.zone) for at in (start.planned, end))
        if not spans_left(window, Schedule(begin, until), datetime.now(UTC)):
            raise StaleCampaign(
                f"Campaign {start.list_id} was not started: its calling hours are over, so nobody would be called."
                " Build a new list for a new time."
            )


def _planned(time: Time) -> datetime | None:
    """A planned time, aware; a naive one is in UTC."""
    return None if time is None else read_time(time, pendulum.timezone("UTC"), "planned_start")


class _SmartAlexChangeOperator(_SmartAlexOperator):
    """Base of pausing and resuming."""

    template_fields: Sequence[str] = ("smartalex_conn_id", "campaign_id")

    def __init__(self, *, campaign_id: str | Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id

    @abstractmethod
    def change(self, client: SmartAlexClient, campaign_id: str) -> bool:
        """Send what is needed; whether anything was."""

    @with_checked_arguments
    def execute(self, context: Context) -> int:
        """Change one campaign after the other; one that cannot be changed does not keep the others from it."""
        ids = [self.campaign_id] if isinstance(self.campaign_id, str) else list(self.campaign_id)
        changed, failure = 0, None
        with self.hook as hook:
            for campaign_id in ids:
                try:
                    changed += self.change(hook.client, campaign_id)
                except PermanentError as error:
                    self.log.error("Campaign %s: %s", campaign_id, error)
                    failure = failure or error
            if failure is not None:
                raise failure
        self.log.info("%d of %d campaigns were changed.", changed, len(ids))
        return changed


class SmartAlexPauseCampaignOperator(_SmartAlexChangeOperator):
    """Let a campaign call nobody for now. One that is paused, or has ended, is left as it is.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. Live calls end by themselves. Returns how many
    campaigns were paused now.

    :param campaign_id: a campaign that was started, or several.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    def change(self, client: SmartAlexClient, campaign_id: str) -> bool:
        """Pause it if it is active."""
        return pause(client, campaign_id)


class SmartAlexResumeCampaignOperator(_SmartAlexChangeOperator):
    """Let a paused campaign go on. One that is active, or has completed, is left as it is; a draft is never started.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. Returns how many campaigns were resumed now.

    :param campaign_id: a campaign that was started, or several.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    def change(self, client: SmartAlexClient, campaign_id: str) -> bool:
        """Resume it if it is paused."""
        return resume(client, campaign_id)


class SmartAlexCallbacksOperator(PromisesOperator):
    """Bring the table of promises, `ringg_callbacks`, up to SmartAlex's pending callbacks and its calls.

    SmartAlex calls back by itself; whether it did, in time, is told by its calls. One that certainly did not come can
    be listed by `CallbacksToSmartAlexOperator`. It may be run as often as one likes; run it after
    `SmartAlexCallbacksToSqlOperator` and `SmartAlexCallsToSqlOperator`. `docs/promises.md` describes the table.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. Its other parameters are those of `PromisesOperator`.

    :param smartalex_conn_id: the connection by which these people are called. Default ``smartalex_default``.
    :param pending_table: of callbacks, as given to `SmartAlexCallbacksToSqlOperator`. Default `smartalex_callbacks`.
    :param table: of calls, as given to `SmartAlexCallsToSqlOperator`. Default `smartalex_calls`.
    :return: counts, see `PromiseCounts`; no personal data.
    :raises AirflowFailException: trying again cannot help.
    :raises TransientError: it can; what was written stays.
    """

    template_fields: Sequence[str] = (*PromisesOperator.shared_template_fields, "smartalex_conn_id", "pending_table")
    platform = SmartAlexHook.conn_type

    def __init__(
        self,
        *,
        smartalex_conn_id: str = SmartAlexHook.default_conn_name,
        pending_table: str = SMARTALEX_CALLBACKS,
        table: str = SMARTALEX_CALLS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.smartalex_conn_id = smartalex_conn_id
        self.pending_table = pending_table
        self.table = table

    def load(self, engine: sa.Engine, promises: sa.Table, terms: PromiseTerms) -> PromiseCounts:
        """Look at the callbacks and the calls."""
        from ringg_provider.callbacks.smartalex import SmartAlexPromises
        from ringg_provider.history.smartalex import callbacks_table, smartalex_calls_table

        schema = self.schema or None
        return SmartAlexPromises(
            engine,
            callbacks_table(self.pending_table, schema=schema),
            smartalex_calls_table(self.table, schema=schema),
            terms,
            promises,
            conn_id=self.smartalex_conn_id,
            look_back=self.look_back,
        ).run()

    def reads(self) -> Sequence[str]:
        """The callbacks and the calls."""
        return [self.pending_table, self.table]

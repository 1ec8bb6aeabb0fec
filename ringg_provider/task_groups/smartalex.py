"""A whole campaign on SmartAlex as one task group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AssetAlias, task

from ringg_provider.hours.purposes import Purpose
from ringg_provider.operators.smartalex import (
    SmartAlexCallbacksOperator,
    SmartAlexRolloutOperator,
    SmartAlexStartCampaignOperator,
)
from ringg_provider.task_groups.campaign import WAIT, CampaignGroup, Rollout, Step, approving, made
from ringg_provider.task_groups.checks import with_checked_steps
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallbacksToSqlOperator, SmartAlexCallsToSqlOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

if TYPE_CHECKING:
    from ringg_provider.smartalex.requests import CampaignSettings


@task
def make_tables(state_conn_id: str, contacts_table: str) -> None:
    """Create the tables that the suppression reads, where they are missing."""
    from ringg_provider.warehouse import create_smartalex_tables

    create_smartalex_tables(state_conn_id=state_conn_id, contacts_table=contacts_table)


#: What a mapped start is called in Airflow's UI.
LIST_LABEL = (
    "{% with item = task.campaign_id %}{{ item.country_code }}: {{ item.rows }} on {{ item.list_id }}{% endwith %}"
)


class SmartAlexCampaign(CampaignGroup):
    """From a query to the calls of everybody in it, at most once each, and their outcomes in the warehouse.

    The steps, each an operator that stands alone too, and safe as they are:

    ``load_earlier_calls``
        the calls of earlier campaigns; without them nobody is called;
    ``make_tables``
        what the suppression reads;
    ``create_drafts``
        ``SqlToSmartAlexOperator``: drafts with clean lists, and a reason for every row left out;
    ``approve``
        only with ``approval``: a person says yes or no;
    ``start``
        each draft at most once, and the wait for its end;
    ``load_calls``
        every call's outcome, whatever became of the launches;
    ``load_callbacks``, ``update_promises``
        only with ``promises``: which callbacks are pending, and whether the platform kept them;
    ``campaign_ended``
        nothing; the group is red where a launch or the load failed.

    A step is left out by False (not the upload, nor the launch), given more arguments by a dict, or replaced by a
    callable that is given the step's arguments and returns a task. What a step's arguments mean is told by its
    operator. The group works inside ``with DAG``, in a function with ``@dag``, and in a mapped group, or
    ``.partial(...).expand(...)``, for each of several segments.

    Follows https://docs.getsmartalex.com/api-reference/campaigns.

    :param group_id: of the group, which its tasks' ids begin with. Default ``campaign``.
    :param sql_conn_id: connection of the database that people are chosen from; any ``DbApiHook``.
    :param sql: one SELECT: a row for each person.
    :param suppression_sql: a query, in the same database, of people who must not be called: numbers in any spelling, or
        contact keys. None says that there are none.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: whose lawful hours hold. None says that
        the hours of ``settings`` are right for everybody.
    :param agent_id: the agent that speaks.
    :param phone_column: the query's column with the telephone numbers, in any spelling.
    :param country_code: ``+91``: what a number without a code belongs to.
    :param settings: hours, zone, concurrent calls, retries, as a dict or ``CampaignSettings``.
    :param contact_columns: ``first_name``, ``last_name``, ``email``, ``company`` -> the query's column. Default none.
    :param campaign_name: a label for people. Default: the group's id and the day.
    :param contact_key: the query's column that names a person in your tables. Default: the number.
    :param not_called_within_days: leave out who stands on a list that was called in so many days. It goes by
        ``contacts_table``, since the newer API names no number in its calls. Default 6: once a week, also where the run
        begins some hours before the calls. None: no such cap.
    :param state_conn_id: connection of the state database, with the launch ledger and all tables: PostgreSQL, MySQL 8,
        MariaDB or SQLite. Default ``sql_conn_id``; where that is a warehouse, this must be given.
    :param smartalex_conn_id: the connection. Default: that of the DAG's ``default_args``, or ``smartalex_default``.
    :param launch_key: what the lists stand for: under one key nobody is called twice. Default: the DAG, the group, and
        the day in the DAG's zone.
    :param contacts_table: who was put on which list, and why the others were not. Default ``smartalex_contacts``.
    :param deferrable: let the triggerer wait for campaigns. Default True.
    :param poll_interval: seconds between two looks at a campaign. Default 60.
    :param timeout: seconds that an attempt waits for a campaign. Default 64,800, 18 hours.
    :param rollout: a :class:`~ringg_provider.task_groups.campaign.Rollout`: one wave after the other, with brakes and a
        budget, by one task. Default None: each list by a task of its own.
    :param setup: a task that must have succeeded before any step, such as a guard: where it fails, nothing is done, and
        not even calls are loaded. Default none.
    :param load_earlier: the step ``load_earlier_calls``.
    :param upload: the step ``create_drafts``.
    :param approval: the step ``approve``. Default False: nobody is asked.
    :param launch: the step ``start``.
    :param load_calls: the step ``load_calls``.
    :param promises: the steps ``load_callbacks`` and ``update_promises``, which need ``purpose``; arguments are those
        of the second. Default False: nobody notes whether the platform keeps its pending callbacks.
    :raises InvalidRequest: an argument cannot be, or not with the others; said when the DAG file is read.
    """

    @with_checked_steps
    def __init__(
        self,
        group_id: str = "campaign",
        *,
        sql_conn_id: str,
        sql: str,
        suppression_sql: str | None,
        purpose: Purpose | None,
        agent_id: str,
        phone_column: str,
        country_code: str,
        settings: dict[str, Any] | CampaignSettings,
        contact_columns: dict[str, str] | None = None,
        campaign_name: str | None = None,
        contact_key: str | None = None,
        not_called_within_days: int | None = 6,
        state_conn_id: str | None = None,
        smartalex_conn_id: str | None = None,
        launch_key: str | None = None,
        contacts_table: str = "smartalex_contacts",
        deferrable: bool = True,
        poll_interval: float | None = None,
        timeout: float = WAIT,
        rollout: Rollout | None = None,
        setup: Any = None,
        load_earlier: Step = True,
        upload: Step = True,
        approval: Step = False,
        launch: Step = True,
        load_calls: Step = True,
        promises: Step = False,
    ) -> None:
        super().__init__(group_id)
        state = state_conn_id or sql_conn_id
        tables = {"state_conn_id": state, "smartalex_conn_id": smartalex_conn_id}
        with self:
            earlier = made(load_earlier, SmartAlexCallsToSqlOperator, task_id="load_earlier_calls", **tables)
            ready = make_tables(state, contacts_table)
            uploaded = self.uploading(
                upload,
                SqlToSmartAlexOperator,
                task_id="create_drafts",
                sql_conn_id=sql_conn_id,
                state_conn_id=state,
                sql=sql,
                agent_id=agent_id,
                campaign_name=campaign_name,
                phone_column=phone_column,
                contact_columns=contact_columns,
                country_code=country_code,
                settings=settings,
                purpose=purpose,
                contact_key=contact_key,
                suppression_sql=suppression_sql,
                state_suppression_sql=_called_within(not_called_within_days, contacts_table),
                contacts_table=contacts_table,
                launch_key=launch_key,
                rollout=rollout,
                smartalex_conn_id=smartalex_conn_id,
                outlets=[AssetAlias("smartalex_lists")],
            )
            asked = approving(approval)
            launched = self.launching(
                launch,
                SmartAlexStartCampaignOperator,
                "campaign_id",
                task_id="start",
                map_index_template=LIST_LABEL,
                state_conn_id=state,
                in_waves=SmartAlexRolloutOperator,
                rollout=rollout,
                deferrable=deferrable,
                poll_interval=poll_interval,
                timeout=timeout,
                smartalex_conn_id=smartalex_conn_id,
            )
            loaded = made(
                load_calls,
                SmartAlexCallsToSqlOperator,
                task_id="load_calls",
                campaign_ids=self.lists,
                outlets=[AssetAlias("smartalex_calls")],
                **tables,
            )
            pending = promises is not False and SmartAlexCallbacksToSqlOperator(
                task_id="load_callbacks", campaign_ids=self.lists, **_given(tables)
            )
            promised = made(
                promises,
                SmartAlexCallbacksOperator,
                task_id="update_promises",
                state_conn_id=state,
                purpose=purpose,
                smartalex_conn_id=smartalex_conn_id,
            )
            loads = [loaded, pending or None, promised]
            self.follow([earlier, ready, uploaded, asked, launched], loads, setup)


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _called_within(days: int | None, contacts_table: str) -> str | None:
    """Who stands on a list that was called in the days before the run, in SQL that every state database reads."""
    if days is None:
        return None
    since = f"{{{{ (dag_run.run_after - macros.timedelta(days={days})) | ds }}}}"
    return (
        f"SELECT phone FROM {contacts_table} WHERE disposition = 'listed' AND list_id IN "
        f"(SELECT campaign_id FROM smartalex_calls WHERE created_at >= '{since}')"
    )

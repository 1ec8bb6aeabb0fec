"""A whole campaign on Ringg AI as one task group."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AssetAlias, task

from ringg_provider.hours.purposes import Purpose
from ringg_provider.operators.ringg import (
    RinggCallbacksOperator,
    RinggLaunchOperator,
    RinggPreflightOperator,
    RinggRolloutOperator,
)
from ringg_provider.task_groups.campaign import WAIT, CampaignGroup, Rollout, Step, approving, made
from ringg_provider.task_groups.checks import with_checked_steps
from ringg_provider.transfers.ringg_inbox_to_sql import RinggInboxToSqlOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

if TYPE_CHECKING:
    from ringg_provider.ringg.requests import CallConfig


#: What a mapped launch is called in Airflow's UI.
LIST_LABEL = "{{ task.launch.country_code }}: {{ task.launch.rows }} on {{ task.launch.list_id }}"


@task(retries=0)
def history_is_current(state_conn_id: str, days: float) -> int:
    """Refuse to dial while calls of the last days are not all in the tables: nobody who was reached is called again."""
    from ringg_provider.warehouse import create_ringg_tables, require_history_within

    create_ringg_tables(state_conn_id=state_conn_id)
    return require_history_within(within=timedelta(days=days), state_conn_id=state_conn_id)


class RinggCampaign(CampaignGroup):
    """From a query to the calls of everybody in it, at most once each, and their outcomes in the warehouse.

    The steps, each an operator that stands alone too, and safe as they are:

    ``load_earlier_calls``
        the calls of earlier campaigns, also of a night that ended badly;
    ``history_is_current``
        nobody is called while calls of the last three days are missing in the tables;
    ``upload_contacts``
        ``SqlToRinggOperator``: clean lists, and a reason for every row left out;
    ``preflight``
        everything that can be checked while no phone has rung; its report is in the log and in XCom;
    ``approve``
        only with ``approval``: a person reads the report and says yes or no;
    ``launch``
        each list at most once, and the wait for its end;
    ``apply_inbox``
        the calls that webhooks have told of, where an inbox takes them; whatever became of the launches;
    ``load_calls``
        every other call's outcome;
    ``update_promises``
        only with ``promises``: who asked in these calls to be called back, and when; ``ringg_promises`` calls them;
    ``campaign_ended``
        nothing; the group is red where a launch or the load failed.

    A step is left out by False (not the upload, nor the launch), given more arguments by a dict, or replaced by a
    callable that is given the step's arguments and returns a task: an operator of yours, for example. What a step's
    arguments mean is told by its operator. The group works inside ``with DAG``, in a function with ``@dag``, and in a
    mapped group, or ``.partial(...).expand(...)``, for each of several segments.

    Follows https://docs.ringg.ai/documentation/deploy/campaigns/campaigns-by-api.

    :param group_id: of the group, which its tasks' ids begin with. Default ``campaign``.
    :param sql_conn_id: connection of the database that people are chosen from; any ``DbApiHook``.
    :param sql: one SELECT: a row for each person.
    :param suppression_sql: a query, in the same database, of people who must not be called: numbers in any spelling, or
        contact keys. None says that there are none.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: whose lawful hours hold. None says that
        the hours of ``call_config`` are right for everybody.
    :param agent_id: the outbound agent that speaks.
    :param phone_column: the query's column with the telephone numbers, in any spelling.
    :param country_code: ``+91``: what a number without a code belongs to.
    :param variables_map: agent variable -> query column.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param from_numbers: ids of caller numbers. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param campaign_name: a label for people. Default: the group's id and the day.
    :param contact_key: the query's column that names a person in your tables. Default: the number.
    :param not_called_within_days: leave out whom ``ringg_calls`` has a call to in so many days. Default 6: once a week,
        also where the run begins some hours before the calls. None: no such cap.
    :param state_conn_id: connection of the state database, with the launch ledger and all tables: PostgreSQL, MySQL 8,
        MariaDB or SQLite. Default ``sql_conn_id``; where that is a warehouse, this must be given.
    :param ringg_conn_id: the connection. Default: that of the DAG's ``default_args``, or ``ringg_default``.
    :param launch_key: what the lists stand for: under one key nobody is called twice. Default: the DAG, the group, and
        the day in the DAG's zone.
    :param contacts_table: who was put on which list, and why the others were not. Default ``ringg_contacts``.
    :param history_within: how far back the calls must all be in the tables. Default three days. None: not checked.
    :param history_pool: Airflow pool with one slot for the tasks that read the call history; it must exist, or they
        wait for ever. Default: none of its own.
    :param deferrable: let the triggerer wait for campaigns. Default True.
    :param poll_interval: seconds between two looks at a campaign. Default 60.
    :param timeout: seconds that an attempt waits for a campaign. Default 64,800, 18 hours.
    :param rollout: a :class:`~ringg_provider.task_groups.campaign.Rollout`: one wave after the other, with brakes and a
        budget, by one task. Default None: each list by a task of its own.
    :param setup: a task that must have succeeded before any step, such as a guard: where it fails, nothing is done, and
        not even calls are loaded. Default none.
    :param load_earlier: the step ``load_earlier_calls``.
    :param upload: the step ``upload_contacts``.
    :param preflight: the step ``preflight``.
    :param approval: the step ``approve``. Default False: nobody is asked.
    :param launch: the step ``launch``.
    :param apply_inbox: the step ``apply_inbox``.
    :param load_calls: the step ``load_calls``.
    :param promises: the step ``update_promises``, which needs ``purpose``. Default False: nobody who asks to be called
        back is noted.
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
        variables_map: dict[str, str],
        call_config: dict[str, Any] | CallConfig,
        from_numbers: list[str] | str | None = None,
        number_pool_id: str | None = None,
        campaign_name: str | None = None,
        contact_key: str | None = None,
        not_called_within_days: int | None = 6,
        state_conn_id: str | None = None,
        ringg_conn_id: str | None = None,
        launch_key: str | None = None,
        contacts_table: str = "ringg_contacts",
        history_within: timedelta | None = timedelta(days=3),
        history_pool: str | None = None,
        deferrable: bool = True,
        poll_interval: float | None = None,
        timeout: float = WAIT,
        rollout: Rollout | None = None,
        setup: Any = None,
        load_earlier: Step = True,
        upload: Step = True,
        preflight: Step = True,
        approval: Step = False,
        launch: Step = True,
        apply_inbox: Step = True,
        load_calls: Step = True,
        promises: Step = False,
    ) -> None:
        super().__init__(group_id)
        state = state_conn_id or sql_conn_id
        callers = {"from_numbers": from_numbers, "number_pool_id": number_pool_id, "ringg_conn_id": ringg_conn_id}
        tables = {
            "state_conn_id": state,
            "contacts_table": contacts_table,
            "ringg_conn_id": ringg_conn_id,
            "pool": history_pool,
        }
        with self:
            earlier = made(load_earlier, RinggCallsToSqlOperator, task_id="load_earlier_calls", **tables)
            current = history_is_current(state, history_within.total_seconds() / 86_400) if history_within else None
            uploaded = self.uploading(
                upload,
                SqlToRinggOperator,
                task_id="upload_contacts",
                sql_conn_id=sql_conn_id,
                state_conn_id=state,
                sql=sql,
                agent_id=agent_id,
                campaign_name=campaign_name,
                phone_column=phone_column,
                variables_map=variables_map,
                country_code=country_code,
                call_config=call_config,
                purpose=purpose,
                contact_key=contact_key,
                suppression_sql=suppression_sql,
                not_called_within_days=not_called_within_days,
                contacts_table=contacts_table,
                launch_key=launch_key,
                rollout=rollout,
                ringg_conn_id=ringg_conn_id,
                outlets=[AssetAlias("ringg_lists")],
            )
            checked = made(
                preflight,
                RinggPreflightOperator,
                task_id="preflight",
                launches=self.lists,
                purpose=purpose,
                sql_conn_id=state,
                state_conn_id=state,
                **callers,
            )
            asked = approving(approval, checked)
            launched = self.launching(
                launch,
                RinggLaunchOperator,
                "launch",
                task_id="launch",
                map_index_template=LIST_LABEL,
                sql_conn_id=state,
                state_conn_id=state,
                in_waves=RinggRolloutOperator,
                rollout=rollout,
                deferrable=deferrable,
                poll_interval=poll_interval,
                timeout=timeout,
                **callers,
            )
            applied = made(
                apply_inbox,
                RinggInboxToSqlOperator,
                task_id="apply_inbox",
                state_conn_id=state,
                ringg_conn_id=ringg_conn_id,
            )
            loaded = made(
                load_calls,
                RinggCallsToSqlOperator,
                task_id="load_calls",
                bulk_list_ids=self.lists,
                outlets=[AssetAlias("ringg_calls")],
                **tables,
            )
            promised = made(
                promises,
                RinggCallbacksOperator,
                task_id="update_promises",
                state_conn_id=state,
                purpose=purpose,
                contacts_table=contacts_table,
                ringg_conn_id=ringg_conn_id,
            )
            self.follow([earlier, current, uploaded, checked, asked, launched], [applied, loaded, promised], setup)

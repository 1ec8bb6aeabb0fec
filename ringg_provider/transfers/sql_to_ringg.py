"""A warehouse query -> contact lists on Ringg AI, ready to be started, and a reason for every row left out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ringg_provider.api.arguments import Seconds
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.options import ATTEMPTS
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.ringg.limits import PHONE_HEADER, PHONE_VARIABLE, Flow
from ringg_provider.ringg.requests import CallConfig
from ringg_provider.transfers.sql_to_lists import SqlToListsOperator

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ringg_provider.contacts.pipeline import ListOptions
    from ringg_provider.contacts.scratch import Scratch
    from ringg_provider.ringg.client import RinggClient
    from ringg_provider.ringg.destination import RinggDestination


class SqlToRinggOperator(SqlToListsOperator):
    """Run a query and upload the people in it as contact lists, cleaned, without duplicates, one country to a list.

    Nobody is called: give each item of the result to ``RinggLaunchOperator``. Everything is prepared on the worker's
    disk first and uploaded when the whole query was read, so a query that fails, or too many bad rows, leave nothing on
    the platform. See ``docs/contacts.md`` for what is cleaned, and what becomes of each row. Follows
    https://docs.ringg.ai/documentation/deploy/campaigns/calling-list.

    Returns a list with one dict per contact list: ``{"list_id", "flow", "agent_id", "country_code", "call_config",
    "campaign_start_time", "campaign_end_time", "rows", "rejected", "launch_key", "ledger_conn_id"}``, and
    ``call_slots`` where the large flow has several windows, and ``wave`` where there are waves. ``rejected`` are rows
    of that list that the platform refused. The counts of the whole run, by reason, go to XCom ``summary``. A query
    without rows returns an empty list.

    The parameters are those of :class:`~ringg_provider.transfers.sql_to_lists.SqlToListsOperator`, and:

    :param variables_map: agent variable -> query column. Every variable of the agent must be in it, ``mobile_number``
        excepted, which is ``phone_column``.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param ringg_conn_id: the connection. Default ``ringg_default``.
    :param attempts_table: table of ``RinggInboxToSqlOperator``, beside ``history_table``; it need not be there. Default
        ``ringg_attempts``.
    :param flow: ``standard`` (``campaign/save``), ``large`` (``upload-csv``), or ``auto``: large from 5,000 contacts,
        decided once for the whole run.
    :param may_be_empty: agent variables whose cell may be empty; an empty cell of any other leaves the row out.
    :param unreadable_variables: what to do when the agent's variables cannot be read: ``fail`` (default) or
        ``continue``.
    :param use_call_slots: send exact spans where one daily window would lose minutes; needs ``flow="large"``, and does
        nothing with ``auto``. Default False.
    :param invalid_rows_timeout: seconds to wait for the platform's check of a large upload, so that its report of
        invalid rows gets into ``contacts_table`` or ``rejects_path``. Default 300.
    :param phone_header: header of the phone column in what is uploaded. Default ``Mobile Number``.
    :param transliterate_callee_name: write the name in the agent's script. Default False.
    :param transliterate_fields: further agent variables to write in the agent's script. Default none.
    """

    template_fields: Sequence[str] = (
        *SqlToListsOperator.shared_template_fields,
        "ringg_conn_id",
        "variables_map",
        "call_config",
        "attempts_table",
    )
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        variables_map: dict[str, str],
        call_config: dict[str, Any] | CallConfig,
        attempts_table: str = ATTEMPTS,
        ringg_conn_id: str = RinggHook.default_conn_name,
        flow: Literal["auto"] | Flow = "auto",
        may_be_empty: Sequence[str] = (),
        unreadable_variables: Literal["fail", "continue"] = "fail",
        use_call_slots: bool = False,
        invalid_rows_timeout: Seconds = 300,
        phone_header: str = PHONE_HEADER,
        transliterate_callee_name: bool = False,
        transliterate_fields: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.variables_map = variables_map
        self.attempts_table = attempts_table
        self.call_config = call_config
        self.ringg_conn_id = ringg_conn_id
        self.flow = flow
        self.may_be_empty = may_be_empty
        self.unreadable_variables = unreadable_variables
        self.use_call_slots = use_call_slots
        self.invalid_rows_timeout = invalid_rows_timeout
        self.phone_header = phone_header
        self.transliterate_callee_name = transliterate_callee_name
        self.transliterate_fields = transliterate_fields

    def describe_attempts(self) -> sa.Table:
        """The table of attempts, beside that of calls."""
        from ringg_provider.history.attempts import attempts_table
        from ringg_provider.lineage.datasets import qualified

        calls = self.describe_history(self.history_table or self.default_history_table)
        return attempts_table(qualified(self.attempts_table, calls.schema))

    @cached_property
    def hook(self) -> RinggHook:
        """The hook of this attempt."""
        return RinggHook(self.ringg_conn_id)

    def check(self) -> None:
        """Refuse what can be known to be wrong without asking anybody."""
        super().check()
        if self.variables_map.get(PHONE_VARIABLE, self.phone_column) != self.phone_column:
            raise InvalidRequest(
                f"variables_map: {PHONE_VARIABLE} is mapped to another column than phone_column.", field="variables_map"
            )
        strangers = set(self.may_be_empty) - set(self.variables_map)
        if strangers:
            raise InvalidRequest(
                f"may_be_empty: not in variables_map: {', '.join(sorted(strangers))}.", field="may_be_empty"
            )

    def destination(self, client: RinggClient, options: ListOptions, scratch: Scratch) -> RinggDestination:
        """Check the agent and the campaign; what is wrong with them is told before a row is read."""
        # Loaded when a task runs, and not with every DAG file.
        from ringg_provider.ringg.destination import RinggDestination
        from ringg_provider.ringg.preflight import check_agent, check_variables
        from ringg_provider.ringg.timing import as_call_config

        variables = {name: column for name, column in self.variables_map.items() if name != PHONE_VARIABLE}
        needed = check_variables(
            check_agent(client, self.agent_id),
            {**variables, PHONE_VARIABLE: self.phone_column},
            allow_unreadable=self.unreadable_variables == "continue",
        )
        return RinggDestination(
            options=options,
            client=client,
            scratch=scratch,
            variables=variables,
            may_be_empty=frozenset(self.may_be_empty) | (variables.keys() - needed),
            call_config=as_call_config(self.call_config),
            flow=self.flow,
            use_call_slots=self.use_call_slots,
            invalid_rows_timeout=self.invalid_rows_timeout,
            phone_header=self.phone_header,
            transliterate_callee_name=self.transliterate_callee_name,
            transliterate_fields=self.transliterate_fields,
        )

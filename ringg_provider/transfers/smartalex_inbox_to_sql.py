"""What SmartAlex's webhooks brought, from the inbox into the table of calls; how is left to `inbox/apply.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.history.options import SMARTALEX_CALLS
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.transfers.inbox_to_sql import InboxToSqlOperator

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ringg_provider.inbox.apply import Apply


class SmartAlexInboxToSqlOperator(InboxToSqlOperator):
    """Apply what SmartAlex's webhooks brought to `smartalex_calls`.

    What its events hold is on no page: the call in an event of a call is read as `SmartAlexCallsToSqlOperator` reads
    one, and events of campaigns, contacts and callbacks change nothing. It may be run as often as one likes, at the
    same time too, and killed at any point. What cannot be read stays in the inbox with the reason, and fails nothing.

    Follows https://docs.getsmartalex.com/api-reference/webhooks. Its other parameters, what it returns and what it
    raises are those of `InboxToSqlOperator` and `RinggInboxToSqlOperator`.

    :param smartalex_conn_id: the connection that the deliveries came for. Default `smartalex_default`.
    :param table: of calls. Default `smartalex_calls`.
    """

    template_fields: Sequence[str] = (*InboxToSqlOperator.shared_template_fields, "smartalex_conn_id")
    ui_color = "#efe4d6"
    platform = SmartAlexHook.conn_type

    def __init__(
        self,
        *,
        smartalex_conn_id: str = SmartAlexHook.default_conn_name,
        table: str = SMARTALEX_CALLS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.smartalex_conn_id = smartalex_conn_id
        self.table = table

    def applying(self, engine: sa.Engine, given: Mapping[str, Any]) -> Apply[Any]:
        """What applies SmartAlex's deliveries."""
        from ringg_provider.history.smartalex import smartalex_calls_table
        from ringg_provider.inbox.apply import SmartAlexApply

        return SmartAlexApply(
            engine,
            self.smartalex_conn_id,
            calls=smartalex_calls_table(self.table, schema=self.schema or None),
            **given,
        )

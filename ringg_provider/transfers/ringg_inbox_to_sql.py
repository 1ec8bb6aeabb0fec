"""What Ringg's webhooks brought, from the inbox into the tables; how is left to `inbox/apply.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.api.arguments import Text
from ringg_provider.history.options import ATTEMPTS, CALLS, CAMPAIGNS
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.transfers.inbox_to_sql import InboxToSqlOperator

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ringg_provider.inbox.apply import Apply


class RinggInboxToSqlOperator(InboxToSqlOperator):
    """Apply what Ringg's webhooks brought to `ringg_calls`, `ringg_attempts` and `ringg_campaigns`.

    Reads what came into the inbox for `ringg_conn_id` and was not applied yet. It may be run as often as one likes, at
    the same time too, and killed at any point: rows are merged by their keys and never move backwards, whatever order
    the deliveries came in. What cannot be read stays in the inbox with the reason, and fails nothing.

    A call is settled by its final `all_processing_completed`; `RinggCallsToSqlOperator` reads from the platform what
    was not, and closes the campaigns. The tables are created when they are missing; `docs/tables.md` describes them.

    Follows https://docs.ringg.ai/webhooks/payloads. Its other parameters are those of `InboxToSqlOperator`.

    :param ringg_conn_id: the connection that the deliveries came for. Default `ringg_default`.
    :param table: of calls. Default `ringg_calls`.
    :param attempts_table: of attempts, one row per ring. Default `ringg_attempts`.
    :param campaigns_table: of campaigns. Default `ringg_campaigns`.
    :param workspace_id: the workspace of the connection; what names another one is given up as unreadable. Default:
        whoever has the webhook's secret is believed.
    :param include_analysis: as given to `RinggCallsToSqlOperator`, like the next three: what a call must have to be
        complete before it is settled. Default True.
    :param wait_for_client_analysis: the same. Default False.
    :param wait_for_recording: keep calls open until that operator has stored their recording (`recordings_path`).
        Default False.
    :param transcripts: keep what was said. Default True.
    :return: counts, see `ApplyCounts`; no personal data. They are also the `extra` of the asset events: an `Asset` in
        `outlets` gets them at every run, an `AssetAlias` gets an event only when something was told of a call.
    :raises AirflowFailException: trying again cannot help.
    :raises TransientError: it can; what was applied is in the tables.
    """

    template_fields: Sequence[str] = (
        *InboxToSqlOperator.shared_template_fields,
        "ringg_conn_id",
        "attempts_table",
        "campaigns_table",
        "workspace_id",
    )
    ui_color = "#e4eef8"
    platform = RinggHook.conn_type

    def __init__(
        self,
        *,
        ringg_conn_id: str = RinggHook.default_conn_name,
        table: str = CALLS,
        attempts_table: str = ATTEMPTS,
        campaigns_table: str = CAMPAIGNS,
        workspace_id: Text | None = None,
        include_analysis: bool = True,
        wait_for_client_analysis: bool = False,
        wait_for_recording: bool = False,
        transcripts: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ringg_conn_id = ringg_conn_id
        self.table = table
        self.attempts_table = attempts_table
        self.campaigns_table = campaigns_table
        self.workspace_id = workspace_id
        self.include_analysis = include_analysis
        self.wait_for_client_analysis = wait_for_client_analysis
        self.wait_for_recording = wait_for_recording
        self.transcripts = transcripts

    def applying(self, engine: sa.Engine, given: Mapping[str, Any]) -> Apply[Any]:
        """What applies Ringg's deliveries."""
        from ringg_provider.history.attempts import attempts_table
        from ringg_provider.history.merging import Wanted
        from ringg_provider.history.tables import calls_table, campaigns_table
        from ringg_provider.inbox.apply import RinggApply

        schema = self.schema or None
        return RinggApply(
            engine,
            self.ringg_conn_id,
            calls=calls_table(self.table, schema=schema),
            attempts=attempts_table(self.attempts_table, schema=schema),
            campaigns=campaigns_table(self.campaigns_table, schema=schema),
            wanted=Wanted(self.include_analysis, self.wait_for_client_analysis, self.wait_for_recording),
            transcripts=self.transcripts,
            workspace_id=self.workspace_id,
            **given,
        )

    def _written(self) -> dict[str, int | None]:
        counts = self._counts or {}
        more = {self.attempts_table: counts.get("attempts"), self.campaigns_table: counts.get("campaigns")}
        return super()._written() | more

"""SmartAlex's tables in the warehouse, as `transfers/ringg_publish.py` does it for Ringg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.history.options import SMARTALEX_CALLBACKS, SMARTALEX_CALLS
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.transfers.ringg_publish import RinggPublishOperator

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ringg_provider.publish.publication import View


class SmartAlexPublishOperator(RinggPublishOperator):
    """Publish the tables of the state into a warehouse: what changed since the last time, and what was erased.

    The warehouse gets `smartalex_calls`, `smartalex_callbacks`, `ringg_contacts`, `ringg_launches` and
    `ringg_callbacks` under their own names. Its other parameters, what it returns and what it raises are those of
    `RinggPublishOperator`, but `campaigns_table` and `attempts_table`, of which SmartAlex has none.

    :param table: of calls. Default `smartalex_calls`.
    :param callbacks_table: of callbacks. Default `smartalex_callbacks`.
    """

    template_fields: Sequence[str] = (*RinggPublishOperator.template_fields, "callbacks_table")
    ui_color = "#efe4d6"
    platform = SmartAlexHook.conn_type

    def __init__(
        self, *, table: str = SMARTALEX_CALLS, callbacks_table: str = SMARTALEX_CALLBACKS, **kwargs: Any
    ) -> None:
        super().__init__(table=table, **kwargs)
        self.callbacks_table = callbacks_table

    def _described(self, state: sa.Engine) -> list[sa.Table]:
        from ringg_provider.history.smartalex import callbacks_table, smartalex_calls_table

        schema = self.state_schema or None
        return [
            smartalex_calls_table(self.table, schema=schema),
            callbacks_table(self.callbacks_table, schema=schema),
            *self._of_both_platforms(state),
        ]

    def _all_names(self) -> list[str]:
        return [self.callbacks_table, self.table, *super()._all_names()[3:]]

    def _view(self, names: Sequence[str]) -> View | None:
        return None

"""Which of the people who asked to be called back were called, and in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.history.options import SMARTALEX_CALLBACKS, SMARTALEX_CALLS
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.operators.promising import PromisesOperator

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ringg_provider.callbacks.loading import PromiseCounts, PromiseTerms


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

    @property
    def conn_id(self) -> str:
        """The connection by which these people are called."""
        return self.smartalex_conn_id

    def reads(self) -> Sequence[str]:
        """The callbacks and the calls."""
        return [self.pending_table, self.table]

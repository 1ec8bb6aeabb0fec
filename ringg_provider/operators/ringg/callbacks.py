"""Promises to call people back, out of the table of calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.history.options import CALLS
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.operators.promising import PromisesOperator

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ringg_provider.callbacks.loading import PromiseCounts, PromiseTerms


class RinggCallbacksOperator(PromisesOperator):
    """Bring the table of promises, `ringg_callbacks`, up to what the calls tell.

    A call in which somebody asks to be called back makes a promise; one in which they ask again moves it, and the next
    that reaches them at its time keeps it. When they want to be called is read from their words, as far as that is
    certain; what is not is *unclear* and waits for a person. Nobody is called by it: `CallbacksToRinggOperator` lists
    those that are due. It may be run as often as one likes; run it after `RinggCallsToSqlOperator` or
    `RinggInboxToSqlOperator`. The table is created when it is missing; `docs/promises.md` describes it. Needs
    ``ringg-provider[callbacks]``.

    Follows https://docs.ringg.ai/api-reference/endpoint/history/get-call-details. Its other parameters are those of
    `PromisesOperator`.

    :param ringg_conn_id: the connection by which these people are called. Default ``ringg_default``.
    :param table: of calls, as given to `RinggCallsToSqlOperator`. Default `ringg_calls`.
    :param contacts_table: as given to `SqlToRinggOperator`, for who people are; it need not be there. None: nobody
        is named, so that no query of `CallbacksToRinggOperator` knows them. Default `ringg_contacts`.
    :return: counts, see `PromiseCounts`; no personal data. They are also the `extra` of the asset events: an `Asset` in
        `outlets` gets them at every run, an `AssetAlias` gets an event only when a promise is new or has changed.
    :raises AirflowFailException: trying again cannot help.
    :raises TransientError: it can; what was written stays.
    """

    template_fields: Sequence[str] = (*PromisesOperator.shared_template_fields, "ringg_conn_id", "contacts_table")
    platform = RinggHook.conn_type

    def __init__(
        self,
        *,
        ringg_conn_id: str = RinggHook.default_conn_name,
        table: str = CALLS,
        contacts_table: str | None = "ringg_contacts",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ringg_conn_id = ringg_conn_id
        self.table = table
        self.contacts_table = contacts_table

    def load(self, engine: sa.Engine, promises: sa.Table, terms: PromiseTerms) -> PromiseCounts:
        """Look at the calls that have changed."""
        from ringg_provider.callbacks.loading import PromiseLoad
        from ringg_provider.contacts.people import people_table
        from ringg_provider.history.tables import calls_table

        schema = self.schema or None
        return PromiseLoad(
            engine,
            calls_table(self.table, schema=schema),
            terms,
            promises,
            contacts=None if self.contacts_table is None else people_table(self.contacts_table, schema),
            conn_id=self.ringg_conn_id,
            look_back=self.look_back,
        ).run()

    @property
    def conn_id(self) -> str:
        """The connection by which these people are called."""
        return self.ringg_conn_id

    def reads(self) -> Sequence[str]:
        """The calls, and who people are."""
        return [self.table, *([] if self.contacts_table is None else [self.contacts_table])]

"""The last look at promises, right before the list that is to keep them is started."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowSkipException

from ringg_provider.hooks.sql import StateConnection
from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.ledgers import open_ledger


def refuse_if_not_promised(item: LaunchItem) -> None:
    """Start no list of promises of which one is not to be kept any more; the others are given back for the next run.

    Who has opted out is left out when the list is made, and is not asked for again here.

    :param item: the list; one of other people than of promises is not looked at.
    :raises AirflowSkipException: somebody on it was reached or is being called, or asked anew, or their data were
        erased; then the list is never started.
    """
    if item.callbacks_table is None or item.state_conn_id is None or item.launch_key is None or item.list_id is None:
        return
    # Loaded when a task runs, and not with every DAG file.
    from ringg_provider.callbacks.claims import Claims
    from ringg_provider.callbacks.elsewhere import Elsewhere, history_of
    from ringg_provider.callbacks.table import RINGG, SMARTALEX, callbacks_table

    with StateConnection(item.state_conn_id, "state_conn_id").engine() as engine:
        claims = Claims(engine, callbacks_table(item.callbacks_table))
        claims.require_table()
        promises = claims.on_list(item.list_id, item.launch_key)
        history = history_of(SMARTALEX if item.flow == SMARTALEX else RINGG, item.history_table)
        held = Elsewhere(engine, *history, may_be_missing=True).held(promises)
        lost = (item.rows or 0) - len(promises)
        if not held and lost <= 0:
            return
        ledger = open_ledger(item.ledger_conn_id or item.state_conn_id)
        freed = sum(claims.free(claim, ledger) for claim in claims.own(item.launch_key) if claim.key == item.launch_key)
    why = "; ".join(sorted(set(held.values()) | ({"a promise on it has moved on since"} if lost > 0 else set())))
    raise AirflowSkipException(
        f"List {item.list_id} is never started, so that nobody is rung twice for one promise: {why}. Given back for the"
        f" next run: {freed} of {item.rows}."
    )

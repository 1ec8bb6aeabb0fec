"""The last look at promises, right before the list that is to keep them is started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from ringg_provider.hooks.sql import StateConnection, sql_connection
from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.ledgers import open_ledger

if TYPE_CHECKING:
    from ringg_provider.callbacks.planning import Promise
    from ringg_provider.contacts.exclusions import Exclusions
    from ringg_provider.contacts.phones import PhoneCleaner

#: Adds whom a platform itself knows as do-not-call.
Exclude = Callable[["Exclusions", "PhoneCleaner"], None]


def refuse_if_not_promised(item: LaunchItem, do_not_call: Exclude | None = None) -> None:
    """Start no list of promises of which one is not to be kept any more; the others are given back for the next run.

    :param item: the list; one of other people than of promises is not looked at.
    :param do_not_call: adds whom the platform knows as do-not-call, where the item says that it counts.
    :raises AirflowSkipException: somebody on it has opted out, was reached or is being called, or asked anew, or their
        data were erased, or it is too late; then the list is never started.
    :raises QueryFailed, DatabaseUnavailable: whether it may be started could not be found out, so it is not.
    """
    if item.callbacks_table is None or item.state_conn_id is None or item.launch_key is None or item.list_id is None:
        return
    # Loaded when a task runs, and not with every DAG file.
    from ringg_provider.callbacks.claims import OPTED_OUT, Claims
    from ringg_provider.callbacks.elsewhere import Elsewhere, history_of
    from ringg_provider.callbacks.planning import TOO_LATE, is_too_late
    from ringg_provider.callbacks.table import RINGG, SMARTALEX, callbacks_table

    with StateConnection(item.state_conn_id, "state_conn_id").engine() as engine:
        claims = Claims(engine, callbacks_table(item.callbacks_table))
        claims.require_table()
        promises = claims.on_list(item.list_id, item.launch_key)
        history = history_of(SMARTALEX if item.flow == SMARTALEX else RINGG, item.history_table)
        why = set(Elsewhere(engine, *history, may_be_missing=True).held(promises).values())
        if any(is_too_late(promise, datetime.now(UTC)) for promise in promises):
            why.add(TOO_LATE)
        if (item.rows or 0) > len(promises):
            why.add("a promise on it has moved on since")
        opted_out = _opted_out(item, promises, do_not_call)
        if opted_out:
            why.add(OPTED_OUT)
        if not why:
            return
        ledger = open_ledger(item.ledger_conn_id or item.state_conn_id)
        mine = [claim for claim in claims.own(item.launch_key) if claim.key == item.launch_key]
        freed = sum(claims.free(claim, ledger, opted_out) for claim in mine)
    raise AirflowSkipException(
        f"List {item.list_id} is never started, so that nobody is called who must not be: {'; '.join(sorted(why))}."
        f" Given back for the next run: {freed} of {item.rows}."
    )


def _opted_out(item: LaunchItem, promises: Sequence[Promise], do_not_call: Exclude | None) -> set[str]:
    """The promises to whoever has opted out by now, by the queries that were asked when the list was made."""
    told = item.suppression
    if told is None or not promises:
        return set()
    from ringg_provider.contacts.exclusions import Exclusions, read_suppression
    from ringg_provider.contacts.phones import PhoneCleaner

    cleaner, excluded = PhoneCleaner(told["country_code"]), Exclusions()
    if told.get("skip_dnc") and do_not_call is not None:
        do_not_call(excluded, cleaner)
    state = partial(sql_connection, str(item.state_conn_id))
    chosen_from = partial(sql_connection, str(told.get("conn_id")), hook_params=told.get("hook_params"))
    asked: list[tuple[str, str | None, Callable[[], Any]]] = [
        ("state_suppression_sql", told.get("state_sql"), state),
        ("suppression_sql", told.get("sql"), chosen_from),
    ]
    for field, sql, connect in asked:
        if sql:
            with connect() as connection:
                excluded.add_suppressed(read_suppression(connection, sql, cleaner, with_keys=True, field=field))
    numbers = [int((promise.number or "0").removeprefix("+")) for promise in promises]
    left_out = excluded.rejections(numbers, [promise.contact_key or "" for promise in promises])
    return {promises[position].promise_id for position in left_out}

"""Who calls for a promise: one run takes it, and it is given back only where its list certainly was never started.

A claim is the launch key of the run in `claim_key`, and the moment in `claimed_at`. Whoever goes on with a claim, or is
about to take it away, first sets that moment anew, and all that follows holds only while it still stands: so of a run
that was thought dead and the run that gives its promises back, just one gets them, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from more_itertools import chunked, map_reduce

from ringg_provider.callbacks.planning import Promise
from ringg_provider.callbacks.table import PromiseState
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.merging import change
from ringg_provider.history.tables import not_found
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.sql.creating import is_there
from ringg_provider.sql.errors import without_driver_errors

#: Why a promise is open again.
NEVER_STARTED = "its list was never started"
#: Why nobody calls for one any more.
OPTED_OUT = "opted out"

_AT_ONCE = 500


@dataclass(frozen=True)
class Claim:
    """What one run has taken under one launch key.

    :param key: the launch key.
    :param at: the moment of the claim; whoever sets a later one has it instead.
    :param promises: that were taken.
    """

    key: str
    at: datetime
    promises: Sequence[Promise]


@dataclass
class Claims:
    """The claims in one table of promises.

    :param engine: its database.
    :param table: see `callbacks_table`.
    :param is_draft: whether the platform, too, says of a list that nobody has started it. Default: it is not asked.
    """

    engine: sa.Engine
    table: sa.Table
    is_draft: Callable[[str], bool] = lambda _: True
    _last: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False)

    def require_table(self) -> None:
        """Refuse to go on where there is no such table.

        :raises InvalidRequest: it is not there.
        """
        if not without_driver_errors("callbacks_table", is_there, self.engine, self.table):
            raise not_found(
                self.engine,
                self.table,
                "callbacks_table",
                "so it is not known who is to be called: load promises first.",
            )

    def open(self, *, platform: str, agent_ids: Iterable[str], conn_id: str, until: datetime) -> list[Promise]:
        """The promises that nobody has taken and that are due by then.

        :param platform: whose.
        :param agent_ids: of the agents that were asked.
        :param conn_id: by which the platform is reached; promises of which that is not known are among them.
        :param until: the time, aware.
        """
        columns = self.table.c
        return self._read(
            columns.state == PromiseState.OPEN.value,
            columns.claim_key.is_(None),
            columns.erased_at.is_(None),
            columns.platform == platform,
            columns.agent_id.in_(list(agent_ids)),
            sa.or_(columns.conn_id.is_(None), columns.conn_id == conn_id),
            columns.due_at <= until,
        )

    def explain(self, reasons: Mapping[str, str]) -> None:
        """Note why promises that nobody has taken are not listed now; what is noted already is not written again.

        :param reasons: promise id -> why; nothing personal.
        """
        columns = self.table.c
        for why, promise_ids in map_reduce(reasons, reasons.__getitem__).items():
            for some in chunked(promise_ids, _AT_ONCE):
                self._update(
                    columns.promise_id.in_(some),
                    columns.state == PromiseState.OPEN.value,
                    columns.claim_key.is_(None),
                    columns.erased_at.is_(None),
                    sa.or_(columns.state_reason.is_(None), columns.state_reason != why),
                    state_reason=why,
                )

    def take(self, key: str, promises: Sequence[Promise]) -> Claim:
        """Take promises under a launch key: each in one atomic step, which one run alone gets.

        :param key: the launch key.
        :param promises: as they were read; one that has moved since is not taken.
        :return: the claim, with those that were.
        """
        at, columns = self._now(), self.table.c
        taken = [
            promise
            for promise in promises
            if self._change(
                promise.promise_id,
                columns.state == PromiseState.OPEN.value,
                columns.claim_key.is_(None),
                columns.erased_at.is_(None),
                columns.due_at == promise.due_at,
                state=PromiseState.LISTED.value,
                state_reason=None,
                claim_key=key,
                claimed_at=at,
                list_id=None,
            )
        ]
        return Claim(key, at, taken)

    def own(self, prefix: str) -> list[Claim]:
        """The claims of earlier attempts of a run, which are this attempt's from now on.

        :param prefix: with which the run's launch keys begin.
        """
        return self._taken_over(sa.func.substr(self.table.c.claim_key, 1, len(prefix)) == prefix)

    def rows(self, claim: Claim) -> list[dict[str, Any]]:
        """The whole rows of a claim's promises, with what they said.

        :param claim: under which they were taken, or would be.
        """
        query = sa.select(self.table).where(
            self.table.c.promise_id.in_([promise.promise_id for promise in claim.promises])
        )

        def read() -> list[dict[str, Any]]:
            with self.engine.connect() as connection:
                return [dict(row._mapping) for row in connection.execute(query.order_by(self.table.c.due_at))]

        found: list[dict[str, Any]] = without_driver_errors("callbacks_table", read)
        return found

    def note(self, claim: Claim, list_ids: Mapping[str, str]) -> bool:
        """Note on which lists promises are.

        :param claim: under which they were taken.
        :param list_ids: promise id -> list id.
        :return: whether all of them are still this run's.
        """
        noted = [self._change(each, *self._is(claim), list_id=list_id) for each, list_id in list_ids.items()]
        return all(noted)

    def give_back(self, claim: Claim, reasons: Mapping[str, str], state: PromiseState = PromiseState.OPEN) -> int:
        """Give back promises that are on no list.

        :param claim: under which they were taken.
        :param reasons: promise id -> why; nothing personal.
        :param state: in which they are then.
        :return: how many were.
        """
        free = {"claim_key": None, "claimed_at": None, "list_id": None, "state": state.value}
        return sum(self._change(each, *self._is(claim), **free, state_reason=why) for each, why in reasons.items())

    def free_lost(self, before: datetime, ledger: LaunchLedger, platform: str) -> int:
        """Give back what was taken and is on no list that was, or may have been, started.

        :param before: claims of this moment or later are left alone; aware.
        :param ledger: where all lists of promises stand.
        :param platform: whose.
        :return: how many promises were given back.
        """
        columns = self.table.c
        lost = self._taken_over(columns.claimed_at < before, columns.platform == platform)
        return sum(self.free(claim, ledger) for claim in lost)

    def free(self, claim: Claim, ledger: LaunchLedger, opted_out: Collection[str] = ()) -> int:
        """Give back a claim, so far as its lists certainly were never started; from now on they never will be.

        What a ledger does not know of may stand in another one, so that a promise on such a list is not given back.

        :param claim: taken by this run, or taken over by it.
        :param ledger: where its lists stand.
        :param opted_out: promises that are withdrawn instead.
        :return: how many promises were given back.
        """
        of_key = ledger.withdraw(claim.key)
        withdrawn = {each.list_id for each in claim.promises if each.list_id in of_key.never}
        drafts = {list_id for list_id in withdrawn if list_id and self.is_draft(list_id)}
        # A promise without a list may be on any of those that were started.
        free = [each for each in claim.promises if (each.list_id in drafts if each.list_id else not of_key.started)]
        ids = {each.promise_id for each in free}
        self.give_back(claim, dict.fromkeys(ids.intersection(opted_out), OPTED_OUT), PromiseState.WITHDRAWN)
        return self.give_back(claim, dict.fromkeys(ids.difference(opted_out), NEVER_STARTED))

    def on_list(self, list_id: str, key: str) -> list[Promise]:
        """The promises that a list is still to keep; not those of which they have asked for another time since.

        :param list_id: the list.
        :param key: the launch key under which they were taken.
        """
        columns = self.table.c
        listed = columns.state == PromiseState.LISTED.value
        found = self._read(columns.list_id == list_id, columns.claim_key == key, columns.erased_at.is_(None), listed)
        return [promise for promise in found if not promise.has_moved]

    def _taken_over(self, *conditions: sa.ColumnElement[bool]) -> list[Claim]:
        listed = (self.table.c.state == PromiseState.LISTED.value, self.table.c.claim_key.is_not(None))
        found = self._read(*listed, *conditions)
        at = self._now()
        mine = [
            promise
            for promise in found
            if self._change(promise.promise_id, *listed, self.table.c.claim_key == promise.claim_key, claimed_at=at)
        ]
        return [Claim(claim.key, at, claim.promises) for claim in self._claims(mine)]

    def _claims(self, promises: Sequence[Promise]) -> list[Claim]:
        keys = dict.fromkeys(str(promise.claim_key) for promise in promises)
        return [Claim(key, self._last, [each for each in promises if each.claim_key == key]) for key in keys]

    def _is(self, claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
        columns = self.table.c
        listed = columns.state == PromiseState.LISTED.value
        return listed, columns.claim_key == claim.key, columns.claimed_at == claim.at

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Promise]:
        query = sa.select(self.table).where(*conditions).order_by(self.table.c.due_at, self.table.c.promise_id)

        def read() -> list[Promise]:
            with self.engine.connect() as connection:
                return [Promise.of(dict(row._mapping)) for row in connection.execute(query)]

        found: list[Promise] = without_driver_errors("callbacks_table", read)
        return found

    def _change(self, promise_id: str, *conditions: sa.ColumnElement[bool], **values: Any) -> bool:
        """One atomic step; whether it was done."""
        return self._update(self.table.c.promise_id == promise_id, *conditions, **values) == 1

    def _update(self, *conditions: sa.ColumnElement[bool], **values: Any) -> int:
        """One atomic step; how many promises it has changed."""
        update = sa.update(self.table).where(*conditions).values(**values, changed_at=datetime.now(UTC))
        return change(self.engine, update, "callbacks_table")

    def _now(self) -> datetime:
        """The present; never the same twice."""
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        return self._last


def key_of_slot(run_key: str, slot: datetime | None) -> str:
    """The launch key of what a run calls at one time.

    :param run_key: what all keys of the run begin with.
    :param slot: the time; None: as soon as possible.
    """
    return f"{run_key}@{'now' if slot is None else f'{slot.astimezone(UTC):%Y%m%dT%H%MZ}'}"


def slot_of_key(key: str) -> datetime | None:
    """The time that a launch key of `key_of_slot` names; None: as soon as possible.

    :raises InvalidRequest: it is no such key.
    """
    _, at, slot = key.rpartition("@")
    if not at:
        raise InvalidRequest("launch_key: a claim has a key that this operator did not make.", field="launch_key")
    return None if slot == "now" else datetime.strptime(slot, "%Y%m%dT%H%MZ").replace(tzinfo=UTC)

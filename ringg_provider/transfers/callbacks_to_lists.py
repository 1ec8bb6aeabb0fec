"""Promises to call people back that are due -> small lists of them on a calling platform, each promise on one at most.

What both platforms' operators share. Cleaning, opt-outs, caps, hours and the upload are those of every other list
(``contacts/pipeline.py``); who takes a promise, and when it is given back, is said by ``callbacks/claims.py``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ringg_provider import wording
from ringg_provider.api.arguments import BlankText, Span
from ringg_provider.exceptions import InvalidRequest, ReplacedByAnotherRun
from ringg_provider.history.options import CALLBACKS
from ringg_provider.hooks.sql import StateConnection, sql_connection
from ringg_provider.hours.purposes import Purpose
from ringg_provider.operators.ledgers import launcher_of, open_ledger, task_key
from ringg_provider.operators.promising import lawful_hours
from ringg_provider.transfers.sql_to_lists import SqlToListsOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Asset, Context

    from ringg_provider.callbacks.claims import Claim, Claims
    from ringg_provider.callbacks.elsewhere import Elsewhere
    from ringg_provider.callbacks.planning import Promise
    from ringg_provider.contacts.people import Person
    from ringg_provider.contacts.pipeline import ListOptions, Refusals
    from ringg_provider.contacts.reasons import Disposition
    from ringg_provider.contacts.results import PipelineResult
    from ringg_provider.launch.ledger import LaunchLedger
    from ringg_provider.lineage.datasets import Lineage
    from ringg_provider.sql.reading import Rows

#: Columns of the promises that every row has for the agent's variables and for the lists.
_PHONE, _KEY = "to_number_e164", "contact_key"
#: A list is surely uploaded, and its start asked for, by then.
_LEAD = timedelta(minutes=2)


class CallbacksToListsOperator(SqlToListsOperator):
    """Base of the operators that list promises which are due soon; nobody is called by them.

    :param state_conn_id: connection of the database with ``callbacks_table``, ``history_table`` and, unless
        ``ledger_conn_id`` says otherwise, the launch ledger, without which no promise is listed.
    :param callbacks_table: table of promises. Default ``ringg_callbacks``.
    :param asked_of: the agents whose promises are listed. Default none: those asked of ``agent_id``.
    :param horizon: how far ahead promises are listed, as a ``timedelta``: a little more than from one run to the next.
    :param release_after: after how long a promise is given back that another run took and whose list was never
        started; that list never will be. Default ten minutes.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: whose lawful hours hold.
    :param sql: a SELECT of more columns for the agent, in ``sql_conn_id``'s database, with a column ``contact_key``
        that names the person as ``contacts_table`` does. Whoever is not in it is not called. Default None: the columns
        of the promises are all there is.
    :param sql_conn_id: connection of the database for ``sql`` and ``suppression_sql``. Default ``state_conn_id``.
    :param launch_key: what the launch keys of the run begin with, before the task and its run; each time at which it
        calls has one. Default: the task and its run alone.
    :param campaign_name: a label for people. Default ``Callbacks``.
    :param other_countries: ``split`` (default) or ``leave_out``: see the base.
    :param no_rule: for a country without a rule: ``hold`` (default) calls nobody there, ``refuse`` fails, and ``allow``
        calls at the time they said.

    Of :class:`~ringg_provider.transfers.sql_to_lists.SqlToListsOperator` the other parameters hold as well, but for
    those that make no sense of a promise: ``phone_column``, ``contact_key``, ``timezone_column``, the campaign's start
    and end, ``waves``, ``rehearsal``, and ``not_called_within_days``: whoever asked for a call may be called again so
    soon, within what ``max_attempts`` and ``attempts_within`` allow.
    """

    shared_template_fields: Sequence[str] = (
        *SqlToListsOperator.shared_template_fields,
        "callbacks_table",
        "asked_of",
    )
    #: What `platform` of a promise says.
    of_platform: ClassVar[str]
    #: Arguments of every other list that a promise leaves no choice of.
    fixed: ClassVar[Mapping[str, Any]] = {
        "phone_column": _PHONE,
        "contact_key": _KEY,
        "timezone_column": None,
        "campaign_start_time": None,
        "campaign_end_time": None,
        "not_called_within_days": None,
        "waves": (),
        "rehearsal": (),
    }

    def __init__(
        self,
        *,
        state_conn_id: str,
        purpose: Purpose,
        horizon: Span,
        sql_conn_id: str | None = None,
        sql: str | None = None,
        campaign_name: str = "Callbacks",
        callbacks_table: str = CALLBACKS,
        asked_of: Sequence[str] = (),
        release_after: Span = timedelta(minutes=10),
        ledger_conn_id: BlankText | None = None,
        other_countries: Literal["leave_out", "split"] = "split",
        no_rule: Literal["refuse", "hold", "allow"] = "hold",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            state_conn_id=state_conn_id,
            sql_conn_id=sql_conn_id,  # type: ignore[arg-type]
            sql=sql,  # type: ignore[arg-type]
            purpose=purpose,
            campaign_name=campaign_name,
            ledger_conn_id=ledger_conn_id,
            other_countries=other_countries,
            no_rule=no_rule,
            **{**self.fixed, **kwargs},
        )
        self.callbacks_table = callbacks_table
        self.asked_of = asked_of
        self.horizon = horizon
        self.release_after = release_after

    @abstractmethod
    def slot_of(self, moment: datetime, now: datetime) -> datetime | None:
        """For which time somebody is listed who is to be called at a moment; None: as soon as possible."""

    @abstractmethod
    def is_draft(self, list_id: str) -> bool:
        """Whether the platform says that nobody has started a list, as one may by hand."""

    @abstractmethod
    def is_open(self, moment: datetime) -> bool:
        """Whether the campaign's own hours allow a call at a moment."""

    def end_of(self, promises: Iterable[Promise]) -> datetime | None:
        """When a list of promises calls nobody any more; None: at the end of the day's window, or never."""
        return None

    def agents_that_call_back(self, elsewhere: Elsewhere) -> Iterable[str]:
        """The agents whose promises the platform may keep by itself."""
        return self.asked_of or [self.agent_id]

    def suppression(self) -> dict[str, Any] | None:
        """Who must not be called, for whoever starts the lists; None where nothing is asked."""
        if not self.suppression_sql and not self.state_suppression_sql:
            return None
        return {
            "sql": self.suppression_sql,
            "conn_id": self.chosen_from,
            "hook_params": self.hook_params,
            "state_sql": self.state_suppression_sql,
            "country_code": self.country_code,
        }

    @property
    def chosen_from(self) -> str:
        """The connection of the database for ``sql`` and ``suppression_sql``."""
        return self.sql_conn_id or str(self.state_conn_id)

    def check(self) -> None:
        """Refuse what can be known to be wrong before anything is read."""
        super().check()
        for name, fixed in self.fixed.items():
            # What is private has no attribute of its name.
            if hasattr(self, name) and (getattr(self, name) or None) != (fixed or None):
                raise _no_choice(name)

    def reads_and_writes(self) -> Lineage:
        """The same with the promises, in and out; calls and the ledger are read whatever else is asked for."""
        from ringg_provider.lineage.datasets import InDatabase

        known = super().reads_and_writes()
        promises = InDatabase(
            self.state.conn_id, tables={self.callbacks_table: None}, hook_params=self.state.hook_params
        )
        return replace(known, inputs=[*known.inputs, promises], outputs=[*known.outputs, promises])

    @property
    def _ledger(self) -> StateConnection:
        return self._kept

    @property
    def _reads_history(self) -> bool:
        return True

    def _assets(self) -> Iterator[Asset]:
        from ringg_provider.lineage.assets import table_asset

        yield from super()._assets()
        yield table_asset(self.state.conn_id, self.callbacks_table, hook_params=self.state.hook_params)

    def _run(self, context: Context) -> PipelineResult:
        # Loaded when a task runs, and not with every DAG file.
        from ringg_provider.callbacks.claims import Claim, Claims
        from ringg_provider.callbacks.elsewhere import Elsewhere, history_of
        from ringg_provider.callbacks.table import callbacks_table
        from ringg_provider.contacts.people import shortened_key
        from ringg_provider.contacts.results import PipelineResult

        self.check()
        if self._rehearsal.rendered(self, context):
            raise _no_choice("rehearsal")
        parameters = self._parameters.rendered(self, context)
        ledger = open_ledger(self._kept.conn_id, self._kept.field)
        if not self.is_dry_run:
            self.refuse_if_stale(context, "Nothing was uploaded.")
        history = history_of(self.of_platform, self.history_table or self.default_history_table)
        with self.state.engine() as engine:
            claims = Claims(engine, callbacks_table(self.callbacks_table), self.is_draft)
            claims.require_table()
            elsewhere = Elsewhere(engine, *history, may_be_missing=self.history_table_may_be_missing)
            # A run goes on with all that begins with its key, so that no two runs may have the same.
            key = shortened_key("/".join(each for each in (self.launch_key, task_key(context)) if each))
            run = _Run(context, claims, elsewhere, ledger, key, parameters)
            if self.is_dry_run:
                due = self._due(run)
                mine = [Claim(run.key_of(slot), datetime.now(UTC), some) for slot, some in due.items()]
            else:
                lost_since = datetime.now(UTC) - self.release_after
                with self.hook:
                    mine = self._own(run)
                    freed = claims.free_lost(lost_since, ledger, self.of_platform)
                if freed:
                    self.log.info(
                        "Given back, as their lists were never started: %s.", wording.counted(freed, "promise")
                    )
                mine = mine or self._take(run)
            if not mine:
                self.log.info("No promise is due that is not taken already.")
            return PipelineResult.of_all([self._list(run, claim) for claim in mine], is_dry_run=self.is_dry_run)

    @property
    def _kept(self) -> StateConnection:
        """Where the launch ledger is."""
        if self.ledger_conn_id is None:
            return self.state
        if not self.ledger_conn_id.strip():
            raise InvalidRequest(
                "ledger_conn_id: is blank; no promise is listed without a ledger.", field="ledger_conn_id"
            )
        return StateConnection(self.ledger_conn_id, "ledger_conn_id")

    def _due(self, run: _Run) -> dict[datetime | None, list[Promise]]:
        """The promises to list now, by the time for which they are listed; of one person the earliest."""
        from ringg_provider.callbacks.planning import LEAST_LEFT, NOT_LISTED, TOO_LATE, plan

        assert self.purpose is not None
        now = datetime.now(UTC)
        promises = run.claims.open(
            platform=self.of_platform,
            agent_ids=self.asked_of or [self.agent_id],
            conn_id=self.hook.conn_id,
            until=now + self.horizon,
        )
        held = run.elsewhere.held(promises)
        planned = plan(
            promises,
            now=now,
            horizon=self.horizon,
            hours=lawful_hours(self, self.purpose),
            held=lambda promise: held.get(promise.promise_id),
            calls_back=frozenset(self.agents_that_call_back(run.elsewhere)),
            known_until=run.elsewhere.known_until(),
        )
        waiting = [*planned.waiting, *planned.missed]
        found: dict[datetime | None, list[Promise]] = {}
        listed: set[str | None] = set()
        for due in planned.to_list:
            number = due.promise.number
            slot = self.slot_of(due.at, now)
            if due.until - (slot or due.at) < LEAST_LEFT[self.of_platform]:
                waiting.append((due.promise, TOO_LATE))
            elif number not in listed:
                listed.add(number)
                found.setdefault(slot, []).append(due.promise)
        if waiting:
            self.log.info("Promises that are not listed now: %s.", wording.tallied(Counter(why for _, why in waiting)))
        if not self.is_dry_run:
            # What has no reason of its own keeps the one that an earlier run has found.
            run.claims.explain({promise.promise_id: why for promise, why in waiting if why != NOT_LISTED})
        return found

    def _own(self, run: _Run) -> list[Claim]:
        """What earlier attempts of this run took; of what has moved since only lists are left that were started."""
        found = []
        for claim in run.claims.own(run.keys_begin):
            moved = [promise for promise in claim.promises if promise.has_moved]
            if moved:
                run.claims.free(replace(claim, promises=moved), run.ledger)
            rest = [promise for promise in claim.promises if not promise.has_moved]
            found += [replace(claim, promises=rest)] if rest else []
        return found

    def _take(self, run: _Run) -> list[Claim]:
        """Take what is due, under a launch key for each time, unless this run launched that key before."""
        taken, left = [], 0
        for slot, promises in self._due(run).items():
            key = run.key_of(slot)
            if run.ledger.started_set(key) is None:
                claim = run.claims.take(key, promises)
                taken += [claim] if claim.promises else []
            else:
                left += len(promises)
        if left:
            self.log.warning(
                "Left for the next run, as this one has started a list for that time already: %s.",
                wording.counted(left, "promise"),
            )
        return taken

    def _list(self, run: _Run, claim: Claim) -> PipelineResult:
        """Upload what was taken under one key, and note who is on which list."""
        from ringg_provider.callbacks.claims import slot_of_key
        from ringg_provider.callbacks.planning import TOO_LATE, is_too_late
        from ringg_provider.contacts.pipeline import ContactPipeline
        from ringg_provider.contacts.results import PipelineResult, already_launched
        from ringg_provider.contacts.scratch import Scratch

        slot, now = slot_of_key(claim.key), datetime.now(UTC)
        slot = None if slot is None or slot < now + _LEAD else slot
        options = self._options(claim.key, slot)
        launcher = launcher_of(run.context, self.hook.conn_id)
        if (launched := run.ledger.started_set(claim.key)) is not None:
            return self._promising(already_launched(options, run.ledger, launched, launcher))
        out = run.elsewhere.held(claim.promises)
        begins = slot or now + _LEAD
        out |= {each.promise_id: TOO_LATE for each in claim.promises if is_too_late(each, begins)}
        if not self.is_open(begins):
            out |= {promise.promise_id: "left out: outside the hours of the campaign" for promise in claim.promises}
        rows = self._rows(run, claim, out)
        self._give_back(run, claim, out)
        if not rows:
            return PipelineResult.of_nobody()
        left = [promise for promise in claim.promises if promise.promise_id not in out]
        options = replace(options, campaign_end_time=self.end_of(left))
        columns = tuple(dict.fromkeys(name for row in rows for name in row))
        numbers = {row[_PHONE]: row["promise_id"] for row in rows}

        def tell(people: Iterable[Person], list_ids: Mapping[int, str], refusals: Refusals) -> None:
            self._note(run, claim, numbers, people, list_ids, refusals)

        @contextmanager
        def opened() -> Iterator[Rows]:
            from ringg_provider.sql.reading import Rows

            yield Rows(columns, iter([[[row.get(name) for name in columns] for row in rows]]))

        with self.hook as hook, Scratch() as self._scratch:
            result = ContactPipeline(
                options=options,
                destination=self.destination(hook.client, options, self._scratch),
                scratch=self._scratch,
                connect=lambda: sql_connection(self.chosen_from, hook_params=self.hook_params),
                connect_state=self.state.connection,
                state=self.state.engine,
                people_key=claim.key,
                cap=self._frequency_cap(),
                ledger=None if self.is_dry_run else run.ledger,
                launcher=launcher,
                rows=opened,
                tell=tell,
            ).run()
        return self._promising(result)

    def _options(self, key: str, slot: datetime | None) -> ListOptions:
        from ringg_provider.contacts.pipeline import ListOptions

        given = {one.name: getattr(self, one.name) for one in fields(ListOptions) if one.name != "dry_run"}
        kept = {"launch_key": key, "ledger_conn_id": self._kept.conn_id, "campaign_start_time": slot, "sql": ""}
        return ListOptions(**{**given, **kept, "dry_run": self.is_dry_run})

    def _promising(self, result: PipelineResult) -> PipelineResult:
        """The same lists, which say where their promises stand."""
        where: dict[str, Any] = {
            "callbacks_table": self.callbacks_table,
            "state_conn_id": self.state.conn_id,
            "history_table": self.history_table or self.default_history_table,
            "suppression": self.suppression(),
        }
        return replace(result, items=[replace(item, **where) for item in result.items])

    def _rows(self, run: _Run, claim: Claim, out: dict[str, str]) -> list[dict[str, Any]]:
        """The rows of the promises that are not left out; who is not in the query is added to those who are."""
        rows = [row for row in run.claims.rows(claim) if row["promise_id"] not in out]
        if not self.sql or not rows:
            return rows
        more = self._more(run, {row[_KEY] for row in rows if row[_KEY] is not None})
        found = []
        for row in rows:
            if row[_KEY] in more:
                found.append({**row, **more[row[_KEY]], _KEY: row[_KEY], _PHONE: row[_PHONE]})
            else:
                out[row["promise_id"]] = "left out: not in the query"
        return found

    def _more(self, run: _Run, keys: set[str]) -> dict[str, dict[str, Any]]:
        """What the query has of these people; of one whom it has twice, the first row."""
        from ringg_provider.contacts.cells import key_texts
        from ringg_provider.sql.reading import column_named, open_rows

        found: dict[str, dict[str, Any]] = {}
        with (
            sql_connection(self.chosen_from, hook_params=self.hook_params) as connection,
            open_rows(connection, str(self.sql), run.parameters) as rows,
        ):
            place = rows.columns.index(column_named(_KEY, rows.columns, "sql"))
            for batch in rows.batches:
                for key, row in zip(key_texts([row[place] for row in batch], _KEY), batch, strict=True):
                    if key in keys:
                        found.setdefault(key, dict(zip(rows.columns, row, strict=True)))
        return found

    def _note(
        self,
        run: _Run,
        claim: Claim,
        numbers: Mapping[str, str],
        people: Iterable[Person],
        list_ids: Mapping[int, str],
        refusals: Refusals,
    ) -> None:
        """Note which promise is on which list, and give back the others."""
        from ringg_provider.callbacks.claims import OPTED_OUT
        from ringg_provider.callbacks.table import PromiseState
        from ringg_provider.contacts.reasons import Disposition

        listed: dict[str, str] = {}
        withdrawn: dict[str, str] = {}
        out = dict.fromkeys(numbers.values(), "left out: the number cannot be called")
        for person in people:
            promise_id = numbers.get(person.phone or "")
            if promise_id is None:
                continue
            del out[promise_id]
            list_id = None if person.list_number is None else list_ids[person.list_number]
            if person.disposition is Disposition.SUPPRESSED:
                withdrawn[promise_id] = OPTED_OUT
            elif list_id is None:
                out[promise_id] = _left_out(person.disposition)
            elif person.phone in refusals.get(list_id, {}):
                out[promise_id] = _left_out(Disposition.REJECTED_BY_PLATFORM)
            else:
                listed[promise_id] = list_id
        if not run.claims.note(claim, listed):
            run.ledger.withdraw(claim.key)
            raise ReplacedByAnotherRun(
                "Another run took promises over while their lists were uploaded; these lists are never started. The"
                " next run lists what is still to be kept."
            )
        self._give_back(run, claim, out)
        run.claims.give_back(claim, withdrawn, PromiseState.WITHDRAWN)

    def _give_back(self, run: _Run, claim: Claim, out: Mapping[str, str]) -> None:
        if out and not self.is_dry_run:
            run.claims.give_back(claim, out)


def _left_out(disposition: Disposition) -> str:
    return f"left out: {disposition.replace('_', ' ')}"


def _no_choice(name: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: means nothing for promises; leave it out.", field=name)


@dataclass(frozen=True)
class _Run:
    """What one run works with; its launch keys begin with `key`."""

    context: Any
    claims: Claims
    elsewhere: Elsewhere
    ledger: LaunchLedger
    key: str
    parameters: Any = field(repr=False)

    @property
    def keys_begin(self) -> str:
        return f"{self.key}@"

    def key_of(self, slot: datetime | None) -> str:
        from ringg_provider.callbacks.claims import key_of_slot

        return key_of_slot(self.key, slot)

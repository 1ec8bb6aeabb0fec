"""The ledger of people: the table that says who was put on which list, and why the others were not.

One row per row of the query, keyed by launch key, contact key and, where the query has a key more than once, which of
them it is. During the run the rows are spooled to a private file; the table is written at the end, in one transaction,
when the lists have their ids. All rows of a launch key are replaced together, so a retry ends where a run
without a crash would have ended, and a run that dies leaves nothing.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from ringg_provider.contacts.cells import MAX_KEY
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.sql.bulk import NULL, can_copy, copy_file, escaped, insert_in_batches, unescaped
from ringg_provider.sql.creating import create_tables, described, existing, temporary_table
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.types import UtcDateTime

# Keys are compared byte by byte: sorting by a language's rules takes several times as long.
_KEY = sa.String(MAX_KEY).with_variant(sa.String(MAX_KEY, collation="C"), "postgresql")


#: Whose rows are on a list, unless the platform refused them.
_ON_A_LIST = frozenset({Disposition.LISTED, Disposition.REHEARSAL})

#: A number that no telephone has.
_NOBODY = "+10000000000"


@dataclass(frozen=True)
class Person:
    """One row of the spool.

    :param contact_key: who, as the user names them; the number, or what stands in its place, when they do not.
    :param phone: E.164, or None.
    :param disposition: what became of the row.
    :param detail: more about it.
    :param list_number: the number of the list, from 1, or None.
    """

    contact_key: str
    phone: str | None
    disposition: Disposition
    detail: str
    list_number: int | None


class PeopleSpool:
    """A private file with what became of each row, in PostgreSQL's COPY text format.

    :param scratch: where the file goes.
    :param name: of the file.
    """

    def __init__(self, scratch: Scratch, name: str = "people.tsv") -> None:
        self.path, self._file = scratch.create(name)
        self.rows = 0
        # What rows have in common is kept once: a list number, a disposition and a detail.
        self.outcomes: list[tuple[int | None, Disposition, str]] = []
        self._outcome_ids: dict[tuple[int | None, Disposition, str], int] = {}

    def listed(
        self,
        list_number: int,
        phones: Sequence[str],
        keys: Sequence[str] | None,
        disposition: Disposition = Disposition.LISTED,
    ) -> None:
        """Note contacts that went on a list.

        :param list_number: of the list, from 1.
        :param phones: E.164.
        :param keys: their contact keys; None when the number is the key.
        :param disposition: what they are there for. Default: to be called as people of the query.
        """
        if not phones:
            return
        end = f"\t{self._outcome(list_number, disposition, '')}\n"
        self.rows += len(phones)
        if keys is None:
            between = f"{end}{NULL}\t"
            self._file.write(f"{NULL}\t{between.join(phones)}{end}".encode())
            return
        fields = [_field(key) if key else NULL for key in keys]
        lines = map("\t".join, zip(fields, phones, strict=True))
        self._file.write((end.join(lines) + end).encode("utf-8", "replace"))

    def rejected(self, rejection: Rejection, phone: str, key: str) -> None:
        """Note one row that is on no list.

        :param rejection: why.
        :param phone: E.164, or empty.
        :param key: the contact key, or what the row has instead.
        """
        outcome = self._outcome(None, rejection.disposition, rejection.detail)
        self.rows += 1
        line = "\t".join((_field(key), phone or NULL, f"{outcome}\n"))
        self._file.write(line.encode("utf-8", "replace"))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Person]:
        """Read the rows back, in the order in which they were noted."""
        for key, phone, outcome in self.fields():
            list_number, disposition, detail = self.outcomes[outcome]
            yield Person(key or phone or "", phone, disposition, detail, list_number)

    def fields(self) -> Iterator[tuple[str | None, str | None, int]]:
        """Key, phone and outcome of each row; the key is None where the phone is the key."""
        with self.path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                key, phone, outcome = line[:-1].split("\t")
                yield unescaped(key), unescaped(phone), int(outcome)

    def _outcome(self, list_number: int | None, disposition: Disposition, detail: str) -> int:
        outcome = (list_number, disposition, detail)
        number = self._outcome_ids.get(outcome)
        if number is None:
            number = self._outcome_ids[outcome] = len(self.outcomes)
            self.outcomes.append(outcome)
        return number


def _field(text: str) -> str:
    return escaped(text[:MAX_KEY])


def shortened_key(key: str) -> str:
    """A launch key as it is stored: with room for what is added to it, and short enough for every database's index."""
    return key if len(key) <= MAX_KEY - 20 else f"{key[:180]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def people_table(name: str = "ringg_contacts", schema: str | None = None) -> sa.Table:
    """Describe the table; nothing is created.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives; the connection's default when left out.
    :raises InvalidRequest: both say where, or a part of the name is empty.
    """
    return described(
        name,
        sa.Column("launch_key", _KEY, primary_key=True),
        sa.Column("contact_key", _KEY, primary_key=True),
        # 1 for the only row of its key; a query that has a key twice has a second row here.
        sa.Column("occurrence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("list_id", sa.String(100)),
        sa.Column("phone", sa.String(20)),
        sa.Column("disposition", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        # An older version's table lacks what follows; it is added to it.
        sa.Column("wave", sa.Integer),
        schema=schema,
        field="contacts_table",
    )


class PeopleLedger:
    """Writes the table.

    :param engine: of the database that it lives in.
    :param table: its name; `schema.name` is understood too.
    """

    def __init__(self, engine: sa.Engine, table: str = "ringg_contacts") -> None:
        self._engine = engine
        self.table = people_table(table)

    def try_out(self, scratch: Scratch) -> None:
        """Do all that `replace` does for one row, and undo it: what cannot be written is told before an upload.

        :param scratch: where the row is spooled.
        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        spool, key = PeopleSpool(scratch, "trial.tsv"), f"trial-{secrets.token_hex(8)}"
        spool.listed(1, [_NOBODY], None)
        spool.close()
        self.replace(key, spool, {1: key}, {key: {_NOBODY: "a trial"}}, waves={1: 1}, undone_if=lambda _: True)

    def replace(
        self,
        launch_key: str,
        spool: PeopleSpool,
        list_ids: Mapping[int, str],
        invalid: Mapping[str, Mapping[str, str]] | None = None,
        *,
        waves: Mapping[int, int | None] | None = None,
        why_not_uploaded: str = "",
        instead_of: str | None = None,
        undone_if: Callable[[sa.Connection], bool] = lambda _: False,
    ) -> None:
        """Make the spooled rows all the rows of a launch key, in one transaction.

        :param launch_key: whose rows.
        :param spool: the rows; closed.
        :param list_ids: list number -> the platform's id.
        :param invalid: list id -> phone -> why the platform refused it, out of its reports of invalid rows.
        :param waves: list number -> its wave. Default: there are none.
        :param why_not_uploaded: what to say of contacts whose list has no id.
        :param instead_of: another key, whose rows are removed.
        :param undone_if: asked when the rows stand, right before they are committed: whether the transaction is rolled
            back instead. Default no.
        :raises QueryFailed, DatabaseUnavailable: the database refused; the text quotes no row.
        """
        of_lists = waves or {}
        outcomes = [
            (*_as_uploaded(outcome, list_ids, why_not_uploaded), of_lists.get(outcome[0] or 0))
            for outcome in spool.outcomes
        ]
        replaced = [key for key in (launch_key, instead_of) if key is not None]
        about = f"table {self.table.fullname!r}"
        without_driver_errors(about, create_tables, self._engine, self.table)
        without_driver_errors(about, self._replace, launch_key, replaced, spool, outcomes, invalid or {}, undone_if)

    def _replace(
        self,
        launch_key: str,
        replaced: Sequence[str],
        spool: PeopleSpool,
        outcomes: Sequence[tuple[str | None, Disposition, str, int | None]],
        invalid: Mapping[str, Mapping[str, str]],
        undone_if: Callable[[sa.Connection], bool],
    ) -> None:
        table, copies = self.table, can_copy(self._engine)
        identity = [sa.Identity()] if copies else []
        # Each has a key, without which some servers take no table.
        staging = temporary_table(
            f"{table.name}_staging",
            # The order of the rows; PostgreSQL counts by itself while it copies.
            sa.Column("seq", sa.BigInteger, *identity, primary_key=True, autoincrement=copies),
            sa.Column("contact_key", _KEY),
            sa.Column("phone", sa.String(20)),
            sa.Column("outcome", sa.Integer),
        )
        kinds = temporary_table(
            f"{table.name}_outcomes",
            sa.Column("outcome", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("list_id", sa.String(100)),
            sa.Column("disposition", sa.String(40)),
            sa.Column("detail", sa.Text),
            sa.Column("wave", sa.Integer),
        )
        refused = temporary_table(
            f"{table.name}_refused",
            sa.Column("list_id", sa.String(100), primary_key=True),
            sa.Column("phone", sa.String(20), primary_key=True),
            sa.Column("detail", sa.Text),
        )
        of_kinds = [
            {"outcome": number, "list_id": list_id, "disposition": str(what), "detail": more or None, "wave": wave}
            for number, (list_id, what, more, wave) in enumerate(outcomes)
        ]
        of_refused = [
            {"list_id": list_id, "phone": phone, "detail": why}
            for list_id, phones in invalid.items()
            for phone, why in phones.items()
        ]
        with self._engine.connect() as connection, existing(connection, staging, kinds, refused):
            with connection.begin():
                if copies:
                    with spool.path.open("rb") as file:
                        copy_file(connection, staging, ["contact_key", "phone", "outcome"], file)
                else:
                    of_people = (
                        {"seq": seq, "contact_key": key, "phone": phone, "outcome": outcome}
                        for seq, (key, phone, outcome) in enumerate(spool.fields())
                    )
                    insert_in_batches(connection, staging, of_people)
                insert_in_batches(connection, kinds, of_kinds)
                insert_in_batches(connection, refused, of_refused)

            def put_in_place() -> None:
                with connection.begin() as transaction:
                    connection.execute(sa.delete(table).where(table.c.launch_key.in_(replaced)))
                    connection.execute(self._insert(launch_key, staging, kinds, refused))
                    if undone_if(connection):
                        transaction.rollback()

            # Another run of the same key may write at the same moment.
            begin_again(put_in_place)

    def _insert(self, launch_key: str, staging: sa.Table, kinds: sa.Table, refused: sa.Table) -> sa.Insert:
        key = sa.func.coalesce(staging.c.contact_key, staging.c.phone, "")
        occurrence = sa.func.row_number().over(partition_by=key, order_by=staging.c.seq)
        people = staging.join(kinds, staging.c.outcome == kinds.c.outcome)
        # By its key: without one, some databases would look through all that were refused, for every person.
        by_platform = sa.and_(refused.c.list_id == kinds.c.list_id, refused.c.phone == staging.c.phone)
        is_refused = refused.c.list_id.is_not(None)
        return sa.insert(self.table).from_select(
            [column.name for column in self.table.columns],
            sa.select(
                sa.literal(launch_key, self.table.c.launch_key.type),
                key,
                occurrence,
                kinds.c.list_id,
                staging.c.phone,
                sa.case((is_refused, str(Disposition.REJECTED_BY_PLATFORM)), else_=kinds.c.disposition),
                sa.case((is_refused, refused.c.detail), else_=kinds.c.detail),
                sa.literal(dt.datetime.now(dt.UTC), self.table.c.recorded_at.type),
                kinds.c.wave,
            ).select_from(people.outerjoin(refused, by_platform)),
        )


class WritableFile(Protocol):
    """What of an `ObjectStoragePath` is used."""

    @property
    def protocol(self) -> str: ...
    @property
    def path(self) -> str: ...
    def open(self, mode: str, **kwargs: Any) -> Any: ...


def write_rejects(
    spool: PeopleSpool,
    target: WritableFile,
    list_ids: Mapping[int, str],
    invalid: Mapping[str, Mapping[str, str]],
) -> None:
    """Write everybody who is on no list into a CSV: contact_key, phone, disposition, detail.

    :param spool: the rows; closed.
    :param target: an `ObjectStoragePath`; replaced. A local file is made readable to its owner alone.
    :param list_ids: list number -> the platform's id.
    :param invalid: list id -> phone -> why the platform refused it.
    """
    with target.open("w", encoding="utf-8", newline="") as file:
        if target.protocol in {"", "file", "local"}:
            Path(target.path).chmod(0o600)
        write = csv.writer(file).writerow
        write(["contact_key", "phone", "disposition", "detail"])
        for person in spool:
            refused = invalid.get(list_ids.get(person.list_number or 0, ""), {})
            if person.disposition not in _ON_A_LIST:
                write([person.contact_key, person.phone or "", person.disposition, person.detail])
            elif person.phone is not None and person.phone in refused:
                write([person.contact_key, person.phone, Disposition.REJECTED_BY_PLATFORM, refused[person.phone]])


def _as_uploaded(
    outcome: tuple[int | None, Disposition, str], list_ids: Mapping[int, str], why_not: str
) -> tuple[str | None, Disposition, str]:
    """What became of rows once it is known which lists were uploaded."""
    number, disposition, detail = outcome
    if number is None:
        return None, disposition, detail
    list_id = list_ids.get(number)
    return (list_id, disposition, detail) if list_id else (None, Disposition.NOT_UPLOADED, why_not)

"""Contact lists as CSV files, rolled over into as many as it takes; which columns and how large, a platform says.

UTF-8 without byte order mark, `\\n` at
line ends, quotes only where needed. A cell that begins like a spreadsheet formula stays as it is: it is text
for a voice, not a sheet.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import InvalidRequest, RinggProviderError


@dataclass(frozen=True)
class ListGroup:
    """What the contacts of one list have in common.

    :param country_code: calling code with the plus sign.
    :param plan: whatever else keeps them apart, such as the hours in which they may be called.
    :param wave: in which they are called; None where all are called at once.
    """

    country_code: str
    plan: Hashable = None
    wave: int | None = None


@dataclass
class ContactList:
    """One file to upload.

    :param number: 1 for the first list of the run.
    :param group: what its contacts have in common, such as the country.
    :param path: the file.
    :param rows: contacts in it.
    :param size: bytes of it.
    """

    number: int
    group: ListGroup
    path: Path
    rows: int = 0
    size: int = 0


@dataclass(frozen=True)
class Form:
    """The columns of a list.

    :param variables: agent variables besides the phone, in the order of their cells; each is its own header.
    :param phone_header: header of the phone column, which comes first.
    :param max_bytes: bytes per list at most, header included.
    """

    variables: tuple[str, ...]
    phone_header: str
    max_bytes: int

    def __post_init__(self) -> None:
        if self.phone_header in self.variables or self.phone_header != self.phone_header.strip():
            raise InvalidRequest(
                "phone_header must not be padded with spaces nor be the name of an agent variable.",
                field="phone_header",
            )

    @property
    def header(self) -> bytes:
        """The header row."""
        return csv_lines([[name] for name in (self.phone_header, *self.variables)])[0].encode() + b"\n"


class ListWriter:
    """Writes contacts into lists, one open list per group, and begins another when one is full.

    :param scratch: where the files go.
    :param form: the columns.
    :param max_rows: contacts per list at most; None for no limit.
    """

    def __init__(self, scratch: Scratch, form: Form, *, max_rows: int | None = None) -> None:
        self.lists: list[ContactList] = []
        self.max_row_bytes = form.max_bytes - len(form.header)
        self._scratch = scratch
        self._header = form.header
        self._max_rows = max_rows if max_rows is not None else 1 << 62
        self._max_bytes = form.max_bytes
        self._open: dict[ListGroup, tuple[ContactList, BinaryIO]] = {}

    def write(self, group: ListGroup, lines: Sequence[str]) -> list[tuple[int, ContactList]]:
        """Append contacts to a group.

        :param group: whose list they go on.
        :param lines: CSV rows without their line ends, none longer than `max_row_bytes`.
        :return: The lists that they went on, each with how many of the lines it took, in order.
        """
        if not lines:
            return []
        block = ("\n".join(lines) + "\n").encode()
        current, file = self._open.get(group) or self._begin(group)
        if current.rows + len(lines) <= self._max_rows and current.size + len(block) <= self._max_bytes:
            self._append(current, file, block, len(lines))
            return [(len(lines), current)]
        return self._write_over(group, lines)

    def close(self) -> None:
        """Finish all files."""
        for _, file in self._open.values():
            file.close()
        self._open.clear()

    def _write_over(self, group: ListGroup, lines: Sequence[str]) -> list[tuple[int, ContactList]]:
        """Write a batch that a list ends in."""
        taken: list[tuple[int, ContactList]] = []
        ends = list(accumulate(len(line.encode()) + 1 for line in lines))
        current, file = self._open[group]
        first = written = 0
        while first < len(lines):
            last = bisect_right(ends, written + self._max_bytes - current.size, first)
            last = min(last, first + self._max_rows - current.rows)
            if last > first:
                self._append(current, file, ("\n".join(lines[first:last]) + "\n").encode(), last - first)
                taken.append((last - first, current))
                first, written = last, ends[last - 1]
            elif current.rows:
                file.close()
                current, file = self._begin(group)
            else:
                raise ValueError("a row is larger than a list may be")
        return taken

    def _begin(self, group: ListGroup) -> tuple[ContactList, BinaryIO]:
        number = len(self.lists) + 1
        path, file = self._scratch.create(f"contacts-{number}.csv")
        current = ContactList(number, group, path)
        self.lists.append(current)
        self._open[group] = current, file
        file.write(self._header)
        current.size = len(self._header)
        return current, file

    @staticmethod
    def _append(current: ContactList, file: BinaryIO, block: bytes, rows: int) -> None:
        file.write(block)
        current.size += len(block)
        current.rows += rows


@contextmanager
def quoting_no_cell(path: Path) -> Iterator[None]:
    """Mask, in errors that come out of an upload, whatever they quote of the list: a validator may echo a name.

    :param path: the list that is uploaded.
    """
    try:
        yield
    except RinggProviderError as error:
        error.args = (_without_cells(str(error), path), *error.args[1:])
        raise


def _without_cells(text: str, path: Path) -> str:
    # A cell may be as large as the list, and the module's own limit is far below that.
    limit = csv.field_size_limit(path.stat().st_size + 1)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            next(rows, None)  # headers are no secret, and what an answer is mostly about
            for row in rows:
                for cell in row:
                    if len(cell) > 2 and cell in text:
                        text = text.replace(cell, "[cell]")
    finally:
        csv.field_size_limit(limit)
    return text


def csv_lines(columns: Sequence[Sequence[str]]) -> list[str]:
    """CSV rows out of columns, without line ends; the same as `csv.writer` makes, several times as fast where no cell
    needs quotes.

    :param columns: the cells, column by column, all of the same length.
    """
    text = "".join(map("".join, columns))
    if not any(sign in text for sign in ',"\n\r') and (len(columns) > 1 or "" not in columns[0]):
        return list(map(",".join, zip(*columns, strict=True)))
    buffer = io.StringIO()
    # The writer quotes what could be mistaken for its own line end: with this one, both kinds of line breaks.
    write = csv.writer(buffer, lineterminator="\r\n").writerow
    lines = []
    for row in zip(*columns, strict=True):
        write(row)
        lines.append(buffer.getvalue()[:-2])
        buffer.seek(0)
        buffer.truncate()
    return lines

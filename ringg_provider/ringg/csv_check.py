"""Checks a CSV that a user made, before it is uploaded: what the platform would refuse, or dial wrongly, is found here.

The rules are those of https://docs.ringg.ai/documentation/deploy/campaigns/calling-list, and ours: nobody is called
twice by one list.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from more_itertools import chunked

from ringg_provider.contacts.cells import is_sendable
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Rejection
from ringg_provider.exceptions import InvalidContacts, InvalidRequest
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.ringg.csv_file import check_file
from ringg_provider.ringg.limits import PHONE_VARIABLE

_LINES_NAMED = 5
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class CsvReport:
    """What a CSV holds.

    :param rows: data rows, blank lines not counted.
    :param valid_rows: those that the platform can call.
    :param invalid_rows: those that it would leave out.
    """

    rows: int
    valid_rows: int
    invalid_rows: int


def inspect_csv(
    path: Path, variables_map: Mapping[str, str], country_code: str, remove_invalid_rows: bool
) -> CsvReport:
    """Check a contact list before it is uploaded.

    :param path: the file.
    :param variables_map: agent variable -> header, ``mobile_number`` among them.
    :param country_code: the campaign's calling code, such as ``+91``.
    :param remove_invalid_rows: whether the platform was asked to leave out bad rows; if not, one is enough to refuse
        the file, as the platform would.
    :return: how many rows there are, and how many of them can be called.
    :raises InvalidRequest: the file breaks a rule of the format; the message names the rule.
    :raises InvalidContacts: no row can be called; a number comes twice, however it is spelled, and the platform would
        call it twice; bad rows without ``remove_invalid_rows``; or numbers of another country, which the platform would
        dial under the campaign's code.
    """
    cleaner = PhoneCleaner(country_code)
    if PHONE_VARIABLE not in variables_map:
        raise InvalidRequest(f"variables_map must map {PHONE_VARIABLE} to the phone column.", field="variables_map")
    check_file(path)
    found = _Found()
    with path.open(encoding="utf-8", newline="") as file:
        rows = _rows(file)
        header = next(rows, (0, []))[1]
        _check_header(header, variables_map)
        phone = header.index(variables_map[PHONE_VARIABLE])
        # A row with another count of cells has no cell that is surely the phone's.
        cells = ((line, row[phone] if len(row) == len(header) else None) for line, row in rows)
        for some in chunked(cells, _ROWS_AT_ONCE):
            found.add(some, cleaner)
    return _judge(found, country_code, remove_invalid_rows)


@dataclass
class _Found:
    """How many rows there are, and the lines of those in which something is wrong."""

    rows: int = 0
    bad: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    numbers: NumberSet = field(default_factory=NumberSet)

    def add(self, cells: Sequence[tuple[int, str | None]], cleaner: PhoneCleaner) -> None:
        """Read the phone cells of some rows."""
        self.rows += len(cells)
        lines, numbers = [], []
        for line, cell in cells:
            number = cleaner.clean(cell)
            if isinstance(number, Rejection):
                self.bad.append(line)
            elif not cleaner.is_home(number):
                self.foreign.append(line)
            else:
                lines.append(line)
                numbers.append(number)
        self.repeated += [lines[position] for position in self.numbers.add_new(numbers)]


def _judge(found: _Found, country_code: str, remove_invalid_rows: bool) -> CsvReport:
    total = found.rows
    if not total:
        raise InvalidRequest("contacts: the CSV has a header and no rows.", field="contacts")
    if found.foreign:
        raise InvalidContacts(
            f"contacts: {len(found.foreign)} of {total} rows have the calling code of another country than"
            f" {country_code} ({_name(found.foreign)}). The platform would replace it and ring strangers: make one list"
            " per country."
        )
    report = CsvReport(total, total - len(found.bad), len(found.bad))
    if not report.valid_rows:
        raise InvalidContacts(f"contacts: none of the {total} rows has a number that can be called in {country_code}.")
    if found.repeated:
        raise InvalidContacts(
            f"contacts: {len(found.repeated)} of {total} rows have the number of a row above, perhaps in another"
            f" spelling ({_name(found.repeated)}). The platform would call it once for each row: leave them out."
        )
    if found.bad and not remove_invalid_rows:
        raise InvalidContacts(
            f"contacts: {len(found.bad)} of {total} rows have no number that can be called in {country_code}, or the"
            f" wrong count of cells ({_name(found.bad)}), and one is enough for the platform to refuse the file."
            " Correct them, or pass remove_invalid_rows=True."
        )
    return report


def _rows(file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows with their line numbers, without blank lines; what is no CSV becomes the error that says so."""
    reader = csv.reader(_sendable(file), strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise InvalidRequest("contacts: the file is not UTF-8 text.", field="contacts") from error
    except csv.Error as error:
        raise InvalidRequest(
            f"contacts: the file is not a CSV: line {line} cannot be read ({error}).", field="contacts"
        ) from error


def _sendable(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if not is_sendable(line):
            raise InvalidRequest(
                f"contacts: line {number} has a control character, such as a NUL, which has no meaning in a list.",
                field="contacts",
            )
        yield line


def _check_header(header: Sequence[str], variables_map: Mapping[str, str]) -> None:
    if header and header[0].startswith("\ufeff"):
        raise InvalidRequest(
            "contacts: the file begins with a byte order mark, which would become a part of the first header: save it"
            " as UTF-8 without BOM.",
            field="contacts",
        )
    separator = next((name for mark, name in _OTHER_SEPARATORS.items() if mark in "".join(header)), None)
    if len(header) == 1 and separator:
        raise InvalidRequest(
            f"contacts: the cells are separated by {separator}, and the platform reads commas only: save the file as"
            " comma-separated values.",
            field="contacts",
        )
    for variable, column in variables_map.items():
        count = header.count(column)
        if count == 1:
            continue
        if count > 1:
            problem = f"is in the CSV {count} times"
        elif any(name.strip() == column for name in header):
            problem = "has spaces around it in the CSV's header row"
        elif any(name.strip().casefold() == column.strip().casefold() for name in header):
            problem = "is spelled differently in the CSV: upper and lower case and spaces count"
        else:
            problem = "is not in the CSV's header row"
        raise InvalidRequest(
            f"variables_map: the header {column!r}, mapped to {variable}, {problem}.", field="variables_map"
        )


#: What spreadsheets of some countries, and other programs, put between cells.
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def _name(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_LINES_NAMED]))
    return f"line{'s' if len(lines) > 1 else ''} {shown}{', ...' if len(lines) > _LINES_NAMED else ''}"

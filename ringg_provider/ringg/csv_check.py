"""Checks a CSV that a user made, before it is uploaded: what the platform would refuse, or dial wrongly, is
found here.

The rules are those of https://docs.ringg.ai/documentation/deploy/campaigns/calling-list.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.exceptions import InvalidContacts, InvalidRequest
from ringg_provider.ringg.limits import MAX_CSV_BYTES, PHONE_VARIABLE

#: The largest file that the platform takes, in bytes (20 MB).
#: The agent variable that holds the number, and the one that every outbound agent has besides.

_LINES_NAMED = 5


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
    :param remove_invalid_rows: whether the platform was asked to leave out bad rows; if not, one is enough to
        refuse the file, as the platform would.
    :return: How many rows there are, and how many of them can be called.
    :raises InvalidRequest: the file breaks a rule of the format; the message names the rule.
    :raises InvalidContacts: no row can be called; bad rows without ``remove_invalid_rows``; or numbers of
        another country, which the platform would dial under the campaign's code.
    """
    cleaner = PhoneCleaner(country_code)
    if PHONE_VARIABLE not in variables_map:
        raise InvalidRequest(f"variables_map must map {PHONE_VARIABLE} to the phone column.", field="variables_map")
    _check_file(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = _rows(csv.reader(file, strict=True))
        header = next(rows, (0, []))[1]
        _check_header(header, variables_map)
        phone = header.index(variables_map[PHONE_VARIABLE])
        total, bad_lines, foreign_lines = 0, [], []
        for line, row in rows:
            total += 1
            number = cleaner.clean(row[phone]) if len(row) == len(header) else Rejection(Disposition.PHONE_MISSING)
            if isinstance(number, Rejection):
                bad_lines.append(line)
            elif not cleaner.is_home(number):
                foreign_lines.append(line)
    if not total:
        raise InvalidRequest("contacts: the CSV has a header and no rows.", field="contacts")
    if foreign_lines:
        raise InvalidContacts(
            f"contacts: {len(foreign_lines)} of {total} rows have the calling code of another country than"
            f" {country_code} ({_name(foreign_lines)}). The platform would replace it and ring strangers:"
            f" make one list"
            " per country."
        )
    report = CsvReport(total, total - len(bad_lines), len(bad_lines))
    if not report.valid_rows:
        raise InvalidContacts(f"contacts: none of the {total} rows has a number that can be called in {country_code}.")
    if bad_lines and not remove_invalid_rows:
        raise InvalidContacts(
            f"contacts: {len(bad_lines)} of {total} rows have no number that can be called in"
            f" {country_code}, or the"
            f" wrong count of cells ({_name(bad_lines)}), and one is enough for the platform to refuse the"
            f" file."
            " Correct them, or pass remove_invalid_rows=True."
        )
    return report


def _check_file(path: Path) -> None:
    if path.suffix != ".csv":
        raise InvalidRequest("contacts: the file's name must end in .csv.", field="contacts")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InvalidRequest("contacts: there is no readable file at this path.", field="contacts") from error
    if not size:
        raise InvalidRequest("contacts: the file is empty.", field="contacts")
    if size > MAX_CSV_BYTES:
        raise InvalidRequest(
            f"contacts: the file has {size / 1e6:.1f} MB and the platform takes at most"
            f" {MAX_CSV_BYTES / 1e6:.0f} MB: split it, or use SqlToRinggOperator, which does.",
            field="contacts",
        )


def _rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """The rows with their line numbers, without blank lines; what is no CSV becomes the error that says
    so.
    """
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1  # type: ignore[attr-defined]
    except UnicodeDecodeError as error:
        raise InvalidRequest("contacts: the file is not UTF-8 text.", field="contacts") from error
    except csv.Error as error:
        raise InvalidRequest(
            f"contacts: the file is not a CSV: line {line} cannot be read ({error}).", field="contacts"
        ) from error


def _check_header(header: Sequence[str], variables_map: Mapping[str, str]) -> None:
    if header and header[0].startswith("\ufeff"):
        raise InvalidRequest(
            "contacts: the file begins with a byte order mark, which would become a part of the first"
            " header: save it"
            " as UTF-8 without BOM.",
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


def _name(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_LINES_NAMED]))
    return f"line{'s' if len(lines) > 1 else ''} {shown}{', ...' if len(lines) > _LINES_NAMED else ''}"

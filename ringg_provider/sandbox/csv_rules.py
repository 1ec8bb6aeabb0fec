"""Reads an uploaded calling list by the vendor's rules: headers, numbers, one country code, bad rows.

Follows https://docs.ringg.ai/documentation/deploy/campaigns/calling-list and
https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import phonenumbers

PERMANENT_VARIABLES = ("callee_name", "mobile_number")
_SEPARATORS = re.compile(r"[\s\-.()]")
_COUNTRY_CODE = re.compile(r"\+\d{1,4}")


@dataclass(frozen=True, slots=True)
class Contact:
    """A row that can be called: number in E.164, and the value of every mapped variable."""

    number: str
    name: str
    variables: dict[str, str]


@dataclass(slots=True)
class CallingList:
    """What an upload holds. `invalid` are the original cells of bad rows, each with the reason."""

    header: list[str]
    contacts: list[Contact] = field(default_factory=list)
    invalid: list[tuple[list[str], str]] = field(default_factory=list)

    @property
    def total_rows(self) -> int:
        return len(self.contacts) + len(self.invalid)

    def invalid_report(self) -> str:
        """The bad rows as CSV, with a last column that says why."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([*self.header, "Reason"])
        writer.writerows([*cells, reason] for cells, reason in self.invalid)
        return text.getvalue()


def read_country_code(text: str) -> str:
    if not _COUNTRY_CODE.fullmatch(text):
        raise ValueError("Invalid country_code. Use the dial prefix with +, for example +91.")
    return text


def read_variables_map(text: str, agent_variables: Iterable[str]) -> dict[str, str]:
    """`{"agent variable": "CSV header"}` as sent in a form field; every variable of the agent must be mapped."""
    try:
        mapping = json.loads(text)
    except ValueError:
        mapping = None
    if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
        raise ValueError("variables_map must be a JSON object of variable name to CSV header.")
    missing = sorted({*agent_variables, *PERMANENT_VARIABLES} - set(mapping))
    if missing:
        raise ValueError(f"Variables not mapped: {', '.join(missing)}")
    return mapping


def read_transliterate_fields(text: str | None, mapping: dict[str, str]) -> list[str]:
    """The JSON array of variables to transliterate; each must be mapped, and none may be the number."""
    if not text:
        return []
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("transliterate_fields must be a JSON array of variable names.")
    if "mobile_number" in names:
        raise ValueError("mobile_number cannot be transliterated.")
    if unknown := sorted(set(names) - set(mapping)):
        raise ValueError(f"transliterate_fields not mapped: {', '.join(unknown)}")
    return names


def open_list(data: bytes, filename: str | None, mapping: dict[str, str], max_bytes: int) -> list[list[str]]:
    """The cells of the file, header first, blank lines left out; raises ValueError if it is no usable list at all."""
    if not (filename or "").lower().endswith(".csv"):
        raise ValueError("Invalid file format.")
    if len(data) > max_bytes:
        raise ValueError(f"File exceeds {max_bytes // (1024 * 1024)}MB limit")
    try:
        lines = [cells for cells in csv.reader(io.StringIO(data.decode(), newline="")) if any(map(str.strip, cells))]
    except (UnicodeDecodeError, csv.Error):
        raise ValueError("Invalid file format.") from None
    if not lines:
        raise ValueError("The CSV file is empty.")
    for column in mapping.values():
        if (found := lines[0].count(column)) != 1:
            how = "not found" if not found else "found more than once"
            raise ValueError(f"CSV column {how}: {column}")
    if len(lines) == 1:
        raise ValueError("The CSV file has no rows.")
    return lines


def normalise(cell: str, country_code: str) -> str | None:
    """A phone cell -> E.164 under `country_code`, which overrides whatever code the cell has; None if not valid."""
    digits = _SEPARATORS.sub("", cell)
    own = country_code[1:]
    if digits.startswith("+"):
        try:
            national = phonenumbers.national_significant_number(phonenumbers.parse(digits))
        except phonenumbers.NumberParseException:
            return None
        return _valid(f"{country_code}{national}")
    if not digits.isdecimal() or not digits.isascii():
        return None
    if valid := _valid(f"{country_code}{digits}"):
        return valid
    return _valid(f"+{digits}") if digits.startswith(own) else None


def _valid(number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@dataclass(frozen=True, slots=True)
class OpenedList:
    """The lines of an upload, header first, and how they are to be read."""

    lines: list[list[str]]
    mapping: dict[str, str]
    country_code: str
    transliterate: list[str] = field(default_factory=list)

    @property
    def total_rows(self) -> int:
        return len(self.lines) - 1

    def check(self) -> CallingList:
        """Sort the rows into contacts and bad rows. Pure and slow: run it in a thread."""
        header, *rows = self.lines
        position = {variable: header.index(column) for variable, column in self.mapping.items()}
        result = CallingList(header)
        for cells in rows:
            values = {name: cells[at] if at < len(cells) else "" for name, at in position.items()}
            phone = values["mobile_number"].strip()
            number = normalise(phone, self.country_code) if phone else None
            if number is None:
                result.invalid.append((cells, "Invalid mobile number" if phone else "Missing mobile number"))
            elif any(not any(map(str.isalpha, values[name])) for name in self.transliterate):
                result.invalid.append((cells, "Name cannot be transliterated"))
            else:
                originals = {f"original_{name}": values[name] for name in self.transliterate}
                result.contacts.append(Contact(number, values["callee_name"], values | originals))
        return result

"""Reads the platform's own report of the rows that it refused, which is a CSV behind a link.

No page of the vendor says what its columns are, so they are found by what they are called.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from ringg_provider.api.addresses import is_loopback
from ringg_provider.api.download import download
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.exceptions import UnexpectedResponse

_REASON_WORDS = ("reason", "error", "message", "comment")
_PHONE_WORDS = ("mobile", "phone", "number")


def fetch_invalid_rows(url: str, cleaner: PhoneCleaner, phone_header: str) -> dict[str, str]:
    """Read a report of invalid rows.

    :param url: `UploadStatus.invalid_rows_csv_url`; never logged, because such links need no key.
    :param cleaner: reads numbers.
    :param phone_header: header of the list's phone column.
    :return: E.164 number -> why the platform refused it, as far as the report says. Rows without a readable number are
        left out: lists that were made here have none.
    :raises NetworkError: the link gave no answer.
    :raises UnexpectedResponse: it gave no report.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise UnexpectedResponse("The link of the report of invalid rows is not https.")
    with download(url) as answer:
        if answer.status_code != 200:
            raise UnexpectedResponse(f"The report of invalid rows answered {answer.status_code}.")
        return read_invalid_rows(answer.chunks(), cleaner, phone_header)


def read_invalid_rows(chunks: Iterable[bytes], cleaner: PhoneCleaner, phone_header: str) -> dict[str, str]:
    """The same for the report's bytes."""
    rows = csv.reader(_lines(chunks))
    try:
        header = next(rows, [])
        phone = _column(header, (phone_header.casefold(), *_PHONE_WORDS))
        reason = _column(header, _REASON_WORDS)
        if phone is None:
            raise UnexpectedResponse("The report of invalid rows has no column for the number.")
        found: dict[str, str] = {}
        for row in rows:
            number = cleaner.number_of(row[phone]) if phone < len(row) else None
            if number is not None:
                found[f"+{number}"] = row[reason][:300] if reason is not None and reason < len(row) else ""
    except csv.Error as error:
        raise UnexpectedResponse("The report of invalid rows is not a CSV.") from error
    return found


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decode(chunk)).split("\n")
        yield from (f"{line}\n" for line in lines)
    if rest:
        yield rest


def _column(header: Sequence[str], words: Sequence[str]) -> int | None:
    """The first column whose header has the first possible of the words in it."""
    titles = [title.casefold() for title in header]
    return next((titles.index(title) for word in words for title in titles if word in title), None)

"""The people of a query, for a draft."""

from __future__ import annotations

import logging
from collections import Counter

from ringg_provider import wording
from ringg_provider.contacts.cells import column_texts, is_sendable
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Rejection
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.smartalex.requests import CONTACT_FIELDS, NewContact
from ringg_provider.sql.reading import Rows, column_named

log = logging.getLogger(__name__)


def read_people(rows: Rows, country_code: str) -> list[NewContact]:
    """Everybody in a query's rows who can be called, once; why others are left out is logged, with counts.

    :param rows: with a column ``phone``, and those of `CONTACT_FIELDS` that there are, in any case.
    :param country_code: ``+91``: what a number without a code belongs to.
    :raises InvalidRequest: there is no column ``phone``, or one has no text.
    """
    phone = column_named("phone", rows.columns, "sql")
    given = {column.casefold() for column in rows.columns}
    columns = {name: column_named(name, rows.columns, "sql") for name in CONTACT_FIELDS if name in given}
    cleaner = PhoneCleaner(country_code)
    people: list[NewContact] = []
    numbers, left_out = NumberSet(), Counter[str]()
    for batch in rows.batches:
        cells = dict(zip(rows.columns, zip(*batch, strict=True), strict=True))
        texts = [column_texts(cells[column], column) for column in columns.values()]
        for cell, *about in zip(cells[phone], *texts, strict=True):
            number = cleaner.clean(cell)
            if isinstance(number, Rejection):
                left_out["have no usable telephone number"] += 1
            elif not all(map(is_sendable, about)):
                left_out["have a control character in a text"] += 1
            elif numbers.add_new([number]):
                left_out["have the number of a row above, perhaps in another spelling"] += 1
            else:
                filled = {name: text.strip() or None for name, text in zip(columns, about, strict=True)}
                people.append(NewContact(phone=f"+{number}", **filled))
    for why, rows_like_it in left_out.items():
        log.warning("Left out, as they %s: %s.", why, wording.counted(rows_like_it, "row"))
    if not people:
        log.warning("The query has nobody to add.")
    return people

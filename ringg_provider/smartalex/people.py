"""The people of a query, for a draft."""

from __future__ import annotations

import logging
from collections import Counter

from ringg_provider.contacts.cells import is_sendable
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Rejection
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.smartalex.requests import CONTACT_FIELDS, NewContact
from ringg_provider.sql.reading import Rows

log = logging.getLogger(__name__)


def read_people(rows: Rows, country_code: str) -> list[NewContact]:
    """Everybody in a query's rows who can be called, once; why others are left out is logged, with counts.

    :param rows: with a column ``phone``, and those of `CONTACT_FIELDS` that there are.
    :param country_code: ``+91``: what a number without a code belongs to.
    :raises InvalidRequest: there is no column ``phone``.
    """
    if "phone" not in rows.columns:
        raise InvalidRequest("sql: the query returns no column 'phone'.", field="sql")
    cleaner = PhoneCleaner(country_code)
    people: list[NewContact] = []
    numbers, left_out = NumberSet(), Counter[str]()
    for row in (dict(zip(rows.columns, row, strict=True)) for batch in rows.batches for row in batch):
        number = cleaner.clean(row["phone"])
        texts = {name: str(row.get(name) or "").strip() or None for name in CONTACT_FIELDS}
        if isinstance(number, Rejection):
            left_out["have no usable telephone number"] += 1
        elif not all(is_sendable(text) for text in texts.values() if text):
            left_out["have a control character in a text"] += 1
        elif numbers.add_new([number]):
            left_out["have the number of a row above, perhaps in another spelling"] += 1
        else:
            people.append(NewContact(phone=f"+{number}", **texts))
    for why, rows_like_it in left_out.items():
        log.warning("%d rows %s and are left out.", rows_like_it, why)
    if not people:
        log.warning("The query has nobody to add.")
    return people

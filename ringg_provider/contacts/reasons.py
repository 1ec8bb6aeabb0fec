"""Why a contact is on a list or not: the codes that the people ledger, the rejects file and the summary
use.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Disposition(StrEnum):
    """What became of one row of the query. Every row gets exactly one."""

    LISTED = "listed"
    """On an uploaded list; called only if that list was started."""
    PHONE_MISSING = "phone_missing"
    """The phone cell is empty."""
    PHONE_UNREADABLE = "phone_unreadable"
    """Not one telephone number: words, several numbers, or digits lost to a spreadsheet."""
    PHONE_INVALID = "phone_invalid"
    """Reads as a number, but its country has no such number."""
    PHONE_NOT_DIALABLE = "phone_not_dialable"
    """A real number that is neither a mobile nor a fixed line: premium, toll-free, short, emergency..."""
    OTHER_COUNTRY = "other_country"
    """A number of another country than the campaign's."""
    SUPPRESSED = "suppressed"
    """Named by the suppression query."""
    CALLED_RECENTLY = "called_recently"
    """Called within the days of the frequency cap."""
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    """Called as often as the frequency cap allows."""
    VARIABLE_EMPTY = "variable_empty"
    """A variable that must not be empty is."""
    TEXT_NOT_SENDABLE = "text_not_sendable"
    """A cell holds a control character, or something that has no UTF-8 form."""
    ROW_TOO_LARGE = "row_too_large"
    """The row alone is larger than a list may be."""
    OUTSIDE_CALLING_HOURS = "outside_calling_hours"
    """Held: may not be called at any time between the campaign's start and end."""
    DUPLICATE = "duplicate"
    """An earlier row of the same run has the same number."""
    REHEARSAL = "rehearsal"
    """No row of the query: a phone of one's own, called first, with what the agent says to one of the first people."""
    REJECTED_BY_PLATFORM = "rejected_by_platform"
    """Uploaded, and refused by the platform in its report of invalid rows."""
    NOT_UPLOADED = "not_uploaded"
    """Nothing is wrong with the row, but the run uploaded nothing: too many others were rejected, or a dry
    run.
    """

    @property
    def is_defect(self) -> bool:
        """Whether it tells of bad data, and not of somebody who is rightly left alone. These count as rejects."""
        return self not in _NOT_DEFECTS


_NOT_DEFECTS = frozenset(
    {
        Disposition.LISTED,
        Disposition.REHEARSAL,
        Disposition.SUPPRESSED,
        Disposition.CALLED_RECENTLY,
        Disposition.TOO_MANY_ATTEMPTS,
        Disposition.OUTSIDE_CALLING_HOURS,
        Disposition.NOT_UPLOADED,
    }
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one row is left out.

    :param disposition: the code.
    :param detail: a few words that make it actionable, such as the variable's name; nothing personal.
    """

    disposition: Disposition
    detail: str = ""

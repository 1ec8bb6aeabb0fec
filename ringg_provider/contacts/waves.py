"""Who is called in which wave: each a fair sample of all people, and before them a rehearsal on phones of one's own."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Rejection
from ringg_provider.exceptions import InvalidRequest

#: The wave of the rehearsal; those of the people begin at 1.
REHEARSAL = 0
#: A rehearsal is for the phones on a desk: no cap, and nobody's hours but their own, protects whom it calls.
MOST_REHEARSED = 20
#: Of each hash.
_BYTES = 8


class WaveDealer:
    """Deals people into waves, whatever the order in which they come: the same person always gets the same wave.

    :param shares: of all people, for the first wave, the second and so on; whoever is left is in one more, the last.
    :param key: what the waves are dealt for, so that other nights begin with other people.
    :raises InvalidRequest: a share is not above 0, or nobody would be left for the last wave.
    """

    def __init__(self, shares: Sequence[float], key: str) -> None:
        check_waves(shares)
        self.shares = (*shares, 1 - math.fsum(shares))
        self._bounds = [int(share * 256**_BYTES) for share in accumulate(shares)]
        self._key = hashlib.sha256(key.encode()).digest()

    def wave_of(self, person: str) -> int:
        """The wave of one person, from 1.

        :param person: the contact key or, where there is none, the number.
        """
        text = person.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=_BYTES, key=self._key).digest()
        return 1 + bisect_right(self._bounds, int.from_bytes(digest, "big"))


def check_waves(shares: Sequence[float]) -> None:
    """Refuse shares by which nobody can be dealt.

    :raises InvalidRequest: a share is not above 0, or nobody would be left for the last wave.
    """
    if any(share <= 0 for share in shares) or math.fsum(shares) >= 1:
        raise InvalidRequest(
            "waves: must be shares above 0 of all people, together below 1, such as (0.01, 0.1): the last wave, of"
            " whoever is left, comes by itself.",
            field="waves",
        )


def read_rehearsal(phones: Sequence[str], cleaner: PhoneCleaner) -> list[int]:
    """The phones of a rehearsal, as E.164 integers.

    :param phones: in any spelling.
    :param cleaner: reads them.
    :raises InvalidRequest: one cannot be dialled, one is there twice, or there are too many; no number is in the text.
    """
    if len(phones) > MOST_REHEARSED:
        raise InvalidRequest(f"rehearsal: must be {MOST_REHEARSED} phones of your own at most.", field="rehearsal")
    numbers: list[int] = []
    for position, phone in enumerate(phones):
        field, read = f"rehearsal.{position}", cleaner.clean(phone)
        if isinstance(read, Rejection):
            raise InvalidRequest(f"{field}: is no number that can be dialled ({read.disposition}).", field=field)
        if read in numbers:
            raise InvalidRequest(f"{field}: is there twice.", field=field)
        numbers.append(read)
    return numbers

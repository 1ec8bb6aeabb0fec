"""Why something that was said is not certain."""

from __future__ import annotations


class Doubt(Exception):
    """It cannot be told for certain when; goes no further than `reading.py`.

    :param reason: why; nothing of what was said is in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

"""What happened when, said as it happens and counted in the end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable


class Journal:
    """Notes of one trial; several threads may write.

    Args:
        say: gets every line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def note(self, text: str, *, counted_as: str | None = None) -> None:
        """Say what happened, with the seconds since the trial began; and count it where it is of a kind."""
        with self._lock:
            if counted_as is not None:
                self.counts[counted_as] += 1
            self._say(f"{time.monotonic() - self._began:7.1f} s  {text}")

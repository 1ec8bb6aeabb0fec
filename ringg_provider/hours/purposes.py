"""What calls are for: the rules of calling hours differ by it."""

from __future__ import annotations

from typing import Literal, get_args

#: A call with any sales content is ``promotional``.
Purpose = Literal["promotional", "service", "recovery", "survey"]
PURPOSES: tuple[str, ...] = get_args(Purpose)

"""What calls are for, by which the rules of calling hours differ, and what becomes of people without a rule."""

from __future__ import annotations

from typing import Literal, get_args

#: A call with any sales content is ``promotional``.
Purpose = Literal["promotional", "service", "recovery", "survey"]
PURPOSES: tuple[str, ...] = get_args(Purpose)

NoRule = Literal["refuse", "hold", "allow"]

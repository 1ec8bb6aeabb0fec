"""Operators that move data between a warehouse and a calling platform."""

from __future__ import annotations

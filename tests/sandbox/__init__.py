"""The sandbox, over a real socket."""

from __future__ import annotations

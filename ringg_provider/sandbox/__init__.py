"""A Ringg AI server to build against, over a real socket: no phone rings and no credit is spent."""

from __future__ import annotations

from .app import create_app
from .server import RunningSandbox, running
from .settings import Settings

__all__ = ["RunningSandbox", "Settings", "create_app", "running"]

"""A Ringg AI server to build against, over a real socket: no phone rings and no credit is spent."""

from __future__ import annotations

from ringg_provider.sandbox.app import create_app
from ringg_provider.sandbox.server import RunningSandbox, running
from ringg_provider.sandbox.settings import Settings

__all__ = ["RunningSandbox", "Settings", "create_app", "running"]

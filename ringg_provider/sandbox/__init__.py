"""A Ringg AI server to build against, over a real socket: no phone rings and no credit is spent."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ringg_provider.sandbox.app import create_app
    from ringg_provider.sandbox.server import RunningSandbox, running
    from ringg_provider.sandbox.settings import Settings

__all__ = ["RunningSandbox", "Settings", "create_app", "running"]

# Looked up when asked for: pytest imports this package for its plugin, in projects that have no use for a server.
_MODULES = {"RunningSandbox": "server", "Settings": "settings", "create_app": "app", "running": "server"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, where it is."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

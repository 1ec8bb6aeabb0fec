"""The sandbox as fixtures of pytest, for the tests of your own DAGs; nobody is called and no credit is spent.

pytest finds them by itself where the package is installed (entry point ``pytest11``), and imports the server only when
a test asks for it; ``-p no:ringg`` switches them off. See ``docs/testing.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ringg_provider.sandbox import RunningSandbox, Settings

#: The connections that lead to the sandbox while a test uses it: those of production by their default names, too.
RINGG_CONNECTIONS = ("ringg_default", "ringg_sandbox")
SMARTALEX_CONNECTIONS = ("smartalex_default", "smartalex_sandbox")


@pytest.fixture
def ringg_sandbox_settings() -> Settings:
    """What :func:`ringg_sandbox` does; define a fixture of this name to choose otherwise.

    By default an hour passes with every second, and nobody limits how often the call history is read.
    """
    from ringg_provider.sandbox import Settings

    return Settings(speed=3600, history_rate_window_seconds=0)


@pytest.fixture
def ringg_sandbox(ringg_sandbox_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    """A sandbox on a free port for one test; needs the extra ``[sandbox]``.

    The Airflow connections ``ringg_default``, ``ringg_sandbox``, ``smartalex_default`` and ``smartalex_sandbox`` lead
    to it meanwhile. For a connection of another name:
    ``monkeypatch.setenv("AIRFLOW_CONN_NAME", ringg_sandbox.connection)``.
    """
    from ringg_provider.sandbox import running

    with running(ringg_sandbox_settings) as sandbox:
        for name in RINGG_CONNECTIONS:
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", sandbox.connection)
        for name in SMARTALEX_CONNECTIONS:
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", sandbox.smartalex_connection)
        yield sandbox

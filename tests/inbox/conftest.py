"""A receiver over an empty SQLite database, for what does not depend on the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.inbox.serving import Serving, serving


@pytest.fixture
def receiver(sqlite: sa.Engine) -> Iterator[Serving]:
    with serving(sqlite) as running:
        yield running

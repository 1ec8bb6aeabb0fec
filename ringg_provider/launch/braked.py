"""Launch keys whose brake was pulled, in `ringg_brakes` beside the ledger: nothing more is started under them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Float, String, exists, insert, select, update

from ringg_provider.exceptions import CampaignBraked
from ringg_provider.launch.rollout import Pulled
from ringg_provider.launch.table import BRAKED, LISTED, LONGEST_KEY, Launcher, launches
from ringg_provider.sql.creating import described
from ringg_provider.sql.types import Text, UtcDateTime

brakes = described(
    "ringg_brakes",
    Column("launch_key", String(LONGEST_KEY), primary_key=True),
    Column("brake", String(191), nullable=False),
    Column("share", Float, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("of", BigInteger, nullable=False),
    Column("bound", Float, nullable=False),
    Column("limit", Float, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("said", Text, nullable=False),
    Column("pulled_at", UtcDateTime, nullable=False),
    Column("dag_id", String(250)),
    Column("run_id", String(250)),
)

#: Whether the brake of a row's key was pulled.
IS_BRAKED = exists(select(brakes.c.launch_key).where(brakes.c.launch_key == launches.c.launch_key))


@dataclass(frozen=True)
class Braked:
    """That a brake was pulled; final.

    :param launch_key: of what.
    :param brake: which one.
    :param share: what was found,
    :param count: by how many calls,
    :param bound: and with the confidence asked for.
    :param said: all of it, for a person.
    :param pulled_at: when, aware.
    """

    launch_key: str
    brake: str
    share: float
    count: int
    bound: float
    said: str
    pulled_at: datetime

    def error(self) -> CampaignBraked:
        """What a task fails with that would start more."""
        return CampaignBraked(
            f"This launch key was stopped for good: {self.said}. What ran is stopped, and the rest is never started "
            "under it.",
            brake=self.brake,
            share=self.share,
            count=self.count,
            bound=self.bound,
        )


def pull(
    connection: Connection, launch_key: str, pulled: Pulled, at: datetime, launcher: Launcher | None = None
) -> Braked:
    """Note it, and take every list of the key that was not started out of reach, in the transaction given.

    :param connection: to the ledger's database, inside a transaction.
    :param launch_key: the key.
    :param pulled: the brake.
    :param at: now, aware.
    :param launcher: the task that pulls it. Default: not known.
    :return: what stands: an earlier one, where there is one.
    """
    # First the lists, whose rows a claim waits for: it then finds them out of reach.
    listed = launches.c.launch_key == launch_key, launches.c.state == LISTED
    connection.execute(update(launches).where(*listed).values(state=BRAKED))
    if (stands := find(connection, launch_key)) is not None:
        return stands
    check = pulled.check
    row: dict[str, Any] = {
        "launch_key": launch_key,
        "brake": check.brake,
        "share": check.share,
        "count": check.count,
        "bound": check.bound or 0.0,
        "said": str(pulled),
        "pulled_at": at,
    }
    by = {} if launcher is None else {"dag_id": launcher.dag_id, "run_id": launcher.run_id}
    more = {"of": check.of, "limit": check.limit, "confidence": pulled.confidence}
    connection.execute(insert(brakes).values(**row, **more, **by))
    return Braked(**row)


def find(connection: Connection, launch_key: str) -> Braked | None:
    """The brake that was pulled for a key; None where none was."""
    names = Braked.__dataclass_fields__
    row = connection.execute(
        select(*(brakes.c[name] for name in names)).where(brakes.c.launch_key == launch_key)
    ).first()
    return None if row is None else Braked(*row)

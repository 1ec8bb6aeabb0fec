"""Time zones: which names are real, and which zones a country has; both as the IANA says, not as the machine does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Annotated

from pydantic import AfterValidator, StrictStr

#: A zone of the database that is none: its clock says that nobody has set it.
_UNSET = "Factory"


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names of all IANA zones; a machine may know others, such as ``localtime``, which is another zone on each."""
    return frozenset((resources.files("tzdata") / "zones").read_text("ascii").split()) - {_UNSET}


@lru_cache(maxsize=1)
def zones_of_country() -> Mapping[str, tuple[str, ...]]:
    """ISO 3166 country code -> its IANA zones."""
    table = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8")
    zones: defaultdict[str, list[str]] = defaultdict(list)
    for line in table.splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones[country].append(zone)
    return {country: tuple(names) for country, names in zones.items()}


def _zone_name(value: str) -> str:
    if value not in zone_names():
        raise ValueError("must be the name of an IANA time zone, such as Asia/Kolkata")
    return value


#: For models: a text that names an IANA zone.
ZoneName = Annotated[StrictStr, AfterValidator(_zone_name)]

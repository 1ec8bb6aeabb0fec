"""How numbers, times and money are said in a log, an error or a report: each in one way, everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 list``, ``1,200 lists``, ``no list``.

    :param number: how many.
    :param noun: in the singular.
    :param plural: default the noun with an ``s``.
    """
    if number == 0:
        return f"no {noun}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def tallied(counts: Mapping[str, int]) -> str:
    """What became of how many, as ``30 suppressed, 2 called recently``; empty where nothing did.

    :param counts: by a code, whose underscores are read as spaces.
    """
    return ", ".join(f"{number:,} {code.replace('_', ' ')}" for code, number in counts.items() if number)


def share(part: int, whole: int | None) -> str:
    """A part of a whole: ``95 of 100 (95%)``; the part alone where the whole is not known."""
    return f"{part:,} of {whole:,} ({part / whole:.0%})" if whole else f"{part:,}"


def moment(at: datetime, zone: tzinfo | None = None) -> str:
    """A local time with its zone: ``Mon 2027-03-01 13:00 Asia/Kolkata``.

    :param at: aware.
    :param zone: where it is told. Default its own.
    """
    local = at if zone is None else at.astimezone(zone)
    return f"{local:%a %Y-%m-%d %H:%M} {_zone(local)}"


def span(begin: datetime, end: datetime) -> str:
    """From when until when: ``Mon 2027-03-01 13:00 to 17:00 Asia/Kolkata``, with the second day where it is another.

    :param begin: aware.
    :param end: aware; told in the zone of ``begin``.
    """
    until = end.astimezone(begin.tzinfo)
    format_ = "%H:%M" if until.date() == begin.date() else "%a %Y-%m-%d %H:%M"
    return f"{begin:%a %Y-%m-%d %H:%M} to {until.strftime(format_)} {_zone(begin)}"


def duration(time: timedelta | float) -> str:
    """A length of time in its two largest units: ``2 h 5 min``, ``45 s``, ``3 d``.

    :param time: or its seconds.
    """
    seconds = round(time.total_seconds() if isinstance(time, timedelta) else time)
    sizes = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    first = next((place for place, (_, size) in enumerate(sizes) if seconds >= size), len(sizes) - 1)
    parts: list[str] = []
    for unit, size in sizes[first : first + 2]:
        number, seconds = divmod(seconds, size)
        parts += [f"{number} {unit}"] if number or not parts else []
    return " ".join(parts)


def money(amount: Decimal | None) -> str:
    """Money of a workspace: ``1,250.5 credits``, without the noughts at its end; ``unknown`` where it is not known."""
    if amount is None:
        return "unknown"
    digits = f"{amount:,f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return f"{digits} {'credit' if digits == '1' else 'credits'}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A small table in aligned columns, for a log: the first column to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def zone_named(name: str | None) -> ZoneInfo:
    """A zone by its name, such as ``Asia/Kolkata``; UTC for what is none, since a log must not fail for it."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _zone(at: datetime) -> str:
    zone = at.tzinfo
    return str(getattr(zone, "key", None) or getattr(zone, "name", None) or at.tzname() or "")

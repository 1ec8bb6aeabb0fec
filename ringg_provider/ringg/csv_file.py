"""A list as a file: what Ringg takes by its name and its size."""

from __future__ import annotations

from pathlib import Path

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.ringg.limits import CSV_SUFFIX, MAX_CSV_BYTES


def check_file(path: Path, field: str = "contacts") -> Path:
    """The file, if the platform could take it at all: by its name and its size.

    :param path: the file.
    :param field: what the file is called where it is given, for the error.
    :raises InvalidRequest: it is missing, empty, too large, or not called a CSV.
    """
    if path.suffix != CSV_SUFFIX:
        raise InvalidRequest(f"{field}: the file's name must end in {CSV_SUFFIX}, in small letters.", field=field)
    try:
        with path.open("rb"):
            size = path.stat().st_size
    except OSError as error:
        raise InvalidRequest(
            f"{field}: there is no readable file at this path ({type(error).__name__}).", field=field
        ) from error
    if not size:
        raise InvalidRequest(f"{field}: the file is empty.", field=field)
    if size > MAX_CSV_BYTES:
        raise InvalidRequest(
            f"{field}: the file has {size / 1e6:.1f} MB and the platform takes at most {MAX_CSV_BYTES / 1e6:.0f} MB:"
            " split it, or use SqlToRinggOperator, which does.",
            field=field,
        )
    return path

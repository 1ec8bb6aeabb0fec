"""Contact files that a DAG names: a local path, or any address that ``ObjectStoragePath`` understands."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from airflow.providers.common.compat.sdk import ObjectStoragePath

from ringg_provider.exceptions import InvalidRequest


@contextmanager
def local_copy(contacts: str | Path) -> Iterator[Path]:
    """A readable local file with the content of ``contacts``; a fetched one is private and removed afterwards.

    :param contacts: path, ``file://`` address, or any ``ObjectStoragePath`` address such as ``s3://conn@bucket/a.csv``.
    :raises InvalidRequest: there is no such file, or no file system for its address.
    """
    address = str(contacts)
    if "://" not in address:
        path = Path(address)
        if not path.is_file():
            raise _no_such_file()
        yield path
        return
    try:
        source = ObjectStoragePath(address)
    except (ImportError, ValueError) as error:
        raise InvalidRequest(
            f"contacts: no file system is known for {address.partition('://')[0]}:// ({type(error).__name__}); install"
            " the Airflow provider that has it, or give a path.",
            field="contacts",
        ) from error
    # TemporaryDirectory makes a directory that only this user may enter.
    with tempfile.TemporaryDirectory(prefix="ringg-") as directory:
        copy = Path(directory) / (PurePosixPath(source.path).name or "contacts.csv")
        try:
            with source.open("rb") as remote, copy.open("wb") as local:
                shutil.copyfileobj(remote, local, length=1 << 20)
        except FileNotFoundError as error:
            raise _no_such_file() from error
        yield copy


def _no_such_file() -> InvalidRequest:
    return InvalidRequest("contacts: there is no file at this path or address.", field="contacts")

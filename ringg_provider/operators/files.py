"""Files that a DAG names: a local path, or any address that ``ObjectStoragePath`` understands.

Airflow's own path tells its hook lineage, and so OpenLineage, the address of each file that it opens, copies or moves.
A file may be named after a person, and a hundred recordings would leave no room there for a table. So files are opened
by `UnseenPath`, which tells nobody; it has no other way to copy or move one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

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
    source = object_path(address, "contacts")
    # TemporaryDirectory makes a directory that only this user may enter.
    with tempfile.TemporaryDirectory(prefix="ringg-") as directory:
        copy = Path(directory) / (PurePosixPath(source.path).name or "contacts.csv")
        try:
            with source.open("rb") as remote, copy.open("wb") as local:
                shutil.copyfileobj(remote, local, length=1 << 20)
        except FileNotFoundError as error:
            raise _no_such_file() from error
        yield copy


class UnseenPath(ObjectStoragePath):
    """An ``ObjectStoragePath`` whose files are opened without telling Airflow's hook lineage."""

    __slots__ = ()

    def open(self, mode: str = "r", **kwargs: Any) -> Any:  # type: ignore[override]
        """Open the file as its file system does."""
        return self.fs.open(self.path, mode, **kwargs)


def object_path(address: str, field: str, conn_id: str | None = None) -> UnseenPath:
    """The place that an address names.

    :param address: as ``ObjectStoragePath`` understands it.
    :param field: the parameter that it was given in.
    :param conn_id: an Airflow connection of its file system. Default: the one in the address, or none.
    :raises InvalidRequest: no file system is known for it.
    """
    try:
        path = UnseenPath(address, conn_id=conn_id)
        path.fs  # noqa: B018 - before Airflow 3.2 it is looked for only here
    except (ImportError, ValueError) as error:
        raise InvalidRequest(
            f"{field}: no file system is known for {address.partition('://')[0]}:// ({type(error).__name__}); install"
            " the Airflow provider that has it, or give a path.",
            field=field,
        ) from error
    return path


def _no_such_file() -> InvalidRequest:
    return InvalidRequest("contacts: there is no file at this path or address.", field="contacts")

"""A private folder for the files of one run: mode 0700, files 0600, gone in every outcome."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from ringg_provider.exceptions import Stopped


class Scratch:
    """The folder. Leaving the `with` block removes it; so does `discard`, from a signal handler too.

    :param parent: where to make it; default the system's folder for temporary files. It needs room for all lists of the
        run at once, about what the query's text takes.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent
        self._folder: Path | None = None
        self._files: list[BinaryIO] = []
        self._discarded = False

    def __enter__(self) -> Self:
        self.check()
        self._folder = Path(tempfile.mkdtemp(prefix="ringg-contacts-", dir=self._parent))
        return self

    def __exit__(self, *exc_info: object) -> None:
        for file in self._files:
            # What is still open after an error holds its space on the disk; a full one cannot even be flushed to.
            with suppress(OSError):
                file.close()
        self.discard()

    def create(self, name: str) -> tuple[Path, BinaryIO]:
        """Make a new file; its path, and the file open for writing.

        :raises Stopped: the folder was discarded.
        """
        self.check()
        assert self._folder is not None
        path = self._folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._files.append(os.fdopen(descriptor, "wb", buffering=1 << 20))
        return path, self._files[-1]

    def check(self) -> None:
        """Raise `Stopped` if the folder was discarded."""
        if self._discarded:
            raise Stopped("The task was told to stop, so nothing more is uploaded. Its temporary files are removed.")

    def discard(self) -> None:
        """Remove everything, and let nothing new be made."""
        self._discarded = True
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

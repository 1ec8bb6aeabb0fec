"""Fetch call recordings before their links die, and store them under their call's id.

A link comes out of the platform's data, so it is foreign input: only http(s), only hosts that were allowed, and every
redirect is held to the same rule. The API key is never sent along.
"""

from __future__ import annotations

import hashlib
import logging
import mimetypes
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import IO, Any, Protocol
from urllib.parse import urljoin, urlsplit

import sqlalchemy as sa
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from ringg_provider.api.download import Download, download
from ringg_provider.exceptions import InvalidRequest, RinggProviderError, TransientError
from ringg_provider.history.merging import CallStore

_log = logging.getLogger(__name__)

_EXPIRED = frozenset({401, 403, 404, 410})
_MAX_HOPS = 5
_SUFFIXES = frozenset({".mp3", ".wav", ".ogg", ".opus", ".m4a", ".webm", ".flac", ".aac"})


class StoragePath(Protocol):
    """What is needed of a folder: `pathlib.Path` and Airflow's `ObjectStoragePath` have it."""

    def __truediv__(self, name: str) -> Any: ...
    def mkdir(self, *, parents: bool = ..., exist_ok: bool = ...) -> None: ...


@dataclass(frozen=True)
class StoredRecording:
    """A recording that is in its place.

    :param call_id: its call.
    :param path: where it is.
    :param size: in bytes.
    """

    call_id: str
    path: str
    size: int


class _Refused(RinggProviderError):
    """This recording cannot be had; the text holds no link, because links are secrets."""


class _Expired(RinggProviderError):
    """The link does not work any more."""


class RecordingStore:
    """A folder that recordings are fetched into.

    :param folder: where they go; any `ObjectStoragePath` or `Path`.
    :param hosts: hosts that may be fetched from; `*.example.com` allows those below a domain.
    :param refresh: gives a call's present link, from its details; asked once when a link has expired.
    :param workers: how many at the same time. Default 4.
    :param attempts: how often a recording is fetched, whole, until it comes to its end. Default 5.
    :param fetch: opens a link; for tests.
    :param sleep: how to wait between attempts, in seconds; for tests.
    :raises InvalidRequest: no host is allowed.

    https://docs.ringg.ai/api-reference/endpoint/history/get-call-details
    """

    def __init__(
        self,
        folder: StoragePath,
        *,
        hosts: Iterable[str],
        refresh: Callable[[str], str | None],
        workers: int = 4,
        attempts: int = 5,
        fetch: Callable[..., AbstractContextManager[Download]] = download,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._hosts = tuple(host.strip().lower() for host in hosts if host.strip())
        if not self._hosts:
            raise InvalidRequest(
                "recording_hosts must name the hosts that recordings may be fetched from, such as '*.ringg.ai'; "
                "a link in the platform's data could point anywhere.",
                field="recording_hosts",
            )
        self._folder = folder
        self._refresh = refresh
        self._workers = workers
        self._fetch = fetch
        self._retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(attempts),
            wait=wait_exponential(max=30.0),
            sleep=sleep,
            reraise=True,
        )

    def store(self, recordings: Sequence[tuple[str, str]]) -> list[StoredRecording]:
        """Fetch some recordings.

        :param recordings: call id and link of each.
        :return: those that are in their place now; the others are logged by call id and left for the next run.
        """
        if not recordings:
            return []
        self._folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="ringg-recordings") as pool:
            outcomes = pool.map(lambda each: self._store_one(*each), recordings)
            return [outcome for outcome in outcomes if outcome is not None]

    def allows(self, url: str) -> bool:
        """Whether a link may be fetched."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            return False
        return any(fnmatchcase(host, allowed) for allowed in self._hosts)

    def _store_one(self, call_id: str, url: str) -> StoredRecording | None:
        try:
            with tempfile.TemporaryFile() as spool:
                try:
                    suffix = self._fill(spool, url)
                except _Expired:
                    fresh = self._refresh(call_id)
                    if not fresh:
                        raise _Refused("the link has expired and the platform gives no other") from None
                    suffix = self._fill(spool, fresh)
                size = spool.seek(0, 2)
                target = self._folder / (_file_name(call_id) + suffix)
                spool.seek(0)
                with target.open("wb") as file:
                    shutil.copyfileobj(spool, file, 1 << 20)
            return StoredRecording(call_id, str(target), size)
        except RinggProviderError as failure:
            reason = str(failure) if isinstance(failure, _Refused) else type(failure).__name__
            _log.warning("The recording of call %s was not stored: %s.", call_id, reason)
            return None

    def _fill(self, spool: IO[bytes], url: str) -> str:
        """Fetch a link into a file, whole; gives back the suffix of its name."""
        return self._retrying(self._fetch_once, spool, url)

    def _fetch_once(self, spool: IO[bytes], url: str) -> str:
        spool.seek(0)
        spool.truncate()
        with self._open(url) as answer:
            _check(answer)
            for chunk in answer.chunks():
                spool.write(chunk)
            if not spool.tell():
                raise _Refused("it is empty")
            return _suffix(url, answer.content_type)

    @contextmanager
    def _open(self, url: str) -> Iterator[Download]:
        """Open a link and follow its redirects, each of them only to a host that is allowed."""
        for _ in range(_MAX_HOPS):
            if not self.allows(url):
                raise _Refused("its host is not among recording_hosts, or the link is not http(s)")
            with self._fetch(url) as answer:
                if answer.location is None:
                    yield answer
                    return
            try:
                url = urljoin(url, answer.location)
            except ValueError:
                raise _Refused("it is redirected to what is no address") from None
        raise _Refused("it is redirected in circles")


def _check(answer: Download) -> None:
    """Raise unless there is something to be read."""
    status = answer.status_code
    # Storage services answer 400 to a link whose token is too old, and say so in the body only.
    if status in _EXPIRED or (status == 400 and b"expired" in next(answer.chunks(), b"").lower()):
        raise _Expired("the link has expired")
    if status >= 500 or status == 429:
        raise TransientError("A recording is not to be had at present.")
    if status != 200:
        raise _Refused(f"its host answered {status}")


def _file_name(call_id: str) -> str:
    """The call's id; one that no file can be named by gets a digest, so that two of them never share a file."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode()).hexdigest()[:16]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', call_id)[:100]}-{digest}"


def _suffix(url: str, content_type: str | None) -> str:
    suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    if suffix in _SUFFIXES:
        return suffix
    guessed = mimetypes.guess_extension((content_type or "").partition(";")[0].strip()) or ""
    return guessed if guessed in _SUFFIXES else ".bin"


def store_recordings(store: RecordingStore, calls: CallStore, scope: sa.ColumnElement[bool]) -> tuple[int, int]:
    """Fetch the recordings that calls lack, before their links die, and note them in the table.

    :param store: where they go.
    :param calls: the table.
    :param scope: which calls.
    :return: how many were stored, and how many could not be this time.
    """
    stored = failed = 0
    for batch in calls.open(sa.and_(calls.lacks_recording, scope), calls.table.c.recording_url):
        found = store.store([(row.call_id, row.recording_url) for row in batch])
        calls.note_asked([row.call_id for row in batch])
        now = calls.now()
        calls.merge(
            [
                {"call_id": each.call_id, "recording_path": each.path, "recording_bytes": each.size, "read_at": now}
                for each in found
            ]
        )
        stored += len(found)
        failed += len(batch) - len(found)
    return stored, failed

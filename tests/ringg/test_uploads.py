"""What an upload's status means: ready, to be waited for, or an error that says why."""

from __future__ import annotations

from typing import Any

import pytest

from ringg_provider.exceptions import CampaignFailed, CampaignTerminated, InvalidContacts, RinggProviderError
from ringg_provider.ringg.responses import UploadStatus
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload, require_usable

LIST = "dddddddd-0000-4000-8000-000000000001"
REPORT = "https://storage.example.com/rows.csv"


def status(word: str, **body: Any) -> UploadStatus:
    return UploadStatus.read({"bulk_list_id": LIST, "status": word, **body})


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (UploadVerdict.PENDING, "uploaded processing verifying preparing in_db VERIFYING something_new"),
        # Blocked, started and ended ones are past the check too.
        (UploadVerdict.READY, "ready draft completed insufficient_balance scheduled ongoing running paused"),
        (UploadVerdict.NO_VALID_CONTACTS, "no_valid_contacts No_Valid_Contacts"),
        (UploadVerdict.FAILED, "failed"),
        (UploadVerdict.TERMINATED, "terminated cancelled"),
    ],
)
def test_every_word_of_both_vocabularies_has_its_verdict(verdict: UploadVerdict, words: str) -> None:
    assert {word: judge_upload(status(word)) for word in words.split()} == dict.fromkeys(words.split(), verdict)


@pytest.mark.parametrize(
    ("word", "body", "error", "words"),
    [
        ("no_valid_contacts", {}, InvalidContacts, "no valid contact"),
        ("failed", {}, CampaignFailed, "upload it again"),
        ("terminated", {}, CampaignTerminated, "final"),
        ("draft", {"total_callees": 0, "invalidated_rows_count": 3}, InvalidContacts, "no valid contact"),
    ],
)
def test_what_cannot_be_started_is_an_error_with_the_lists_id_and_the_reports_address(
    word: str, body: dict[str, Any], error: type[RinggProviderError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        require_usable(LIST, status(word, **body, invalidated_rows_csv_url=REPORT), None)
    assert LIST in str(caught.value)
    assert (REPORT in str(caught.value)) is (error is not CampaignTerminated)


@pytest.mark.parametrize(
    ("limit", "fits"),
    [(None, True), (5, True), (4, False), (0, False), (0.05, True), (0.049, False), (1.0, True), (0.0, False)],
)
@pytest.mark.parametrize(
    "counts",
    [
        {"total_callees": 95, "invalidated_rows_count": 5},
        {"total_rows": 100, "successful_rows": 95, "failed_rows": 5},
        {"total_contacts": 95, "invalidated_rows_count": 5},
    ],
)
def test_an_int_is_a_number_of_rows_and_a_float_a_share_of_all(
    limit: float | None, fits: bool, counts: dict[str, int]
) -> None:
    found = status("draft", **counts)
    if fits:
        require_usable(LIST, found, limit)
    else:
        with pytest.raises(InvalidContacts, match=f"5 invalid rows of 100; max_invalid_rows allows {limit}"):
            require_usable(LIST, found, limit)


def test_a_count_that_is_not_told_is_never_read_as_none() -> None:
    require_usable(LIST, status("draft"), None)
    with pytest.raises(InvalidContacts, match="does not say how many"):
        require_usable(LIST, status("draft"), 1_000_000)

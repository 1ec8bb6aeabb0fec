"""What an upload's status means for whoever waits to start it."""

from __future__ import annotations

from enum import StrEnum

from ringg_provider import wording
from ringg_provider.exceptions import CampaignFailed, CampaignTerminated, InvalidContacts
from ringg_provider.ringg.responses import CampaignState, UploadStatus


class UploadVerdict(StrEnum):
    """Whether the platform is done with a list."""

    PENDING = "pending"
    READY = "ready"
    """The list was checked, or its campaign is already past that."""
    NO_VALID_CONTACTS = "no_valid_contacts"
    FAILED = "failed"
    TERMINATED = "terminated"


def judge_upload(status: UploadStatus) -> UploadVerdict:
    """Read a status of either vocabulary; an unknown one is pending, until whoever waits loses patience.

    ``completed`` is ready: it means "processed" or "the campaign has ended", and both are past the check.
    """
    if status.status.lower() == "no_valid_contacts":
        return UploadVerdict.NO_VALID_CONTACTS
    match status.state:
        case CampaignState.FAILED:
            return UploadVerdict.FAILED
        case CampaignState.TERMINATED:
            return UploadVerdict.TERMINATED
        case CampaignState.PREPARING | CampaignState.UNKNOWN | CampaignState.NOT_A_CAMPAIGN:
            return UploadVerdict.PENDING
    return UploadVerdict.READY


def said_of_upload(bulk_list_id: str, status: UploadStatus) -> str:
    """What the platform's check found, for a person."""
    said = f"Upload {bulk_list_id} is {status.status}"
    if status.valid_rows is not None:
        said += f": {wording.share(status.valid_rows, status.total_rows)} rows are valid"
    if not status.invalid_rows:
        return f"{said}."
    return (
        f"{said}, {wording.counted(status.invalid_rows, 'row')} invalid. That is the platform's own check: it counts "
        "rows that this provider's check before the upload let pass, and not those that it left out. The report is in "
        "the result, as invalid_rows_csv_url."
    )


def require_usable(bulk_list_id: str, status: UploadStatus, max_invalid_rows: int | float | None) -> None:
    """Refuse an upload that failed, has nobody to call, or has too many invalid rows.

    :param bulk_list_id: the list, for the message.
    :param status: a status that is not pending.
    :param max_invalid_rows: how many invalid rows are accepted: an int is a number of rows, a float a share of all of
        them (0.05 is 5 %). None accepts any.
    :raises InvalidContacts: no valid contact, or too many invalid ones.
    :raises CampaignFailed: the platform could not process the file.
    :raises CampaignTerminated: it was stopped.
    """
    report = f" Report of the invalid rows: {status.invalid_rows_csv_url}" if status.invalid_rows_csv_url else ""
    match judge_upload(status):
        case UploadVerdict.NO_VALID_CONTACTS:
            raise InvalidContacts(f"Upload {bulk_list_id} has no valid contact.{report}")
        case UploadVerdict.FAILED:
            raise CampaignFailed(f"Upload {bulk_list_id} failed on the platform; upload it again.{report}")
        case UploadVerdict.TERMINATED:
            raise CampaignTerminated(f"Upload {bulk_list_id} was terminated, which is final.")
    if status.valid_rows == 0:
        raise InvalidContacts(f"Upload {bulk_list_id} has no valid contact.{report}")
    if max_invalid_rows is None:
        return
    if status.invalid_rows is None:
        raise InvalidContacts(
            f"Upload {bulk_list_id}: the platform does not say how many rows are invalid, so max_invalid_rows cannot "
            "be checked."
        )
    limit = max_invalid_rows
    if isinstance(max_invalid_rows, float):
        limit = max_invalid_rows * (status.total_rows or 0)
    if status.invalid_rows > limit:
        raise InvalidContacts(
            f"Upload {bulk_list_id} has {status.invalid_rows} invalid rows of {status.total_rows}; max_invalid_rows "
            f"allows {max_invalid_rows}.{report}"
        )

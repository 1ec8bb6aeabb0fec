"""The link from a launching task to its campaign on Ringg's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey


class RinggCampaignLink(BaseOperatorLink):
    """The "Campaign" button of a launching task.

    The address is pushed under :attr:`xcom_key` right after the launch, because Airflow itself asks for it only when
    an attempt ends: so the button works while the campaign runs, also while the task is deferred. What is asked then is
    the operator: asking for an XCom that nobody pushed makes an error in the log of a task that launched nothing.
    """

    name = "Campaign"

    @property
    def xcom_key(self) -> str:
        """The XCom under which the address is found."""
        return "campaign_url"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address of the campaign that this attempt has launched, adopted or waited for; empty without one."""
        return getattr(operator, "campaign_page", "")

"""The link from a launching task to its campaign on Ringg's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey


class RinggCampaignLink(BaseOperatorLink):
    """The "Campaign" button of a launching task.

    The address is pushed under :attr:`xcom_key` right after the launch, because Airflow itself asks for it only when
    an attempt ends: so the button works while the campaign runs, also while the task is deferred.
    """

    name = "Campaign"

    @property
    def xcom_key(self) -> str:
        """The XCom under which the address is found."""
        return "campaign_url"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that was pushed at the launch; empty before it."""
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""

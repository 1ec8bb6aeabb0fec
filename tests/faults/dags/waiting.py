"""Tasks of one workspace that wait in the triggerer, two of them by triggers that an older version has stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import BaseTrigger

from ringg_provider.sensors.ringg import RinggCampaignSensor
from ringg_provider.triggers.events import CAMPAIGN_ENDS, read_event


class Stored(BaseTrigger):
    """Stands in Airflow's database as a `RinggCampaignTrigger` with whatever arguments."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As it is stored."""
        return "ringg_provider.triggers.ringg.RinggCampaignTrigger", self.arguments

    async def run(self) -> Any:
        """Never: what is run is what it was stored as."""
        raise NotImplementedError
        yield


class DeferredLongAgo(BaseOperator):
    """Waits for a campaign by a stored trigger."""

    template_fields = ("ringg_conn_id", "campaign_id")

    def __init__(self, *, ringg_conn_id: str, campaign_id: str, poll_interval: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ringg_conn_id = ringg_conn_id
        self.campaign_id = campaign_id
        self.poll_interval = poll_interval

    def execute(self, context: Any) -> None:
        """Defer."""
        trigger = Stored(
            ringg_conn_id=self.ringg_conn_id, campaign_id=self.campaign_id, poll_interval=self.poll_interval
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(minutes=2))

    def execute_complete(self, context: Any, event: Any) -> str:
        """Believe the event."""
        return read_event(event, self.campaign_id, CAMPAIGN_ENDS).status.value


with DAG("waiting", schedule=None, catchup=False):
    workspace = "{{ dag_run.conf['ringg'] }}"
    RinggCampaignSensor(
        task_id="sensor",
        ringg_conn_id=workspace,
        campaign_id="{{ dag_run.conf['campaigns'][0] }}",
        poke_interval=1,
        timeout=90,
        deferrable=True,
    )
    for number, odd in enumerate(("1", timedelta(seconds=1), "soon"), start=1):
        DeferredLongAgo(
            task_id=f"stored_{number}",
            ringg_conn_id=workspace,
            campaign_id=f"{{{{ dag_run.conf['campaigns'][{number}] }}}}",
            poll_interval=odd,
        )

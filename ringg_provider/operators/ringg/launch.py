"""Take one list of ``SqlToRinggOperator`` to its end: wait for its upload, start it at most once, wait for its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.counting import launching
from ringg_provider.operators.private import Untold
from ringg_provider.operators.promised import refuse_if_not_promised
from ringg_provider.operators.ringg.campaign import BaseRinggStartOperator
from ringg_provider.operators.ringg.lists import BaseRinggListOperator
from ringg_provider.ringg.starts import RinggStart
from ringg_provider.triggers.events import UPLOAD_ENDS, EventStatus, read_event

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RinggLaunchOperator(BaseRinggListOperator):
    """Take one list of ``SqlToRinggOperator`` to its end, in either flow; made for ``.expand(launch=...)``.

    Waits for the upload, checks the balance, starts at most once, and waits for the campaign if asked to. Returns the
    id that was started or adopted. In the large flow a start that has passed meanwhile, by no more than ``max_delay``,
    means "now, inside the window".

    :param launch: one item of ``SqlToRinggOperator``'s result.

    Uploads are parameters of :class:`~ringg_provider.operators.ringg.lists.BaseRinggListOperator`, who is to call and
    what it may cost of :class:`~ringg_provider.operators.ringg.campaign.BaseRinggCampaignOperator`, waiting and
    launching of :class:`~ringg_provider.operators.launching.LaunchOperator`; ``launch_key`` defaults to the item's own
    when ``ledger_conn_id`` is given.
    """

    template_fields: Sequence[str] = (
        "launch",
        *BaseRinggStartOperator.start_template_fields,
    )

    launch = Untold[dict[str, Any]]()

    def __init__(self, *, launch: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.launch = launch

    def listed(self) -> tuple[str | None, str | None, str, int | None]:
        """The list that the item names."""
        item = LaunchItem.of(self.launch)
        return item.list_id, item.agent_id, item.flow, item.rows

    @launching
    def execute(self, context: Context) -> str:
        """Wait for the upload where the flow has one, then launch."""
        with self.hook:
            start = self._start()
            if self.is_pending(start):
                if self.deferrable:
                    self.defer(
                        trigger=self.upload_trigger(context, start.list_id),
                        method_name="execute_uploaded",
                        timeout=None,
                    )
                self.wait_for_upload(start.list_id)
            return self.launch_list(context, start)

    @launching
    def execute_uploaded(self, context: Context, event: Mapping[str, Any] | None) -> str:
        """Resume when the platform has checked the upload; what it found is read again, not taken from the event."""
        with self.hook:
            start = self._start()
            match (told := read_event(event, start.list_id, UPLOAD_ENDS)).status:
                case EventStatus.TIMEOUT:
                    raise TimeoutError(told.message)
                case EventStatus.EXECUTION_TIMEOUT:
                    raise AirflowTaskTimeout(told.message)
            return self.launch_list(context, start)

    def check(self, context: Context, start: RinggStart) -> None:
        """The last checks before a start; of a list of promises, whether all of them are still to be kept."""
        super().check(context, start)
        refuse_if_not_promised(LaunchItem.of(self.launch))

    def _start(self) -> RinggStart:
        """What the item asks to start."""
        return self.start_of(LaunchItem.of(self.launch), "launch")

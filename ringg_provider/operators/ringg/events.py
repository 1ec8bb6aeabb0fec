"""Set where Ringg AI sends an agent's call events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.exceptions import UnexpectedResponse
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.on_platform import OnRingg
from ringg_provider.operators.private import Private
from ringg_provider.ringg.requests import EventSubscription, EventSubscriptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RinggSetEventSubscriptionsOperator(OnRingg):
    """Make sure that an agent sends its call events to given addresses.

    Reads what the agent has, merges, and writes only if that changes anything. A subscription with the address of one
    of ours is replaced by ours; others are somebody else's and stay as they are, unless
    `remove_others`. Subscriptions are the agent's, so they cover all its calls, those of other DAGs too.

    Follows https://docs.ringg.ai/webhooks/initial-setup. Returns `{"subscriptions", "kept", "changed"}`: how many the
    agent has now, how many of them are others', and whether anything was written.

    :param agent_id: the agent.
    :param subscriptions: what we want, each with `event_type` (one or several), `callback_url` (https) and, if wanted,
        `method_type` and `headers`. An empty list removes nothing by itself. Templates in dicts are rendered; what
        comes of it is never stored, because headers hold secrets.
    :param remove_others: take away what is not ours. Default False.
    :param ringg_conn_id: the connection. Default `ringg_default`.
    :raises AirflowFailException: a rule is broken, or what the agent has cannot be read and must not be overwritten.
    """

    template_fields: Sequence[str] = ("ringg_conn_id", "agent_id")
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        agent_id: str,
        subscriptions: Sequence[EventSubscription | Mapping[str, Any]],
        remove_others: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.agent_id = agent_id
        self._subscriptions = Private("subscriptions", subscriptions)
        self.remove_others = remove_others

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, Any]:
        """Read, merge, and write if there is a difference."""
        with self.hook as hook:
            ours = EventSubscriptions(
                agent_id=self.agent_id,
                event_subscriptions=[
                    each if isinstance(each, EventSubscription) else EventSubscription(**each)
                    for each in self._subscriptions.rendered(self, context)
                ],
            )
            present = hook.client.get_agent(self.agent_id).event_subscriptions
            if present is None and not self.remove_others:
                raise UnexpectedResponse(
                    f"What agent {self.agent_id} is subscribed to cannot be read, and writing would remove it. Look at "
                    "the agent in the dashboard; with remove_others=True the present subscriptions are given up."
                )
            addresses = [each.callback_url for each in ours.event_subscriptions]
            replaced = [each for each in present or () if each.get("callback_url") in addresses]
            others = [each for each in present or () if each.get("callback_url") not in addresses]
            kept = [] if self.remove_others else others
            wanted = ours.wire()["event_subscriptions"]
            changed = len(kept) < len(others) or _comparable(wanted) != _comparable(replaced)
            if changed or present is None:
                hook.client.set_event_subscriptions(self.agent_id, ours.event_subscriptions, kept=kept)
        counts = {"subscriptions": len(kept) + len(wanted), "kept": len(kept), "changed": changed}
        self.log.info("Event subscriptions of agent %s: %s", self.agent_id, counts)
        return counts


def _comparable(subscriptions: Iterable[Mapping[str, Any]]) -> set[str]:
    """What subscriptions do, however they are written; one that is switched off is equal to none of ours."""
    return {
        repr(
            (
                each.get("callback_url"),
                _events(each.get("event_type")),
                each.get("method_type") or "POST",
                _headers(each.get("headers")),
                each.get("is_active") is not False,
            )
        )
        for each in subscriptions
    }


def _events(value: Any) -> list[str]:
    return sorted(map(repr, value if isinstance(value, list) else [value]))


def _headers(value: Any) -> Any:
    return sorted(value.items()) if isinstance(value, Mapping) else value or []

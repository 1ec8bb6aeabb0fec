"""Set where Ringg AI sends an agent's call events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from ringg_provider import wording
from ringg_provider.exceptions import InvalidRequest, UnexpectedResponse
from ringg_provider.hooks.options import ConnectionOptions
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.on_platform import OnRingg
from ringg_provider.operators.private import Private
from ringg_provider.ringg.requests import EventSubscription, EventSubscriptions

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RinggSetEventSubscriptionsOperator(OnRingg):
    """Make sure that an agent sends its call events to given addresses.

    Reads what the agent has, merges, and writes only if that changes anything; what it changes stands in the log. A
    subscription with the address of one of ours is replaced by ours; others are somebody else's and stay as they are,
    unless `remove_others`. Subscriptions are the agent's, so they cover all its calls, those of other DAGs too.

    Follows https://docs.ringg.ai/webhooks/initial-setup. Returns `{"subscriptions", "kept", "changed"}`: how many the
    agent has now, how many of them are others', and whether anything was written.

    :param agent_id: the agent.
    :param subscriptions: what we want, each with `event_type` (one or several), `callback_url` (https) and, if wanted,
        `method_type` and `headers`. An empty list removes nothing by itself. Templates in dicts are rendered; what
        comes of it is never stored, because headers hold secrets.
    :param secret_from: the connection with the secret of the receiver, in its extra `webhook_secret`: each of ours gets
        it as the header `Authorization: Bearer ...`, which the inbox asks for (`docs/webhooks.md`). It is read when the
        task runs, and neither logged nor stored. Default None: no headers but their own.
    :param remove_others: take away what is not ours. Default False.
    :param ringg_conn_id: the connection. Default `ringg_default`.
    :raises AirflowFailException: a rule is broken, the connection has no secret, or what the agent has cannot be read
        and must not be overwritten.
    """

    template_fields: Sequence[str] = ("ringg_conn_id", "agent_id", "secret_from")
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        agent_id: str,
        subscriptions: Sequence[EventSubscription | Mapping[str, Any]],
        secret_from: str | None = None,
        remove_others: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.agent_id = agent_id
        self._subscriptions = Private("subscriptions", subscriptions)
        self.secret_from = secret_from
        self.remove_others = remove_others

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, Any]:
        """Read, merge, and write if there is a difference."""
        with self.hook as hook:
            ours = EventSubscriptions(
                agent_id=self.agent_id,
                event_subscriptions=self._with_secret(
                    each if isinstance(each, EventSubscription) else EventSubscription(**each)
                    for each in self._subscriptions.rendered(self, context)
                ),
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
        removed = others if self.remove_others else []
        for change in _changes(wanted, replaced, removed):
            self.log.info("Agent %s: %s", self.agent_id, change)
        counts = {"subscriptions": len(kept) + len(wanted), "kept": len(kept), "changed": changed}
        self.log.info(
            "Agent %s has %s: %s kept as %s; %s.",
            self.agent_id,
            wording.counted(counts["subscriptions"], "event subscription"),
            f"{len(kept):,}" if kept else "none",
            "it was" if len(kept) == 1 else "they were",
            "the others were written" if changed else "nothing was changed",
        )
        return counts

    def _with_secret(self, subscriptions: Iterable[EventSubscription]) -> list[EventSubscription]:
        """The same with the receiver's secret among their headers, where it is asked for."""
        if self.secret_from is None:
            return list(subscriptions)
        secrets = ConnectionOptions.of(BaseHook.get_connection(self.secret_from)).webhook_secrets()
        if not secrets:
            raise InvalidRequest(
                f"secret_from: the extra of connection {self.secret_from!r} must have a webhook_secret; make one:"
                ' python -c "import secrets; print(secrets.token_urlsafe(32))".',
                field="secret_from",
            )
        secret = secrets[0]
        mask_secret(secret)
        signed = []
        for each in subscriptions:
            headers = dict(each.headers or {})
            if any(name.lower() == "authorization" for name in headers):
                raise InvalidRequest(
                    "secret_from: a subscription has a header Authorization of its own; leave one of the two out.",
                    field="secret_from",
                )
            headers["Authorization"] = f"Bearer {secret}"
            signed.append(each.model_copy(update={"headers": headers}))
        return signed


def _changes(
    wanted: Iterable[Mapping[str, Any]], replaced: Sequence[Mapping[str, Any]], removed: Iterable[Mapping[str, Any]]
) -> list[str]:
    """What becomes different, one line a subscription: of addresses the hosts alone, and nothing of a header."""
    lines = []
    for each in wanted:
        before = [one for one in replaced if one.get("callback_url") == each["callback_url"]]
        if not before:
            lines.append(f"{_host(each)} is subscribed to {_said(each)}.")
        elif _comparable([each]) != _comparable(before):
            parts = {
                "events": len(before) > 1 or _events(each.get("event_type")) != _events(before[0].get("event_type")),
                "method": (before[0].get("method_type") or "POST") != each.get("method_type"),
                "headers": _headers(before[0].get("headers")) != _headers(each.get("headers")),
                "being switched off": before[0].get("is_active") is False,
            }
            what = ", ".join(part for part, differs in parts.items() if differs) or "the subscription"
            lines.append(f"{_host(each)} is subscribed to {_said(each)} in place of what it was ({what}).")
    return lines + [f"{_host(each)} is no longer subscribed to {_said(each)}." for each in removed]


def _host(subscription: Mapping[str, Any]) -> str:
    with suppress(ValueError, TypeError, AttributeError):
        if host := urlsplit(subscription["callback_url"]).hostname:
            return str(host)
    return "an address that cannot be read"


def _said(subscription: Mapping[str, Any]) -> str:
    events = subscription.get("event_type")
    known = [event for event in events if isinstance(event, str)] if isinstance(events, list) else [str(events)]
    return ", ".join(known) or "nothing"


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

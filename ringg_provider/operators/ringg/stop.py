"""Stop Ringg AI calls for good: a campaign, an agent, single calls, or numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ringg_provider import wording
from ringg_provider.api.arguments import DialPrefix, Parameters
from ringg_provider.api.messages import Timeouts
from ringg_provider.exceptions import InvalidRequest, RinggProviderError
from ringg_provider.hooks.options import ConnectionOptions
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.sql import sql_connection
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.on_platform import OnRingg
from ringg_provider.operators.private import Private, Untold
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.limits import MAX_PER_TERMINATE
from ringg_provider.ringg.requests import Terminate
from ringg_provider.ringg.responses import CampaignState

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: How a client asks that does not hold up a stop: once, and for some seconds.
BRIEFLY: Mapping[str, Any] = {"max_attempts": 1, "timeout": Timeouts(connect=3.0, read=5.0)}


class RinggTerminateOperator(OnRingg):
    """Stop calls for good: queued and to-be-retried ones are cancelled, live ones end by themselves.

    Follows https://docs.ringg.ai/api-reference/endpoint/terminate/campaign. Exactly one of ``campaign_id`` (alone),
    ``agent_id``, ``call_ids``, ``mobile_numbers`` (with or without ``campaign_id``), or ``sql_conn_id`` with ``sql``
    (the same). "Nothing to stop" is a success. Returns how many campaigns, agents, calls or numbers were asked for.

    :param campaign_id: a campaign, by its list id; with numbers, only those in it.
    :param agent_id: all calls of an agent.
    :param call_ids: single calls.
    :param mobile_numbers: numbers with ``+`` and country code. Templates in them are rendered; what comes of it is
        never logged and never stored.
    :param sql_conn_id: connection to a database, with ``sql``.
    :param hook_params: more arguments for the hook of ``sql_conn_id``, as ``SQLExecuteQueryOperator`` has them. Default
        none.
    :param sql: a query whose first column holds numbers.
    :param parameters: values for the query, in the driver's style, treated like ``mobile_numbers``. Default none.
    :param country_code: dial prefix for numbers from SQL that are spelled without one, such as ``+91``. Default None:
        they must carry it.
    :param ringg_conn_id: the connection. Default ``ringg_default``.
    """

    template_fields: Sequence[str] = (
        "ringg_conn_id",
        "campaign_id",
        "agent_id",
        "call_ids",
        "sql_conn_id",
        "hook_params",
        "sql",
        "country_code",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}
    ui_color = "#fbe0dc"

    hook_params = Untold[Mapping[str, Any] | None]()
    sql = Untold[str | None]()

    def __init__(
        self,
        *,
        campaign_id: str | None = None,
        agent_id: str | None = None,
        call_ids: list[str] | None = None,
        mobile_numbers: list[str] | None = None,
        sql_conn_id: str | None = None,
        hook_params: Mapping[str, Any] | None = None,
        sql: str | None = None,
        parameters: Parameters | None = None,
        country_code: DialPrefix | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.agent_id = agent_id
        self.call_ids = call_ids
        self._mobile_numbers = Private("mobile_numbers", mobile_numbers)
        self.sql_conn_id = sql_conn_id
        self.hook_params = hook_params
        self.sql = sql
        self._parameters = Private("parameters", parameters)
        self.country_code = country_code

    @with_checked_arguments
    def execute(self, context: Context) -> int:
        """Send one request per mode, or per hundred numbers or calls."""
        with self.hook as hook:
            numbers = self._mobile_numbers.rendered(self, context)
            parameters = self._parameters.rendered(self, context)
            asked = stopped = 0
            # All of them are made before the first is sent: a number that breaks a rule stops nobody half way.
            requests = list(self._requests(numbers, parameters))
            by_campaign = bool(self.campaign_id) and numbers is None and not self.sql
            before = self._state_before(hook) if by_campaign else None
            for request, size in requests:
                asked += size
                stopped += hook.client.terminate(request)
            self.log.info("%s", self._said_campaign(before, stopped) if by_campaign else self._said(asked, stopped))
            return asked

    def _state_before(self, hook: RinggHook) -> CampaignState | None:
        """The campaign's state, if the platform tells it at once: nobody waits for it who wants calls to stop."""
        connection = hook.get_connection(hook.conn_id)
        options = {**hook.client_options(connection, ConnectionOptions.of(connection)), **BRIEFLY}
        with suppress(RinggProviderError), RinggClient(**options) as client:
            campaign = client.find_campaign(str(self.campaign_id))
            return None if campaign is None else campaign.state
        return None

    def _said_campaign(self, before: CampaignState | None, stopped: int) -> str:
        """What became of the campaign: running until now, stopped before, or ended by itself."""
        match before:
            case CampaignState.TERMINATED:
                return f"Campaign {self.campaign_id} was stopped before; nothing was left to stop."
            case CampaignState.COMPLETED | CampaignState.FAILED:
                return f"Campaign {self.campaign_id} had ended before ({before}); nothing was left to stop."
            case CampaignState.RUNNING | CampaignState.SCHEDULED | CampaignState.PAUSED:
                was = f"was {before}"
            case _:
                was = "was asked to stop"
        if stopped:
            return f"Campaign {self.campaign_id} {was} and is stopped now: no new calls; live ones end by themselves."
        return f"Campaign {self.campaign_id} {was}; the platform found nothing to stop."

    def _said(self, asked: int, stopped: int) -> str:
        """What was asked for, and whether anything of it was there to be stopped."""
        what = "agent" if self.agent_id else "call" if self.call_ids is not None else "number"
        found = "something was left to stop" if stopped else "nothing was left to stop"
        return f"Asked to stop {wording.counted(asked, what)}: {found}."

    def _requests(self, mobile_numbers: list[str] | None, parameters: Any) -> Iterator[tuple[Terminate, int]]:
        from more_itertools import chunked

        self._require_one_mode(mobile_numbers, parameters)
        if self.call_ids is not None:
            for chunk in chunked(dict.fromkeys(self.call_ids), MAX_PER_TERMINATE):
                yield Terminate(call_ids=chunk), len(chunk)
        elif self.sql or mobile_numbers is not None:
            scope = {"campaign_id": self.campaign_id} if self.campaign_id else {}
            cells = mobile_numbers if mobile_numbers is not None else self._selected(parameters)
            for chunk in chunked(self._numbers(cells), MAX_PER_TERMINATE):
                yield Terminate(mobile_numbers=chunk, **scope), len(chunk)
        elif self.agent_id:
            yield Terminate(agent_id=self.agent_id), 1
        else:
            yield Terminate(campaign_id=self.campaign_id), 1

    def _require_one_mode(self, mobile_numbers: list[str] | None, parameters: Any) -> None:
        if bool(self.sql) != bool(self.sql_conn_id):
            raise InvalidRequest("sql, sql_conn_id: give both or neither.", field="sql")
        if parameters is not None and not self.sql:
            raise InvalidRequest("parameters: are the values of a query, so give sql too.", field="parameters")
        if isinstance(mobile_numbers, str):
            raise InvalidRequest("mobile_numbers: must be a list of numbers, not a text.", field="mobile_numbers")
        by_number = bool(self.sql) + (mobile_numbers is not None)
        others = bool(self.agent_id) + (self.call_ids is not None) + bool(self.campaign_id and not by_number)
        if by_number + others != 1 or (by_number and (self.agent_id or self.call_ids is not None)):
            raise InvalidRequest(
                "campaign_id, agent_id, call_ids, mobile_numbers, sql: give exactly one; campaign_id may narrow "
                "mobile_numbers or sql down.",
                field="campaign_id",
            )

    def _numbers(self, cells: Iterable[Any]) -> Iterable[str]:
        if self.country_code is None:
            return dict.fromkeys(str(cell).strip() for cell in cells)
        # What reads numbers is loaded when a task runs, and not with every DAG file.
        from ringg_provider.contacts.optouts import read_opt_outs
        from ringg_provider.contacts.phones import PhoneCleaner

        cleaner = PhoneCleaner(self.country_code)
        # Whoever is to be left alone is found in a cell as he is in a suppression query.
        read = [read_opt_outs((cell,), cleaner).numbers for cell in cells]
        if unreadable := sum(not numbers for numbers in read):
            self.log.warning(
                "What cannot be read as a phone number stops nobody: %s to stop.", wording.counted(unreadable, "value")
            )
        return [f"+{number}" for number in dict.fromkeys(number for numbers in read for number in sorted(numbers))]

    def _selected(self, parameters: Any) -> Iterator[Any]:
        from ringg_provider.sql.reading import open_rows

        with (
            sql_connection(str(self.sql_conn_id), hook_params=self.hook_params) as connection,
            open_rows(connection, str(self.sql), parameters) as rows,
        ):
            for batch in rows.batches:
                yield from (row[0] for row in batch)

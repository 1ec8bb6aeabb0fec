"""One list that is to be launched, as it travels from the task that uploads it to the task that starts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StrictInt, TypeAdapter, ValidationError

from ringg_provider.api.request_model import broken_rules
from ringg_provider.exceptions import InvalidRequest

#: How a list reaches its platform: one of Ringg's two flows, or SmartAlex's only one.
ItemFlow = Literal["standard", "large", "smartalex"]

#: What most items do not have, and then do not say.
_SELDOM = ("call_slots", "wave", "callbacks_table", "state_conn_id", "history_table", "suppression", "clear_number")


@dataclass(frozen=True, kw_only=True)
class LaunchItem:
    """One list, with all that its launch must know; no number and no name is in it.

    :param list_id: the list on the platform; None in a dry run, which uploads nothing.
    :param flow: ``standard`` or ``large`` (Ringg), or ``smartalex``.
    :param agent_id: the agent that speaks.
    :param country_code: the contacts' dial prefix, such as ``+91``.
    :param call_config: daily window, zone and retries, as plain JSON; Ringg only.
    :param settings: the campaign's settings, as plain JSON; SmartAlex only.
    :param campaign_start_time: planned start; None when it was left open.
    :param campaign_end_time: planned end; None when it was left open.
    :param rows: contacts on the list, without those that the platform refused; None when not known.
    :param rejected: contacts that the platform refused.
    :param launch_key: the key that the list was uploaded under; None without one.
    :param ledger_conn_id: connection to the ledger in which the list stands. Whoever starts it must ask there first,
        also where a DAG forgets to say so. None without one.
    :param call_slots: several calling windows instead of one, as plain JSON; Ringg only.
    :param callbacks_table: the table of the promises that the list is to keep: it is asked once more right before the
        start. None where it keeps none.
    :param state_conn_id: connection of the database with that table; None without one.
    :param history_table: the table of calls beside it; None without one.
    :param suppression: who must not be called, which is asked once more right before the start, as plain JSON: ``sql``
        for ``conn_id`` and its ``hook_params``, ``state_sql`` for ``state_conn_id``, ``country_code`` of numbers that
        have none, and ``skip_dnc`` on SmartAlex. None where nobody opts out.
    :param wave: in which the list is launched: 0 the rehearsal, then 1 and so on; None where all are launched at once.
    :param clear_number: how often the run had been cleared when the list was uploaded, so that no earlier attempt to
        launch can have known it. None where it had not been.
    """

    list_id: str | None
    flow: ItemFlow
    agent_id: str
    country_code: str
    call_config: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None
    campaign_start_time: str | None = None
    campaign_end_time: str | None = None
    rows: Annotated[StrictInt, Field(ge=0)] | None = None
    rejected: Annotated[StrictInt, Field(ge=0)] = 0
    launch_key: str | None = None
    ledger_conn_id: str | None = None
    call_slots: Mapping[str, Any] | None = None
    wave: Annotated[StrictInt, Field(ge=0)] | None = None
    callbacks_table: str | None = None
    state_conn_id: str | None = None
    history_table: str | None = None
    suppression: Mapping[str, Any] | None = None
    clear_number: Annotated[StrictInt, Field(ge=1)] | None = None

    @classmethod
    def of(cls, xcom: object, field: str = "launch") -> LaunchItem:
        """Read an item as a task returned it; what a newer version adds to it is passed over.

        :param field: the parameter that it was given in, for the error.
        :raises InvalidRequest: it is no item, lacks something, or its flow is none of the known ones.
        """
        if isinstance(xcom, cls):
            return xcom
        if not isinstance(xcom, Mapping):
            raise InvalidRequest(
                f"{field}: must be one item of the result of the operator that made the lists, which is a dict; for a "
                "templated value the DAG needs render_template_as_native_obj=True, or use `.output`.",
                field=field,
            )
        needed = {"list_id", "flow", "agent_id", "country_code"}
        needed.add("settings" if xcom.get("flow") == "smartalex" else "call_config")
        if missing := needed - xcom.keys():
            raise InvalidRequest(
                f"{field}: must be one item of the result of the operator that made the lists; missing: "
                f"{', '.join(sorted(missing))}.",
                field=field,
            )
        if xcom["flow"] not in get_args(ItemFlow):
            raise InvalidRequest(f"{field}: its flow must be one of {', '.join(get_args(ItemFlow))}.", field=field)
        return _read({one.name: xcom[one.name] for one in fields(cls) if one.name in xcom}, field)

    def as_xcom(self) -> dict[str, Any]:
        """The item as plain JSON, which :meth:`of` reads."""
        left_out = {"call_config" if self.flow == "smartalex" else "settings"}
        left_out |= {name for name in _SELDOM if getattr(self, name) is None}
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in left_out}

    def ringg_flow(self, field: str) -> Literal["standard", "large"]:
        """The list's flow on Ringg.

        :param field: the parameter that the item was given in, for the error.
        :raises InvalidRequest: it is a list of another platform.
        """
        if self.flow == "smartalex":
            raise InvalidRequest(f"{field}: the list is of another platform than Ringg.", field=field)
        return self.flow


def _read(values: Mapping[str, Any], field: str) -> LaunchItem:
    try:
        return TypeAdapter(LaunchItem).validate_python(values)
    except ValidationError as error:
        problem = error
    place, rule = broken_rules(problem)[0]
    raise InvalidRequest(f"{field}.{place}: {rule}.", field=f"{field}.{place}")


def list_ids(given: object, field: str) -> list[str]:
    """Read list ids in any form that a DAG has them: one, several, or what the operator returned that made the lists.

    What a task left out is passed over, so that the others are read all the same: a mapped task that started nothing
    is None, and so is the list of a dry run. Results of mapped tasks, which are lists of lists, are taken together.

    :param field: the parameter that they were given in, for the error.
    :raises InvalidRequest: something else is among them.
    """
    return list(dict.fromkeys(_ids(given, field))) if given != "" else []


def _ids(given: object, field: str) -> Iterator[str]:
    if isinstance(given, LaunchItem):
        given = given.list_id
    elif isinstance(given, Mapping) and "list_id" in given:
        given = given["list_id"]
    if given is None:
        return
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        for item in given:
            yield from _ids(item, field)
    elif isinstance(given, str) and given.strip() not in ("", "None", "[]"):
        yield given.strip()
    else:
        raise InvalidRequest(
            f"{field}: must be list ids, or the result of the operator that made the lists; for a templated value "
            "the DAG needs render_template_as_native_obj=True, or use `.output`.",
            field=field,
        )

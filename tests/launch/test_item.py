"""One list to be launched, as it travels between tasks: written and read without loss, and refused when it is none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.launch.item import LaunchItem, list_ids

TEXT = st.text(max_size=8)
PLAIN = st.dictionaries(TEXT, TEXT | st.integers() | st.none() | st.lists(TEXT, max_size=2), max_size=3)
SHARED = {
    "list_id": TEXT | st.none(),
    "agent_id": TEXT,
    "country_code": TEXT,
    "campaign_start_time": TEXT | st.none(),
    "campaign_end_time": TEXT | st.none(),
    "rows": st.integers(0) | st.none(),
    "rejected": st.integers(0),
    "launch_key": TEXT | st.none(),
    "ledger_conn_id": TEXT | st.none(),
}
ITEMS = st.builds(
    LaunchItem, **SHARED, flow=st.sampled_from(["standard", "large"]), call_config=PLAIN, call_slots=PLAIN | st.none()
) | st.builds(LaunchItem, **SHARED, flow=st.just("smartalex"), settings=PLAIN)
ITEM = LaunchItem(list_id="a", flow="large", agent_id="agent", country_code="+91", call_config={"call_time": {}})
NEEDED = ["list_id", "flow", "agent_id", "country_code", "call_config"]


@for_all(ITEMS)
def test_an_item_is_read_as_it_was_written_also_through_the_database_of_airflow(item: LaunchItem) -> None:
    assert LaunchItem.of(item.as_xcom()) == item
    assert LaunchItem.of(json.loads(json.dumps(item.as_xcom()))) == item


@for_all(ITEMS)
def test_what_a_newer_version_adds_is_passed_over(item: LaunchItem) -> None:
    assert LaunchItem.of(item.as_xcom() | {"of_tomorrow": 1}) == item


@for_all(ITEMS, st.data())
def test_every_missing_field_is_named(item: LaunchItem, data: st.DataObject) -> None:
    xcom = item.as_xcom()
    needed = ["list_id", "agent_id", "country_code", "settings" if item.flow == "smartalex" else "call_config"]
    missing = data.draw(st.lists(st.sampled_from(needed), min_size=1, unique=True))
    with pytest.raises(InvalidRequest, match=f"missing: {', '.join(sorted(missing))}\\.") as caught:
        LaunchItem.of({name: value for name, value in xcom.items() if name not in missing}, "launches")
    assert caught.value.field == "launches"


def test_an_item_without_anything_lacks_all_that_is_needed() -> None:
    with pytest.raises(InvalidRequest, match=f"missing: {', '.join(sorted(NEEDED))}\\."):
        LaunchItem.of({})


@pytest.mark.parametrize("given", [None, "{'list_id': 'a'}", ["a"], 3])
def test_what_is_no_item_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest, match="launch: must be one item"):
        LaunchItem.of(given)


def test_a_flow_that_is_not_known_is_not_taken_for_another() -> None:
    with pytest.raises(InvalidRequest, match="launch: its flow must be one of standard, large, smartalex"):
        LaunchItem.of(ITEM.as_xcom() | {"flow": "huge"})


def test_a_list_of_smartalex_has_no_flow_on_ringg() -> None:
    assert ITEM.ringg_flow("launch") == "large"
    with pytest.raises(InvalidRequest, match="launch: the list is of another platform"):
        replace(ITEM, flow="smartalex", settings={}).ringg_flow("launch")


def test_what_says_nothing_is_left_out_and_the_rest_has_its_place() -> None:
    assert list(ITEM.as_xcom()) == [
        "list_id", "flow", "agent_id", "country_code", "call_config", "campaign_start_time", "campaign_end_time",
        "rows", "rejected", "launch_key", "ledger_conn_id",
    ]  # fmt: skip
    assert list(replace(ITEM, call_slots={"timezone": "UTC"}).as_xcom())[-1] == "call_slots"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("one", ["one"]),
        (["a", "b", "a"], ["a", "b"]),
        ([{"list_id": "a", "rows": 3}, {"list_id": "b"}], ["a", "b"]),
        ({"list_id": "a"}, ["a"]),
        (("a", None), ["a"]),
        (ITEM, [ITEM.list_id]),
        ([ITEM.as_xcom(), replace(ITEM, list_id="b")], [ITEM.list_id, "b"]),
        # A dry run has no lists; a mapped task that started nothing, or failed, leaves none.
        ([{**ITEM.as_xcom(), "list_id": None}], []),
        ([None, {**ITEM.as_xcom(), "list_id": None}, {"list_id": "a"}, None], ["a"]),
        # What mapped tasks returned.
        ([["a", "b"], ["b"], [], None, [{"list_id": "c"}]], ["a", "b", "c"]),
    ],
)
def test_list_ids_come_in_every_form_that_a_dag_has(given: Any, expected: list[str]) -> None:
    assert list_ids(given, "bulk_list_ids") == expected


@pytest.mark.parametrize("given", [3, "None", [""], [{"id": "a"}], ["a", {}], [["a", 3]], "[]", b"a", True])
def test_what_is_no_list_id_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest, match="bulk_list_ids: must be list ids"):
        list_ids(given, "bulk_list_ids")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("rows", value) for value in ("many", "5", 5.5, -1, True)],
        *[("list_id", value) for value in (5, ["a"])],
        *[("call_config", value) for value in ("{}", ["a"])],
        ("campaign_start_time", 5),
        ("launch_key", 20270301),
    ],
)
def test_a_field_of_a_wrong_type_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"^launch.{field}: must be") as caught:
        LaunchItem.of(ITEM.as_xcom() | {field: value})
    assert caught.value.field == f"launch.{field}"

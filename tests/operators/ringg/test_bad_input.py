"""Bad input: one clear error that names the field and the rule, without retry, before anything changes on the server.

It is noon in India on a Monday, see `conftest.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.operators.ringg import (
    RinggCheckBalanceOperator,
    RinggLaunchOperator,
    RinggMakeCallAsyncOperator,
    RinggSaveCampaignOperator,
    RinggStartCampaignOperator,
    RinggUploadCsvOperator,
)
from tests.operators.campaigns import CALL_CONFIG, COMMON, LINE, upload
from tests.support.tasks import context

RENEWALS, INBOUND = "11111111-1111-4111-8111-111111111111", "33333333-3333-4333-8333-333333333333"
NOBODY = "deadbeef-0000-4000-8000-000000000000"
TEST_NUMBER = "aaaaaaaa-0000-4000-8000-000000000003"
POOL = "bbbbbbbb-0000-4000-8000-000000000001"

both_uploads = pytest.mark.parametrize("operator", [RinggSaveCampaignOperator, RinggUploadCsvOperator])
both_generations = pytest.mark.parametrize("platform", ["g2", "g3"], indirect=True)


def nothing_changed(platform: Any, campaigns: int = 0) -> None:
    """Nothing but reads has been asked for, and nothing came of them."""
    acted = [request for request in platform.requests() if request["method"] != "GET"]
    assert len(acted) == campaigns, "only the uploads that the test made itself"
    state = platform.state()
    assert len(state["campaigns"]) == campaigns
    assert all(campaign["launches"] == 0 for campaign in state["campaigns"])
    assert state["calls"] == []


def refused_by(field: str, words: str, attempt: Any) -> None:
    """The attempt fails without retry with one sentence or two that name the field and the rule, and no number."""
    with pytest.raises(AirflowFailException, match=words) as caught:
        attempt()
    text = str(caught.value)
    assert field in text, f"{text!r} does not name {field}"
    assert "\n" not in text
    assert "9876543" not in text
    cause = caught.value.__cause__
    assert getattr(cause, "field", field) in (field, None) or str(getattr(cause, "field", "")).startswith(field)


def config(**times: str) -> dict[str, Any]:
    return {"call_time": {**CALL_CONFIG["call_time"], **times}}


@both_generations
@both_uploads
@pytest.mark.parametrize(
    ("field", "words", "changes"),
    [
        ("agent_id", "no agent", {"agent_id": NOBODY}),
        ("agent_id", "outbound", {"agent_id": INBOUND}),
        ("variables_map", "not mapped: due_date, policy_id", {"agent_id": RENEWALS}),
        ("variables_map", "mobile_number", {"variables_map": {"callee_name": "Name"}}),
        ("country_code", "country_code", {"country_code": "91"}),
        ("country_code", "country_code", {"country_code": "+999"}),
        ("call_config.call_time.timezone", "IANA", {"call_config": config(timezone="Asia/Bangalore")}),
        ("call_config.call_time", "HH:MM", {"call_config": config(call_start_time="25:00")}),
        ("campaign_start_time", "in the future", {"campaign_start_time": "2027-03-01T11:59"}),
        ("campaign_start_time", "cannot be read", {"campaign_start_time": "soon"}),
        (
            "campaign_end_time",
            "later than campaign_start_time",
            {"campaign_start_time": "2027-03-02T11:00", "campaign_end_time": "2027-03-02T10:00"},
        ),
        (
            "call_config.call_time",
            "never opens",
            {"campaign_start_time": "2027-03-01T20:00", "campaign_end_time": "2027-03-02T09:00"},
        ),
        (
            "call_config.call_time.scheduled_at",
            "in the future",
            {"call_config": config(scheduled_at="2027-03-01T12:00:00")},
        ),
        ("campaign_name", "campaign_name", {"campaign_name": "  "}),
        ("contacts", "no file", {"contacts": "/nowhere/contacts.csv"}),
        ("contacts", "no file", {"contacts": "file:///nowhere/contacts.csv"}),
        ("contacts", "no file system is known for s4://", {"contacts": "s4://bucket/contacts.csv"}),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_an_upload_that_is_described_wrongly_is_not_made(
    platform: Any, contacts: str, operator: Any, field: str, words: str, changes: dict[str, Any]
) -> None:
    refused_by(field, words, lambda: upload(operator, **{"contacts": contacts, **changes}))
    nothing_changed(platform)


ROW = "+919876543210,Asha\n"


@both_uploads
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "empty", id="an empty file"),
        pytest.param("Mobile Number,Name\n", "no row|no contact|empty", id="a header alone"),
        pytest.param("Phone,Name\n" + ROW, "Mobile Number", id="a header that is missing"),
        pytest.param("Mobile Number,Name,Name\n+919876543210,Asha,Asha\n", "Name", id="a header twice"),
        pytest.param(" Mobile Number,Name\n" + ROW, "space", id="a header padded with a space"),
        pytest.param("Mobile Number,Name\n12345,Asha\n", "valid", id="no valid row"),
        pytest.param("Mobile Number,Name\n12345,Asha\n" + ROW, "row|invalid", id="an invalid row among valid ones"),
        pytest.param(b"PK\x03\x04\x00\x00\xff\xfe" + bytes(range(256)), "CSV|UTF-8|text", id="an Excel file"),
    ],
)
def test_a_file_that_the_platform_would_not_take_is_not_sent(
    platform: Any, tmp_path: Path, operator: Any, content: str | bytes, words: str
) -> None:
    file = tmp_path / "contacts.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AirflowFailException, match=words) as caught:
        upload(operator, str(file))
    assert "9876543" not in str(caught.value)
    assert "Asha" not in str(caught.value)
    nothing_changed(platform)


@both_uploads
def test_a_file_over_20_megabytes_is_not_sent(platform: Any, tmp_path: Path, operator: Any) -> None:
    file = tmp_path / "contacts.csv"
    with file.open("w") as big:
        big.write("Mobile Number,Name\n" + ROW)
        big.write("x" * (20 * 1024 * 1024))
    with pytest.raises(AirflowFailException, match="20 MB"):
        upload(operator, str(file))
    nothing_changed(platform)


@both_uploads
def test_a_file_that_is_no_csv_by_its_name_is_not_sent(platform: Any, tmp_path: Path, operator: Any) -> None:
    file = tmp_path / "contacts.xlsx"
    file.write_text("Mobile Number,Name\n" + ROW)
    with pytest.raises(AirflowFailException, match=r"\.csv"):
        upload(operator, str(file))
    nothing_changed(platform)


@both_uploads
def test_a_file_with_invalid_rows_is_sent_where_leaving_them_out_was_asked_for(
    platform: Any, tmp_path: Path, operator: Any
) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text("Mobile Number,Name\n12345,Asha\n" + ROW)
    assert upload(operator, str(file), remove_invalid_rows=True)


# Starting.


def start(list_id: str, **arguments: Any) -> Any:
    return RinggStartCampaignOperator(list_id=list_id, **COMMON, **arguments).execute(context())


def call(list_id: str, **arguments: Any) -> Any:
    given = {"country_code": "+91", "call_config": CALL_CONFIG, **arguments}
    return RinggMakeCallAsyncOperator(bulk_list_id=list_id, **COMMON, **given).execute(context())


CALLERS = [
    pytest.param("from_numbers", "exactly one", {}, id="neither numbers nor a pool"),
    pytest.param("from_numbers", "exactly one", {"from_numbers": [LINE], "number_pool_id": POOL}, id="both"),
    pytest.param("from_numbers", "test number", {"from_numbers": [LINE, TEST_NUMBER]}, id="a test number"),
    pytest.param(
        "from_numbers", "not caller numbers .*: entries 1", {"from_numbers": [NOBODY]}, id="an unknown number"
    ),
    pytest.param("from_numbers", "exactly one|at least one|empty", {"from_numbers": []}, id="an empty list"),
]


@both_generations
@pytest.mark.parametrize(("field", "words", "arguments"), CALLERS)
def test_a_saved_list_is_not_started_from_numbers_that_cannot_call(
    platform: Any, saved: str, field: str, words: str, arguments: dict[str, Any]
) -> None:
    refused_by(field, words, lambda: start(saved, **arguments))
    nothing_changed(platform, campaigns=1)


@both_generations
@pytest.mark.parametrize(
    ("field", "words", "arguments"),
    [
        *CALLERS,
        pytest.param(
            "concurrency_percentage",
            "100",
            {"from_numbers": [LINE], "concurrency_percentage": 101},
            id="more lines than all",
        ),
        pytest.param(
            "concurrency_percentage",
            "0",
            {"from_numbers": [LINE], "concurrency_percentage": -1},
            id="less lines than none",
        ),
        pytest.param("country_code", "country_code", {"from_numbers": [LINE], "country_code": "India"}, id="country"),
        pytest.param(
            "call_config.call_time.scheduled_at",
            "in the future",
            {"from_numbers": [LINE], "call_config": config(scheduled_at="2027-03-01T12:00:00")},
            id="a moment that has passed",
        ),
        pytest.param(
            "call_config.call_time.scheduled_at",
            "in the future",
            {
                "from_numbers": [LINE],
                "call_config": config(scheduled_at="2027-03-01T12:00:00"),
                "call_slots": {
                    "mode": "absolute",
                    "intervals": [{"start": "01/03/2027, 13:00", "end": "01/03/2027, 14:00"}],
                },
            },
            id="a moment that has passed, with slots",
        ),
        pytest.param(
            "call_config.call_time",
            "call_start_time|earlier|later",
            {"from_numbers": [LINE], "call_config": config(call_start_time="19:00", call_end_time="10:00")},
            id="a window that closes before it opens",
        ),
        pytest.param(
            "email_completion_user_ids",
            "not members",
            {"from_numbers": [LINE], "email_completion_user_ids": [NOBODY]},
            id="a stranger to mail",
        ),
    ],
)
def test_an_uploaded_list_is_not_started_with_what_the_platform_would_find_wrong_later(
    platform: Any, uploaded: str, field: str, words: str, arguments: dict[str, Any]
) -> None:
    refused_by(field, words, lambda: call(uploaded, **arguments))
    nothing_changed(platform, campaigns=1)


@pytest.mark.parametrize("given", ["launch_key", "ledger_conn_id"])
def test_a_launch_key_and_a_ledger_come_together(platform: Any, saved: str, warehouse: Any, given: str) -> None:
    arguments = {"launch_key": "renewals", "ledger_conn_id": "warehouse"}
    other = next(name for name in arguments if name != given)
    refused_by(other, "both or neither", lambda: start(saved, from_numbers=[LINE], **{given: arguments[given]}))
    nothing_changed(platform, campaigns=1)


def test_a_ledger_that_is_no_database_is_refused(platform: Any, saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {"launch_key": "renewals", "ledger_conn_id": "ringg_sandbox"}
    refused_by("ledger_conn_id", "SQL database", lambda: start(saved, from_numbers=[LINE], **arguments))
    nothing_changed(platform, campaigns=1)


def test_what_is_launched_must_be_an_item_of_the_transfers_result(platform: Any) -> None:
    operator = RinggLaunchOperator(
        task_id="task", ringg_conn_id="ringg_sandbox", launch={"list_id": "a", "flow": "large"}, from_numbers=[LINE]
    )
    refused_by("launch", "missing: agent_id, call_config, country_code", lambda: operator.execute(context()))
    assert platform.requests() == []


def test_a_way_to_treat_a_shortfall_that_does_not_exist_is_named(platform: Any) -> None:
    operator = RinggCheckBalanceOperator(
        task_id="task",
        ringg_conn_id="ringg_sandbox",
        bulk_list_id="a",
        on_shortfall="beg",  # type: ignore[arg-type]
    )
    refused_by("on_shortfall", "'fail', 'skip', 'continue' or 'wait'", lambda: operator.execute(context()))
    assert platform.requests() == []


# The key.


@both_uploads
def test_a_connection_without_a_key_is_refused_before_anything_is_asked(
    platform: Any, contacts: str, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", platform.connection.replace(platform.api_key, ""))
    with pytest.raises(AirflowFailException, match="has no API key: put the workspace's key into its password"):
        upload(operator, contacts)
    assert platform.requests() == []


@both_generations
@both_uploads
def test_a_key_that_is_refused_stops_before_the_upload_and_is_not_shown(
    platform: Any, contacts: str, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", platform.connection.replace(platform.api_key, "another-key"))
    with pytest.raises(AirflowFailException, match="Check the API key") as caught:
        upload(operator, contacts)
    assert "another-key" not in str(caught.value)
    nothing_changed(platform)


@both_uploads
def test_a_refusal_that_quotes_a_row_is_told_without_it(platform: Any, tmp_path: Path, operator: Any) -> None:
    quoted = {"detail": [{"loc": ["row", 1], "msg": "Asha Marker-Rao is not a valid name", "type": "value_error"}]}
    platform.fault(method="POST", path="/campaign/", kind="status", status=422, body=quoted)
    file = tmp_path / "contacts.csv"
    file.write_text("Mobile Number,Name\n+919876543210,Asha Marker-Rao\n")
    with pytest.raises(AirflowFailException, match="not a valid name") as caught:
        upload(operator, str(file))
    assert "Marker" not in str(caught.value)

"""What an uploaded list must look like, and what the refusals say."""

from __future__ import annotations

import csv
import io
import string

import httpx
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.sandbox.csv_rules import OpenedList, normalise, open_list
from tests.sandbox.api import (
    INBOUND,
    MULTI_NODE,
    RENEWALS,
    UNKNOWN,
    Api,
    MakeApi,
    at,
    call_config,
    contacts,
    expect,
    refusal,
)

MAP = {"mobile_number": "Mobile Number", "callee_name": "Name"}


@pytest.mark.parametrize(
    ("fields", "csv_text", "sentence"),
    [
        ({"agent_id": UNKNOWN}, contacts(1), "Invalid agent_id."),
        ({"agent_id": INBOUND}, contacts(1), "Invalid agent_id."),
        ({"country_code": "IN"}, contacts(1), "country_code"),
        ({"country_code": "+91234"}, contacts(1), "country_code"),
        ({"agent_id": RENEWALS}, contacts(1), "Variables not mapped: due_date, policy_id"),
        ({"variables_map": {"callee_name": "Name"}}, contacts(1), "Variables not mapped: mobile_number"),
        ({"variables_map": "{nonsense"}, contacts(1), "variables_map must be a JSON object"),
        ({"variables_map": "[]"}, contacts(1), "variables_map must be a JSON object"),
        ({}, "", "empty"),
        ({}, "Mobile Number,Name\n", "no rows"),
        ({}, "mobile number,Name\n9876500000,A", "CSV column not found: Mobile Number"),
        ({}, " Mobile Number,Name\n9876500000,A", "CSV column not found: Mobile Number"),
        ({}, "Mobile Number,Name,Name\n9876500000,A,B", "CSV column found more than once: Name"),
        ({}, b"\xff\xfe\x00", "Invalid file format."),
        ({"transliterate_fields": ["mobile_number"]}, contacts(1), "mobile_number cannot be transliterated."),
        ({"transliterate_fields": ["city"]}, contacts(1), "transliterate_fields not mapped: city"),
        ({"transliterate_fields": "nonsense"}, contacts(1), "transliterate_fields must be"),
    ],
)
@pytest.mark.parametrize("flow", ["save", "upload"])
def test_an_unusable_upload_is_refused_with_the_reason(
    either: Api, flow: str, fields: dict[str, object], csv_text: str | bytes, sentence: str
) -> None:
    assert sentence in refusal(getattr(either, flow)(csv_text, **fields), 400)
    assert either.sandbox.state()["campaigns"] == []


@pytest.mark.parametrize("flow", ["save", "upload"])
def test_only_files_named_csv_are_taken(api: Api, flow: str) -> None:
    assert "Invalid file format." in refusal(getattr(api, flow)(contacts(1), file_name="list.xlsx"), 400)
    expect(getattr(api, flow)(contacts(1), file_name="LIST.CSV"))


@pytest.mark.parametrize("flow", ["save", "upload"])
def test_a_file_over_the_limit_is_refused(make_api: MakeApi, flow: str) -> None:
    api: Api = make_api(max_upload_bytes=1024 * 1024)
    assert "File exceeds 1MB limit" in refusal(getattr(api, flow)("Mobile Number,Name\n" + "x" * 1024 * 1024), 400)


@pytest.mark.parametrize("flow", ["save", "upload"])
def test_more_rows_than_the_allowance_are_refused_bad_ones_included(make_api: MakeApi, flow: str) -> None:
    api: Api = make_api(row_allowance=100)
    sentence = refusal(getattr(api, flow)(contacts(100) + "\nbad,Row", remove_invalid_rows=True), 402)
    assert sentence == "You can only upload up to 100 contacts."
    expect(getattr(api, flow)(contacts(100)))


@pytest.mark.parametrize("field", ["campaign_name", "agent_id", "country_code", "variables_map", "call_config"])
def test_a_missing_field_is_named(either: Api, field: str) -> None:
    response = either.save(contacts(1), **{field: None})
    assert field in refusal(response, 422)


def test_a_missing_file_is_named(api: Api) -> None:
    assert "file" in refusal(api.http.post("/campaign/upload-csv", data={"campaign_name": "x"}), 422)


def test_one_bad_row_rejects_a_save_unless_bad_rows_are_to_be_removed(either: Api) -> None:
    text = contacts(3) + "\n12345,Too short\n,Nobody"
    assert "2 rows are invalid" in refusal(either.save(text), 400)
    saved = expect(either.save(text, remove_invalid_rows=True))
    assert (saved["total_rows"], saved["successful_rows"], saved["failed_rows"]) == (5, 3, 2)
    refusal(either.save("Mobile Number,Name\n1,A", remove_invalid_rows=True), 400)


def test_bad_rows_never_fail_a_large_upload_and_are_reported_as_csv(make_api: MakeApi) -> None:
    api: Api = make_api(upload_status_shape="g2_openapi")
    bulk_list_id = api.uploaded(contacts(3) + '\n12345,"Short, too"\n,Nobody')
    status = api.status(bulk_list_id)
    assert (status["total_callees"], status["invalidated_rows_count"]) == (3, 2)
    report = httpx.get(status["invalidated_rows_csv_url"])
    assert report.headers["content-type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(report.text))) == [
        ["Mobile Number", "Name", "Reason"],
        ["12345", "Short, too", "Invalid mobile number"],
        ["", "Nobody", "Missing mobile number"],
    ]


def test_a_list_without_a_report_has_no_address_for_one(make_api: MakeApi) -> None:
    api: Api = make_api(upload_status_shape="g2_openapi")
    bulk_list_id = api.uploaded(contacts(1))
    assert api.status(bulk_list_id)["invalidated_rows_csv_url"] is None
    assert httpx.get(f"{api.sandbox.url}/files/invalid-rows/{bulk_list_id}.csv").status_code == 404


def test_an_upload_of_bad_rows_only_has_no_valid_contacts(either: Api) -> None:
    bulk_list_id = either.uploaded("Mobile Number,Name\n1,A\n2,B", until=["no_valid_contacts"])
    g3 = either.campaign(bulk_list_id) and either.sandbox.state()["generation"] == "g3"
    assert either.status(bulk_list_id)["status"] == ("no_valid_contacts" if g3 else "failed")
    refusal(either.make_call(bulk_list_id), 400)


def test_every_variable_of_the_agent_reaches_the_call(api: Api) -> None:
    text = "Mobile Number,Name,Town,Extra\n9876500000,Asha,Pune,ignored"
    fields = {"agent_id": MULTI_NODE, "variables_map": MAP | {"city": "Town"}}
    answer = expect(api.save(text, **fields))
    assert answer["custom_args_values"] == [{"mobile_number": "9876500000", "callee_name": "Asha", "city": "Pune"}]


def test_only_generation_3_echoes_the_rows(make_api: MakeApi) -> None:
    assert "custom_args_values" not in expect(make_api("g2").save(contacts(1)))


def test_a_name_that_cannot_be_transliterated_makes_a_bad_row(api: Api) -> None:
    text = "Mobile Number,Name\n9876500000,Asha\n9876500001,12345"
    saved = expect(api.save(text, transliterate_callee_name=True, remove_invalid_rows=True))
    assert saved["failed_rows"] == 1
    assert saved["custom_args_values"][0]["original_callee_name"] == "Asha"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"campaign_start_time": at(-1)}, "campaign_start_time must be in the future."),
        ({"campaign_end_time": at(0.05)}, "campaign_end_time must be after campaign_start_time."),
        ({"campaign_start_time": "2030-01-01T09:00:00"}, "DD/MM/YYYY, HH:MM"),
        ({"campaign_start_time": "1/1/2030, 9:00"}, "DD/MM/YYYY, HH:MM"),
        ({"campaign_start_time": "31/02/2030, 09:00"}, "DD/MM/YYYY, HH:MM"),
        ({"call_config": "nonsense"}, "call_config must be"),
        ({"call_config": "[]"}, "call_config must be"),
        ({"call_config": {"call_time": {"timezone": "Mars/Base"}}}, "Invalid timezone."),
        ({"call_config": {"call_time": {"call_start_time": "9:00"}}}, "call_start_time must be in HH:MM format."),
        (
            {"call_config": {"call_time": {"call_start_time": "20:00", "call_end_time": "09:00"}}},
            "call_start_time must be before call_end_time.",
        ),
        ({"call_config": {"max_call_length": 5}}, "max_call_length"),
        ({"call_config": {"idle_timeout_warning": 9, "idle_timeout_end": 9}}, "idle_timeout_end"),
        ({"call_config": call_config(retry_count=21)}, "retry_count"),
        ({"call_config": call_config(retry_count=1, retry_busy=-1)}, "retry_busy"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(either: Api, fields: dict[str, object], sentence: str) -> None:
    assert sentence in refusal(either.save(contacts(1), **fields), 400)


def test_the_large_upload_takes_a_schedule_and_ignores_it(either: Api) -> None:
    expect(either.upload(contacts(1), call_config="{}", campaign_start_time="whenever", campaign_end_time="never"))


# -- phone numbers and rows, without a server


@pytest.mark.parametrize(
    "cell", ["9876543210", "+919876543210", "919876543210", "09876543210", "98765 43210", "(98765)-432.10"]
)
def test_national_and_international_spellings_mean_the_same_number(cell: str) -> None:
    assert normalise(cell, "+91") == "+919876543210"


def test_the_country_code_of_the_list_overrides_the_one_in_the_row() -> None:
    assert normalise("+447700900123", "+91") == "+917700900123"


@pytest.mark.parametrize("cell", ["12345", "call me", "+", "+91", "98765432101234", "९८७६५४३२१०", "+999999"])
def test_what_is_no_number_of_the_country_is_a_bad_row(cell: str) -> None:
    assert normalise(cell, "+91") is None


@given(st.text(max_size=20) | st.text(string.digits + "+ -()", max_size=16))
def test_a_normalised_number_is_always_valid_and_of_the_country(cell: str) -> None:
    number = normalise(cell, "+91")
    if number is not None:
        assert number.startswith("+91")
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
        assert normalise(number, "+91") == number


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=12)


@given(st.lists(st.tuples(st.sampled_from(["9876543210", "12", "", "+919876500000"]), _CELL), min_size=1, max_size=30))
def test_every_row_that_is_not_blank_is_either_a_contact_or_bad(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("Mobile Number", "Name"), *rows])
    filled = [row for row in rows if row[0].strip() or row[1].strip()]
    if not filled:
        with pytest.raises(ValueError, match="no rows"):
            open_list(text.getvalue().encode(), "a.csv", MAP, 10_000)
        return
    checked = OpenedList(open_list(text.getvalue().encode(), "a.csv", MAP, 10_000), MAP, "+91").check()
    assert checked.total_rows == len(filled)
    assert [c.name for c in checked.contacts] == [name for phone, name in filled if len(phone) > 2]

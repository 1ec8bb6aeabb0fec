"""A user's own CSV is checked before it is uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringg_provider.exceptions import InvalidContacts, InvalidRequest
from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.csv_check import CsvReport, inspect_csv
from ringg_provider.ringg.requests import CampaignSpec

MAP = {"mobile_number": "Mobile Number", "callee_name": "Name"}


def check(
    folder: Path, content: str | bytes, *, remove: bool = False, name: str = "list.csv", country: str = "+91"
) -> CsvReport:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return inspect_csv(file, MAP, country, remove)


def test_a_good_file_is_counted_without_its_blank_lines(tmp_path: Path) -> None:
    content = 'Mobile Number,Name,Extra\n+919876543210,"Rao, Asha",x\n\n09876543211,"two\nlines",y\n'
    assert check(tmp_path, content) == CsvReport(rows=2, valid_rows=2, invalid_rows=0)


def test_bad_rows_are_counted_when_the_platform_may_remove_them(tmp_path: Path) -> None:
    content = "Mobile Number,Name\n+919876543210,a\n12,b\n,c\n+919876543211\n"
    assert check(tmp_path, content, remove=True) == CsvReport(rows=4, valid_rows=1, invalid_rows=3)


def test_one_bad_row_is_refused_otherwise_and_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidContacts, match=r"1 of 2 rows .*line 3.*remove_invalid_rows") as caught:
        check(tmp_path, "Mobile Number,Name\n+919876543210,a\n98765,b\n")
    assert "98765" not in str(caught.value)


@pytest.mark.parametrize("remove", [True, False])
def test_a_number_of_another_country_is_refused_because_it_would_ring_a_stranger(tmp_path: Path, remove: bool) -> None:
    with pytest.raises(InvalidContacts, match="another country"):
        check(tmp_path, "Mobile Number,Name\n+919876543210,a\n+447911123456,b\n", remove=remove)


@pytest.mark.parametrize(
    ("content", "field", "rule"),
    [
        ("", "contacts", "empty"),
        ("Mobile Number,Name\n", "contacts", "no rows"),
        ("Name\nAsha\n", "variables_map", "'Mobile Number'.*not in the CSV"),
        (" Mobile Number,Name\n1,b\n", "variables_map", "spaces around it"),
        ("Mobile number,Name\n1,b\n", "variables_map", "upper and lower case"),
        ("Mobile Number,Name,Name\n1,b,c\n", "variables_map", "2 times"),
        ("\ufeffMobile Number,Name\n1,b\n", "contacts", "byte order mark"),
        (b"Mobile Number,Name\n+919876543210,\xff\xfe\n", "contacts", "not UTF-8"),
        ('Mobile Number,Name\n"+919876543210"x,b\n', "contacts", "not a CSV: line 2"),
        ('Mobile Number,Name\n+919876543210,"open\n', "contacts", "not a CSV"),
        ("Mobile Number;Name\n+919876543210;a\n", "contacts", "separated by semicolons"),
        ("Mobile Number\tName\n+919876543210\ta\n", "contacts", "separated by tabs"),
        ("Mobile Number,Name\n+919876543210,a\n+919876543211,b\0c\n", "contacts", "line 3 has a control character"),
        ("Mobile Number,Na\x1bme\n+919876543210,a\n", "contacts", "line 1 has a control character"),
    ],
)
def test_a_file_that_breaks_a_rule_gets_one_error_that_names_it(
    tmp_path: Path, content: str | bytes, field: str, rule: str
) -> None:
    with pytest.raises(InvalidRequest, match=rule) as caught:
        check(tmp_path, content)
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["list.xlsx", "list.CSV", "list", "list.csv.gz"])
def test_the_name_must_end_in_csv_for_the_check_and_for_the_client_alike(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"must end in \.csv"):
        check(tmp_path, "Mobile Number,Name\n+919876543210,a\n", name=name)
    with RinggClient("key", "http://127.0.0.1:9") as client, pytest.raises(InvalidRequest, match=r"must end in \.csv"):
        client.upload_csv(SPEC, tmp_path / name)


SPEC = CampaignSpec(
    campaign_name="Survey",
    agent_id="agent",
    country_code="+91",
    variables_map=MAP,
    call_config={"call_time": {"call_start_time": "09:00", "call_end_time": "18:00", "timezone": "Asia/Kolkata"}},
    campaign_start_time="01/03/2027, 10:00",
    campaign_end_time="01/03/2027, 12:00",
)


@pytest.mark.parametrize("remove", [True, False])
def test_one_number_in_three_spellings_would_be_called_three_times_and_is_refused(tmp_path: Path, remove: bool) -> None:
    rows = ["+919876543210,Asha", "+919876543211,Ravi", "098765 43210,Asha R.", "", "91-98765-43210,A. Rao"]
    with pytest.raises(InvalidContacts, match=r"2 of 4 rows .*number of a row above.*\(lines 4, 6\)") as caught:
        check(tmp_path, "\n".join(["Mobile Number,Name", *rows, ""]), remove=remove)
    assert "98765" not in str(caught.value)
    assert "Asha" not in str(caught.value)


def test_a_repeat_is_found_however_far_apart_and_however_long_the_file_is(tmp_path: Path) -> None:
    rows = [f"+9198{number:08d},x" for number in range(30_000)]
    with pytest.raises(InvalidContacts, match=r"1 of 30001 rows .*\(line 30002\)"):
        check(tmp_path, "\n".join(["Mobile Number,Name", *rows, "9800000000,x"]))
    assert check(tmp_path, "\n".join(["Mobile Number,Name", *rows])).valid_rows == 30_000


def test_more_than_20_mb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="at most 20 MB"):
        check(tmp_path, b"Mobile Number,Name\n" + b"+919876543210,a\n" * 1_300_000)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no readable file"):
        inspect_csv(tmp_path / "none.csv", MAP, "+91", remove_invalid_rows=False)


@pytest.mark.parametrize("code", ["91x", "+0", "IN", "", "+800", "+999"])
def test_a_country_code_that_no_country_has_is_refused(tmp_path: Path, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(tmp_path, "Mobile Number,Name\n+919876543210,a\n", country=code)
    assert caught.value.field == "country_code"


def test_a_file_without_any_callable_number_is_refused_even_if_bad_rows_may_go(tmp_path: Path) -> None:
    with pytest.raises(InvalidContacts, match="none of the 2 rows"):
        check(tmp_path, "Mobile Number,Name\n112,a\n1800112233,b\n", remove=True)


def test_the_phone_column_must_be_mapped(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="mobile_number"):
        inspect_csv(tmp_path / "list.csv", {"callee_name": "Name"}, "+91", remove_invalid_rows=False)

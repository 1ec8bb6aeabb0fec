"""A user's own CSV is checked before it is uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringg_provider.exceptions import InvalidContacts, InvalidRequest
from ringg_provider.ringg.csv_check import CsvReport, inspect_csv

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
    ],
)
def test_a_file_that_breaks_a_rule_gets_one_error_that_names_it(
    tmp_path: Path, content: str | bytes, field: str, rule: str
) -> None:
    with pytest.raises(InvalidRequest, match=rule) as caught:
        check(tmp_path, content)
    assert caught.value.field == field


def test_the_name_must_end_in_csv(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"\.csv"):
        check(tmp_path, "Mobile Number,Name\n+919876543210,a\n", name="list.xlsx")


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

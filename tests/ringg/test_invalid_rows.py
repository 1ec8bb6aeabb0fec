"""The platform's report of the rows that it refused is read, whatever its columns are called."""

from __future__ import annotations

import pytest

from demo.server import free_port
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.exceptions import NetworkError, UnexpectedResponse
from ringg_provider.ringg.invalid_rows import fetch_invalid_rows, read_invalid_rows
from tests.support.http_server import Answer, ScriptedServer

CSV = {"Content-Type": "text/csv"}
REPORT = b"Mobile Number,Name,Reason\n+919876543210,Asha,not on WhatsApp\n098765 43211,Ravi,DND\n"
FOUND = {"+919876543210": "not on WhatsApp", "+919876543211": "DND"}


def read(report: bytes, *, at_once: int = 1 << 16, phone_header: str = "Mobile Number") -> dict[str, str]:
    chunks = [report[start : start + at_once] for start in range(0, len(report), at_once)]
    return read_invalid_rows(chunks, PhoneCleaner("+91"), phone_header)


@pytest.mark.parametrize("at_once", [1, 7, 1 << 16])
def test_a_report_is_read_in_whatever_pieces_it_arrives(at_once: int) -> None:
    assert read(REPORT, at_once=at_once) == FOUND


@pytest.mark.parametrize(
    ("header", "phone_header"),
    [
        ("Mobile Number,Name,Reason", "Mobile Number"),
        ("mobile number,name,ERROR MESSAGE", "Mobile Number"),
        ("Tel,Name,error", "Tel"),
        ("phone_number,name,comment", "Mobile Number"),
        ("\ufeffMobile Number,Name,Reason", "Mobile Number"),
    ],
)
def test_columns_are_found_by_what_they_are_called(header: str, phone_header: str) -> None:
    rows = REPORT.decode().split("\n", 1)[1]
    assert read(f"{header}\n{rows}".encode(), phone_header=phone_header) == FOUND


def test_the_lists_own_header_comes_before_a_guess() -> None:
    assert read(b"Alternate Phone,Tel,Reason\n+919876543299,+919876543210,bad\n", phone_header="Tel") == {
        "+919876543210": "bad"
    }


def test_without_a_column_for_the_reason_the_numbers_are_still_known() -> None:
    assert read(b"Mobile Number\n+919876543210\n") == {"+919876543210": ""}


def test_rows_without_a_readable_number_or_without_cells_are_passed_over() -> None:
    report = b"Name,Mobile Number,Reason\nAsha,n/a,no number\nRavi\n\nMira,+919876543210\n"
    assert read(report) == {"+919876543210": ""}


def test_a_cell_may_hold_commas_quotes_and_line_breaks_and_a_reason_is_cut() -> None:
    report = f'Mobile Number,Reason\n+919876543210,"no, ""never""\n{"x" * 400}"\n'.encode()
    (reason,) = read(report).values()
    assert reason.startswith('no, "never"\nxxx')
    assert len(reason) == 300


@pytest.mark.parametrize("report", [b"", b"Name,Reason\nAsha,DND\n", b"<html>Sign in</html>"])
def test_what_has_no_column_for_the_number_is_no_report(report: bytes) -> None:
    with pytest.raises(UnexpectedResponse, match="no column for the number"):
        read(report)


def test_bytes_that_are_no_text_stop_nothing() -> None:
    assert read(b"Mobile Number,Reason\n+919876543210,caf\xe9\n") == {"+919876543210": "caf\ufffd"}


def test_a_report_is_fetched_from_its_link() -> None:
    with ScriptedServer(Answer(200, REPORT, headers=CSV)) as server:
        assert (
            fetch_invalid_rows(f"{server.origin}/rows.csv?signature=s", PhoneCleaner("+91"), "Mobile Number") == FOUND
        )
    assert "x-api-key" not in server.asked[0].headers


@pytest.mark.parametrize("status", [302, 403, 404, 410])
def test_a_link_that_gives_no_report_is_told_without_the_link(status: int) -> None:
    with (
        ScriptedServer(Answer(status, b"", headers={"Location": "http://127.0.0.1:9/"})) as server,
        pytest.raises(UnexpectedResponse, match=str(status)) as caught,
    ):
        fetch_invalid_rows(f"{server.origin}/rows.csv?signature=secret", PhoneCleaner("+91"), "Mobile Number")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://storage.example.com/rows.csv", "ftp://127.0.0.1/rows.csv", "/rows.csv"])
def test_a_link_that_is_not_https_is_not_followed(url: str) -> None:
    with pytest.raises(UnexpectedResponse, match="not https"):
        fetch_invalid_rows(url, PhoneCleaner("+91"), "Mobile Number")


def test_a_link_that_answers_nothing_is_a_network_error_that_does_not_quote_it() -> None:
    with pytest.raises(NetworkError) as caught:
        fetch_invalid_rows(
            f"http://127.0.0.1:{free_port()}/rows.csv?signature=secret", PhoneCleaner("+91"), "Mobile Number"
        )
    assert "secret" not in str(caught.value)

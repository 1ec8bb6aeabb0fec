"""What Google's client says of BigQuery means what other drivers mean (tests/sql/test_errors.py), and quotes nobody."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound, ServiceUnavailable
from google.auth.exceptions import TransportError

from ringg_provider.sql.errors import Verdict, database_failure, verdict


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ServiceUnavailable("503"), Verdict.UNAVAILABLE),
        (TransportError("no route"), Verdict.UNAVAILABLE),
        (Forbidden("403", errors=[{"reason": "rateLimitExceeded"}]), Verdict.UNAVAILABLE),
        (BadRequest("400", errors=[{"reason": "jobBackendError"}]), Verdict.UNAVAILABLE),
        (Forbidden("403", errors=[{"reason": "accessDenied"}]), Verdict.REFUSED),
        (BadRequest("400", errors=[{"reason": "invalidQuery"}]), Verdict.REFUSED),
    ],
    ids=lambda value: str(value),
)
def test_the_reason_says_whether_trying_again_helps(error: Exception, expected: Verdict) -> None:
    assert verdict(error) is expected


@pytest.mark.parametrize("message", ["Bad double value: Asha", "Query error: Bad value: Asha at [1:8]"])
def test_a_text_that_may_quote_a_row_is_left_out(message: str) -> None:
    error = BadRequest("400", errors=[{"reason": "invalidQuery", "message": message}])
    assert "Asha" not in str(database_failure("sql", error))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            BadRequest("GET https://x: z", errors=[{"message": "Unrecognized name: phon; Did you mean x? at [1:8]"}]),
            "BadRequest (HTTP 400): Unrecognized name: phon; Did you mean x? at [1:8]",
        ),
        (
            NotFound("x", errors=[{"message": "Not found: Table proj:ds.people was not found in location US"}]),
            "NotFound (HTTP 404): Not found: Table proj:ds.people was not found in location US",
        ),
    ],
)
def test_what_is_wrong_with_a_statement_is_told(error: Exception, told: str) -> None:
    assert str(database_failure("sql", error)) == f"sql: the database did not do what was asked: {told}"

"""What a database's error means, whatever its driver: whether it passes, and what of it may be told."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from ringg_provider.exceptions import DatabaseUnavailable, QueryFailed, RinggProviderError


class Verdict(enum.Enum):
    """What an error says about trying again."""

    COLLISION = "another transaction got in between: begun again, this one ends well"
    DUPLICATE = "a unique key: begun again, a transaction finds the row that the other one wrote"
    UNAVAILABLE = "gone, busy, or out of room: it passes"
    REFUSED = "for good"


Result = TypeVar("Result")

_PASSING = frozenset({Verdict.COLLISION, Verdict.UNAVAILABLE})
_BEGUN_AGAIN = frozenset({Verdict.COLLISION, Verdict.DUPLICATE})

# SQLSTATE, and its first two characters. https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES = {
    "08": Verdict.UNAVAILABLE,  # connection exception
    "25P03": Verdict.UNAVAILABLE,  # idle in a transaction for too long
    "25P04": Verdict.UNAVAILABLE,  # a transaction for too long
    "23505": Verdict.DUPLICATE,
    "40": Verdict.COLLISION,  # deadlock, serialization failure
    "53": Verdict.UNAVAILABLE,  # out of memory, disk, connections
    "55P03": Verdict.COLLISION,  # lock not available
    "57": Verdict.UNAVAILABLE,  # cancelled, shutting down, starting
    "58": Verdict.UNAVAILABLE,  # input and output
}
# https://www.sqlite.org/rescode.html
_SQLITE = {
    5: Verdict.COLLISION,  # busy
    6: Verdict.COLLISION,  # locked
    7: Verdict.UNAVAILABLE,  # no memory
    9: Verdict.UNAVAILABLE,  # interrupted
    10: Verdict.UNAVAILABLE,  # input and output
    13: Verdict.UNAVAILABLE,  # disk full
    15: Verdict.COLLISION,  # two open the write-ahead log at once
    1555: Verdict.DUPLICATE,  # primary key
    2067: Verdict.DUPLICATE,  # unique
}
_SQLITE_RAISED_BY_A_TRIGGER = 1811
# https://dev.mysql.com/doc/mysql-errors/8.4/en/ and https://mariadb.com/kb/en/mariadb-error-code-reference/
_MYSQL = {
    **dict.fromkeys((1062, 1586), Verdict.DUPLICATE),
    # Deadlocks, lock waits, and MariaDB's "record has changed since last read".
    **dict.fromkeys((1020, 1205, 1213, 1614, 3058, 3572), Verdict.COLLISION),
    # Out of connections, memory or disk; shutting down; killed; out of time; not reached, or lost.
    **dict.fromkeys((1021, 1037, 1038, 1040, 1041, 1053, 1135, 1203, 1226, 1317), Verdict.UNAVAILABLE),
    **dict.fromkeys((1152, 1158, 1159, 1160, 1161, 1184, 1637, 1927, 1969, 3024, 4031), Verdict.UNAVAILABLE),
    **dict.fromkeys((2002, 2003, 2005, 2006, 2008, 2012, 2013, 2055), Verdict.UNAVAILABLE),
}
_MYSQL_RAISED_BY_SIGNAL = 1644
_MYSQL_DRIVERS = frozenset({"MySQLdb", "aiomysql", "asyncmy", "mariadb", "mysql", "pymysql"})
# https://duckdb.org/docs/stable/clients/python/dbapi: no codes, but a class for each kind.
_DUCKDB = {
    "ConnectionException": Verdict.REFUSED,  # open already, with other settings
    "ConstraintException": Verdict.DUPLICATE,
    "InterruptException": Verdict.UNAVAILABLE,
    "TransactionException": Verdict.COLLISION,
}
_DUCKDB_TEXTS = frozenset(
    {
        "BinderException",
        "CatalogException",
        "ConnectionException",
        "HTTPException",
        "IOException",
        "NotImplementedException",
        "OutOfMemoryException",
        "ParserException",
        "PermissionException",
        "SyntaxException",
    }
)
# BigQuery answers with a status of HTTP, and with a reason: https://cloud.google.com/bigquery/docs/error-messages
_GOOGLE = dict.fromkeys((408, 429, 500, 502, 503, 504), Verdict.UNAVAILABLE)
_GOOGLE_PASSING = frozenset(
    {"backendError", "jobBackendError", "jobInternalError", "jobRateLimitExceeded", "quotaExceeded"}
    | {"rateLimitExceeded", "tableUnavailable"}
)
_GOOGLE_ABOUT_NO_DATA = frozenset({401, 403, 404})
# The names are those of DB-API (PEP 249), and of what drivers in Python let through.
_UNREACHABLE = frozenset(
    {"OperationalError", "InterfaceError", "ConnectionError", "TimeoutError", "Timeout", "TransportError", "RetryError"}
)
_ABOUT_NO_DATA = _UNREACHABLE | {"ProgrammingError", "NotSupportedError", "InternalError"}
# Classes of SQLSTATE whose texts are about a statement, a connection or a server. Others quote data ("data exception",
# "integrity constraint violation"), or are what a function says of its own accord.
_STATES_ABOUT_NO_DATA = frozenset(
    {"02", "08", "0A", "25", "26", "28", "34", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "HY"}
)


def without_driver_errors(
    about: str, call: Callable[..., Any], *arguments: Any, errors: tuple[type[Exception], ...] = (Exception,)
) -> Any:
    """Call a driver, and let none of its errors out: many quote the row that they failed at.

    :param about: the parameter or table, for the error.
    :param errors: what the driver raises. Default every exception, since drivers share no base class.
    :return: what it returned.
    :raises QueryFailed, DatabaseUnavailable: instead of the driver's error.
    """
    try:
        return call(*arguments)
    except RinggProviderError:
        raise
    except errors as error:
        failure = database_failure(about, error)
    # Out here, so that the driver's error is not even the context of ours.
    raise failure


def database_failure(about: str, error: BaseException) -> QueryFailed | DatabaseUnavailable:
    """Our error for a database's: whether trying again can help, and a text without values.

    :param about: the parameter or table.
    :param error: an exception of any DB-API driver, or of SQLAlchemy around one.
    """
    failure = DatabaseUnavailable if verdict(error) in _PASSING else QueryFailed
    return failure(f"{about}: the database did not do what was asked: {_describe(_original(error))}")


def begin_again(transaction: Callable[[], Result]) -> Result:
    """Run a transaction, and once more when another one got in between: five times at most, within some two seconds.

    :param transaction: to be called; undoes itself when it fails.
    :return: what it returned.
    """
    attempts = Retrying(
        retry=retry_if_exception(lambda error: verdict(error) in _BEGUN_AGAIN),
        stop=stop_after_attempt(5),
        wait=wait_exponential(multiplier=0.1) + wait_random(0, 0.1),
        reraise=True,
    )
    return attempts(transaction)


def verdict(error: BaseException) -> Verdict:
    """What an error says about trying again.

    :param error: an exception of any DB-API driver, or of SQLAlchemy around one.
    """
    if getattr(error, "connection_invalidated", False):
        return Verdict.UNAVAILABLE
    original = _original(error)
    known: Verdict | None = None
    if (number := _mysql_number(original)) is not None:
        known = _MYSQL.get(number, Verdict.REFUSED)
    elif (number := _sqlite_code(original)) is not None:
        known = _SQLITE.get(number) or _SQLITE.get(number & 0xFF, Verdict.REFUSED)
    elif _driver(original) == "duckdb":
        known = _DUCKDB.get(type(original).__name__)
    elif (status := _google_status(original)) is not None:
        known = _google(original, status)
    elif (state := _sqlstate(original)) and state[:2] != "HY":
        known = _STATES.get(state) or _STATES.get(state[:2], Verdict.REFUSED)
    if known is not None:
        return known
    names = _kinds(original)
    if "IntegrityError" in names:
        return Verdict.DUPLICATE
    return Verdict.UNAVAILABLE if names & _UNREACHABLE else Verdict.REFUSED


def _original(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _driver(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0].removeprefix("_")


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _mysql_number(error: BaseException) -> int | None:
    if _driver(error) not in _MYSQL_DRIVERS:
        return None
    given = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    return given if isinstance(given, int) else None


def _sqlite_code(error: BaseException) -> int | None:
    return getattr(error, "sqlite_errorcode", None)


def _google_status(error: BaseException) -> int | None:
    status = getattr(error, "code", None) if _driver(error) == "google" else None
    return int(status) if isinstance(status, int) else None


def _google_errors(error: BaseException) -> list[dict[str, Any]]:
    """What the answer holds of them: `reason`, `message`."""
    return [each for each in getattr(error, "errors", None) or [] if isinstance(each, dict)]


def _google(error: BaseException, status: int) -> Verdict:
    if {str(each.get("reason")) for each in _google_errors(error)} & _GOOGLE_PASSING:
        return Verdict.UNAVAILABLE
    # Two statements that change one table at once; the status is the same as for a wrong statement.
    if "Could not serialize access" in str(error):
        return Verdict.COLLISION
    return _GOOGLE.get(status, Verdict.REFUSED)


def _sqlstate(error: BaseException) -> str | None:
    """The standard's five characters, wherever the driver keeps them: `sqlstate`, `pgcode`, or the first argument."""
    first = error.args[0] if error.args else None
    given = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    # What PostgreSQL's own protocol says, unread: https://www.postgresql.org/docs/current/protocol-error-fields.html
    given = given or (first.get("C") if isinstance(first, dict) else first)
    return given if isinstance(given, str) and re.fullmatch("[0-9A-Z]{5}", given) else None


def _describe(error: BaseException) -> str:
    """The kind of error, and its first line unless it may quote a row; quoted values and long numbers masked."""
    state = _sqlstate(error)
    kind = type(error).__name__
    diagnosis = getattr(error, "diag", None)
    codes = {
        "SQLSTATE": state,
        "error": _mysql_number(error),
        "HTTP": _google_status(error),
        "column": getattr(diagnosis, "column_name", None),
        "constraint": getattr(diagnosis, "constraint_name", None),
    }
    if known := ", ".join(f"{name} {code}" for name, code in codes.items() if code):
        kind = f"{kind} ({known})"
    if _may_quote_a_row(error, state):
        return f"{kind}. Its text is left out because it may quote a row; the database's own log has it."
    text = _message(error)
    # From the first quote on: where a value ends that has quotes of its own, nobody can tell.
    text = re.sub(r"'.*|[+]?[0-9][0-9 ().-]{5,}[0-9]", "***", text, flags=re.DOTALL)
    return f"{kind}: {text.partition(chr(10))[0][:300]}"


def _message(error: BaseException) -> str:
    """What is wrong, without what a driver puts around it."""
    if primary := getattr(getattr(error, "diag", None), "message_primary", None):
        return str(primary)
    told = [str(each["message"]) for each in _google_errors(error) if each.get("message")]
    # redshift_connector hands out the fields of the protocol.
    first = error.args[0] if error.args else None
    return told[0] if told else str(first["M"] if isinstance(first, dict) and "M" in first else error)


def _may_quote_a_row(error: BaseException, state: str | None) -> bool:
    if state is not None:
        return state[:2] not in _STATES_ABOUT_NO_DATA
    if _driver(error) == "duckdb":
        return type(error).__name__ not in _DUCKDB_TEXTS
    if (status := _google_status(error)) is not None:
        # What is wrong with a statement has its place in it; what is wrong with a value has none, but in a script.
        text = _message(error)
        about_the_statement = re.search(r" at \[\d+:\d+\]$", text) and not text.startswith("Query error")
        return status not in _GOOGLE_ABOUT_NO_DATA and not about_the_statement
    if _driver(error) == "sqlite3":
        # SQLite names what a constraint is of, and never the value; but it quotes what is no UTF-8.
        return _sqlite_code(error) == _SQLITE_RAISED_BY_A_TRIGGER or "Could not decode" in str(error)
    return _mysql_number(error) == _MYSQL_RAISED_BY_SIGNAL or not _kinds(error) & _ABOUT_NO_DATA

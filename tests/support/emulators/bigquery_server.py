"""Run by the tests in an environment of its own: bqemulator on a port, made as strict as the real BigQuery.

    python bigquery_server.py PORT

Two things are changed. DuckDB's extension for geography is not loaded, as it would be downloaded. And before a query
is run, it is refused what the real one refuses and the emulator does not: a table without its dataset, and a temporary
table outside a script or session.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import sqlglot
from bqemulator import server
from bqemulator.config import Settings
from bqemulator.storage import engine
from sqlglot import exp

Receive = Callable[[], Awaitable[dict[str, Any]]]


def refusal(query: str) -> str | None:
    """What the real BigQuery would say about a query, and the emulator does not."""
    try:
        statements = [statement for statement in sqlglot.parse(query, read="bigquery") if statement is not None]
    except sqlglot.errors.ParseError:
        return None  # the emulator says so itself
    for statement in statements:
        if isinstance(statement, exp.Create) and statement.find(exp.TemporaryProperty) and len(statements) == 1:
            return "Use of CREATE TEMPORARY TABLE requires a script or session"
        aliases = {cte.alias for cte in statement.find_all(exp.CTE)}
        for table in statement.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier) or table.name in aliases or table.db:
                continue
            if "." not in table.name:  # `project.dataset.table` may stand in one pair of quotes
                return f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).'
    return None


class Strict:
    """An ASGI application around another one."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(("/jobs", "/queries")):
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith(("/upload", "/resumable")):
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if said := refusal(_query(body)):
            error = {"code": 400, "message": said, "errors": [{"reason": "invalidQuery", "message": said}]}
            answer = json.dumps({"error": error}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
            await send({"type": "http.response.start", "status": 400, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
            return
        given = False

        async def again() -> dict[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


def _query(body: bytes) -> str:
    try:
        asked = json.loads(body)
    except ValueError:
        return ""
    configuration = asked.get("configuration") or {}
    if (configuration.get("query") or {}).get("connectionProperties") or asked.get("connectionProperties"):
        return ""  # in a session a table may be temporary
    return str((configuration.get("query") or {}).get("query") or asked.get("query") or "")


async def main(port: int) -> None:
    """Serve until the process is ended."""
    engine.DuckDBEngine._load_spatial = lambda self: None
    create_app = server.create_app
    server.create_app = lambda context: Strict(create_app(context))
    emulator = server.EmulatorServer(Settings(rest_port=port, grpc_port=0, log_level="error"))
    await emulator.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

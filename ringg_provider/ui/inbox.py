"""The inbox of webhooks as Airflow serves it: mounted in its API server, or by itself as the command ``ringg-inbox``.

It gives ``ringg_provider.inbox.receiver`` what only Airflow has: connections with their secrets, and metrics.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from ringg_provider.exceptions import DatabaseUnavailable, InvalidRequest, RinggProviderError
from ringg_provider.hooks.connections import connection_of
from ringg_provider.hooks.options import ConnectionOptions
from ringg_provider.hooks.sql import engine_of, sql_hook
from ringg_provider.inbox.receiver import PATH, Receiver, build_app
from ringg_provider.inbox.senders import Sender
from ringg_provider.inbox.store import inbox_table
from ringg_provider.metrics import INBOX_ODD, INBOX_REQUESTS, set_up
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.dialects import require_state
from ringg_provider.ui.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["PATH", "main", "mounted_app"]

log = logging.getLogger(__name__)

#: What is odd about a delivery that is stored all the same.
_ODD = frozenset({"unreadable", "unknown_event"})


def mounted_app() -> Receiver:
    """Make the app that Airflow's API server mounts at ``PATH``, as section ``[ringg]`` says."""
    settings = Settings.read()
    return _app(settings.state_conn_id, settings.schema, settings.inbox_table, prefix="")


def _app(state_conn_id: str | None, schema: str | None, table: str, *, prefix: str) -> Receiver:
    set_up()
    return build_app(
        look_up,
        partial(_open, state_conn_id),
        table=inbox_table(table, schema),
        count=_count,
        prefix=prefix,
    )


def look_up(conn_id: str) -> Sender | None:
    """Find the platform and the webhook secrets of a connection.

    :param conn_id: the connection.
    :return: None where it is not there, not one of the platforms', or has no usable secret.
    :raises Exception: Airflow cannot tell at present.
    """
    try:
        connection = connection_of(conn_id)
    except AirflowNotFoundException:
        _ask_the_metadata_database()
        return None
    try:
        secrets = ConnectionOptions.of(connection).webhook_secrets()
    except InvalidRequest as broken:
        log.warning("Deliveries are refused: %s", broken)
        return None
    platform = connection.conn_type
    if not secrets or platform not in ("ringg", "smartalex"):
        return None
    return Sender("ringg" if platform == "ringg" else "smartalex", secrets)


def _ask_the_metadata_database() -> None:
    """Fail where it is away, since Airflow would not: for it, a connection is missing then."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session() as session:
        session.execute(text("SELECT 1"))


def _open(state_conn_id: str | None) -> Engine:
    if state_conn_id is None:
        raise InvalidRequest(
            "state_conn_id: name the connection of the database that holds the tables, in section [ringg] of Airflow's "
            "configuration (AIRFLOW__RINGG__STATE_CONN_ID), or as --state-conn-id.",
            field="state_conn_id",
        )
    return engine_of(sql_hook(state_conn_id, field="state_conn_id"), field="state_conn_id")


def _count(outcome: str, platform: str, number: int) -> None:
    if outcome in _ODD:
        INBOX_ODD.send(number, platform=platform, kind=outcome)
    else:
        INBOX_REQUESTS.send(number, platform=platform, outcome=outcome)


def _parser() -> argparse.ArgumentParser:
    settings = Settings.read()
    parser = argparse.ArgumentParser(
        prog="ringg-inbox",
        description="Takes the platforms' webhooks. They want HTTPS: from a proxy before it, or by --certificate.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--state-conn-id", default=settings.state_conn_id, help="the database that holds the tables")
    parser.add_argument("--schema", default=settings.schema, help="of the table")
    parser.add_argument("--table", default=settings.inbox_table, help="of the deliveries")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8091)
    parser.add_argument("--certificate", metavar="FILE", help="of TLS, with its chain")
    parser.add_argument("--key", metavar="FILE", help="of the certificate")
    return parser


def _let_many_connect() -> None:
    """Have as many files open as the system allows: a thousand idle connections shall keep nobody out."""
    with suppress(ImportError, OSError, ValueError):  # on Windows, or where the system allows no more
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the inbox until told to stop; what was accepted by then is stored, and answered."""
    # Airflow's connections are those of its servers: of the metadata database too, and not of a task.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        import uvicorn
    except ImportError:
        sys.exit("ringg-inbox: uvicorn is not installed: pip install 'ringg-provider[inbox]'")
    try:
        table = inbox_table(options.table, options.schema)
        engine = _open(options.state_conn_id)
        require_state(engine, for_="inbox", field="state_conn_id")
        create_tables(engine, table)
        engine.dispose()
    except DatabaseUnavailable as error:
        log.warning("Until it is there, deliveries are answered 503: %s", error)
    except (RinggProviderError, AirflowException) as error:
        sys.exit(f"ringg-inbox: {error}")
    _let_many_connect()
    app = _app(options.state_conn_id, options.schema, options.table, prefix=PATH)
    # All of Airflow is loaded, and stays: to look for garbage in it would hold up every answer for a tenth of a second.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        http="h11",  # which has a limit for headers
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=20,
    )

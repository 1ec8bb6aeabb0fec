"""The app that Airflow's API server mounts: its routes, what every answer carries, and what errors look like."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException
from fastapi import FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringg_provider.exceptions import RinggProviderError
from ringg_provider.sql.errors import database_failure
from ringg_provider.ui.access import AUTHENTICATED
from ringg_provider.ui.pages import ROUTERS
from ringg_provider.ui.pages.templating import chart_library, page
from ringg_provider.ui.settings import Settings

log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"

#: Nothing from elsewhere, nothing inline, and in nobody's frame but Airflow's.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
#: What an error's page is called.
TITLES = {
    status.HTTP_400_BAD_REQUEST: "This address is not understood",
    status.HTTP_401_UNAUTHORIZED: "You are not logged in",
    status.HTTP_403_FORBIDDEN: "You may not see or do this",
    status.HTTP_404_NOT_FOUND: "There is nothing here",
    status.HTTP_503_SERVICE_UNAVAILABLE: "The control room cannot show this now",
}
#: What Airflow refuses with, said in full.
SAID_IN_FULL = {
    "Not authenticated": "These pages are for who is logged in to Airflow.",
    "Forbidden": "You have no right in Airflow to read the runs of this DAG, or to trigger it where something is to be "
    "done. Whoever gives rights in your Airflow can change that.",
}
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def build_app() -> FastAPI:
    """Make the app. Every route but the static files is for who is logged in to Airflow."""
    app = FastAPI(
        title="Ringg campaigns",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[AUTHENTICATED],
    )
    app.add_middleware(_SafeHeaders)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    for failure in (RinggProviderError, AirflowException, SQLAlchemyError):
        app.add_exception_handler(failure, _failed)
    for router in ROUTERS:
        app.include_router(router)
    # The longer path first: the one below would take it too.
    if (library := chart_library()) is not None:
        app.mount("/static/d3", _Static(directory=library), name="d3")
    app.mount("/static", _Static(directory=STATIC), name="static")
    return app


class _Static(StaticFiles):
    """Files that a browser keeps, and asks whether they are still the same."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Add what keeps them."""
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


class _SafeHeaders:
    """Puts our headers on every answer, errors and static files included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return _error(request, error.status_code, str(error.detail))


def _malformed(request: Request, _: Exception) -> Response:
    # FastAPI's own answer repeats what was sent.
    return _error(request, status.HTTP_400_BAD_REQUEST, "Something in it is of a kind that this page does not take.")


def _failed(request: Request, error: Exception) -> Response:
    # Our errors name nobody, Airflow's a connection that is not there; a driver's may quote a row.
    told = error
    if isinstance(error, SQLAlchemyError):
        told = database_failure(f"state_conn_id ({Settings.read().state_conn_id})", error)
    log.warning("%s was not answered: %s", request.url.path, told)
    return _error(request, status.HTTP_503_SERVICE_UNAVAILABLE, str(told), getattr(told, "runbook", None))


def _error(request: Request, code: int, text: str, runbook: str | None = None) -> Response:
    if "text/html" not in request.headers.get("Accept", ""):
        return JSONResponse({"detail": text}, status_code=code)
    context = {
        "code": code,
        "title": TITLES.get(code, "This page cannot be shown"),
        "text": SAID_IN_FULL.get(text, text),
        "runbook": runbook,
    }
    return page(request, "error.html", context, status_code=code)

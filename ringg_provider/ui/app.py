"""The app that Airflow's API server mounts: its routes, what every answer carries, and what errors look like."""

from __future__ import annotations

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
from ringg_provider.ui.access import AUTHENTICATED
from ringg_provider.ui.pages import ROUTERS
from ringg_provider.ui.pages.templating import chart_library, page

STATIC = Path(__file__).parent / "static"

#: Nothing from elsewhere, nothing inline, and in nobody's frame but Airflow's.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
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
    return _error(request, status.HTTP_400_BAD_REQUEST, "The address is not one of these pages.")


def _failed(request: Request, error: Exception) -> Response:
    # Our errors name nobody, Airflow's a connection that is not there; a driver's may quote a row.
    told = isinstance(error, RinggProviderError | AirflowException)
    text = str(error) if told else f"The database refused ({type(error).__name__})."
    return _error(request, status.HTTP_503_SERVICE_UNAVAILABLE, text)


def _error(request: Request, code: int, text: str) -> Response:
    if "text/html" not in request.headers.get("Accept", ""):
        return JSONResponse({"detail": text}, status_code=code)
    return page(request, "error.html", {"code": code, "text": text}, status_code=code)

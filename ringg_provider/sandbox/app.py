"""Puts the application together: routes, error bodies, the fault layer and the clockwork that lets calls happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from ringg_provider.sandbox import admin, page, smartalex
from ringg_provider.sandbox.docs_page import docs
from ringg_provider.sandbox.errors import (
    BASE_PATH,
    SMARTALEX_BASE_PATH,
    ApiError,
    error_response,
    is_smartalex,
    server_error_text,
)
from ringg_provider.sandbox.fault_layer import FaultLayer
from ringg_provider.sandbox.routes import agents, analytics, calls, campaigns, files, starts, uploads, workspace
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.smartalex.webhooks import SmartAlexWebhooks
from ringg_provider.sandbox.state import Sandbox, SandboxDep, authenticate

_TICK_SECONDS = 0.05
_TICK_BUDGET_SECONDS = 0.02


def create_app(settings: Settings | None = None) -> FaultLayer:
    """A sandbox as an ASGI application, to be served by uvicorn (cutting connections needs its transport).

    :param settings: what it does and how it words it. Default: those of ``Settings()``.
    """
    sandbox = Sandbox(settings or Settings(), _watch_smartalex)
    api = FastAPI(
        title="Ringg sandbox",
        version="0",
        description=f"Ringg AI under {BASE_PATH}, SmartAlex under {SMARTALEX_BASE_PATH}. No phone rings.",
        docs_url=None,
        redoc_url=None,
        lifespan=_clockwork,
        routes=[*_routes()],
    )
    api.state.sandbox = sandbox
    api.state.tasks = set()
    _add_errors(api)
    return FaultLayer(api, sandbox)


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """What every sandbox serves. Made once, for that takes longer than all else of a start, and tests start many."""
    every = APIRouter()
    for area in (workspace, agents, uploads, starts, campaigns, calls, analytics):
        every.include_router(area.router, prefix=BASE_PATH, dependencies=[Depends(authenticate)])
    every.include_router(smartalex.router, prefix=SMARTALEX_BASE_PATH)
    for router in (files.router, admin.router, _pages):
        every.include_router(router)
    return tuple(every.routes)


@asynccontextmanager
async def _clockwork(api: FastAPI) -> AsyncIterator[None]:
    """Lets the world go on between requests, in small bites, so that no request waits for hours of calls."""

    async def tick() -> None:
        while True:
            api.state.sandbox.advance(_TICK_BUDGET_SECONDS)
            await asyncio.sleep(_TICK_SECONDS)

    tasks = [asyncio.create_task(tick()), asyncio.create_task(api.state.sandbox.courier.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _watch_smartalex(sandbox: Sandbox) -> None:
    SmartAlexWebhooks(sandbox.smartalex, sandbox.courier, sandbox.smartalex_webhooks)


_pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@_pages.get("/")
async def _overview(sandbox: SandboxDep) -> str:
    return page.overview(sandbox.world, sandbox.smartalex)


@_pages.get("/campaigns/{campaign_id}")
async def _campaign(campaign_id: str, sandbox: SandboxDep) -> HTMLResponse:
    found = page.campaign_page(campaign_id, sandbox.world, sandbox.smartalex)
    return HTMLResponse(found or page.document("Ringg sandbox", "<h1>No such campaign</h1>"), 200 if found else 404)


@_pages.get("/docs")
async def _documentation(request: Request) -> str:
    return docs(request.app.openapi())


def _add_errors(api: FastAPI) -> None:
    def answer(request: Request, status: int, text: str, headers: Any = None, code: str | None = None) -> JSONResponse:
        sandbox: Sandbox = request.app.state.sandbox
        return error_response(sandbox.settings, request.url.path, status, text, headers, code)

    @api.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> JSONResponse:
        return answer(request, error.status, error.text, error.headers, error.code)

    @api.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return answer(request, 400 if is_smartalex(request.url.path) else 422, f"{name}: {first['msg']}")

    @api.exception_handler(HTTPException)
    async def not_served(request: Request, error: HTTPException) -> JSONResponse:
        return answer(request, error.status_code, str(error.detail), error.headers)

    @api.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> JSONResponse:
        return answer(request, 500, server_error_text(request.app.state.sandbox.settings, request.url.path))

"""Refusals, in whichever of the vendor's documented error bodies the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

from ringg_provider.sandbox.settings import Settings

BASE_PATH = "/ca/api/v0"
SMARTALEX_BASE_PATH = "/v1"
NO_CREDITS = "your current balance is insufficient to complete this action"
NOT_FOUND = "Campaign not found or you don't have access to it."

# The areas that generation 2 documents with {"detail": ...}; its other areas use {"error": {"code", "message"}}.
_DETAIL_AREAS = ("/campaign", "/agent", "/analytics", "/calling/call-details")


class ApiError(Exception):
    """The request is refused with `status` and a sentence like the vendor's."""

    def __init__(
        self, status: int, text: str, headers: Mapping[str, str] | None = None, code: str | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.text = text
        self.headers = headers


# SmartAlex words every refusal alike and tells them apart by a code.
_SMARTALEX_CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}


def is_smartalex(path: str) -> bool:
    """Whether a request with this path is meant for the second platform."""
    return path.startswith(f"{SMARTALEX_BASE_PATH}/")


def below_base(path: str) -> str | None:
    """What follows the base path of either platform; None for what belongs to neither."""
    for base in (BASE_PATH, SMARTALEX_BASE_PATH):
        if path.startswith(f"{base}/"):
            return path.removeprefix(base)
    return None


def error_body(settings: Settings, path: str, status: int, text: str, code: str | None = None) -> dict[str, Any]:
    """The error body for a request to `path` (with or without the base path)."""
    if is_smartalex(path):
        code = code or _SMARTALEX_CODES.get(status, "server_error" if status >= 500 else "invalid_request")
        return {"error": {"code": code, "message": text, "status": status}}
    shape = settings.error_shape
    if shape == "auto":
        if settings.is_g3:
            shape = "message"
        elif path.removeprefix(BASE_PATH).startswith(_DETAIL_AREAS):
            shape = "detail_list" if status == 422 else "detail"
        else:
            shape = "error_object"
    match shape:
        case "message":
            return {"message": text}
        case "detail":
            return {"detail": text}
        case "detail_list":
            return {"detail": [{"loc": ["body"], "msg": text, "type": "value_error"}]}
        case "error_string":
            return {"error": text}
        case _:
            return {"error": {"code": f"{status} {HTTPStatus(status).phrase}", "message": text}}


def error_response(
    settings: Settings,
    path: str,
    status: int,
    text: str,
    headers: Mapping[str, str] | None = None,
    code: str | None = None,
) -> JSONResponse:
    return JSONResponse(error_body(settings, path, status, text, code), status, headers=dict(headers or {}))


def server_error_text(settings: Settings, path: str) -> str:
    if settings.is_g3:
        return "An unexpected error occurred. Please try again later."
    if path.removeprefix(BASE_PATH).startswith("/calling"):
        return "An unexpected error occurred on the server."
    return "An unexpected error occurred."

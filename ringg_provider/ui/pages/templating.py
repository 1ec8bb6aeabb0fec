"""Templates into answers: everything that is filled in is text, and no markup."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates = Jinja2Templates(env=_environment)


def page(request: Request, template: str, context: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
    """Answer with a page.

    :param request: what is answered.
    :param template: a file of ``templates/``.
    :param context: its variables. ``base``, the path that the app is mounted at, is added: links begin with it.
    :param status_code: of the answer.
    """
    # Airflow may be served below a path, and a proxy may call it by another name: no address with a host is made.
    base = request.scope.get("root_path", "").rstrip("/")
    return _templates.TemplateResponse(request, template, {**context, "base": base}, status_code=status_code)

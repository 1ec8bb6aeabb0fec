"""Templates into answers: everything that is filled in is text, and no markup."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ringg_provider.ui.pages.words import FILTERS

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(FILTERS)
_templates = Jinja2Templates(env=_environment)


@cache
def chart_library() -> Path | None:
    """The folder of D3, which its wheel brings; None without it, and then charts are tables alone."""
    with suppress(PackageNotFoundError):
        for file in files("xstatic-d3") or ():
            if file.name == "d3.js":
                return Path(str(file.locate())).parent
    return None


def page(request: Request, template: str, context: Mapping[str, Any], status_code: int = 200) -> HTMLResponse:
    """Answer with a page.

    :param request: what is answered.
    :param template: a file of ``templates/``.
    :param context: its variables. ``base``, the path that the app is mounted at, is added, since links begin with it,
        and ``draws``, whether there is a library that draws charts.
    :param status_code: of the answer.
    """
    # Airflow may be served below a path, and a proxy may call it by another name: no address with a host is made.
    base = request.scope.get("root_path", "").rstrip("/")
    return _templates.TemplateResponse(
        request, template, {**context, "base": base, "draws": chart_library() is not None}, status_code=status_code
    )

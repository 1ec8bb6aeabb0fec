"""The page at `/docs`: the OpenAPI document as plain HTML, because the usual page loads its scripts from a CDN."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from ringg_provider.sandbox.page import document


def docs(openapi: dict[str, Any]) -> str:
    """Every operation of an OpenAPI document, folded, by tag."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["Other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method, operation, openapi))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in by_tag.items())
    info = openapi["info"]
    head = f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>"
    links = "<p><a href='/openapi.json'>openapi.json</a> · <a href='/'>campaigns and calls</a></p>"
    return document(info["title"], head + links + sections)


def _operation(path: str, method: str, operation: dict[str, Any], openapi: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation['description'])}</p>"] if operation.get("description") else []
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", ()))
    if rows:
        parts.append(f"<table><tbody>{rows}</tbody></table>")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolve(content["schema"], openapi)
        parts.append(f"<p>{escape(kind)}</p><pre>{escape(json.dumps(schema, indent=1, ensure_ascii=False))}</pre>")
    title = f"<code>{method.upper()} {escape(path)}</code> {escape(operation.get('summary', ''))}"
    return f"<details><summary>{title}</summary>{''.join(parts)}</details>"


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    kinds = [option.get("type", "any") for option in schema.get("anyOf", [schema])]
    need = "required" if parameter.get("required") else f"default {schema.get('default', 'none')}"
    cells = (parameter["name"], parameter["in"], " | ".join(kinds), need)
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _resolve(schema: Any, openapi: dict[str, Any]) -> Any:
    """The schema with its references put in place."""
    if isinstance(schema, list):
        return [_resolve(item, openapi) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _resolve(openapi["components"]["schemas"][reference.rsplit("/", 1)[-1]], openapi)
    return {key: _resolve(value, openapi) for key, value in schema.items() if key != "title"}

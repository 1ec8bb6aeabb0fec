"""Every request that the client can make, as it arrives on a socket, against the vendor's published OpenAPI.

The vendor's document is not ours to ship: this module tests what is there, when it is there, and is empty otherwise.
"""

from __future__ import annotations

import json
import re
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ringg_provider.ringg import PRODUCTION, RinggClient
from tests.ringg.examples import ONCE, REPEATABLE, Example, anything
from tests.support.http_server import Answer, Asked, ScriptedServer

DOCUMENT = Path(__file__).parents[2].parent / "shared/api/ringg-openapi.json"

# What the vendor documents elsewhere, in a newer generation than the published document. No older server is known to
# refuse any of it.
NEWER: dict[str, set[str]] = {
    "GET /agent/all": {"search"},
    "GET /calling/history": {"call_type", "sort_by", "sort_order"},
    "POST /campaign/save": {"transliterate_fields"},
    "POST /campaign/upload-csv": {
        "transliterate_fields",
        # The vendor's own guide sends these three here.
        "campaign_start_time",
        "campaign_end_time",
        "call_config",
    },
    "POST /calling/outbound/individual": {"purpose", "call_validity_hours", "call_deadline"},
    "PATCH /agent/v1": {"event_subscriptions"},
}
# Repeated names are documented since the newer generation as well.
REPEATED = {"GET /calling/history": {"status", "agent_id", "bulk_list_id"}}
# Asked for as best effort: the guides speak of number pools, and no version of the document has a path for them.
NOT_LISTED = {"list_number_pools"}
# Every page about webhooks uses an operation that the document's list lacks.
OPERATIONS_NOT_LISTED = {"edit_event_subscriptions"}


def json_schema(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(node, list):
        return [json_schema(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    converted = {key: json_schema(value) for key, value in node.items() if key not in ("example", "nullable")}
    return {"anyOf": [converted, {"type": "null"}]} if node.get("nullable") else converted


def operation_for(document: dict[str, Any], asked: Asked) -> tuple[str, dict[str, Any]]:
    path = asked.path.removeprefix("/ca/api/v0")
    for template, methods in document["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and asked.method.lower() in methods:
            return f"{asked.method} {template}", methods[asked.method.lower()]
    raise AssertionError(f"{asked.method} {path} is not in the vendor's document")


def typed(text: str, schema: dict[str, Any]) -> Any:
    """A text of a query or form as the type that its schema asks for."""
    kind = schema.get("type")
    if kind == "integer":
        return int(text)
    return {"true": True, "false": False}[text] if kind == "boolean" else text


def check_query(name: str, operation: dict[str, Any], asked: Asked) -> None:
    declared = {p["name"]: p for p in operation.get("parameters", []) if p["in"] == "query"}
    given = [key for key, _ in asked.query]
    assert set(given) - NEWER.get(name, set()) <= set(declared)
    assert {key for key, p in declared.items() if p.get("required")} <= set(given)
    for key, text in asked.query:
        assert given.count(key) == 1 or key in REPEATED[name]
        if key in declared:
            schema = declared[key]["schema"]
            jsonschema.validate(typed(text, schema), json_schema(schema))


def form_of(asked: Asked) -> dict[str, str]:
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + asked.body, policy=HTTP)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in message.iter_parts()  # type: ignore[attr-defined]
    }


def check_body(name: str, operation: dict[str, Any], asked: Asked) -> None:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        assert asked.length == 0
        return
    ((kind, media),) = content.items()
    assert asked.headers["content-type"].partition(";")[0] == kind
    schema = media["schema"]
    properties = schema["properties"]
    if kind == "multipart/form-data":
        form = form_of(asked)
        for key in ("call_config", "variables_map"):
            assert isinstance(json.loads(form[key]), dict)
        body = {key: typed(text, properties.get(key, {})) for key, text in form.items()}
    else:
        body = asked.json
    assert set(body) - NEWER.get(name, set()) <= set(properties)
    if body.get("operation") in OPERATIONS_NOT_LISTED:
        body = {**body, "operation": properties["operation"]["enum"][0]}
    jsonschema.validate(body, json_schema(schema))


if DOCUMENT.is_file():
    VENDOR: dict[str, Any] = json.loads(DOCUMENT.read_text())

    LISTED = {name: example for name, (_, example) in (REPEATABLE | ONCE).items() if name not in NOT_LISTED}

    @pytest.mark.parametrize("example", LISTED.values(), ids=list(LISTED))
    def test_a_request_is_what_the_vendor_documents(example: Example, tmp_path: Path) -> None:
        csv = tmp_path / "contacts.csv"
        csv.write_text("Mobile Number,Name,Policy ID,Due Date\n+919876543210,Priya,P-1,20/10/2026\n")
        with (
            ScriptedServer(script=lambda asked: Answer(body=anything(asked.path))) as server,
            RinggClient("key", server.base_url) as client,
        ):
            example(client, csv)
        assert server.asked
        for asked in server.asked:
            name, operation = operation_for(VENDOR, asked)
            assert "x-api-key" in asked.headers
            check_query(name, operation, asked)
            check_body(name, operation, asked)

    def test_the_base_url_is_the_documents() -> None:
        assert [server["url"] for server in VENDOR["servers"]] == [PRODUCTION]

    def test_what_is_left_out_is_not_in_the_vendors_document() -> None:
        assert not [path for path in VENDOR["paths"] if "number-pool" in path]

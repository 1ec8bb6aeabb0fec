"""Generation 2's answers, held against the vendor's published OpenAPI document where it lies next to the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.sandbox.api import NUMBER, RENEWALS, SURVEY, UNKNOWN, Api, MakeApi, contacts, expect

_DOCUMENT = Path(__file__).parents[2].parent / "shared/api/ringg-openapi.json"


def json_schema(schema: Any) -> Any:
    """OpenAPI 3.0 writes `nullable: true` where JSON Schema has a type "null"."""
    if isinstance(schema, list):
        return [json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: json_schema(value) for key, value in schema.items() if key not in ("nullable", "example")}
    if schema.get("nullable"):
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


def documented(method: str, template: str, status: int) -> Any:
    """The schema of one answer; without the document, any object will do."""
    if not _DOCUMENT.exists():
        return {"type": "object"}
    answers = json.loads(_DOCUMENT.read_text())["paths"][template][method]["responses"]
    return json_schema(answers[str(status)].get("content", {}).get("application/json", {}).get("schema", {}))


def left_out(schema: Any, answer: Any) -> list[str]:
    """The documented properties that an answer lacks, at any depth; of a list, those that no item has."""
    if isinstance(answer, list):
        lacking = [left_out(schema.get("items", {}), item) for item in answer]
        return [name for name in lacking[0] if all(name in one for one in lacking)] if lacking else []
    if not isinstance(answer, dict):
        return []
    missing = []
    for name, part in schema.get("properties", {}).items():
        if name == "client_analysis":  # only for agents with an analysis of their own, which the sandbox has none of
            continue
        missing += [f"{name}.{inner}" for inner in left_out(part, answer[name])] if name in answer else [name]
    return missing


@pytest.fixture
def g2(make_api: MakeApi) -> Api:
    """Generation 2 in the shapes of its OpenAPI document rather than of its guide."""
    return make_api(
        "g2",
        upload_shape="g2_openapi",
        upload_status_shape="g2_openapi",
        check_balance_shape="g2_openapi",
        make_call_shape="g2_openapi",
        save_echoes_rows=True,
        busy_rate=0,
        not_picked_rate=0,
        failed_rate=0,
        voicemail_rate=0,
        cost_delay_seconds=0,
    )


def answers(api: Api) -> dict[tuple[str, str, int], dict[str, Any]]:
    """One answer of each kind, by method, path template and status."""
    saved = expect(api.save(contacts(3)))
    started = expect(api.start(saved["list_id"]))
    uploaded = expect(api.upload(contacts(3, first=50) + "\n1,Bad"))
    bulk_list_id = uploaded["bulk_list_id"]
    api.wait(bulk_list_id, "draft")
    api.wait(saved["list_id"], "completed")
    api.skip(3600)  # for the analysis to arrive
    call_id = api.calls(saved["list_id"])[0]["id"]
    # What is stopped below has not ended by then.
    api.sandbox.admin.patch("/_sandbox/settings", json={"speed": 1}).raise_for_status()
    single = {"name": "Asha", "mobile_number": "+919876543210", "agent_id": SURVEY, "from_number_id": NUMBER}
    edit = {"operation": "edit_custom_vars", "agent_id": RENEWALS, "custom_variables": ["callee_name", "mobile_number"]}
    return {
        ("get", "/workspace", 200): expect(api.get("/workspace")),
        ("get", "/workspace/all", 200): expect(api.get("/workspace/all")),
        ("get", "/workspace/users", 200): expect(api.get("/workspace/users")),
        ("get", "/workspace/numbers", 200): expect(api.get("/workspace/numbers")),
        ("get", "/agent/all", 200): expect(api.get("/agent/all")),
        ("get", "/agent/{agent_id}", 200): expect(api.get(f"/agent/{SURVEY}")),
        ("patch", "/agent/v1", 200): expect(api.patch("/agent/v1", edit)),
        ("post", "/campaign/save", 200): saved,
        ("post", "/campaign/save", 400): expect(api.save(contacts(1), agent_id=UNKNOWN), 400),
        ("post", "/campaign/start", 200): started,
        ("post", "/campaign/start", 400): expect(api.start(saved["list_id"]), 400),
        ("post", "/campaign/v2/start", 200): expect(api.start_pool(api.saved(contacts(1, first=9)))),
        ("post", "/campaign/upload-csv", 200): uploaded,
        ("post", "/campaign/upload-csv", 400): expect(api.upload("", agent_id=SURVEY), 400),
        ("get", "/campaign/upload-status/{bulk_list_id}", 200): api.status(bulk_list_id),
        ("post", "/campaign/check-balance/{bulk_list_id}", 200): expect(
            api.post(f"/campaign/check-balance/{bulk_list_id}")
        ),
        ("post", "/campaign/make-call-async", 200): expect(api.make_call(bulk_list_id)),
        ("post", "/campaign/make-call-async", 400): expect(api.make_call(bulk_list_id), 400),
        ("get", "/campaign/all", 200): expect(api.get("/campaign/all")),
        ("get", "/calling/history", 200): api.history(bulk_list_id=saved["list_id"]),
        ("get", "/calling/history", 400): expect(api.get("/calling/history", start_date="now"), 400),
        ("get", "/calling/call-details", 200): expect(api.get("/calling/call-details", id=call_id, send_analysis=True)),
        ("get", "/calling/call-details", 404): expect(api.get("/calling/call-details", id=UNKNOWN), 404),
        ("post", "/calling/outbound/individual", 200): expect(api.post("/calling/outbound/individual", single)),
        ("post", "/calling/v2/outbound/individual", 200): expect(api.post("/calling/v2/outbound/individual", single)),
        ("patch", "/campaign/terminate", 200): expect(api.patch("/campaign/terminate", {"campaign_id": bulk_list_id})),
        ("patch", "/campaign/terminate", 400): expect(
            api.patch("/campaign/terminate", {"campaign_id": bulk_list_id}), 400
        ),
        ("get", "/analytics/platform-analytics", 200): expect(api.get("/analytics/platform-analytics")),
        ("get", "/analytics/drill-down-analytics", 200): expect(
            api.get("/analytics/drill-down-analytics", bulk_list_id=bulk_list_id)
        ),
        ("get", "/analytics/number-analytics", 200): expect(api.get("/analytics/number-analytics")),
        ("get", "/analytics/duration-distribution", 200): expect(api.get("/analytics/duration-distribution")),
        ("get", "/analytics/classification-analytics", 200): expect(api.get("/analytics/classification-analytics")),
    }


def test_every_answer_is_as_the_document_says_and_leaves_nothing_out(g2: Api) -> None:
    problems = []
    for (method, template, status), answer in answers(g2).items():
        schema = documented(method, template, status)
        validator = jsonschema.Draft202012Validator(schema)
        where = f"{method} {template} {status}"
        problems += [f"{where} {list(e.absolute_path)}: {e.message[:150]}" for e in validator.iter_errors(answer)]
        problems += [f"{where}: no {name}" for name in left_out(schema, answer)]
    assert not problems, "\n".join(problems)

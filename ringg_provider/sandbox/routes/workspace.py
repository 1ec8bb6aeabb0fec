"""Workspace, members, caller numbers and pools (https://docs.ringg.ai/api-reference/endpoint/workspace/get-workspace-info)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.call_log import is_uuid
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.state import SandboxDep

router = APIRouter(tags=["Workspace"])


@router.get("/workspace", summary="Credits; the cheapest check of a key")
async def get_workspace(sandbox: SandboxDep) -> dict[str, Any]:
    return wire.workspace(sandbox.world)


@router.get("/workspace/all", summary="All workspaces of the key's owner")
async def get_workspaces(sandbox: SandboxDep) -> dict[str, Any]:
    return wire.workspaces(sandbox.world)


@router.get("/workspace/users", summary="Members, for completion e-mails")
async def get_users(
    sandbox: SandboxDep, limit: Annotated[int, Query(ge=1)] = 10, offset: Annotated[int, Query(ge=0)] = 0
) -> dict[str, Any]:
    members = [{**user, "invite_status": "success"} for user in sandbox.world.workspace.users]
    return {"workspace_users": members[offset : offset + limit]}


@router.get("/workspace/numbers", summary="Caller numbers; generation 3 ignores limit and offset")
async def get_numbers(
    sandbox: SandboxDep,
    telephony_account_id: str | None = None,
    inbound_enabled: bool | None = None,
    limit: Annotated[int, Query(ge=1)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    if telephony_account_id not in (None, "ringg") and not is_uuid(str(telephony_account_id)):
        raise ApiError(400, f"Invalid telephony_account_id: {telephony_account_id}")
    rows = [wire.number_row(number, sandbox.settings) for number in sandbox.world.workspace.numbers]
    if telephony_account_id is not None:
        rows = [row for row in rows if row["provider"] == telephony_account_id]
    if inbound_enabled is not None:
        rows = [row for row in rows if row["is_inbound_enabled"] == inbound_enabled]
    return {"workspace_numbers": rows if sandbox.settings.is_g3 else rows[offset : offset + limit]}


@router.get("/number-pool", summary="Number pools (undocumented by the vendor)")
async def get_pools(sandbox: SandboxDep) -> dict[str, Any]:
    return wire.pools(sandbox.world)

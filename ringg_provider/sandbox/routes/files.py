"""What the API's links point at: reports of bad rows, and recordings as real audio with byte ranges."""

from __future__ import annotations

import io
import math
import re
import wave
from functools import lru_cache

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.state import SandboxDep
from ringg_provider.sandbox.wire import has_recording

router = APIRouter(tags=["Files"], prefix="/files")

_RATE = 8000
_LONGEST_AUDIO_SECONDS = 3
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@router.get("/invalid-rows/{name}", summary="The rows of an upload that cannot be called, as CSV")
async def get_invalid_rows(sandbox: SandboxDep, name: str) -> Response:
    campaign = sandbox.world.find(name.removesuffix(".csv"))
    if campaign.invalid_report is None:
        raise ApiError(404, "File not found")
    return Response(campaign.invalid_report, media_type="text/csv")


@router.get("/recordings/{name}", summary="A call's recording, until its link expires")
async def get_recording(sandbox: SandboxDep, request: Request, name: str, expires: float = 0.0) -> Response:
    call = sandbox.world.calls_by_id.get(name.removesuffix(".wav"))
    if call is None or not has_recording(call):
        raise ApiError(404, "File not found")
    if expires < sandbox.world.clock.wall():
        raise ApiError(403, "Request has expired")
    audio = _tone(min(_LONGEST_AUDIO_SECONDS, max(1, int(call.duration))), int(call.id[:2], 16))
    headers = {"Accept-Ranges": "bytes"}
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if not asked:
        return Response(audio, media_type="audio/wav", headers=headers)
    first = int(asked[1])
    last = min(int(asked[2] or len(audio) - 1), len(audio) - 1)
    if first > last:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{len(audio)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(audio)}"
    return Response(audio[first : last + 1], 206, media_type="audio/wav", headers=headers)


@lru_cache(maxsize=64)
def _tone(seconds: int, pitch: int) -> bytes:
    """A quiet beep of 8 kHz mono, different from call to call."""
    hertz = 300 + pitch
    samples = bytes(128 + int(40 * math.sin(2 * math.pi * hertz * i / _RATE)) for i in range(seconds * _RATE))
    target = io.BytesIO()
    with wave.open(target, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(1)
        audio.setframerate(_RATE)
        audio.writeframes(samples)
    return target.getvalue()

"""The pack's route on the host's server: a plan for the live widget, without a run of the graph."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from .plan_request import MAX_BYTES, answer

PATH = "/cotj/plan"


def register(routes: web.RouteTableDef) -> None:
    """Add the route to the host's."""
    routes.post(PATH)(plan)


async def plan(request: web.Request) -> web.Response:
    """The claims of the plan that the body asks for, or 400 and the reason why there is none."""
    try:
        body = await _body(request)
        # In a thread: a large grid must not hold up the host's other requests.
        return web.json_response(text=await asyncio.to_thread(_answer, body))
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)


def _answer(body: bytes) -> str:
    return json.dumps(answer(body), allow_nan=False)  # NaN is no JSON; as a ValueError it has a reason


async def _body(request: web.Request) -> bytes:
    """The body; ValueError as soon as it is known to be too long. The host itself takes uploads of 100 MB."""
    parts = bytearray()
    async for part in request.content.iter_chunked(65536):
        parts += part
        if len(parts) > MAX_BYTES:
            raise ValueError(f"a request has at most {MAX_BYTES} bytes")
    return bytes(parts)

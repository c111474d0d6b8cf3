"""The pack's route on the host's server: what the live widgets draw, without a run of the graph."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from ...planner.texts import Texts, say, spoken
from ..reports.plan_claims import WholeRuns
from .plan_request import MAX_BYTES, answer
from .shown_dnas import SHOWN
from .stored_files import StoredFiles

PATH = "/cotj/plan"


def register(
    routes: web.RouteTableDef,
    stored: StoredFiles,
    whole_runs: WholeRuns,
    texts_for: Callable[[str], Texts] = lambda accepted: {},
) -> None:
    """Add the route to the host's. stored, whole_runs: what the host has and knows, see `answer`.

    texts_for: gives the texts of the language that a request's header Accept-Language asks for.
    """

    async def plan(request: web.Request) -> web.StreamResponse:
        def answered(body: bytes) -> str:
            claims = answer(body, SHOWN, stored, whole_runs)
            return json.dumps(claims, allow_nan=False)  # NaN is no JSON; it has a reason

        with spoken(texts_for(request.headers.get("Accept-Language", ""))):
            return await _reply(request, answered)

    routes.post(PATH)(plan)


async def _reply(request: web.Request, answered: Callable[[bytes], str]) -> web.StreamResponse:
    """Answer with the claims that the body asks for, or 400 and the reason why there are none."""
    try:
        body = await _body(request)
    except (web.RequestPayloadError, ConnectionError):  # it ended early, or is not what its header says
        return await _refuse_unread(request, "the request ended before its end")
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    try:
        # In a thread, which speaks the same language: a large grid must not hold up the host's other requests.
        return web.json_response(text=await asyncio.to_thread(answered, body))
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)


async def _refuse_unread(request: web.Request, reason: str) -> web.StreamResponse:
    """Answer 400 and close the connection: aiohttp would read on, fail again and log a traceback."""
    response = web.json_response({"error": reason}, status=400)
    with suppress(ConnectionError):  # nobody is there to read it
        await response.prepare(request)
        await response.write_eof()
    request.protocol.force_close()
    return response


async def _body(request: web.Request) -> bytes:
    """Read the body; ValueError as soon as it is known to be too long. The host itself takes uploads of 100 MB."""
    parts = bytearray()
    async for part in request.content.iter_chunked(65536):
        parts += part
        if len(parts) > MAX_BYTES:
            raise ValueError(say("a request has at most {most} bytes", most=MAX_BYTES))
    return bytes(parts)

"""A server that speaks ComfyUI's routes and takes its time over an item without computing anything.

python fake_comfyui.py PORT '{"seconds": 0.1, "lie": "", "hangs": false}' serves until it is killed. A prompt with the
word "refused" does not pass its checks, one with "broken" fails in a node. GET /told says what was asked of it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
import uuid
from functools import cache

import numpy as np
from aiohttp import web
from cotj.planner import DiffusionDNA, TrajectoryProfile
from cotj.planner.dna_file import to_bytes

LEVELS, REFERENCE_STEPS, WIDTH = 20, 10, 8
SIGMAS = np.linspace(0.05, 1, LEVELS)


@cache
def any_profile() -> TrajectoryProfile:
    """A profile as large as that of a long run of 50 steps."""
    states = np.random.default_rng(0).standard_normal((5, 101, 101))
    return TrajectoryProfile(np.linspace(0.02, 1, 50), states @ states.transpose(0, 2, 1), np.full(5, 0.2))


def pair(prompt: str, seed: int, checkpoint: str = "1", profile: bool = False) -> dict[str, str]:
    """What Send DNA Pair gives on an honest server, written as `predictor/sent_pair.py` does, without torch."""
    draw = np.random.default_rng(list(hashlib.sha256(f"{prompt} {seed}".encode()).digest()))
    embedding = np.random.default_rng(list(hashlib.sha256(prompt.encode()).digest())).standard_normal(WIDTH)
    meta = {"model": "Fake", "checkpoint": checkpoint, "latent_shape": [[1, 4, 8, 8]], "seed": seed}
    meta["reference"] = {"sampler": "euler", "steps": REFERENCE_STEPS}
    dna = DiffusionDNA(
        SIGMAS, SIGMAS**2 * draw.uniform(0.5, 1, LEVELS), meta=meta, profile=any_profile() if profile else None
    )
    texts = {"dna": to_bytes(dna), "embedding": embedding.astype("<f4").tobytes()}
    texts = {name: base64.b64encode(data).decode() for name, data in texts.items()}
    return texts | {"pooling": "token mean", "model": "Fake", "origin": "measured"}


def answer(prompt: str, seed: int, lie: str = "", profile: bool = False) -> dict:
    """What Send DNA Pair gives, or what a liar does in its place."""
    told = {
        "": pair(prompt, seed, profile=profile),
        "another seed": pair(prompt, seed + 1),
        "another checkpoint": pair(prompt, seed, "2"),
        "noise": pair(prompt, seed) | {"dna": "AAAA"},
    }
    return {"cotj_pair": [told[lie]]} if lie in told else {}


class FakeComfyUI:
    """The state of the server: its queue, what ended, and whom to tell."""

    def __init__(self, seconds: float = 0.0, lie: str = "", hangs: bool = False, profile: bool = False) -> None:
        self.seconds, self.lie, self.hangs, self.profile = seconds, lie, hangs, profile
        self.queue: list[tuple] = []  # (number, prompt id, workflow, extra data, outputs); the first one runs
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.history: dict[str, dict] = {}
        self.interrupted: set[str] = set()
        self.told = {"asked": 0, "longest queue": 0, "most kept": 0}
        self.more = asyncio.Event()

    async def work(self) -> None:
        while True:
            while not self.queue:
                self.more.clear()
                await self.more.wait()
            await self._run(self.queue[0])
            self.queue = self.queue[1:]

    async def _run(self, entry: tuple) -> None:
        _, prompt_id, workflow, extra, _ = entry
        owner = extra["client_id"]
        if self.hangs:
            await asyncio.Event().wait()
        await self._tell(owner, "executing", node="1", prompt_id=prompt_id)
        left = self.seconds
        while left > 0 and prompt_id not in self.interrupted:
            await asyncio.sleep(min(left, 0.05))
            left -= 0.05
        prompt, seed = asked_for(workflow)
        about = {"prompt_id": prompt_id, "node_id": "1", "node_type": "CoTjMeasureDNA"}
        messages: list = []
        if prompt_id in self.interrupted:
            messages = [["execution_interrupted", about]]
        elif "broken" in prompt:
            fault = {"exception_type": "ValueError", "exception_message": "it is broken"}
            messages = [["execution_error", about | fault]]
        answers = {name: answer(prompt, seed, self.lie, self.profile) for name in workflow if name == "sent"}
        self.history[prompt_id] = {"outputs": answers, "status": {"messages": messages}}
        self.told["most kept"] = max(self.told["most kept"], len(self.history))
        await self._tell(owner, "executing", node=None, prompt_id=prompt_id)

    async def _tell(self, owner: str, kind: str, **data) -> None:
        if socket := self.sockets.get(owner):
            try:
                await socket.send_json({"type": kind, "data": data})
            except ConnectionError:
                pass

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets[request.query["clientId"]] = socket
        async for _ in socket:
            pass
        return socket

    async def prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        prompt, _ = asked_for(body["prompt"])
        if "refused" in prompt:
            error = {"type": "invalid", "message": "it is refused", "details": ""}
            return web.json_response({"error": error, "node_errors": {}}, status=400)
        prompt_id = str(uuid.uuid4())
        self.queue.append((self.told["asked"], prompt_id, body["prompt"], {"client_id": body["client_id"]}, []))
        self.told["asked"] += 1
        self.told["longest queue"] = max(self.told["longest queue"], len(self.queue))
        self.more.set()
        return web.json_response({"prompt_id": prompt_id, "node_errors": {}})

    async def state(self, _: web.Request) -> web.Response:
        return web.json_response({"queue_running": self.queue[:1], "queue_pending": self.queue[1:]})

    async def delete(self, request: web.Request) -> web.Response:
        gone = set((await request.json())["delete"])
        self.queue = self.queue[:1] + [entry for entry in self.queue[1:] if entry[1] not in gone]
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        running = {entry[1] for entry in self.queue[:1]}
        self.interrupted |= {(await request.json()).get("prompt_id", "")} & running or running
        return web.Response()

    async def forget(self, request: web.Request) -> web.Response:
        for prompt_id in (await request.json())["delete"]:
            self.history.pop(prompt_id, None)
        return web.Response()

    async def past(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response({name: self.history[name]} if name in self.history else {})


def asked_for(workflow: dict) -> tuple[str, int]:
    inputs = [node["inputs"] for node in workflow.values()]
    [seed] = [known["noise_seed"] for known in inputs if "noise_seed" in known]
    return next(known["text"] for known in inputs if known.get("text")), seed


async def serve(port: int, **how) -> None:
    fake = FakeComfyUI(**how)
    app = web.Application()
    app.add_routes(
        [
            web.get("/ws", fake.websocket),
            web.post("/prompt", fake.prompt),
            web.get("/queue", fake.state),
            web.post("/queue", fake.delete),
            web.post("/interrupt", fake.interrupt),
            web.post("/history", fake.forget),
            web.get("/history/{name}", fake.past),
            web.get("/told", lambda _: web.json_response(fake.told)),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    await fake.work()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), **json.loads(sys.argv[2])))

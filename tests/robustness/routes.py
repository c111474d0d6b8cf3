"""Bodies for the route of the live widgets: each is answered, or refused with a short reason."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from cotj.harness.server import ComfyServer
from cotj.nodes.live.plan_request import request
from cotj.planner import DiffusionDNA, TimeShift
from cotj.tests.host.conftest import WatchedServer
from cotj.tests.robustness import mutations
from cotj.tests.robustness.attack import Attack, Outcome, largest, rng_of

MOST_SECONDS = 10.0
MOST_TEXT = 1000
TIMES = np.arange(1, 41) / 40
DNA = DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0))
FIXED = {"steps": 7, "denoise": 1.0, "planner": "auto", "sampler": "euler", "lever": "flow", "start": "top"}
ADAPTIVE = {"threshold": 0.99, "target_error": 0.0, "min_steps": 1, "max_steps": 10, "denoise": 1.0}
CACHE = {"calls": 4, "target_error": 0.0, "steps": "planned", "rule": "fitted", "learn_from": 1}
LINEAR = {"sigmas": np.linspace(1, 0, 9).tolist(), "sampler": "euler", "learned_runs": 1}


def _bodies() -> list[dict]:
    fixed = request("CoTjPlanSigmas", DNA, FIXED, None)
    adaptive = request("CoTjAdaptiveLength", DNA, ADAPTIVE | {"planner": "cotj", "sampler": "euler"}, None)
    limits = {"visit": [0.5], "first": 1.0, "last": 0.1, "min_jump": 0.01, "max_jump": 0.5}
    compared = fixed | {"compare": [1.0, 0.5, 0.0], "constraints": limits}
    cached = {
        "node": "CoTjCacheSteps",
        "values": CACHE,
        "run": LINEAR,
        "dna": fixed["dna"],
        "content": fixed["content"],
    }
    return [fixed, adaptive, compared, cached, {"node": "CoTjCacheSteps", "values": CACHE, "run": LINEAR}]


def _body(number: int) -> bytes:
    bodies, rng = _bodies(), rng_of("routes", number)
    whole = bodies[number % len(bodies)]
    if rng.random() < 0.3:
        return mutations.damaged(json.dumps(whole).encode(), rng)
    for _ in range(int(rng.integers(1, 3))):
        whole = mutations.changed(whole, rng)
        if not isinstance(whole, dict):
            break
    return json.dumps(whole).encode()


def run(numbers: Iterable[int], folder: Path) -> Iterator[Outcome]:
    """Send a body for each number to a real server, and look into its log in the end."""
    with WatchedServer(folder) as server:
        for number in numbers:
            before = server.log.stat().st_size
            outcome = _one(server, number)
            if not outcome.fault and server.log.stat().st_size > before and server.tracebacks():
                outcome = Outcome(number, server.tracebacks()[-1][-200:])
            yield outcome


def _one(server: ComfyServer, number: int) -> Outcome:
    began, fault = time.monotonic(), ""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{server.url}/cotj/plan", _body(number)), timeout=60
        ) as reply:
            told = json.loads(reply.read(), parse_constant=lambda name: name)
            sigmas = told.get("sigmas")
            if "unknown" not in told and (not sigmas or not np.isfinite(np.array(sigmas, float)).all()):
                fault = f"answered {str(told)[:100]}"
    except urllib.error.HTTPError as error:
        reason = json.load(error).get("error", "") if error.code == 400 else ""
        if not reason or len(reason) > MOST_TEXT:
            fault = f"status {error.code}, a reason of {len(reason)} characters"
    except OSError as error:
        fault = f"{type(error).__name__}: {error}"[:200]
    seconds = time.monotonic() - began
    return Outcome(
        number, fault or (f"it took {seconds:.0f} s" if seconds > MOST_SECONDS else ""), {"seconds": seconds}
    )


ATTACK = Attack("routes", "bodies for the route of the live widgets", 10_000, 150, run, largest)

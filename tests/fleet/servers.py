"""Processes that speak ComfyUI's routes, started, killed and asked what they were asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from cotj.harness.environment import ROOT
from cotj.harness.server import free_port

SCRIPT = Path(__file__).with_name("fake_comfyui.py")
READY = 120  # seconds that a server may take to answer


class Fake:
    """One such server. how: see fake_comfyui.py."""

    def __init__(self, how: dict) -> None:
        self.how, self.port = how, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(SCRIPT), str(self.port), json.dumps(self.how)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "fleet" / "path"), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        deadline = time.monotonic() + READY
        while True:
            try:
                self.told()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)

    def told(self) -> dict:
        """What it was asked for: counts by name."""
        with urllib.request.urlopen(f"{self.url}/told", timeout=30) as reply:
            return json.load(reply)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Kill it and start it again at the same address, which takes it some seconds."""
        self.kill()
        self.start()


class Fakes(ExitStack):
    """Servers that end with the block."""

    def add(self, count: int = 1, **how) -> list[Fake]:
        """Start so many, and wait until they answer."""
        servers = [Fake(how) for _ in range(count)]
        for server in servers:
            self.callback(server.kill)
        for server in servers:
            server.wait()
        return servers

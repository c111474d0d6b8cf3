"""A headless ComfyUI on this machine, with the pack in its custom_nodes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import torch

from .environment import ROOT, cache_dir
from .find import find_comfyui


class ServerError(RuntimeError):
    """ComfyUI did not start; the message holds the end of its log."""


class ComfyServer:
    """A ComfyUI process as a context manager: `with ComfyServer(base) as server: ComfyClient(server.url)`.

    Everything the host writes goes below `base`; the checkout it runs from is left as it is. pack: what it loads as the
    pack, by default this repository. tethered: whether it ends with this process even where that is killed. frontend:
    the folder of the page that it serves, by default its own.
    """

    def __init__(
        self,
        base: Path,
        comfyui: Path | None = None,
        port: int | None = None,
        timeout: float = 300,
        pack: Path = ROOT,
        tethered: bool = False,
        frontend: Path | None = None,
    ):
        self.base = Path(base).resolve()
        self.comfyui = comfyui or find_comfyui()
        self.port = port or free_port()
        self.timeout = timeout
        self.pack = pack
        self.tethered = tethered
        self.frontend = frontend
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.base / "server.log"
        self.models = self.base / "models"
        self.output = self.base / "output"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ComfyServer:
        for folder in ("custom_nodes", "models", "input", "user"):
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        link(self.pack, self.base / "custom_nodes" / "comfyui-cotj")
        command = [sys.executable, str(self.comfyui / "main.py")]
        command += ["--port", str(self.port), "--base-directory", str(self.base)]
        command += ["--database-url", f"sqlite:///{self.base / 'user' / 'comfyui.db'}"]
        command += ["--disable-api-nodes", "--disable-auto-launch"]
        if not torch.accelerator.is_available():
            command += ["--cpu"]
        if self.frontend:
            command += ["--front-end-root", str(self.frontend)]
        if self.tethered:
            command = [sys.executable, str(ROOT / "harness" / "tether.py"), *command]
        # Compiled files go to the cache instead of into the checkout, and the next start is faster for them.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(cache_dir() / "pycache"), "PYTHONUNBUFFERED": "1"}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.base,
                env=environment,
                stdin=subprocess.PIPE if self.tethered else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and whatever it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):  # it may have ended by itself
            process.terminate() if os.name == "nt" else os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def tail(self, lines: int = 40) -> str:
        """Return the end of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _wait_until_ready(self) -> None:
        assert self._process
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self.tail()}\n\nComfyUI ended with code {self._process.returncode}: {self.log}")
            try:
                with urllib.request.urlopen(f"{self.url}/system_stats", timeout=10):
                    return
            except OSError:
                time.sleep(0.2)
        raise ServerError(f"{self.tail()}\n\nComfyUI was not ready after {self.timeout:.0f} s: {self.log}")


def free_port() -> int:
    """Find a port on this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def link(source: Path, target: Path) -> None:
    """Make `target` show `source`: a link, or a copy where links are not allowed (Windows, by default)."""
    if target.is_symlink():
        target.unlink()
    try:
        target.symlink_to(source, target_is_directory=True)
    except OSError:
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))

"""Make the project's own Python environment, enter it, load the pack. Standard library only, Python 3.10 or newer."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent

# The three are released together and do not work in other combinations.
TORCH = ["torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0"]
# The linter and the type checker are held: a newer one finds new faults in old code.
TOOLS = [
    "hypothesis",
    "matplotlib",
    "mypy==2.4.*",
    "networkx",
    "playwright",
    "pytest",
    "pytest-timeout",
    "ruff==0.17.*",
    "scikit-image",
    "scipy",
    "websocket-client",
]


def cache_dir() -> Path:
    """Where the environments live: $COTJ_CACHE, or the user's cache folder."""
    if "COTJ_CACHE" in os.environ:
        return Path(os.environ["COTJ_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "comfyui-cotj"


def load_pack() -> ModuleType:
    """Load the repository root as the package `cotj`, whatever the checkout's folder is called."""
    if "cotj" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "cotj", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec and spec.loader
        sys.modules["cotj"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["cotj"])
    return sys.modules["cotj"]


def enter_environment(comfyui: Path | None = None) -> None:
    """Run this same command in the environment made for `comfyui`: by default one that is found, or else installed."""
    if comfyui is None:
        load_pack()
        from cotj.demo.host.find import find_or_install_comfyui

        comfyui = find_or_install_comfyui()
    # A polite end, such as a CI's time limit, unwinds the stack, so that what was started on the way ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    needs = comfyui / "requirements.txt"
    key = "\n".join([*TORCH, *TOOLS, needs.read_text(), sys.version, sys.base_prefix])
    folder = cache_dir() / f"env-{hashlib.sha256(key.encode()).hexdigest()[:10]}"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    if not (folder / "ready").exists():
        cache_dir().mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not (folder / "ready").exists():  # another process may have made it meanwhile
                _make(folder, needs)
    _restart(_python(folder))


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _restart(python: Path) -> None:
    command = [str(python), *sys.orig_argv[1:]]
    sys.stdout.flush()
    if os.name == "nt":  # exec there returns to the shell at once
        sys.exit(subprocess.call(command))
    os.execv(python, command)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that is released even when the process is killed. SQLite has such a lock on every system."""
    lock = sqlite3.connect(path, timeout=0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        print("Waiting for another process that is making the environment ...", flush=True)
        lock.execute("PRAGMA busy_timeout = 3600000")
        lock.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        lock.close()


def _make(folder: Path, needs: Path) -> None:
    """Build the environment. The marker file comes last, so that an interrupted attempt is started over."""
    print(f"Making the Python environment, once: {folder}\nIt takes some minutes, and about 7 GB of disk.", flush=True)
    log = folder.with_suffix(".log")
    log.unlink(missing_ok=True)
    _step("virtual environment", [sys.executable, "-m", "venv", "--clear", str(folder)], log)
    pip = [str(_python(folder)), "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    _step("packages", [*pip, *TORCH, *TOOLS, f"--requirement={needs}"], log)
    (folder / "ready").touch()


def _step(name: str, command: list[str], log: Path) -> None:
    """Run one command into the log, with a line every half minute that shows it is alive."""
    started = time.monotonic()
    print(f"  {name} ...", flush=True)
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        while process.poll() is None:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                print(f"    {time.monotonic() - started:4.0f} s  {_tail(log, 1)[:100]}", flush=True)
    finally:
        process.kill()
    if process.returncode:
        hint = "On Debian and Ubuntu: apt install python3-venv" if "ensurepip" in _tail(log, 30) else ""
        sys.exit(f"{_tail(log, 30)}\n\nMaking the environment failed at: {name}. The whole log: {log}\n{hint}")
    print(f"  {name}: {time.monotonic() - started:.0f} s", flush=True)


def _tail(log: Path, lines: int) -> str:
    return "\n".join(log.read_text(errors="replace").strip().splitlines()[-lines:])

"""The making of a Python environment, step by step, going on where it was interrupted. Standard library only."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .packages import Environment


def python_of(folder: Path) -> Path:
    """Name the interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make(environment: Environment, folder: Path) -> None:
    """Make the environment in `folder`, unless it is whole already. Ends the program where that fails or is cut off."""
    if (folder / "ready").exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not (folder / "ready").exists():  # another process may have made it meanwhile
            try:
                _make(environment, folder)
            except KeyboardInterrupt:
                sys.exit("\nInterrupted. The same command goes on from here.")


def _make(environment: Environment, folder: Path) -> None:
    """Take the steps that are not done yet. The marker file comes last."""
    steps = {"virtual environment": [[sys.executable, "-m", "venv", "--clear", str(folder)]]}
    pip = [str(python_of(folder)), "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    steps |= {name: [[*pip, *packages] for packages in ways] for name, ways in environment.steps.items()}
    log, done = folder.with_suffix(".log"), folder / "steps"
    finished = done.read_text().splitlines() if done.exists() else []
    verb = "Going on to make" if finished else "Making"
    print(f"{verb} the Python environment, once: {folder}\n{environment.cost}", flush=True)
    if not finished:
        log.unlink(missing_ok=True)
    _remove_halves(folder)
    for number, (name, ways) in enumerate(steps.items(), 1):
        if name not in finished:
            _step(f"{name} ({number} of {len(steps)})", ways, log)
            with done.open("a") as file:
                print(name, file=file)
    (folder / "ready").touch()


def _remove_halves(folder: Path) -> None:
    """Remove packages that pip was interrupted at, so that it installs them again.

    A package's list of files is the last that pip writes.
    """
    for info in list(folder.glob("[Ll]ib/**/site-packages/*.dist-info")):
        if not (info / "RECORD").exists():
            shutil.rmtree(info)


def _step(name: str, ways: list[list[str]], log: Path) -> None:
    """Run commands into the log until one works."""
    started = time.monotonic()
    print(f"  {name} ...", flush=True)
    for command in ways:
        if _run(command, log) == 0:
            break
        if command is not ways[-1]:
            print(f"    that did not work, so another way is tried: {_tail(log, 1)[:100]}", flush=True)
    else:
        hint = "On Debian and Ubuntu: apt install python3-venv" if "ensurepip" in _tail(log, 30) else ""
        sys.exit(f"{_tail(log, 30)}\n\nMaking the environment failed at: {name}. The whole log: {log}\n{hint}")
    print(f"  {name}: {time.monotonic() - started:.0f} s", flush=True)


def _run(command: list[str], log: Path) -> int:
    """Run one command, with a line every half minute that shows it is alive; gives its exit status."""
    started = time.monotonic()
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
    return process.returncode


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


def _tail(log: Path, lines: int) -> str:
    return "\n".join(log.read_text(errors="replace").strip().splitlines()[-lines:])

"""A cluster of two nodes, at two loopback addresses of this machine: its workers are on both, and it wants a token."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from cotj.fleet.cluster import STARTS
from cotj.fleet.collect import record_of
from cotj.harness.environment import ROOT
from cotj.harness.server import free_port
from cotj.tests.fleet.runs import GRAPH, check_result

FIRST, SECOND = "127.0.0.2", "127.0.0.3"  # 127.0.0.1 itself stands for the machine's own address
PROMPTS = [f"prompt {number}" for number in range(24)]
STARTED = "Ray runtime started"


@contextmanager
def node(log: Path, *arguments: str) -> Iterator[psutil.Process]:
    """Run `python fleet node` until the end of the block."""
    running = started(log, [sys.executable, "fleet", "node", *arguments])
    try:
        yield running
    finally:
        begun = running.children(recursive=True)
        running.terminate()
        _, left = psutil.wait_procs([running, *begun], timeout=20)
        for process in left:
            process.kill()


def started(log: Path, command: list[str]) -> psutil.Popen:
    """Start a node, again where Ray's processes are too slow for one another."""
    for _ in range(STARTS):
        with log.open("w") as file:
            environment = os.environ | {"PYTHONUNBUFFERED": "1"}
            running = psutil.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)
        while running.poll() is None:
            if STARTED in log.read_text():
                return running
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def until(there: Callable[[], bool], running: psutil.Popen) -> None:
    """Wait for something that comes while a process runs."""
    while not there():
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.1)


def has_worker(one: psutil.Process) -> bool:
    """Tell whether a worker of the fleet is among the processes of a node."""
    for process in one.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it may end meanwhile
            if "ray::Worker" in " ".join(process.cmdline()):
                return True
    return False


@pytest.mark.timeout(900)
def test_two_nodes_share_the_workers(tmp_path: Path, fakes):
    servers = fakes.add(4, seconds=2)
    port = str(free_port())
    (tmp_path / "prompts.txt").write_text("\n".join(PROMPTS))
    command = [
        sys.executable,
        "fleet",
        "collect",
        "--prompts",
        str(tmp_path / "prompts.txt"),
        "--data-set",
        "collected",
    ]
    command += ["--folder", str(tmp_path), "--workflow", str(GRAPH), "--ray", f"{FIRST}:{port}"]
    command += ["--workers", *(server.url for server in servers)]
    how = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with (
        node(tmp_path / "first.log", "--at", FIRST, "--port", port) as first,
        node(tmp_path / "second.log", "--at", SECOND, "--ray", f"{FIRST}:{port}") as second,
    ):
        refused = subprocess.run(command, env=os.environ | {"RAY_AUTH_TOKEN": "0" * 64}, timeout=300, **how)
        assert refused.returncode == 1 and "is not to be reached" in refused.stdout, refused.stdout
        running = psutil.Popen(command, **how)
        for one in (first, second):  # whose workers stay until the last item is done
            until(lambda one=one: has_worker(one), running)
        told, _ = running.communicate(timeout=300)
        assert running.returncode == 0 and "24 of 24 DNAs" in told, told
    check_result(record_of(tmp_path, "collected"), PROMPTS)

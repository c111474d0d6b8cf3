"""Trials in a process of their own, which may change its user and its limits."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable

NOBODY = 65534


def fault_in_child(trial: Callable[[], str]) -> str:
    """Run a trial in a forked process; gives the fault that it returns, or what ended it otherwise."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        logging.disable(logging.WARNING)  # a line for each file that is left out
        try:
            fault = trial()
        except BaseException:
            fault = traceback.format_exc()[-300:]
        os.write(writer, fault.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        fault = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return fault or (f"the process ended with status {status}" if status else "")


def become_nobody() -> None:
    """Give up every right that root has over files, in a child alone."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

"""The command line: the planner without ComfyUI. One file a command, and what they share."""

from __future__ import annotations

import signal
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives its exit status: 0, or 2 for what cannot be done.

    arguments: those of the process by default. To be called in the main thread, whose interrupts it handles.
    """
    # An interrupt ends the process at once, and quietly: what is thrown while NumPy loads comes out as another error.
    # Files are written whole or not at all, whenever that is.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from .run import run

        return run(arguments)
    finally:
        signal.signal(signal.SIGINT, before)

"""The command line: the planner without ComfyUI. One file a command, and what they share."""

from __future__ import annotations

import signal
from collections.abc import Sequence


def program() -> int:
    """Run the command line as the whole of a process; gives its exit status, as `main` does."""
    # An interrupt ends the process at once, and quietly, until its very end: what is thrown while NumPy loads comes out
    # as another error, and what is thrown while Python ends, as a traceback. Files are written whole or not at all,
    # whenever that is.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as it is for a program in the background of a script
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line in a process that goes on; gives its exit status.

    That is 0, 2 for what cannot be done, or 141 where nobody reads the output any more. arguments: those of the process
    by default. Raises SystemExit for --help and for what is no command line.
    """
    from .run import run

    return run(arguments)

"""Reads the command line, runs a command, and sees to how it ends."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, NoReturn

from ..nodes import __version__
from ..planner.reading import shortened
from . import cache, compare, convert, diagnose, plan, show
from .faults import MOST_TEXT, Fault
from .results import folded
from .sources import shipped_means

COMMANDS = {
    "plan": plan,
    "show": show,
    "compare": compare,
    "diagnose": diagnose,
    "cache": cache,
    "convert": convert,
}
DESCRIPTION = f"""Plan sampling schedules from a Diffusion DNA, without ComfyUI.

A DNA is a file of the node Save DNA, one that `cotj convert` made, or a mean that comes with this program:
{" or ".join(shipped_means())}. What is printed names nodes of ComfyUI: Adaptive Length Threshold is
`cotj plan --threshold`, and its max_steps is --max-steps."""
FAILED, PIPE_CLOSED = 2, 141  # the latter as a shell reports it of others


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        problem = shortened(message, MOST_TEXT).rstrip(".")
        self.exit(FAILED, f"{self.prog}: {problem}. See {self.prog} --help.\n")


def run(arguments: Sequence[str] | None) -> int:
    """Run a command; gives its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for what a locale such as C cannot write
    if sys.stdout is None:  # as Python has it where the shell closed it
        return _failed("cotj", "the output cannot be written: it is closed.")
    parser, name = _parser(), "cotj"
    try:
        try:
            options = parser.parse_args(arguments)
            name = f"cotj {options.command}"
            COMMANDS[options.command].run(options)
        finally:
            sys.stdout.flush()
    except Fault as problem:
        return _failed(name, str(problem))
    except BrokenPipeError:
        # Whoever reads has seen enough, as `head` does. Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:  # files have been seen to where they are read and written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _failed(name, f"the output cannot be written: {error.strerror or error}.")
    return 0


def _failed(name: str, problem: str) -> int:
    if sys.stderr is not None:  # or else it would go to the output
        print(f"{name}: {problem}", file=sys.stderr)
    return FAILED


def _parser() -> Parser:
    style: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = Parser(prog="cotj", description=_described(DESCRIPTION), **style)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        text = command.__doc__ or ""
        summary = text.partition("\n")[0].rstrip(".")
        described = commands.add_parser(
            name, help=summary[0].lower() + summary[1:], description=_described(text), **style
        )
        command.add_options(described)
    return parser


def _described(text: str) -> str:
    """Fold paragraphs and the items of lists to the width of the terminal."""
    parts = re.split(r"\n(?=- |\n)", text.strip())
    return "\n".join("\n" * part.startswith("\n") + folded(" ".join(part.split())) for part in parts)

"""Checked options of the benchmarks' commands: what cannot be run is said before hours are spent."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

RESULTS = Path("results")  # where the command runs: what the repository has is replaced only where --output names it


def add_output(parser: ArgumentParser, what: str) -> None:
    """Add the option that names the folder of what a benchmark writes."""
    parser.add_argument("--output", type=folder, default=RESULTS, help=f"folder of {what}, by default %(default)s")


def at_least(least: int) -> Callable[[str], int]:
    """Give the type of an option that is a whole number, no smaller than this."""

    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return count


def folder(text: str) -> Path:
    """Read an option that names a folder, which may still be to be made. Raises ArgumentTypeError for a file."""
    if Path(text).is_file():
        raise ArgumentTypeError(f"{text} is a file. Name a folder")
    return Path(text)

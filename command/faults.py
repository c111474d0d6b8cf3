"""What a person can put right: told in one line, which names the file or the option and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..planner.reading import shortened

MOST_TEXT = 600  # characters of an error,
MOST_NAMED = 120  # and of what it is about


class Fault(Exception):
    """An end of the command with exit status 2; its text is all that is printed."""


def fault(what: str, problem: object, way_out: str = "") -> Fault:
    """Make the fault of a file or an option."""
    text = f"{shortened(what, MOST_NAMED)}: {str(problem).rstrip('.')}. {way_out}"
    return Fault(shortened(text, MOST_TEXT).rstrip(".") + ".")


@contextmanager
def blamed_on(what: str, way_out: str = "") -> Iterator[None]:
    """Turn a ValueError of the block into the fault of a file or an option."""
    try:
        yield
    except ValueError as error:
        raise fault(what, error, way_out) from error

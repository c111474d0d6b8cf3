"""Runs of the pack's own, which need the very sigmas that they name, whatever plan is on their model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_exact: ContextVar[bool] = ContextVar("cotj_exact_sigmas", default=False)


@contextmanager
def exact_sigmas() -> Iterator[None]:
    """Keep the sigmas of the runs inside as they are: Apply CoTj Plan to Model leaves them alone."""
    token = _exact.set(True)
    try:
        yield
    finally:
        _exact.reset(token)


def are_exact() -> bool:
    """Tell whether a run is inside `exact_sigmas`."""
    return _exact.get()

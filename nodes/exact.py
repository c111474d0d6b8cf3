"""Runs of the pack's own, which need the very sigmas that they name, whatever plan is on their model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_exact: ContextVar[bool] = ContextVar("cotj_exact_sigmas", default=False)


@contextmanager
def exact_sigmas() -> Iterator[None]:
    """Inside of it, Apply CoTj Plan to Model leaves the sigmas of a run as they are."""
    token = _exact.set(True)
    try:
        yield
    finally:
        _exact.reset(token)


def are_exact() -> bool:
    return _exact.get()

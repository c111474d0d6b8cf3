"""How far a run is: a line for a person, metrics for Ray's dashboard, and what `python fleet status` reads."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ray.util.metrics import Gauge

from .record import Counts, Record

if TYPE_CHECKING:
    from .driver import Hand

EVERY, EVERY_IN_LOG = 2.0, 30.0  # seconds between lines: on a terminal, where a line replaces the last, and in a log


class Progress:
    """Tells of a run while it goes on. what: the items are, as a person calls them."""

    def __init__(self, record: Record, what: str) -> None:
        self.what = what
        self.began, self.before = time.time(), record.counts()
        self._next = 0.0
        self._gauges = {
            name: Gauge(f"cotj_fleet_{name}", description=told)
            for name, told in {
                "items_done": "Items that are done.",
                "items_given_up": "Items that were given up.",
                "items_open": "Items that are still to be done.",
                "calls": "Model calls of the items that are done.",
                "workers": "Workers that are there.",
            }.items()
        }

    def show(self, record: Record, hands: Sequence[Hand], last: bool = False) -> None:
        """Tell how far the run is, where it is time to."""
        on_terminal = sys.stdout.isatty()
        if time.monotonic() < self._next and not last:
            return
        self._next = time.monotonic() + (EVERY if on_terminal else EVERY_IN_LOG)
        counts, there = record.counts(), sum(hand.is_there for hand in hands)
        if counts.done == self.before.done:  # the time until the first result is not the items'
            self.began = time.time()
        rate = (counts.done - self.before.done) / max(time.time() - self.began, 1e-3)
        for name, value in {
            "items_done": counts.done,
            "items_given_up": counts.given_up,
            "items_open": counts.open,
            "calls": counts.calls,
            "workers": there,
        }.items():
            self._gauges[name].set(value)
        record.note(rate=rate, told_at=time.time(), workers={hand.name: [hand.is_there, hand.error] for hand in hands})
        text = line(counts, self.what, rate, there, len(hands))
        print(f"\r\x1b[K{text}" if on_terminal else text, end="\n" if last or not on_terminal else "", flush=True)


def line(counts: Counts, what: str, rate: float, there: int, workers: int) -> str:
    """Say in one line how far a run is. rate: items a second."""
    given_up = f", {counts.given_up} given up" if counts.given_up else ""
    left = f" · {duration(counts.open / rate)} left" if rate and counts.open else ""
    speed = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
    return (
        f"{counts.done:,} of {counts.items:,} {what}{given_up} · {counts.calls:,} calls · {speed}{left} · "
        f"{there} of {workers} workers"
    )


def duration(seconds: float) -> str:
    """Say a time in its two largest units."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{hours} h" if hours < 72 else f"{hours / 24:.1f} days"

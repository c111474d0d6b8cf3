"""The driver: hands items to workers, which are Ray's actors, and puts results away, until nothing is open."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import ray
from ray.exceptions import RayError

from ..predictor.database import Unusable
from .progress import Progress
from .record import Item, Record, Spec
from .worker import QUEUED, Outcome, Task

PATIENT = 3  # items that may go wrong on a worker one after another, or times that it is away, before it has to rest
LONGEST_REST = 60.0  # seconds
LOOK_EVERY = 1.0  # seconds, for workers whose rest is over


class Job(Protocol):
    """What is done with items: how a server is asked for one, and what is kept of its answer."""

    def task(self, item: Item) -> Task:
        """Ask for an item."""

    def keep(self, database: sqlite3.Connection, spec: Spec, output: dict[str, Any]) -> tuple[int, str | None]:
        """Put an answer away in a transaction; gives its model calls, and a text to keep with the item.

        Raises ValueError where it is no answer to what was asked for.
        """


class NobodyThere(RuntimeError):
    """No worker has been there for too long."""


@dataclass
class Hand:
    """A worker as the driver sees it. faults: in a row. rests_until: a time of the monotonic clock."""

    name: str
    actor: Any
    held: dict[int, Item] = field(default_factory=dict)
    is_there: bool = False
    faults: int = 0
    rests_until: float = 0.0
    error: str = ""

    def went_well(self) -> None:
        """Note that it did an item."""
        self.is_there, self.faults, self.error = True, 0, ""

    def went_wrong(self, error: str, now: float) -> None:
        """Note a fault; after several in a row it rests, ever longer: it may be what is wrong with the items."""
        self.faults += 1
        self.error = error
        if self.faults >= PATIENT or not self.is_there:
            self.rests_until = now + min(LONGEST_REST, 2.0 ** min(self.faults - 1, 10) / 2)


class Driver:
    """Does the open items of a record. give_up_after: seconds with no worker there, after which it ends."""

    def __init__(
        self, record: Record, job: Job, workers: dict[str, Any], progress: Progress, give_up_after: float = math.inf
    ) -> None:
        """workers: actors by name."""
        self.record, self.job, self.progress, self.give_up_after = record, job, progress, give_up_after
        self.hands = [Hand(name, actor) for name, actor in workers.items()]
        self._turns: dict[ray.ObjectRef, Hand] = {}

    def run(self) -> None:
        """Work until every item is done or given up. Raises NobodyThere."""
        last_there = time.monotonic()
        while True:
            self._hand_out()
            if not self._turns and not self.record.counts().open:
                break
            ended, _ = ray.wait(list(self._turns), num_returns=1, timeout=LOOK_EVERY) if self._turns else ([], [])
            if not self._turns:
                time.sleep(LOOK_EVERY / 4)  # all rest
            for turn in ended:
                self._take(turn, self._turns.pop(turn))
            there = sum(hand.is_there for hand in self.hands)
            last_there = time.monotonic() if there else last_there
            if time.monotonic() - last_there > self.give_up_after:
                told = "\n".join(f"  {hand.name}: {hand.error or 'no answer'}" for hand in self.hands)
                raise NobodyThere(f"No worker has been there for {self.give_up_after:.0f} s:\n{told}")
            self.progress.show(self.record, self.hands)
        self.progress.show(self.record, self.hands, last=True)

    def _hand_out(self) -> None:
        """Give work to every worker that waits for some."""
        busy, now = set(map(id, self._turns.values())), time.monotonic()
        for hand in self.hands:
            if id(hand) in busy or now < hand.rests_until:
                continue
            # While it is not known to work, and for the last items, which others may begin sooner, it gets one alone.
            most = QUEUED if hand.is_there and not hand.faults and self._many_left() else 1
            room = most - len(hand.held)
            items = self.record.open_items(self._held(), hand.name, room) if room > 0 else []
            if items or hand.held:
                hand.held |= {item.number: item for item in items}
                self._turns[hand.actor.turn.remote([self.job.task(item) for item in items])] = hand

    def _many_left(self) -> bool:
        return len(self.record.open_items(self._held(), "", len(self.hands))) == len(self.hands)

    def _held(self) -> Sequence[int]:
        return [number for hand in self.hands for number in hand.held]

    def _take(self, turn: ray.ObjectRef, hand: Hand) -> None:
        try:
            outcome: Outcome = ray.get(turn)
        except RayError as fault:  # its process died; Ray starts another, which knows nothing of what this one had
            ray.kill(hand.actor, no_restart=False)
            first, *others = hand.held
            told = f"the worker's process died: {str(fault).strip().splitlines()[-1]}"
            outcome = Outcome("lost", first, error=told, returned=tuple(others))
        for number in outcome.returned:
            hand.held.pop(number, None)
        if outcome.number is None:
            hand.is_there = False
            hand.went_wrong(outcome.error, time.monotonic())
            return
        item, error, refused = hand.held.pop(outcome.number), outcome.error, False
        if outcome.kind == "done":

            def keep(database: sqlite3.Connection) -> tuple[int, str | None]:
                return self.job.keep(database, item.spec, outcome.output)

            try:
                self.record.done(item, hand.name, outcome.seconds, keep)
            except Unusable:
                raise
            except ValueError as fault:
                error, refused = f"its answer is not taken: {fault}", True
            else:
                hand.went_well()
                return
        hand.is_there = outcome.kind != "lost"
        by_worker = refused or not hand.is_there
        if by_worker or not item.tries:  # an item that went wrong before says nothing of this worker
            hand.went_wrong(error, time.monotonic())
        self.record.went_wrong(item, hand.name, error, by_worker)

"""A worker: the actor that has one ComfyUI do items, at most two in its queue, and tells what became of them."""

from __future__ import annotations

import os
import time
import urllib.error
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import websocket

from ..harness.client import ComfyClient, ComfyError, Interrupted, NodeError, ValidationError, Workflow
from ..harness.environment import cache_dir
from ..harness.find import NoHost, find_comfyui
from ..harness.server import ComfyServer, ServerError, link

QUEUED = 2  # items at most that a server has: one that runs, and one so that it need not wait for the next
MOST_TEXT = 2000  # characters of an error
NOT_THERE = (OSError, ComfyError, websocket.WebSocketException)
NO_ANSWER = (AttributeError, LookupError, TypeError, ValueError)  # of a server that answers what no ComfyUI does

# done: the server gave outputs. failed: it refused the item, or a node raised. lost: it died, hung or was interrupted
# with the item. away: it cannot be reached, and no item has to do with that.
Kind = Literal["done", "failed", "lost", "away"]


@dataclass(frozen=True)
class Task:
    """An item as a server is asked for it. answers: the ids of the nodes whose outputs are wanted."""

    number: int
    workflow: Workflow
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of the item that a worker had for longest.

    number: of that item; None where the worker is away. returned: numbers of items that it had besides, and will not
    do. seconds: that the item took since the server could begin with it.
    """

    kind: Kind
    number: int | None = None
    output: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    returned: tuple[int, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a worker's ComfyUI is: at an address, or, where that is '', started on the worker's own machine.

    run: whose files what is started keeps apart. models: a folder there; None for that of the ComfyUI found.
    """

    name: str
    url: str = ""
    run: str = ""
    models: Path | None = None


class Worker:
    """One ComfyUI. silence: seconds without a word after which it hangs. owner: what it knows this run's items by."""

    def __init__(self, place: Place, silence: float, owner: str) -> None:
        self.place, self.silence, self.owner = place, silence, owner
        self._server: ComfyServer | None = None
        self._client: ComfyClient | None = None
        self._queued: deque[tuple[Task, str]] = deque()  # each with its prompt id, the one that runs first
        self._since = 0.0

    def nodes(self) -> dict[str, Any]:
        """Fetch what nodes the server has. Raises ComfyError where it cannot be reached."""
        try:
            return self._connected().object_info()
        except (*NOT_THERE, *NO_ANSWER, ServerError, NoHost) as error:
            self._disconnect()
            raise ComfyError(_told(error)) from None

    def turn(self, tasks: Sequence[Task]) -> Outcome:
        """Queue items, then wait for the one that was queued first."""
        try:
            client = self._connected()
        except (*NOT_THERE, *NO_ANSWER, ServerError, NoHost) as error:
            return self._away(tasks, _told(error))
        for place, task in enumerate(tasks):
            if not self._queued:
                self._since = time.monotonic()
            try:
                self._queued.append((task, client.queue(task.workflow)))
            except (ValidationError, urllib.error.HTTPError) as error:
                if self._queued:  # whose outcome comes first: the refused one is asked for again later
                    return self._await(client, tasks[place:])
                return Outcome("failed", task.number, error=_told(error), returned=_numbers(tasks[place + 1 :]))
            except (*NOT_THERE, *NO_ANSWER) as error:
                return self._away(tasks[place:], _told(error))
        return self._await(client)

    def stop(self) -> None:
        """Take this run's items from the server, and end it where it was started here."""
        if self._client:
            with suppress(*NOT_THERE, *NO_ANSWER):
                self._client.cancel_all()
        self._disconnect()

    def _await(self, client: ComfyClient, left: Sequence[Task] = ()) -> Outcome:
        """Wait for the item that runs. left: those that were not queued."""
        task, prompt_id = self._queued[0]
        try:
            result = client.wait(prompt_id)
            output = {name: result.outputs[name] for name in task.answers}
        except Interrupted as error:
            return self._next("lost", error, left)
        except NodeError as error:
            return self._next("failed", error, left)
        except NOT_THERE as error:
            outcome = self._next("lost", error, [*left, *(task for task, _ in list(self._queued)[1:])])
            self._give_up_server()
            return outcome
        except NO_ANSWER as error:
            return self._next("failed", ComfyError(f"what it answered is no ComfyUI's answer: {error!r}"), left)
        return self._next("done", None, left, output)

    def _next(
        self, kind: Kind, error: BaseException | None, left: Sequence[Task], output: dict[str, Any] | None = None
    ) -> Outcome:
        task, prompt_id = self._queued.popleft()
        if self._client:
            with suppress(*NOT_THERE, *NO_ANSWER):  # or the server would keep 10,000 of them
                self._client.forget(prompt_id)
        began, self._since = self._since, time.monotonic()
        told = _told(error) if error else ""
        return Outcome(kind, task.number, output or {}, told, self._since - began, _numbers(left))

    def _away(self, tasks: Sequence[Task], error: str) -> Outcome:
        returned = _numbers([*(task for task, _ in self._queued), *tasks])
        self._give_up_server()
        return Outcome("away", error=error, returned=returned)

    def _connected(self) -> ComfyClient:
        if self._client is None:
            url = self.place.url or self._started().url
            self._client = ComfyClient(url, self.silence, self.owner)
            self._client.cancel_all()  # what a driver that was killed had queued
        return self._client

    def _started(self) -> ComfyServer:
        base = cache_dir() / "fleet-hosts" / self.place.run / self.place.name.replace(" ", "-")
        base.mkdir(parents=True, exist_ok=True)
        link(self.place.models or find_comfyui() / "models", base / "models")
        os.environ.pop("PYTHONPATH", None)  # what Ray is imported from is not for ComfyUI
        self._server = ComfyServer(base, tethered=True).__enter__()
        return self._server

    def _give_up_server(self) -> None:
        """Leave a server that died or hangs. One of our own is started anew; of another, our items are cancelled."""
        self._queued.clear()
        if self._client and not self._server:
            self._client.timeout = 5
            with suppress(*NOT_THERE, *NO_ANSWER):
                self._client.cancel_all()
        self._disconnect()

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        server, self._server = self._server, None
        if client:
            with suppress(*NOT_THERE):
                client.close()
        if server:
            server.stop()


def _numbers(tasks: Sequence[Task]) -> tuple[int, ...]:
    return tuple(task.number for task in tasks)


def _told(error: BaseException) -> str:
    return (str(error) or repr(error))[:MOST_TEXT]

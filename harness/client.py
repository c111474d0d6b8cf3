"""A small synchronous client of ComfyUI's HTTP and websocket interface."""

from __future__ import annotations

import json
import struct
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import websocket

TEXT = struct.pack(">I", 3)  # how a binary message begins that holds a node's id and text
Workflow = dict[str, dict[str, Any]]  # API format: node id -> {"class_type", "inputs"}
OnProgress = Callable[[str, float, float], None]  # node id, value, maximum
OnText = Callable[[str, str], None]


class ComfyError(Exception):
    """An error that the host answered with."""


class ValidationError(ComfyError):
    """A workflow the host refused to queue; `node_errors` maps node ids to the host's own reports."""

    def __init__(self, error: dict[str, Any], node_errors: dict[str, Any]):
        self.node_errors = node_errors
        lines = [
            f"{report['class_type']} ({node_id}): {entry['message']}: {entry['details']}"
            for node_id, report in node_errors.items()
            for entry in report["errors"]
        ]
        super().__init__("\n".join(lines) or f"{error['message']}: {error['details']}")

    def inputs(self) -> list[str]:
        """List the inputs that are blamed."""
        reports = self.node_errors.values()
        return [entry["extra_info"]["input_name"] for report in reports for entry in report["errors"]]


class NodeError(ComfyError):
    """A node that raised while it ran."""

    def __init__(self, report: dict[str, Any]):
        self.node_id: str = report["node_id"]
        self.node_type: str = report["node_type"]
        self.exception_type: str = report["exception_type"]
        self.message: str = report["exception_message"].strip()
        super().__init__(f"{self.node_type} ({self.node_id}): {self.message}")


class Interrupted(ComfyError):
    """A run was cancelled."""


@dataclass(frozen=True)
class Event:
    """One websocket message: `progress`, `executing`, `executed`, `execution_cached`, ...; `at` is in seconds."""

    type: str
    data: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Result:
    """What a finished run left: each node's ui output, and the events seen on the way."""

    prompt_id: str
    outputs: dict[str, dict[str, list[Any]]]
    events: list[Event]

    def of(self, event_type: str) -> list[dict[str, Any]]:
        """List the data of every event of one type."""
        return [event.data for event in self.events if event.type == event_type]

    def seconds(self, node_id: str) -> float:
        """Return how long a node that was run took."""
        turns = [event for event in self.events if event.type == "executing"]
        return next(after.at - turn.at for turn, after in zip(turns, turns[1:]) if turn.data["node"] == node_id)

    @property
    def cached(self) -> list[str]:
        """List the nodes that were not run again."""
        return [node for data in self.of("execution_cached") for node in data["nodes"]]


def _owners(extra: dict[str, Any]) -> tuple[str, str]:
    """Name the client that queued a prompt, and anyone."""
    return extra.get("client_id", ""), ""


class ComfyClient:
    """A connection to the ComfyUI at `url`; `timeout` is how many silent seconds are too many.

    client_id: what the server knows this client by, in its queue too; by default no other's.
    """

    def __init__(self, url: str, timeout: float = 300, client_id: str = ""):
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.client_id = client_id or uuid.uuid4().hex
        self.texts: dict[str, str] = {}  # what each node last showed while or after it ran
        self.on_text: OnText = lambda node, text: None  # hears of each of these as it comes
        self.shown: dict[str, dict[str, Any]] = {}  # what each cached run last told the widget of its node
        self._received: defaultdict[str, deque[Event]] = defaultdict(deque)
        address = f"{self.url.replace('http', 'ws', 1)}/ws?clientId={self.client_id}"
        self._socket = websocket.create_connection(address, timeout=timeout)

    def __enter__(self) -> ComfyClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server."""
        self._socket.close()

    def run(self, workflow: Workflow, on_progress: OnProgress | None = None) -> Result:
        """Queue a workflow and wait for it. Raises ValidationError, NodeError or Interrupted."""
        return self.wait(self.queue(workflow), on_progress)

    def queue(self, workflow: Workflow, for_images: dict[str, Any] | None = None) -> str:
        """Queue a workflow and return its prompt id.

        for_images: what saved images are to hold besides, by name, as a page sends its own form of the workflow; None
        sends nothing.
        """
        body: dict[str, Any] = {"prompt": workflow, "client_id": self.client_id}
        if for_images is not None:
            body["extra_data"] = {"extra_pnginfo": for_images}
        try:
            return self._post("/prompt", body)["prompt_id"]
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            report = json.load(error)
            raise ValidationError(report["error"], report["node_errors"]) from None

    def wait(self, prompt_id: str, on_progress: OnProgress | None = None) -> Result:
        """Follow a queued workflow to its end."""
        events = []
        for event in self.events(prompt_id):
            events.append(event)
            if event.type == "progress" and on_progress:
                on_progress(event.data["node"], event.data["value"], event.data["max"])
        record = self.history(prompt_id)
        for kind, data in record["status"]["messages"]:
            if kind == "execution_error":
                raise NodeError(data)
            if kind == "execution_interrupted":
                raise Interrupted(f"cancelled at {data['node_type']} ({data['node_id']})")
        return Result(prompt_id, record["outputs"], events)

    def events(self, prompt_id: str) -> Iterator[Event]:
        """Yield the messages about one prompt to its end; those about others are kept for later calls."""
        while True:
            while self._received[prompt_id]:
                event = self._received[prompt_id].popleft()
                yield event
                if event.type == "executing" and event.data["node"] is None:  # the host's last word on a prompt
                    del self._received[prompt_id]
                    return
            event = self._receive()
            if "prompt_id" in event.data:
                self._received[event.data["prompt_id"]].append(event)

    def _receive(self) -> Event:
        while True:
            try:
                message = self._socket.recv()
            except websocket.WebSocketTimeoutException:
                raise ComfyError(f"no word from the server for {self.timeout:.0f} s") from None
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                raise ComfyError("the server has gone away") from None
            if isinstance(message, str) and message:
                content = json.loads(message)
                if content["type"] == "cotj_cache":
                    self.shown[content["data"]["node"]] = content["data"]["shown"]
                return Event(content["type"], content["data"])
            if isinstance(message, bytes) and message[:4] == TEXT:  # the rest are preview images
                [length] = struct.unpack(">I", message[4:8])
                node, text = message[8 : 8 + length].decode(), message[8 + length :].decode()
                self.texts[node] = text
                self.on_text(node, text)

    def history(self, prompt_id: str) -> dict[str, Any]:
        """Fetch the record of an ended run: `outputs` and `status`; empty before its end."""
        return self._get(f"/history/{prompt_id}").get(prompt_id, {})

    def forget(self, prompt_id: str = "") -> None:
        """Ask the host to forget the record of an ended run, or of all, of which it otherwise keeps 10,000."""
        self._post("/history", {"delete": [prompt_id]} if prompt_id else {"clear": True})

    def object_info(self) -> dict[str, Any]:
        """Fetch every node that the host knows, with inputs, outputs and tooltips."""
        return self._get("/object_info")

    def system_stats(self) -> dict[str, Any]:
        """Fetch what the host runs on: versions in `system`, and its `devices`."""
        return self._get("/system_stats")

    def queue_state(self, client_id: str = "") -> tuple[list[str], list[str]]:
        """Fetch the prompt ids that run and that wait; client_id: only those that were queued by this one."""
        state = self._get("/queue")
        running, pending = (
            [prompt_id for _, prompt_id, _, extra, *_ in state[f"queue_{kind}"] if client_id in _owners(extra)]
            for kind in ("running", "pending")
        )
        return running, pending

    def cancel_all(self) -> None:
        """Take all that was queued under this client's id from the queue, and interrupt what runs of it."""
        running, pending = self.queue_state(self.client_id)
        self._post("/queue", {"delete": pending})
        for prompt_id in running:
            self.interrupt(prompt_id)

    def interrupt(self, prompt_id: str | None = None) -> None:
        """Cancel what runs, or only the named prompt."""
        self._post("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    def free(self) -> None:
        """Ask the host to unload its models and forget its cached results."""
        self._post("/free", {"unload_models": True, "free_memory": True})

    def view(self, image: dict[str, str]) -> bytes:
        """Fetch the bytes of an image that a result names by filename, subfolder and type."""
        with urllib.request.urlopen(f"{self.url}/view?{urllib.parse.urlencode(image)}", timeout=self.timeout) as reply:
            return reply.read()

    def upload_image(self, name: str, image: bytes) -> str:
        """Put a PNG into the host's input folder; gives the name to use in a workflow."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        body = f"{head}Content-Type: image/png\r\n\r\n".encode() + image + f"\r\n--{boundary}--\r\n".encode()
        return self._send("/upload/image", body, f"multipart/form-data; boundary={boundary}")["name"]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=self.timeout) as reply:
            return json.load(reply)

    def _post(self, path: str, data: dict[str, Any]) -> Any:
        return self._send(path, json.dumps(data).encode(), "application/json")

    def _send(self, path: str, body: bytes, content_type: str) -> Any:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=self.timeout) as reply:
            return json.loads(reply.read() or b"null")

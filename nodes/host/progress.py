"""What a person sees while a node runs: a line of text, and a progress bar with the time left and a preview."""

from __future__ import annotations

import math
import time
from typing import Any

import comfy.model_management
import comfy.utils
import latent_preview
import torch
from comfy.model_patcher import ModelPatcher
from server import PromptServer

from ...planner.texts import say

PREVIEW_EVERY = 0.5  # seconds; a preview takes longer than a call of a small model


def show_text(text: str, node_id: str) -> None:
    """Show a line on a node, while it runs and after, in the page that queued the running prompt."""
    server = PromptServer.instance
    if server.client_id is not None:  # None would tell every page, whose nodes have the same ids
        server.send_progress_text(text, node_id, server.client_id)


def send(event: str, data: dict[str, Any]) -> None:
    """Tell the page that queued the running prompt something, as finite JSON."""
    server = PromptServer.instance
    if server.client_id is not None:  # see above
        server.send_sync(event, data, server.client_id)


class CallProgress:
    """One progress bar over all model calls of a node, with the time left, and Cancel between any two of them.

    calls: as many as are expected, which may change on the way. model: the one that is called, whose guesses the page
    shows as KSampler's do, where the user has previews on.
    """

    def __init__(self, calls: int, node_id: str, model: ModelPatcher):
        self.calls = calls
        self.done = 0
        self.node_id = node_id
        self._doing: list[str] = []
        self.bar = comfy.utils.ProgressBar(calls, node_id=node_id)
        self._previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        self._shown_at = -math.inf

    def begin(self, doing: str) -> None:
        """Show what is run next, from now on as a line above the time left."""
        self._doing = [doing]
        show_text(doing, self.node_id)

    def call_done(self, guess: torch.Tensor) -> None:
        """Show that a call was made. guess: (batch, channels, ...) what it answered, of a latent's first part.

        Raises what the host raises on Cancel: the bar asks for it too, but no more often than it redraws.
        """
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.done += 1
        self.bar.update_absolute(self.done, self.calls, self._preview(guess))
        if self.done == 1:
            self.first_done = time.monotonic()  # only from here on: the first call may have loaded the model
        else:
            self._show_time_left()

    def _preview(self, guess: torch.Tensor) -> tuple | None:
        """Give the host's preview of a guess, if it is time for one."""
        if self._previewer is None or time.monotonic() - self._shown_at < PREVIEW_EVERY:
            return None
        self._shown_at = time.monotonic()
        return self._previewer.decode_latent_to_preview_image("JPEG", guess)

    def _show_time_left(self) -> None:
        counted = say("{done} model calls", done=self.done)
        if self.done < self.calls:  # a sampler may make more than were expected
            seconds_per_call = (time.monotonic() - self.first_done) / (self.done - 1)
            minutes, seconds = divmod(math.ceil(seconds_per_call * (self.calls - self.done)), 60)
            counted = say(
                "{done} of {calls} model calls, {minutes}:{seconds:02} left",
                done=self.done,
                calls=self.calls,
                minutes=minutes,
                seconds=seconds,
            )
        show_text("\n".join([*self._doing, counted]), self.node_id)

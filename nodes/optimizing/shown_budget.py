"""A budget of model calls whose progress a person sees."""

from __future__ import annotations

import torch
from comfy.model_patcher import ModelPatcher

from ...planner.search_session import CallBudget
from ..host.progress import CallProgress


class ShownBudget(CallBudget):
    """A budget whose calls are shown on a node as they are made. It is started before any call."""

    progress: CallProgress

    def __init__(self, node_id: str, model: ModelPatcher) -> None:
        super().__init__()
        self.node_id, self.model = node_id, model

    def start(self, spent: int, limit: float, expected: int) -> None:
        """Count on from `spent` up to `limit`, with a progress bar of the calls that are expected."""
        super().start(spent, limit, expected)
        self.progress = CallProgress(expected, self.node_id, self.model)

    def call_done(self, guess: torch.Tensor) -> None:
        """Show that a call was made, and what it answered."""
        self.progress.call_done(guess)

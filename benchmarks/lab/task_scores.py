"""Task scores: what an automatic checker says of the demo model's images, claim by claim of their captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from cotj.demo.training.checker import check
from torch import Tensor

from .models import Items, demo_scenes
from .runs import FloatArray, Runs

CLAIMS = ("everything", "background", "count", "colour", "shape", "size", "position", "relation")
FORMAT = 1  # of kept scores; it is raised when the same key would mean another score


def all_right(scores: FloatArray) -> FloatArray:
    """Give (items,) whether everything is right, of (items, claims)."""
    return scores[:, CLAIMS.index("everything")]


@dataclass
class TaskScores:
    """The scores of the runs of one method, each made only once."""

    runs: Runs
    items: Items

    def known(self, key: str) -> FloatArray | None:
        """Read the (items, claims) scores of runs that are all kept: 1, 0, or NaN for what a caption does not claim."""
        found = self.runs.store.read(self._keys(key))
        kept = [scores for scores in found if scores is not None]
        return np.stack(kept) if len(kept) == len(found) else None

    @torch.inference_mode()
    def measure(self, key: str, final: Callable[[Items], Tensor]) -> FloatArray:
        """Make those runs that are not kept, and read all their scores."""
        keys = self._keys(key)
        missing = [i for i, scores in enumerate(self.runs.store.read(keys)) if scores is None]
        for rows in self._batches(missing):
            part = self.items[rows]
            self.runs.store.write([keys[row] for row in rows], list(self._checked(final(part), part)))
        found = self.known(key)
        assert found is not None
        return found

    @torch.inference_mode()
    def latents(self, final: Callable[[Items], Tensor], count: int) -> Tensor:
        """Make the runs of the first so many items, and give the latents that they end in."""
        return torch.cat([final(self.items[rows]) for rows in self._batches(range(count))])

    def _batches(self, rows: Sequence[int]) -> list[Sequence[int]]:
        size = self.runs.subject.batch
        return [rows[begin : begin + size] for begin in range(0, len(rows), size)]

    def _checked(self, latents: Tensor, items: Items) -> FloatArray:
        images, scenes = self.runs.subject.image(latents), demo_scenes()
        assert images is not None
        found = [check(image.numpy(), scenes[prompt]) for image, prompt in zip(images, items.prompts)]
        return np.array([[result.get(claim, np.nan) for claim in CLAIMS] for result in found], dtype=np.float64)

    def _keys(self, key: str) -> list[str]:
        return self.runs.keys(f"task scores {FORMAT} {key}", self.items)

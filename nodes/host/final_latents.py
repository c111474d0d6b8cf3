"""The final latents of the last runs, kept in memory, so that runs that were made anyway can be compared."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch

from .fingerprint import digest_of
from .guidance import controlnets
from .identity import describe
from .model import parts
from .steering import unknown_steering

MOST = 64  # runs
MOST_BYTES = 128 << 20  # of their latents
LEAST = 3  # that stay, however large they are: a planned run, the default and all steps


@dataclass(frozen=True)
class Ran:
    """What a run was. series: of `series_of`. calls of its steps called the model; all did along the scheduler's own.

    A run of few calls that was planned has the steps of the run that it stands for.
    """

    series: str
    steps: int
    calls: int

    @property
    def is_default(self) -> bool:
        return self.steps == self.calls


@dataclass(frozen=True, eq=False)
class Final:
    """What a run ended in. latent: (items, values), in the model's own space. picture: of `thumbnails.save`, if any.

    decoded: whether the picture is one of a VAE.
    """

    latent: torch.Tensor
    picture: dict[str, str] | None
    decoded: bool = False


class FinalLatents:
    """The final latents of the last runs, of which those that were asked for longest ago are dropped."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES):
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[Ran, Final] = OrderedDict()

    def keep(self, ran: Ran, final: Final) -> None:
        """Keep what a run ended in, in place of what the same one did before."""
        self._kept.pop(ran, None)
        self._kept[ran] = final
        while len(self._kept) > LEAST and (len(self._kept) > self._most or self._bytes() > self._most_bytes):
            self._kept.popitem(last=False)

    def recall(self, ran: Ran) -> Final | None:
        """Give what a run ended in; None where that is not known, or not any more."""
        if ran in self._kept:
            self._kept.move_to_end(ran)
        return self._kept.get(ran)

    def of(self, series: str) -> Iterator[tuple[Ran, Final]]:
        """List the runs of a series."""
        yield from [(ran, final) for ran, final in self._kept.items() if ran.series == series]

    def _bytes(self) -> int:
        return sum(final.latent.nbytes for final in self._kept.values())


def series_of(
    guider: comfy.samplers.CFGGuider, latent: dict[str, Any], seed: int, *settings: str | float | list[float]
) -> str:
    """Fingerprint what runs share that may be compared: model, conditions, guidance, latent, seed and settings.

    What nobody can read the settings of is like nothing before: it gets a name of its own.
    """
    if unknown_steering(guider):
        return uuid.uuid4().hex
    hints = [getattr(net, "cond_hint_original", None) for net in controlnets(guider)]
    rest = {name: value for name, value in latent.items() if name != "samples"}
    conditions = guider.original_conds
    return digest_of(describe(guider), conditions, hints, parts(latent["samples"]), rest, seed, list(settings))

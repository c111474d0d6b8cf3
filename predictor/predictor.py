"""A predictor: the network, the grid that its outputs stand for, and how they become a Diffusion DNA."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ..planner import DiffusionDNA, FloatArray
from .model import Regressor
from .pooling import Pooling
from .size_shift import SizeShift

Output = Literal["aligned", "log"]


@dataclass(frozen=True, eq=False)
class Predictor:
    """Everything that one file holds.

    network: pooled conditioning (b, inputs) to raw outputs (b, n).
    mean: the mean DNA of the training set; its grid, kind and shift are the prediction's.
    output: what a raw output is. "aligned": a shape, which is given the deviation and the minimum of the mean DNA (the
        authors' release); "log": the logarithm of the errors.
    pooling: what the network reads. size_shift: where the shift depends on image size. card: the model card.
    Raises ValueError where these do not fit together.
    """

    network: Regressor
    mean: DiffusionDNA
    output: Output
    pooling: Pooling = "token mean"
    size_shift: SizeShift | None = None
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.output not in get_args(Output):
            raise ValueError(f"the output is one of {get_args(Output)}, not {self.output!r}")
        if self.pooling not in get_args(Pooling):
            raise ValueError(f"the pooling is one of {get_args(Pooling)}, not {self.pooling!r}")
        outputs = self.network.net[-1].out_features
        if outputs != len(self.mean.sigmas):
            raise ValueError(f"the network has {outputs} outputs for {len(self.mean.sigmas)} sigmas")

    def dna(self, raw: Tensor, size: tuple[int, int] | None = None) -> DiffusionDNA:
        """The DNA that raw outputs (b, n) stand for: the mean over the batch, as a measured batch has.

        size: (height, width) in latent pixels, for a shift that depends on it; the training set's without it.
        """
        shift = self.mean.shift
        if size is not None and self.size_shift is not None:
            shift = self.size_shift.at(*size)
        # Times follow from the shift. Where there is no shift they are the grid's own.
        times = self.mean.times if shift is None else None
        return replace(
            self.mean, errors=self.errors(raw).mean(0), times=times, shift=shift, meta={"predictor": self.card}
        )

    def errors(self, raw: Tensor) -> FloatArray:
        """D (b, n) of raw outputs (b, n)."""
        y = raw.double().cpu().numpy()
        if self.output == "log":
            return np.asarray(np.exp(y))
        scaled = y * (self.mean.errors.std() / y.std(1, keepdims=True))
        return np.asarray(scaled - scaled.min(1, keepdims=True) + self.mean.errors.min())

    def predict(self, embedding: Tensor, size: tuple[int, int] | None = None) -> DiffusionDNA:
        """The DNA of a pooled conditioning (b, inputs), on the network's own device."""
        with torch.no_grad():
            return self.dna(self.network(embedding), size)

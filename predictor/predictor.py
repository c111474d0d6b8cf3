"""A predictor: the network, the grid that its outputs stand for, and how they become a Diffusion DNA."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ..planner import DiffusionDNA, FloatArray
from ..planner.scaled_profile import profile_of_prompt
from .model import Regressor
from .pooling import Pooling
from .size_shift import SizeShift

Output = Literal["aligned", "log"]
CHANGED = 1e-4  # of an input that is constant; text encoders give values of the order of 1
FEWEST_CONSTANT = 16  # inputs from which a text encoder can be told


@dataclass(frozen=True, eq=False)
class Predictor:
    """Everything that one file holds.

    network: pooled conditioning (b, inputs) to raw outputs (b, n).
    mean: the mean DNA of the training set; its grid, kind, shift, power and profile are the prediction's.
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
        """Make the DNA that raw outputs (b, n) stand for: the mean over the batch, as a measured batch has.

        size: (height, width) in latent pixels, for a shift that depends on it; the training set's without it.
        """
        shift = self.mean.shift
        if size is not None and self.size_shift is not None:
            shift = self.size_shift.at(*size)
        # Times follow from the shift. Where there is no shift they are the grid's own.
        times = self.mean.times if shift is None else None
        errors = self.errors(raw).mean(0)
        return replace(
            self.mean,
            errors=errors,
            times=times,
            shift=shift,
            profile=profile_of_prompt(self.mean, errors),
            meta={"predictor": self.card},
        )

    def is_foreign(self, embedding: Tensor) -> bool:
        """Tell whether most of what never varied in training is another in an embedding (b, inputs).

        So it is with the prompts of another text encoder, whose width may be the same.
        """
        constant = self.network.input_std == 1  # what training gives those inputs
        changed = (embedding.mean(0).to(constant.device) - self.network.input_mean).abs()[constant] > CHANGED
        return len(changed) >= FEWEST_CONSTANT and bool(changed.float().mean() > 0.5)

    def distance(self, embedding: Tensor) -> float:
        """Tell how far an embedding (b, inputs) lies from the mean of the training prompts, in their own deviations.

        The root mean square over the inputs that varied in training; 0 where none is known to have.
        """
        varied = self.network.input_std != 1
        off = (embedding.mean(0).to(varied.device) - self.network.input_mean) / self.network.input_std
        return float(off[varied].square().mean().sqrt()) if varied.any() else 0.0

    def errors(self, raw: Tensor) -> FloatArray:
        """Return D (b, n) of raw outputs (b, n)."""
        y = raw.double().cpu().numpy()
        if self.output == "log":
            return np.asarray(np.exp(y))
        scaled = y * (self.mean.errors.std() / y.std(1, keepdims=True))
        return np.asarray(scaled - scaled.min(1, keepdims=True) + self.mean.errors.min())

    def predict(self, embedding: Tensor, size: tuple[int, int] | None = None) -> DiffusionDNA:
        """Predict the DNA of a pooled conditioning (b, inputs), on the network's own device."""
        with torch.no_grad():
            return self.dna(self.network(embedding), size)

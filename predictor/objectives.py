"""What a predictor is trained to do: the paper's objective, and one on log D."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..planner import FloatArray
from .model import Regressor
from .predictor import Output
from .scores import log_errors


class Objective(Protocol):
    """What training minimises. output: what raw outputs are once it is finished. dropout: the share that suits it."""

    output: Output
    dropout: float

    def __init__(self, errors: FloatArray) -> None:
        """errors: (dnas, n) of the training set."""

    def wanted(self, errors: FloatArray) -> Tensor:
        """Return what `loss` compares outputs with, (dnas, n)."""

    def loss(self, out: Tensor, wanted: Tensor) -> Tensor:
        """Return one number for a batch."""

    def finish(self, network: Regressor, x: Tensor, errors: FloatArray) -> None:
        """Make the trained network's outputs those that `output` says. x, errors: all that the training saw."""


class Cosine(Objective):
    """The paper's: the cosine similarity of the output and D. It leaves scale and offset to the alignment."""

    output: Output = "aligned"
    dropout = 0.6  # as released

    def wanted(self, errors: FloatArray) -> Tensor:
        return torch.from_numpy(errors).float()

    def loss(self, out: Tensor, wanted: Tensor) -> Tensor:
        return 1 - F.cosine_similarity(out, wanted).mean()


class LogError(Objective):
    """The mean squared error of log D. D spans four decades: on D itself, only the few largest values count.

    A plan depends on ratios of D across noise levels, which are differences of log D. Nothing is left to an alignment.
    """

    output: Output = "log"
    dropout = 0.3

    def __init__(self, errors: FloatArray) -> None:
        logs = torch.from_numpy(log_errors(errors)).float()
        self.mean = logs.mean(0)
        self.deviation = (logs - self.mean).square().mean().sqrt().clamp(min=1e-6)

    def wanted(self, errors: FloatArray) -> Tensor:
        return (torch.from_numpy(log_errors(errors)).float() - self.mean) / self.deviation

    def loss(self, out: Tensor, wanted: Tensor) -> Tensor:
        return F.mse_loss(out, wanted)

    def finish(self, network: Regressor, x: Tensor, errors: FloatArray) -> None:
        """Fold mean and deviation into the last layer, and bring the predictions to the scale of the errors.

        A mean of log D is that of a geometric mean, which lies below the mean: of all prompts that were seen, measured
        and predicted errors are made to agree in the mean at each noise level (Duan 1983, the smearing estimate).
        """
        last = network.net[-1]
        with torch.no_grad():
            last.weight.mul_(self.deviation)
            last.bias.mul_(self.deviation).add_(self.mean)
            means = torch.from_numpy(log_errors(errors.mean(0))), network(x).double().exp().mean(0).log()
            last.bias.add_((means[0] - means[1]).float())


OBJECTIVES: dict[str, Callable[[FloatArray], Objective]] = {"log error": LogError, "cosine (paper)": Cosine}

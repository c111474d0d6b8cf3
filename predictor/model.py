"""The network of the paper's predictor: a perceptron of three layers on a normalised, pooled conditioning."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = (256, 128)
MAX_WIDTHS = (1 << 16, 1 << 13, 1 << 13, 1000)  # of inputs, of the two layers between, of outputs
TINY = 1e-9  # added to a deviation, as the authors' release does; a constant input has none


class Regressor(nn.Module):
    """Pooled conditioning (b, inputs) to one value per noise level (b, outputs): section 4.2 of arXiv 2603.14704.

    The keys of its state are those of the authors' release (net.0, net.3, net.6), with input_mean and input_std beside
    them. inputs, outputs: widths; hidden: widths of the two layers between; dropout: share dropped in training.
    """

    input_mean: Tensor
    input_std: Tensor

    def __init__(self, inputs: int, outputs: int, hidden: tuple[int, int] = HIDDEN, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs = inputs
        self.net = nn.Sequential(
            nn.Linear(inputs, hidden[0]),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden[0], hidden[1]),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden[1], outputs),
        )
        self.register_buffer("input_mean", torch.zeros(inputs))
        self.register_buffer("input_std", torch.ones(inputs))

    def forward(self, embedding: Tensor) -> Tensor:
        out: Tensor = self.net((embedding - self.input_mean) / (self.input_std + TINY))
        return out

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> Regressor:
        """Make the network that a state belongs to, whatever its widths, ready to predict.

        Raises ValueError that names the tensor that is missing, unknown, of another shape or not finite. Shapes are
        compared before anything of their size is made: a tensor may claim any size, whatever its storage.
        """
        try:
            (first, inputs), (second, _), (outputs, _) = (state[f"net.{layer}.weight"].shape for layer in (0, 3, 6))
        except (KeyError, ValueError) as error:
            raise ValueError(f"net.0.weight, net.3.weight and net.6.weight must be matrices: {error}") from error
        widths = (inputs, first, second, outputs)
        if not all(0 < width <= most for width, most in zip(widths, MAX_WIDTHS)):
            raise ValueError(f"its layers are {widths} wide, and at most {MAX_WIDTHS} is read")
        with torch.device("meta"):
            network = cls(inputs, outputs, (first, second))
        expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        if state.keys() != expected.keys():
            raise ValueError(f"tensors {sorted(state.keys() ^ expected.keys())} are missing or unknown")
        for name, value in state.items():
            if tuple(value.shape) != expected[name]:
                raise ValueError(f"{name} has shape {tuple(value.shape)} and not {expected[name]}")
            if value.layout != torch.strided or not value.is_floating_point():
                raise ValueError(f"{name} is of {value.dtype} and {value.layout}, and plain floating-point is read")
            if not value.isfinite().all():
                raise ValueError(f"{name} is not finite")
        network.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
        return network.requires_grad_(False).train(False)

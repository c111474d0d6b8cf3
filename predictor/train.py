"""Train a predictor from pairs, on a CPU or a GPU."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..planner import FloatArray
from ..planner.texts import say
from .model import Regressor
from .objectives import OBJECTIVES, Objective
from .pairs import Pairs
from .predictor import Predictor
from .scores import Scores, log_errors, scores

Rows = npt.NDArray[np.intp]

FEWEST_PROMPTS = 10
STEPS_PER_EPOCH = 32  # at least, where the batches can be small enough
BATCHES = 16, 256  # the smallest and the largest
CONSTANT = 1e-6  # the deviation below which an input does not vary


@dataclass(frozen=True)
class Settings:
    """How to train.

    objective: a name in OBJECTIVES.
    held_out: share of the prompts for early stopping, and as many again for the scores. patience: epochs without a
    better validation loss after which training stops.
    """

    objective: str = "log error"
    epochs: int = 60
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    held_out: float = 0.1
    patience: int = 12
    seed: int = 0


DEFAULT = Settings()
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Epoch:
    """Losses after an epoch; best: the lowest validation loss so far."""

    number: int
    train_loss: float
    validation_loss: float
    best: float


@dataclass(frozen=True, eq=False)
class Report:
    """The losses of a training, and its scores on prompts that it never saw.

    measured, predicted: (dnas, n) errors of these prompts. scores: the predictor's; mean_scores: the mean DNA's.
    """

    epochs: list[Epoch]
    measured: FloatArray
    predicted: FloatArray
    scores: Scores
    mean_scores: Scores


def train(
    pairs: Pairs,
    settings: Settings = DEFAULT,
    device: torch.device = CPU,
    after_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Predictor, Report]:
    """Train a predictor for the pairs' model and score it on held-out prompts; a seed and a device fix the result.

    after_epoch: told of every epoch; what it raises ends the training. Raises ValueError for too few prompts.
    """
    fitting, validation, test = split(pairs.prompts, settings.held_out, settings.seed)
    x, errors = torch.from_numpy(pairs.embeddings), pairs.errors
    objective = OBJECTIVES[settings.objective](errors[fitting])
    y = objective.wanted(errors)
    # Weights and dropout are drawn from a generator that is everyone's.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        network = Regressor(x.shape[1], errors.shape[1], dropout=objective.dropout)
        _set_input_scale(network, x[fitting])
        epochs = _fit(network.to(device), objective, (x, y), (fitting, validation), settings, after_epoch)
    seen = np.concatenate([fitting, validation])
    objective.finish(network.cpu().requires_grad_(False).train(False), x[seen], errors[seen])
    mean = replace(pairs.grid, errors=errors[fitting].mean(0), meta={})
    card = {
        "model": pairs.model,
        "host_class": pairs.model,
        "trained_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "settings": asdict(settings),
        "dnas": len(pairs),
        "prompts": len(np.unique(pairs.prompts)),
        "epochs": len(epochs),
        **pairs.grid.meta,
    }
    predictor = Predictor(network, mean, objective.output, pairs.pooling, card=card)
    predicted, measured = predictor.errors(network(x[test])), errors[test]
    log_mean = log_errors(errors[fitting]).mean(0)
    found = scores(predicted, measured, log_mean)
    of_mean = scores(np.broadcast_to(mean.errors, measured.shape), measured, log_mean)
    card["held_out"] = {"dnas": len(test), "predictor": asdict(found), "mean DNA": asdict(of_mean)}
    return predictor, Report(epochs, measured, predicted, found, of_mean)


def split(prompts: npt.NDArray[np.str_], share: float, seed: int) -> tuple[Rows, Rows, Rows]:
    """Split rows to fit, to stop by and to score by. All DNAs of one prompt are on one side."""
    names = np.unique(prompts)
    if len(names) < FEWEST_PROMPTS:
        raise ValueError(
            say(
                "{prompts} different prompts are too few to train on: record {fewest} at least",
                prompts=len(names),
                fewest=FEWEST_PROMPTS,
            )
        )
    names = np.random.default_rng(seed).permutation(names)
    each = max(1, round(share * len(names)))
    parts = names[2 * each :], names[:each], names[each : 2 * each]
    fitting, validation, test = (np.flatnonzero(np.isin(prompts, part)) for part in parts)
    return fitting, validation, test


def _set_input_scale(network: Regressor, x: Tensor) -> None:
    """Set the inputs' scale. A constant input keeps deviation 1, so that another value of it is not blown up."""
    deviation = x.std(0)
    network.input_mean.copy_(x.mean(0))
    network.input_std.copy_(torch.where(deviation > CONSTANT, deviation, 1))


def _fit(
    network: Regressor,
    objective: Objective,
    data: tuple[Tensor, Tensor],
    rows: tuple[Rows, Rows],
    settings: Settings,
    after_epoch: Callable[[Epoch], None],
) -> list[Epoch]:
    """Train until the validation loss stops falling; the network then has the best epoch's weights."""
    x, y = data
    fitting, validation = rows
    device = network.input_mean.device
    stepper = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(stepper, settings.epochs)
    rng = np.random.default_rng(settings.seed)
    size = min(max(len(fitting) // STEPS_PER_EPOCH, BATCHES[0]), BATCHES[1])

    def loss_of(batch: Rows) -> Tensor:
        return objective.loss(network(x[batch].to(device)), y[batch].to(device))

    epochs: list[Epoch] = []
    best, best_epoch, best_state = math.inf, 0, copy.deepcopy(network.state_dict())
    for number in range(1, settings.epochs + 1):
        network.train()
        losses = []
        for batch in np.array_split(rng.permutation(fitting), math.ceil(len(fitting) / size)):
            loss = loss_of(batch)
            stepper.zero_grad()
            loss.backward()
            stepper.step()
            losses.append(loss.detach())
        rates.step()
        network.train(False)
        with torch.no_grad():
            found = float(loss_of(validation))
        if found < best:
            best, best_epoch, best_state = found, number, copy.deepcopy(network.state_dict())
        epochs.append(Epoch(number, float(torch.stack(losses).mean()), found, best))
        after_epoch(epochs[-1])
        if number - best_epoch >= settings.patience:
            break
    network.load_state_dict(best_state)
    return epochs

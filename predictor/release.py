"""The predictors that the authors of the paper released: `model_state.pth` and `norm_data.pt` in a folder.

https://github.com/UnicomAI/CoTj, for Qwen-Image and Z-Image-Turbo. The files do not say which model they are for, nor
which sigmas their outputs stand for. The width of the input tells the first, the authors' pipelines the second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..planner import DiffusionDNA, TimeShift
from ..planner.reading import shortened
from ..planner.texts import say
from .model import MAX_WIDTHS, Regressor
from .predictor import Predictor
from .size_shift import SizeShift

MODEL_STATE, NORM_DATA = "model_state.pth", "norm_data.pt"
MAX_BYTES = 64 << 20  # of either: the larger one has 4 MB


@dataclass(frozen=True)
class ReleasedModel:
    """What a pair of files is for. host_class: the name that ComfyUI gives to the model's architecture."""

    name: str
    host_class: str
    shift: TimeShift
    size_shift: SizeShift | None = None


# Of Qwen-Image's scheduler; the release was measured at 1664 x 928.
QWEN_SIZE_SHIFT = SizeShift(base_tokens=256, base_mu=0.5, max_tokens=8192, max_mu=0.9, terminal=0.02)
RELEASED = {
    3584: ReleasedModel("Qwen-Image", "QwenImage", QWEN_SIZE_SHIFT.at(928 // 8, 1664 // 8), QWEN_SIZE_SHIFT),
    2560: ReleasedModel("Z-Image-Turbo", "Lumina2", TimeShift("static", 3.0)),
}


def read(folder: Path, load: Callable[[Path], Any]) -> Predictor:
    """Read the released pair in a folder; ValueError, with the way out, where it is none.

    load: a loader of PyTorch's files that makes nothing but tensors, or raises.
    """
    paths = [folder / part for part in (MODEL_STATE, NORM_DATA)]
    try:
        largest = max(path.stat().st_size for path in paths)
    except OSError as error:
        told = say("the files in {folder!r} cannot be opened: {why}.", folder=folder.name, why=error.strerror)
        raise ValueError(told) from error
    if largest > MAX_BYTES:
        raise ValueError(
            say(
                "the files in {folder!r} are larger than the authors'. Get them again from the authors.",
                folder=folder.name,
            )
        )
    try:
        pair = [load(path) for path in paths]
    except Exception:  # of whatever type: what is in the way of the safe loader is not to be read
        # Without the loader's own words, which say how to read such files all the same.
        raise ValueError(
            say(
                "the files in {folder!r} are not plain tensors, and nothing else is read from them. Get them again "
                "from the authors.",
                folder=folder.name,
            )
        ) from None
    try:
        return from_release(*pair)
    except ValueError as error:
        fault = shortened(str(error), 160)
        raise ValueError(
            say("{folder!r} is no predictor that the authors released: {fault}.", folder=folder.name, fault=fault)
        ) from None


def from_release(model_state: Any, norm_data: Any) -> Predictor:
    """Make the predictor that a released pair holds, from its two dictionaries of tensors.

    Raises ValueError that names what is missing, of another shape or not finite, or the widths that are known.
    """
    for name, content in ((MODEL_STATE, model_state), (NORM_DATA, norm_data)):
        if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
            raise ValueError(f"{name} is no dictionary of tensors")
    if missing := {"X_mean", "X_std", "Y_mean"} - norm_data.keys():
        raise ValueError(f"{NORM_DATA} lacks {sorted(missing)}")
    # Before they are copied: a tensor of few bytes may claim any size, and a sparse one cannot be flattened.
    for name in ("X_mean", "X_std", "Y_mean"):
        value, most = norm_data[name], MAX_WIDTHS[-1 if name == "Y_mean" else 0]
        if value.layout != torch.strided or not value.is_floating_point() or not 2 <= value.numel() <= most:
            raise ValueError(f"{name} in {NORM_DATA} is no list of 2 to {most} numbers")
    # Cloned, since the released mean and deviation of the inputs are one and the same tensor.
    scale = {"input_mean": norm_data["X_mean"].flatten().clone(), "input_std": norm_data["X_std"].flatten().clone()}
    network = Regressor.from_state({**model_state, **scale})
    if network.inputs not in RELEASED:
        known = ", ".join(f"{width} ({model.name})" for width, model in RELEASED.items())
        raise ValueError(f"its input is {network.inputs} wide, and the released ones are {known}")
    model = RELEASED[network.inputs]
    mean = norm_data["Y_mean"].flatten().double().numpy()
    times = np.linspace(1 / len(mean), 1, len(mean))
    return Predictor(
        network=network,
        mean=DiffusionDNA(model.shift.sigmas(times), mean, shift=model.shift),
        output="aligned",
        size_shift=model.size_shift,
        card={
            "model": model.name,
            "host_class": model.host_class,
            "source": "converted from https://github.com/UnicomAI/CoTj",
            "paper": "arXiv 2603.14704",
        },
    )

"""The predictors that the authors of the paper released: `model_state.pth` and `norm_data.pt` in a folder.

https://github.com/UnicomAI/CoTj, for Qwen-Image and Z-Image-Turbo. The files do not say which model they are for, nor
which sigmas their outputs stand for. The width of the input tells the first, the authors' pipelines the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..planner import DiffusionDNA, TimeShift
from .model import Regressor
from .predictor import Predictor
from .size_shift import SizeShift

MODEL_STATE, NORM_DATA = "model_state.pth", "norm_data.pt"


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


def from_release(model_state: Any, norm_data: Any) -> Predictor:
    """The predictor that a released pair holds, from the two dictionaries of tensors.

    Raises ValueError that names what is missing, of another shape or not finite, or the widths that are known.
    """
    for name, content in ((MODEL_STATE, model_state), (NORM_DATA, norm_data)):
        if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
            raise ValueError(f"{name} is no dictionary of tensors")
    if missing := {"X_mean", "X_std", "Y_mean"} - norm_data.keys():
        raise ValueError(f"{NORM_DATA} lacks {sorted(missing)}")
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

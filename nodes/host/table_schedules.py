"""The schedules that ComfyUI's own nodes have in tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from comfy_extras.nodes_align_your_steps import AlignYourStepsScheduler
from comfy_extras.nodes_gits import GITSScheduler
from comfy_extras.nodes_optimalsteps import OptimalStepsScheduler

from .model import levels_of_sampling

SD_TOP = 14.6146  # of the models that the AYS and GITS nodes have tables for


def node_sigmas(model_sampling: Any, steps: int) -> dict[str, torch.Tensor]:
    """List the schedules of the host's tables by name, for a model of this kind and top.

    Some tables give another number of steps than was asked for.
    """
    levels = levels_of_sampling(model_sampling)
    if levels.kind == "flow":
        names = ("FLUX", "Wan", "Chroma")
        return {f"OptimalSteps {name}": OptimalStepsScheduler.execute(name, steps, 1.0).result[0] for name in names}
    if not np.isclose(levels.top, SD_TOP, rtol=1e-3):
        return {}
    found = {f"AYS {name}": AlignYourStepsScheduler.execute(name, steps, 1.0).result[0] for name in ("SD1", "SDXL")}
    return found | {"GITS node": GITSScheduler.execute(1.2, steps, 1.0).result[0]}

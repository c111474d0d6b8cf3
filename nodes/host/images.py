"""Pictures as ComfyUI passes them between nodes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch


def to_image(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Give one RGB picture, (height, width, 3), as an IMAGE: (1, height, width, 3), float32 from 0 to 1."""
    return torch.from_numpy(pixels).float()[None] / 255

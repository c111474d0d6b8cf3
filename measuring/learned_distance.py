"""LPIPS (Zhang et al. 2018, arXiv 1801.03924), where its package and its weights are on this machine already."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

SMALLEST = 31  # pixels that AlexNet's layers need


@lru_cache(maxsize=1)
def lpips_at_hand() -> Any:
    """Load the distance by AlexNet of the package `lpips`, or give None where that is not at hand.

    The package asks torchvision for the weights, which would download them. So it is only asked where torch hub's cache
    has them.
    """
    if importlib.util.find_spec("lpips") is None or importlib.util.find_spec("torchvision") is None:
        return None
    from torchvision.models import AlexNet_Weights

    weights = Path(torch.hub.get_dir()) / "checkpoints" / AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    if not weights.is_file():
        return None
    import lpips

    return lpips.LPIPS(net="alex", verbose=False)


@torch.inference_mode()
def learned_distances(images: torch.Tensor, reference: torch.Tensor) -> list[float] | None:
    """Give the LPIPS of each pair of two batches of RGB images, 0 for equal ones; None where it is not at hand.

    images, reference: (frames, height, width, 3) in 0..1. Images below `SMALLEST` pixels have none either.
    """
    measure = lpips_at_hand() if min(images.shape[1:3]) >= SMALLEST else None
    if measure is None:
        return None
    pairs = zip(images.movedim(-1, 1), reference.movedim(-1, 1))
    return [float(measure(one[None], other[None], normalize=True)) for one, other in pairs]

"""How near images are to a reference's: PSNR and SSIM (Wang et al. 2004) by scikit-image, HaarPSI, and LPIPS."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from .haarpsi import haarpsi
from .learned_distance import learned_distances

WINDOW = 11  # pixels, of SSIM's Gaussian window: 3.5 times its sigma to either side
SSIM = {
    "channel_axis": -1,
    "data_range": 1,
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
}


class Fidelity(NamedTuple):
    """How near each item of a batch is to its reference.

    psnr: in dB. ssim, haarpsi: 1 for equal images. lpips: a distance, 0 for equal images; None where its package or its
    weights are not at hand.
    """

    psnr: list[float]
    ssim: list[float]
    haarpsi: list[float]
    lpips: list[float] | None


def fidelity(images: torch.Tensor, reference: torch.Tensor) -> Fidelity:
    """Measure each item of two batches of images.

    images, reference: (batch, [frames,] height, width, channels) in 0..1, of which the first three are RGB, or one is
    gray; a video gets the mean of its frames. SSIM has the Gaussian window of its authors. Raises ImportError where
    scikit-image is missing, ValueError for images below `WINDOW` pixels.
    """
    # Imported here, because it takes longer than most nodes run.
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr, ssim, alike, learned = [], [], [], []
    for item, other in zip(_frames(images), _frames(reference)):
        arrays = list(zip(item.numpy(), other.numpy()))
        with np.errstate(divide="ignore"):  # equal images: infinite
            psnr.append(float(np.mean([peak_signal_noise_ratio(b, a, data_range=1) for a, b in arrays])))
        ssim.append(float(np.mean([structural_similarity(b, a, **SSIM) for a, b in arrays])))
        colours, others = _colours(item), _colours(other)
        alike.append(float(np.mean([haarpsi(a, b) for a, b in zip(colours.numpy(), others.numpy())])))
        if distances := learned_distances(colours, others):
            learned.append(float(np.mean(distances)))
    return Fidelity(psnr, ssim, alike, learned or None)


def _frames(images: torch.Tensor) -> torch.Tensor:
    """Reshape images to (batch, frames, height, width, channels), where a picture is one frame."""
    found = images.float().cpu().clamp(0, 1)
    return found[:, None] if found.ndim == 4 else found


def _colours(frames: torch.Tensor) -> torch.Tensor:
    """Give frames in RGB, of which gray ones have one channel and others may have more."""
    return frames[..., :3].expand(*frames.shape[:-1], 3)

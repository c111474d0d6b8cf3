"""How near images are to those of a reference: PSNR and SSIM, by scikit-image."""

from __future__ import annotations

import numpy as np
import torch


def fidelity(images: torch.Tensor, reference: torch.Tensor) -> tuple[list[float], list[float]]:
    """PSNR in dB and SSIM of each item, (batch, [frames,] height, width, channels) in 0..1; of a video, frames' means.

    Raises ImportError where scikit-image is missing, ValueError for images below 7 pixels, the window of SSIM.
    """
    # Here, because the import takes longer than most nodes run.
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr, ssim = [], []
    for item, other in zip(_frames(images), _frames(reference)):
        with np.errstate(divide="ignore"):  # equal images: infinite
            psnr.append(float(np.mean([peak_signal_noise_ratio(b, a, data_range=1) for a, b in zip(item, other)])))
        pairs = zip(item, other)
        ssim.append(float(np.mean([structural_similarity(b, a, channel_axis=-1, data_range=1) for a, b in pairs])))
    return psnr, ssim


def _frames(images: torch.Tensor) -> np.ndarray:
    """(batch, frames, height, width, channels), a picture being one frame."""
    array = images.float().cpu().clamp(0, 1).numpy()
    return array[:, None] if array.ndim == 4 else array

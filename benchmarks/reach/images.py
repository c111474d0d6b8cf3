"""How alike two pictures are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

FloatArray = npt.NDArray[np.float64]


def psnr(images: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> FloatArray:
    """(items,) in dB, of images in 0..1; at most 100, so that equal ones do not make a mean infinite."""
    mse = np.square(images.astype(np.float64) - expected).mean((1, 2, 3))
    return -10 * np.log10(np.maximum(mse, 1e-10))


def ssim(images: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> FloatArray:
    """(items,) of images (items, H, W, C) in 0..1, with the Gaussian window of its authors (Wang et al. 2004)."""
    items, height, width, channels = images.shape

    def as_channels(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return batch.transpose(1, 2, 0, 3).reshape(height, width, items * channels)

    _, similarity = structural_similarity(
        as_channels(images),
        as_channels(expected),
        data_range=1,
        channel_axis=-1,
        full=True,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    # As scikit-image's own mean: without the border that the window does not fit into.
    inner = similarity[5:-5, 5:-5].mean((0, 1))
    return inner.reshape(items, channels).mean(1).astype(np.float64)

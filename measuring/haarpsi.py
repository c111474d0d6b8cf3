"""HaarPSI, a perceptual similarity of two images that needs no weights (Reisenhofer et al. 2018, arXiv 1607.06140)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# The constants of the paper, for values of 0..255.
C, ALPHA = 30.0, 4.2
SCALES = 3  # details of the finer two are compared, and those of the coarsest say where they count
YIQ = np.array(((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312)))
LEAST_WEIGHT = 1e-9  # so that two black images are alike


def haarpsi(image: npt.NDArray[np.floating], reference: npt.NDArray[np.floating]) -> float:
    """Give the similarity of two RGB images (height, width, 3) in 0..1: 1 for equal ones, near 0 for unlike ones.

    It is symmetric. Images are halved first, for the distance that people look from, as the paper does. Raises
    ImportError where SciPy is missing.
    """
    (details, coarse, colours), (others, other_coarse, other_colours) = map(_coefficients, (image, reference))
    weights = np.maximum(coarse, other_coarse)
    weights = np.concatenate([weights, weights.mean(0, keepdims=True)]) + LEAST_WEIGHT
    shapes = _similarity(details, others).mean(0)
    colour = _similarity(colours, other_colours).mean(0, keepdims=True)
    likeness = 1 / (1 + np.exp(-ALPHA * np.concatenate([shapes, colour])))
    mean = np.average(likeness, weights=weights)
    return float((np.log(mean / (1 - mean)) / ALPHA) ** 2)


def _similarity(one: FloatArray, other: FloatArray) -> FloatArray:
    return (2 * one * other + C) / (one**2 + other**2 + C)


def _coefficients(image: npt.NDArray[np.floating]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give magnitudes, with height and width halved.

    Those of details are (finer scales, 2 directions, ...), of the coarsest details (2 directions, ...), and of colour
    (2, ...).
    """
    planes = np.moveaxis(255 * np.asarray(image, dtype=np.float64) @ YIQ.T, -1, 0)
    luminance, *colours = (_filtered(plane, np.ones(2), np.ones(2))[::2, ::2] / 4 for plane in planes)
    details = []
    for scale in range(1, SCALES + 1):
        mean, edge = np.ones(2**scale), np.repeat((1.0, -1.0), 2 ** (scale - 1))
        pair = [_filtered(luminance, edge, mean), _filtered(luminance, mean, edge)]
        details.append(np.abs(pair) / 2**scale)
    means = [np.abs(_filtered(colour, np.ones(2), np.ones(2))) / 4 for colour in colours]
    return np.stack(details[:-1]), details[-1], np.stack(means)


def _filtered(plane: FloatArray, down: FloatArray, across: FloatArray) -> FloatArray:
    """Convolve with a filter for each axis, with zeros around.

    Filters of even length stand half a pixel off as in the authors' code, which is what SciPy does.
    """
    # Imported here, because it takes longer than most nodes run.
    from scipy.ndimage import convolve1d

    for axis, weights in enumerate((down, across)):
        plane = convolve1d(plane, weights, axis=axis, mode="constant")
    return plane

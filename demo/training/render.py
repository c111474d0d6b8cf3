"""Scenes to pictures: 32 x 32 RGB, or so many times larger, edges antialiased by signed distance.

Whatever the scale, lengths are in pixels of the smallest picture, and the same random numbers draw the same scene.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .scenes import BACKGROUND_COLOURS, OBJECT_COLOURS, PLACES, Background, Scene, Thing

SIDE = 32
RADIUS = {"small": 4.0, "large": 6.2}
CELL = 8  # width in pixels of a stripe or a check
NOISE_STD = 0.12


@cache
def grid(scale: int) -> np.ndarray:
    """Give (2, SIDE * scale, SIDE * scale): y and x of the centres of pixels."""
    return np.asarray((np.mgrid[0 : SIDE * scale, 0 : SIDE * scale] + 0.5) / scale)


def colour(name: str) -> np.ndarray:
    """Return RGB in 0..1."""
    return np.array((OBJECT_COLOURS | BACKGROUND_COLOURS)[name]) / 255


def coverage(shape: str, x: float, y: float, radius: float, scale: int = 1) -> np.ndarray:
    """Return how much of each pixel the shape covers, in 0..1."""
    rows, columns = grid(scale)
    dx, dy = columns - x, rows - y
    if shape == "circle":
        distance = np.hypot(dx, dy) - radius
    elif shape == "square":
        distance = np.maximum(abs(dx), abs(dy)) - 0.9 * radius
    elif shape == "triangle":  # point up, as wide as it is high
        slope = np.array((2.0, 1.0)) / np.sqrt(5)
        distance = np.maximum(dy - radius, slope[0] * abs(dx) - slope[1] * (dy + radius))
    else:
        raise ValueError(f"no such shape: {shape}")
    return np.clip(0.5 - distance * scale, 0, 1)


def texture(background: Background, phase: tuple[float, float], vertical: bool, scale: int = 1) -> np.ndarray:
    """Draw the background without noise. `phase` shifts stripes and checks."""
    rows, columns = grid(scale)
    first = colour(background.colours[0])
    if background.texture in ("plain", "noisy"):
        return np.broadcast_to(first, (*rows.shape, 3))
    second = colour(background.colours[1])
    across, down = (np.floor((axis + shift) / CELL) % 2 for axis, shift in zip((columns, rows), phase))
    if background.texture == "gradient":
        mix = np.clip((rows - 0.5) / (SIDE - 1), 0, 1)
    elif background.texture == "striped":
        mix = across if vertical else down
    else:
        mix = (across + down) % 2
    return first + mix[..., None] * (second - first)


def positions(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Place (things, 2): x and y of every object's centre, in pixels, with the freedom its words leave."""
    grid = (8.5, 16.0, 23.5)
    if scene.layout in PLACES:
        column, row = PLACES[scene.layout]
        return np.array([[grid[column], grid[row]]]) + rng.uniform(-1.2, 1.2, (1, 2))
    if scene.layout == "row":
        xs = (9.0, 23.0) if len(scene.things) == 2 else (6.0, 16.0, 26.0)
        free = 16 + rng.uniform(-5, 5)
        return np.array([[x, free] for x in xs]) + rng.uniform(-0.6, 0.6, (len(xs), 2))
    free = 16 + rng.uniform(-5, 5)
    ends = (8.3, 23.7) if scene.layout in ("above", "left of") else (23.7, 8.3)
    centres = np.array([[free, end] if scene.layout in ("above", "below") else [end, free] for end in ends])
    return centres + rng.uniform(-0.6, 0.6, (2, 2))


def paint(image: np.ndarray, thing: Thing, x: float, y: float, radius: float, scale: int = 1) -> np.ndarray:
    """Add one more object to the image."""
    alpha = coverage(thing.shape, x, y, radius, scale)[..., None]
    return image + alpha * (colour(thing.colour) - image)


def enlarged(image: np.ndarray, scale: int) -> np.ndarray:
    """Interpolate (SIDE, SIDE, 3) linearly to the scale."""
    centres = (np.arange(SIDE * scale) + 0.5) / scale - 0.5
    weights = np.maximum(0, 1 - abs(centres.clip(0, SIDE - 1)[:, None] - np.arange(SIDE)))
    return np.einsum("yi,xj,ijc->yxc", weights, weights, image, optimize=True)


def render(scene: Scene, rng: np.random.Generator, scale: int = 1) -> np.ndarray:
    """Draw (SIDE * scale, SIDE * scale, 3) in 0..1: one picture of the scene."""
    # Whole pixels, so that an edge of a stripe is an edge of the image.
    across, down = rng.integers(0, 2 * CELL, 2).tolist()
    image = texture(scene.background, (across, down), bool(rng.integers(2)), scale)
    if scene.background.texture == "noisy":
        image = np.clip(image + enlarged(rng.normal(0, NOISE_STD, (SIDE, SIDE, 3)), scale), 0, 1)
    for thing, (x, y) in zip(scene.things, positions(scene, rng)):
        image = paint(image, thing, x, y, RADIUS[thing.size] * rng.uniform(0.95, 1.05), scale)
    return image

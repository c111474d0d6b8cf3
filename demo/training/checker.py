"""Reads a picture back, knowing nothing of its caption: background, and each object's colour, shape, size and place.

Objects are the connected regions whose pixels are nearest to an object colour; a shape is the one whose drawing covers
the region best; a background is the texture and colours that explain the remaining pixels best.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
from scipy import ndimage

from .render import CELL, NOISE_STD, RADIUS, SIDE, coverage, texture
from .scenes import BACKGROUND_COLOURS, OBJECT_COLOURS, PLACES, RELATIONS, Background, Scene, Thing

SMALLEST_OBJECT = 12  # pixels
_PALETTE = np.array(list((OBJECT_COLOURS | BACKGROUND_COLOURS).values())) / 255
_OBJECT_NAMES = list(OBJECT_COLOURS)


@dataclass(frozen=True)
class Found:
    """An object read off a picture: what it is, its centre in pixels."""

    thing: Thing
    x: float
    y: float


def _fit_shape(mask: np.ndarray) -> tuple[str, float]:
    """Find the shape whose drawing overlaps the region best, by intersection over union, and its radius in pixels."""
    y, x = ndimage.center_of_mass(mask)
    x, y, area = x + 0.5, y + 0.5, mask.sum()
    best = (-1.0, "", 0.0)
    # A triangle's centroid lies a third of its radius below the centre it is drawn from.
    for shape, unit_area, drop in (("circle", np.pi, 0), ("square", 3.24, 0), ("triangle", 2.0, 1 / 3)):
        radius = np.sqrt(area / unit_area)
        drawing = coverage(shape, x, y - drop * radius, radius)
        overlap = np.minimum(drawing, mask).sum() / np.maximum(drawing, mask).sum()
        best = max(best, (overlap, shape, radius))
    return best[1], best[2]


def find_objects(image: np.ndarray) -> tuple[list[Found], np.ndarray]:
    """Find the objects of an image ((SIDE, SIDE, 3) in 0..1), and the mask of all pixels of them or their edges."""
    nearest = ((image[:, :, None] - _PALETTE) ** 2).sum(-1).argmin(-1)
    found, touched = [], np.zeros((SIDE, SIDE), bool)
    for index, name in enumerate(_OBJECT_NAMES):
        labels, count = ndimage.label(nearest == index)
        for region in range(1, count + 1):
            mask = labels == region
            # Opening empties the one-pixel rings where an edge's blend of two colours looks like a third.
            if ndimage.binary_opening(mask, np.ones((2, 2))).sum() < SMALLEST_OBJECT:
                continue
            mask = ndimage.binary_fill_holes(mask)
            shape, radius = _fit_shape(mask)
            size = min(RADIUS, key=lambda s: abs(RADIUS[s] - radius))
            y, x = ndimage.center_of_mass(mask)
            found.append(Found(Thing(size, name, shape), x + 0.5, y + 0.5))
            touched |= mask
    return found, ndimage.binary_dilation(touched, iterations=2)


@lru_cache(maxsize=1)
def _backgrounds() -> tuple[list[Background], np.ndarray, np.ndarray]:
    """Make every background at every phase: names, pictures (n, SIDE * SIDE * 3), squares summed over colours."""
    names, pictures = [], []
    shifts = range(0, 2 * CELL)
    for name in BACKGROUND_COLOURS:
        names.append(Background("plain", (name,)))
        pictures.append(texture(names[-1], (0, 0), False))
    for pair in permutations(BACKGROUND_COLOURS, 2):
        names.append(Background("gradient", pair))
        pictures.append(texture(names[-1], (0, 0), False))
        if list(pair) != sorted(pair):
            continue
        for vertical in (False, True):
            for shift in shifts:
                names.append(Background("striped", pair))
                pictures.append(texture(names[-1], (shift, shift), vertical))
        for across in shifts:
            for down in range(CELL):  # half the shifts: the other half repeat these
                names.append(Background("checked", pair))
                pictures.append(texture(names[-1], (across, down), False))
    stack = np.stack(pictures).astype(np.float32)
    return names, stack.reshape(len(stack), -1), (stack**2).sum(-1).reshape(len(stack), -1)


def read_background(image: np.ndarray, touched: np.ndarray) -> Background:
    """Find the background that explains the untouched pixels best; a plain one with a large residue is noisy."""
    names, pictures, squares = _backgrounds()
    free = ~touched
    # The sum over free pixels of (picture - image)^2, less the part that is the same for every picture.
    masked = (image * free[..., None]).astype(np.float32)
    errors = squares @ free.ravel().astype(np.float32) - 2 * pictures @ masked.ravel()
    best = names[int(errors.argmin())]
    if best.texture != "plain":
        return best
    # Fine grain tells noise from a plain colour that is merely a little off.
    grain = image - ndimage.uniform_filter(image, (3, 3, 0))
    noisy = free.any() and grain[free].std() > 0.45 * NOISE_STD
    return Background("noisy" if noisy else "plain", best.colours)


def _relation(first: Found, second: Found) -> str:
    """Name where the first is, seen from the second."""
    dx, dy = first.x - second.x, first.y - second.y
    if abs(dx) > abs(dy):
        return "left of" if dx < 0 else "right of"
    return "above" if dy < 0 else "below"


def _place(found: Found) -> str:
    cell = tuple(int(np.clip((v - 4.75) // 7.5, 0, 2)) for v in (found.x, found.y))
    return next(place for place, where in PLACES.items() if where == cell)


def check(image: np.ndarray, scene: Scene) -> dict[str, bool]:
    """Check for each aspect that the caption claims whether it is so in the image ((SIDE, SIDE, 3) in 0..1).

    `position` is asked of single objects, `relation` of pairs, `count` of rows and of every other scene.
    """
    found, touched = find_objects(image)
    wanted = sorted(map(str, scene.things))
    result = {
        "background": read_background(image, touched) == scene.background,
        "count": len(found) == len(scene.things),
    }
    for aspect, attribute in (("colour", "colour"), ("shape", "shape"), ("size", "size")):
        seen = sorted(getattr(f.thing, attribute) for f in found)
        result[aspect] = seen == sorted(getattr(t, attribute) for t in scene.things)
    if scene.layout in PLACES:
        result["position"] = len(found) == 1 and _place(found[0]) == scene.layout
    if scene.layout in RELATIONS:
        # Matched by colour, which differs within a pair: a wrong shape is not a wrong relation.
        named = {f.thing.colour: f for f in found}
        first, second = (named.get(thing.colour) for thing in scene.things)
        result["relation"] = bool(first and second and _relation(first, second) == scene.layout)
    result["everything"] = all(result.values()) and sorted(str(f.thing) for f in found) == wanted
    return result

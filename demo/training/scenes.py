"""The captions of the demo model: what a scene can hold, and how it is said in words.

A scene is one to three objects on a background. Difficulty varies as it does in real prompts: a plain background
is easy, a gradient or a texture is harder, and a place that is only roughly given leaves the model more to invent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

OBJECT_COLOURS = {
    "red": (225, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 230),
    "yellow": (250, 215, 40),
    "purple": (150, 50, 190),
    "orange": (245, 130, 25),
}
# No background shares a colour with an object, so that a picture can be read back without its caption.
BACKGROUND_COLOURS = {
    "black": (15, 15, 15),
    "white": (240, 240, 240),
    "gray": (128, 128, 128),
    "pink": (250, 185, 205),
    "brown": (110, 70, 40),
}
SHAPES = ("circle", "square", "triangle")
SIZES = ("small", "large")
PLACES = {
    "at the top left": (0, 0), "at the top": (1, 0), "at the top right": (2, 0),
    "on the left": (0, 1), "in the center": (1, 1), "on the right": (2, 1),
    "at the bottom left": (0, 2), "at the bottom": (1, 2), "at the bottom right": (2, 2),
}  # fmt: skip
RELATIONS = ("above", "below", "left of", "right of")
COUNTS = {2: "two", 3: "three"}
TEXTURES = ("plain", "gradient", "striped", "checked", "noisy")
TEXTURE_SHARES = (0.42, 0.2, 0.18, 0.15, 0.05)
# One caption in ten is never trained on; which ones depends on the words alone.
HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class Thing:
    """One object: its size, colour and shape as words."""

    size: str
    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{self.size} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Background:
    """A texture and its one or two colours, in order (a gradient runs from the first, on top, to the second)."""

    texture: str
    colours: tuple[str, ...]

    def __str__(self) -> str:
        return f"a {self.texture} {' and '.join(self.colours)} background"


@dataclass(frozen=True)
class Scene:
    """Objects and where they are: `layout` is a place for one, a relation for two, `row` for equal ones."""

    things: tuple[Thing, ...]
    layout: str
    background: Background

    @property
    def caption(self) -> str:
        first = self.things[0]
        if self.layout in PLACES:
            objects = f"a {first} {self.layout}"
        elif self.layout in RELATIONS:
            objects = f"a {first} {self.layout} a {self.things[1]}"
        else:
            objects = f"{COUNTS[len(self.things)]} {first}s in a row"
        return f"{objects} on {self.background}"

    @property
    def held_out(self) -> bool:
        digest = hashlib.sha256(self.caption.encode()).digest()
        return digest[0] < HELD_OUT_SHARE * 256


def random_background(rng: np.random.Generator) -> Background:
    """Draw a background; about two in five are plain, one in twenty is noisy."""
    texture = str(rng.choice(TEXTURES, p=TEXTURE_SHARES))
    count = 1 if texture in ("plain", "noisy") else 2
    colours = rng.permutation(list(BACKGROUND_COLOURS))[:count].tolist()
    if texture in ("striped", "checked"):  # symmetric in its colours: one order of words
        colours.sort()
    return Background(texture, tuple(colours))


def random_thing(rng: np.random.Generator) -> Thing:
    """Draw any size, colour and shape."""
    return Thing(str(rng.choice(SIZES)), str(rng.choice(list(OBJECT_COLOURS))), str(rng.choice(SHAPES)))


def random_scene(rng: np.random.Generator, held_out: bool = False) -> Scene:
    """Draw a scene of the training captions, or of the held-out ones."""
    while True:
        kind = rng.choice(("one", "two", "row"), p=(0.4, 0.38, 0.22))
        first = random_thing(rng)
        if kind == "one":
            things, layout = [first], str(rng.choice(list(PLACES)))
        elif kind == "two":
            second = random_thing(rng)
            while second.colour == first.colour:
                second = random_thing(rng)
            things, layout = [first, second], str(rng.choice(RELATIONS))
        else:
            count = int(rng.choice(list(COUNTS)))
            if count == 3:
                first = Thing("small", first.colour, first.shape)
            things, layout = [first] * count, "row"
        scene = Scene(tuple(things), layout, random_background(rng))
        if scene.held_out == held_out:
            return scene

"""There is a card for each example workflow, and its numbers are those of the graph."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from cotj.demo.templates.cards import CARDS, PLAN, Ended, Pair, drawn
from PIL import Image

GREY, BLUE = (0x8B, 0x97, 0xA8), (0x4C, 0xC2, 0xFF)


def graph(root: Path, name: str) -> dict:
    return json.loads((root / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))


def test_each_template_has_a_card(root: Path):
    folder = root / "example_workflows"
    assert set(CARDS) == {path.stem for path in folder.glob("*.json")} == {path.stem for path in folder.glob("*.jpg")}


@pytest.mark.parametrize("name", CARDS)
def test_its_numbers_are_those_of_the_graph(root: Path, name: str):
    card, values = CARDS[name], {}
    for node in graph(root, name)["nodes"]:
        values.setdefault(node["type"], []).append(node["widgets_values"])
    held = [number for kind, lists in values.items() if kind != "MarkdownNote" for given in lists for number in given]
    told = [int(word) for word in card.line.replace(",", " ").split() if word.isdigit()]
    assert set(told) <= set(held)
    if card.calls:
        assert {card.calls, card.steps} <= set(held)


def picture(name: str, pair: Pair | None = None) -> np.ndarray:
    jpeg = Image.open(io.BytesIO(drawn(CARDS[name], pair)))
    assert jpeg.format == "JPEG" and jpeg.size == (750, 750)
    return np.asarray(jpeg).astype(int)


def share(pixels: np.ndarray, colour: str) -> float:
    """The share of pixels that are of a colour, but for what JPEG does to it."""
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return float((abs(pixels - wanted).max(-1) < 24).mean())


def test_a_plan_is_drawn():
    assert 0.005 < share(picture("14 Qwen-Image planned"), PLAN) < 0.05


def test_of_the_steps_as_many_are_filled_as_call_the_model():
    few, many = (share(picture(name), PLAN) for name in ("07 Wan 2.2 5B cached", "08 LTX-2 cached"))
    calls = [CARDS[name].calls for name in ("07 Wan 2.2 5B cached", "08 LTX-2 cached")]
    assert many / few == pytest.approx(calls[1] / calls[0], rel=0.15)  # of 20 steps each, of different heights


def test_before_and_after_show_both_pictures_and_the_share_of_the_error():
    red, green = (np.full((32, 32, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 160, 0)))
    shown = picture("01 CoTj KSampler", Pair(10, Ended(red, 0.5), Ended(green, 0.2)))
    left, right = shown[:, :375], shown[:, 375:]
    for half, colour, other in ((left, "#c80000", "#00a000"), (right, "#00a000", "#c80000")):
        assert share(half, colour) > 0.3 and share(half, other) < 0.001
    default, planned = (np.abs(half[705] - wanted).max(-1) < 24 for half, wanted in ((left, GREY), (right, BLUE)))
    assert planned.sum() / default.sum() == pytest.approx(0.4, abs=0.02)

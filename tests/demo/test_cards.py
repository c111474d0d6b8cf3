"""There is a card for each example workflow, and its numbers are those of the graph."""

import io
import json
from pathlib import Path

import pytest
from cotj.demo.templates.cards import CARDS, drawn
from PIL import Image


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


def test_it_is_drawn():
    picture = Image.open(io.BytesIO(drawn(CARDS["14 Qwen-Image planned"])))
    assert picture.format == "JPEG" and picture.size == (750, 750)

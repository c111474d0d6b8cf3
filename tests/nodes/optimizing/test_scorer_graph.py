"""The part of a graph that scores an image: what of it is copied, and what tells one from another."""

import copy

import pytest
from cotj.harness.host_modules import import_host

import_host()

from comfy_execution.graph import DynamicPrompt  # noqa: E402
from cotj.nodes.optimizing.scorer_graph import BEGIN_ID, RUN, ScorerGraph  # noqa: E402

PROMPT = {
    "vae": {"class_type": "VAELoader", "inputs": {"vae_name": "a"}},
    "image": {"class_type": BEGIN_ID, "inputs": {"vae": ["vae", 0], "prompts": "one\ntwo"}},
    "judge": {"class_type": "LoadJudge", "inputs": {"name": "b"}},
    "small": {"class_type": "Resize", "inputs": {"image": ["image", 0], "size": [64, 64]}},
    "taste": {"class_type": "Judge", "inputs": {"judge": ["judge", 0], "image": ["small", 0], "text": ["image", 1]}},
    "sharp": {"class_type": "Sharpness", "inputs": {"image": ["image", 0]}},
    "score": {"class_type": "Add", "inputs": {"a": ["taste", 0], "b": ["sharp", 1]}},
    "other": {"class_type": "Preview", "inputs": {"image": ["small", 0]}},
}


def scorer(prompt=PROMPT, end="score"):
    return ScorerGraph(DynamicPrompt(prompt), [end, 0])


def test_what_depends_on_the_image_is_copied_and_the_rest_is_linked_to():
    run = object()
    before = copy.deepcopy(PROMPT)
    nodes, end = scorer().copy("7.", run)
    assert nodes.keys() == {"7.image", "7.small", "7.taste", "7.sharp", "7.score"} and end == ["7.score", 0]
    assert nodes["7.image"]["inputs"] == {"vae": ["vae", 0], "prompts": "one\ntwo", RUN: run}
    assert nodes["7.small"]["inputs"] == {"image": ["7.image", 0], "size": [64, 64]}
    assert nodes["7.taste"]["inputs"] == {"judge": ["judge", 0], "image": ["7.small", 0], "text": ["7.image", 1]}
    assert nodes["7.score"]["inputs"] == {"a": ["7.taste", 0], "b": ["7.sharp", 1]}
    assert all(node["override_display_id"] == name[2:] for name, node in nodes.items())
    assert PROMPT == before


def test_its_prompts_are_those_that_it_holds_itself():
    assert scorer().prompts() == ["one\ntwo"]
    linked = copy.deepcopy(PROMPT) | {"text": {"class_type": "Text", "inputs": {}}}
    linked["image"]["inputs"]["prompts"] = ["text", 0]
    assert scorer(linked).prompts() == []


def test_what_does_not_begin_at_the_image_is_refused():
    with pytest.raises(ValueError, match="does not begin at Image to Score"):
        scorer(end="judge")


def test_it_is_told_by_nodes_and_values_and_not_by_names():
    renamed = {
        f"x{name}": node | {"inputs": {key: [f"x{v[0]}", v[1]] if isinstance(v, list) and isinstance(v[0], str) else v
                                       for key, v in node["inputs"].items()}}
        for name, node in reversed(PROMPT.items())
    }  # fmt: skip
    assert scorer(renamed, "xscore").digest == scorer().digest
    for node, key, value in [("judge", "name", "c"), ("score", "b", ["sharp", 0]), ("vae", "vae_name", "d")]:
        other = copy.deepcopy(PROMPT)
        other[node]["inputs"][key] = value
        assert scorer(other).digest != scorer().digest
    outside = copy.deepcopy(PROMPT)
    outside["other"]["inputs"]["more"] = 1
    assert scorer(outside).digest == scorer().digest

"""The files behind a node's model, from the graph that is run."""

from cotj.harness.host_modules import import_host

import_host()

from cotj.nodes.host.model_files import files_upstream  # noqa: E402

GRAPH = {
    "1": {"inputs": {"unet_name": "sub/model.safetensors", "weight_dtype": "default"}},
    "2": {"inputs": {"model": ["1", 0], "lora_name": "few\\x-4step.safetensors", "strength_model": 1.0}},
    "3": {"inputs": {"text": "a jar of safetensors", "clip": ["9", 0]}},
    "4": {"inputs": {"model": ["2", 0], "positive": ["3", 0], "negative": ["3", 0]}},
    "5": {"inputs": {"guider": ["4", 0], "latent_image": ["6", 0]}},
    "6": {"inputs": {"samples": ["7", 0]}},
    "7": {"inputs": {"vae_name": "other.safetensors"}},
}


def test_names_are_those_upstream_of_the_input_without_their_folders():
    assert files_upstream(GRAPH, "5", "guider") == ["model.safetensors", "x-4step.safetensors"]


def test_a_node_that_is_in_no_prompt_has_none():
    assert files_upstream(GRAPH, "5.0.1", "guider") == files_upstream(None, "5", "guider") == []


def test_a_graph_in_circles_ends():
    assert files_upstream({"1": {"inputs": {"a": ["1", 0], "b": "c.ckpt"}}}, "1", "a") == ["c.ckpt"]

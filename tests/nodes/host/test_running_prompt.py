"""What of a prompt depends on a node: what that runs again for."""

import pytest
from cotj.harness.host_modules import import_host

import_host()

from comfy_execution.graph import DynamicPrompt  # noqa: E402
from cotj.nodes.host.running_prompt import depends_on, what_follows  # noqa: E402

PROMPT = {
    "model": {"inputs": {}},
    "picture": {"inputs": {"model": ["model", 0], "sizes": [64, 64]}},
    "plan": {"inputs": {"images": ["picture", 0]}},
    "name": {"inputs": {"text": "a"}},
    "date": {"inputs": {"text": ["name", 0]}},
    "save": {"inputs": {"images": ["plan", 0], "prefix": ["date", 0]}},
    "video": {"inputs": {"images": ["save", 0]}},
    "other": {"inputs": {"images": ["picture", 0]}},
}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ("plan", {"save", "video", "date", "name", "picture", "model"}),
        ("date", {"save", "video", "plan", "name", "picture", "model"}),
        ("video", set()),
        ("other", set()),
        ("name", {"date", "save", "video", "plan", "picture", "model"}),
    ],
)
def test_what_follows_a_node_is_all_that_its_users_depend_on(node, found):
    assert what_follows(PROMPT, node) == found


@pytest.mark.parametrize(("node", "source"), [("save", "plan"), ("video", "name"), ("plan", "model")])
def test_a_node_depends_on_what_it_takes_and_not_the_other_way(node, source):
    prompt = DynamicPrompt(PROMPT)
    assert depends_on(prompt, node, source)
    assert not depends_on(prompt, source, node)
    assert not depends_on(prompt, "other", "plan")


def test_who_takes_what_an_expanded_node_gives_depends_on_the_nodes_in_it():
    prompt = DynamicPrompt(PROMPT)
    prompt.add_ephemeral_node("inner", {"inputs": {"model": ["model", 0]}}, "picture", "picture")
    prompt.add_ephemeral_node("innermost", {"inputs": {}}, "inner", "picture")
    for source in ("inner", "innermost"):
        assert depends_on(prompt, "save", source)
    assert not depends_on(prompt, "date", "inner")

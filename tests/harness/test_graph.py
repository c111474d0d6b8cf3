"""Saved graphs as the server runs them."""

import pytest
from cotj.harness.graph import to_api

INFO = {
    "Save": {
        "display_name": "Save it",
        "input": {"required": {"what": ["IMAGE"], "name": ["STRING"], "count": ["INT", {}]}, "optional": {}},
    }
}


def saved(widgets, values):
    inputs = [{"name": "what", "link": 1}, *({"name": name, "widget": {"name": name}} for name in widgets)]
    node = {"id": 2, "type": "Save", "inputs": inputs, "widgets_values": values}
    return {"nodes": [node], "links": [[1, 1, 0, 2, 0, "IMAGE"]]}


@pytest.mark.parametrize("newer, more", [([], []), (["depth"], [8]), (["depth", "codec"], [8, "raw"])])
def test_what_a_newer_host_added_to_a_node_is_left_out(newer, more):
    node = to_api(saved(["name", "count", *newer], ["a", 3, *more]), INFO)["2"]
    assert node["inputs"] == {"what": ["1", 0], "name": "a", "count": 3}


def test_values_by_name_are_taken_by_name():
    node = to_api(saved(["name", "count"], {"count": 3, "name": "a", "preview": {}}), INFO)["2"]
    assert node["inputs"] == {"what": ["1", 0], "name": "a", "count": 3}


@pytest.mark.parametrize(
    "widgets, values",
    [(["name"], ["a"]), (["name", "count"], ["a", 3, 8]), (["depth", "name", "count"], [8, "a", 3])],
    ids=["too few", "too many", "a newer one before known ones"],
)
def test_values_that_may_belong_to_other_widgets_are_refused(widgets, values):
    with pytest.raises(ValueError, match=r"Save \(2\) has . widget values, not 2"):
        to_api(saved(widgets, values), INFO)

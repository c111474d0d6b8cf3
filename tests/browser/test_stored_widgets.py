"""The widgets of the nodes that load, in a real browser: what is stored under a name is drawn without a run."""

import pytest
from cotj.tests.browser.conftest import DNAS
from cotj.tests.host.workflows import Graph


@pytest.fixture
def nodes(canvas):
    graph = Graph()
    made = graph.add("CoTjLoadDNA", name="first"), graph.add("CoTjOptimizedSigmas", name="cotj-demo", steps=4)
    canvas.build(graph.nodes)
    return [node.id for node in made]


def test_load_dna_draws_what_is_chosen_and_follows(canvas, nodes):
    dna, _ = nodes
    for name in ("first", "second"):
        canvas.turn(dna, "name", name)
        known = DNAS[name].errors.tolist()
        state = canvas.wait(dna, lambda state: state["claims"] and state["claims"]["dna"]["errors"] == known)  # noqa: B023
        assert (state["state"], state["note"]) == ("live", "")
        assert state["title"] == f"{name}: DNA of a model, at 40 noise levels"
        share, steps = state["claims"]["enough"][0]
        gain = state["claims"]["explained_gain"]
        assert gain[steps - 1] >= share > ([0, *gain])[steps - 1]
        assert f"90 % in {steps} step" in state["reading"]
    assert canvas.point(dna, 0.5, 0.3).startswith("sigma 0.") and " steps: " in canvas.point(dna, 0.5, 0.8)
    assert canvas.drive("colours", dna)["#ddddddff"] > 100, "no curve"
    assert canvas.queued == 0


def test_load_optimized_sigmas_draws_the_stored_schedule_and_says_which_steps_there_are(canvas, nodes):
    _, result = nodes
    state = canvas.wait(result, lambda state: state["claims"])
    assert len(state["claims"]["sigmas"]) == 5 and state["claims"]["held"] == [4, 6]
    assert state["title"].startswith("The planned sampler of 4 steps ends at 0.")
    assert canvas.point(result, 0.15, 0.4).startswith("step 1: sigma 1, in the model's own schedule 1")
    canvas.turn(result, "steps", 5)
    state = canvas.wait(result, lambda state: state["state"] == "error")
    assert "it holds 4, 6 steps, not 5" in state["note"]
    canvas.turn(result, "steps", 4)
    canvas.wait(result, lambda state: state["state"] == "live")
    canvas.forgive_refusals()


def test_load_optimized_sigmas_draws_what_a_search_by_score_found(canvas, nodes):
    _, result = nodes
    canvas.turn(result, "steps", 3)
    canvas.turn(result, "name", "cotj-scores-1-found (by score)")
    state = canvas.wait(result, lambda state: state["state"] == "live" and "score" in state["title"])
    assert state["title"] == "Images of 3 steps score 1.625, those of the model's own schedule 0.625"
    assert state["claims"]["sigmas"] == [1.0, 0.5, 0.25, 0.0] and state["claims"]["held"] == [3]
    assert canvas.point(result, 0.5, 0.4).startswith("step ")
    canvas.forgive_refusals()  # of 3 steps, until the name was chosen


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_they_are_legible_in_the_hosts_themes(canvas, nodes, palette):
    canvas.set("Comfy.ColorPalette", palette)
    canvas.page.wait_for_timeout(500)
    for node_id in nodes:
        contrast = canvas.drive("contrasts", node_id)
        assert contrast["text"] > 4.5 and contrast["planned"] > 7


def test_where_nothing_is_stored_it_says_what_it_will_show(canvas, nodes):
    for node_id, title in zip(nodes, ("No DNA yet", "No stored schedule yet")):
        canvas.turn(node_id, "name", "none yet: nothing is stored")
        state = canvas.wait(node_id, lambda state: state["state"] == "empty")
        assert state["title"] == title
        colours = canvas.drive("colours", node_id)
        assert sum(colours.values()) - colours["#00000000"] > 300, "nothing is drawn"

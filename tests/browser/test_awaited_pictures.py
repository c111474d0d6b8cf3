"""Before a run, every node of ours that shows a picture says what it will show, with a ghost of it: no box is empty."""

import pytest
from cotj.tests.host.workflows import Graph

AWAITED = {
    "CoTjPlanSigmas": "No plan yet",
    "CoTjAdaptiveLength": "No plan yet",
    "CoTjHeatmap": "No plan yet",
    "CoTjCacheSteps": "Nothing computed yet",
    "CoTjCompareSchedules": "Nothing measured yet",
    "CoTjOptimizeSigmas": "Not searched yet",
    "CoTjDiagnostics": "Not diagnosed yet",
    "CoTjAtlas": "No DNAs to compare yet",
    "CoTjTrainPredictor": "Not trained yet",
}
KNOWN_AT_ONCE = ("CoTjKSampler", "CoTjLoadDNA", "CoTjOptimizedSigmas")  # from files, or from the node's own widgets
VALUES = {"CoTjOptimizedSigmas": {"name": "cotj-demo"}}


@pytest.fixture
def fresh(canvas):
    """One new node of each kind that shows a picture; their ids."""
    graph = Graph()
    made = {kind: graph.add(kind, **VALUES.get(kind, {})).id for kind in (*AWAITED, *KNOWN_AT_ONCE)}
    canvas.build(graph.nodes)
    canvas.look(0.35)
    return made


def test_every_new_node_shows_what_it_knows_or_says_what_it_will_show_with_a_ghost_of_it(canvas, fresh):
    for kind, node_id in fresh.items():
        state = canvas.wait(node_id, lambda state: state["state"] in ("empty", "live"))
        if kind in AWAITED:
            assert (state["state"], state["title"]) == ("empty", AWAITED[kind])
            assert len(state["detail"]) > 60
        else:
            assert state["state"] == "live", kind
        colours = canvas.drive("colours", node_id)
        assert sum(colours.values()) - colours.get("#00000000", 0) > 300, f"{kind} draws nothing"


def test_the_ghost_leaves_its_place_to_the_picture_of_the_run(canvas):
    graph = Graph()
    dna = graph.add("CoTjLoadDNA", name="first")
    node = graph.add("CoTjDiagnostics", dna=dna[0])
    canvas.build(graph.nodes)
    canvas.wait(node.id, lambda state: state["state"] == "empty")
    size = canvas.page.evaluate("id => [...drive.node(id).size]", node.id)
    canvas.run()
    canvas.page.wait_for_function("id => !drive.plan(id) && drive.node(id).imgs?.length", arg=node.id)
    assert canvas.page.evaluate("id => [...drive.node(id).size]", node.id)[1] >= size[1]
    canvas.run()  # with nothing to take off any more


def test_a_new_load_plan_asks_for_no_picture_where_there_is_none(canvas):
    """What the page cannot find, its console reports as an error."""
    graph = Graph()
    node = graph.add("CoTjLoadPlan")
    canvas.build(graph.nodes)
    canvas.page.wait_for_timeout(1500)
    assert canvas.drive("value", node.id, "image") == ""

"""The picture on the outside of a subgraph, in a real browser: what is inside is seen and moved without opening it."""

import json

import pytest
from cotj.demo.templates import blueprints
from cotj.planner import Constraints, plan_fixed
from cotj.tests.browser.conftest import DNAS
from cotj.tests.browser.hand import drag
from cotj.tests.host.workflows import Graph, plan

FIRST, SECOND = DNAS["first"], DNAS["second"]
STEPS = 6


def draws(state, expected):
    return bool(state["claims"]) and state["claims"]["sigmas"] == expected.sigmas.tolist()


def is_seen(state):
    return state["state"] == "live" and min(state["rect"][2:]) > 60


class Subgraph:
    """A plan in a subgraph, whose DNA is named outside."""

    def __init__(self, canvas) -> None:
        graph = Graph()
        self.dna = graph.add("CoTjLoadDNA", name="first")
        self.fixed = plan(graph, self.dna[0], steps=STEPS, visit="")
        canvas.build(graph.nodes)
        self.id = canvas.drive("toSubgraph", [self.fixed.id])
        canvas.look()


@pytest.fixture
def subgraph(canvas):
    return Subgraph(canvas)


def test_it_draws_on_the_outside_and_follows_what_is_turned_there_and_inside(canvas, subgraph):
    canvas.wait(subgraph.id, lambda state: is_seen(state) and draws(state, plan_fixed(FIRST, STEPS)))
    canvas.turn(subgraph.dna.id, "name", "second")
    canvas.wait(subgraph.id, lambda state: draws(state, plan_fixed(SECOND, STEPS)))
    canvas.drive("open", subgraph.id)
    canvas.turn(subgraph.fixed.id, "steps", 9)
    canvas.wait(subgraph.fixed.id, lambda state: is_seen(state) and draws(state, plan_fixed(SECOND, 9)))
    canvas.drive("open", None)
    canvas.wait(subgraph.id, lambda state: is_seen(state) and draws(state, plan_fixed(SECOND, 9)))
    assert canvas.queued == 0


def test_a_step_that_is_dragged_outside_is_visited_inside(canvas, subgraph):
    canvas.wait(subgraph.id, lambda state: is_seen(state) and draws(state, plan_fixed(FIRST, STEPS)))
    before = canvas.drive("nodePlace", subgraph.id)
    drag(canvas, subgraph.id, 2, -20)
    sigma = float(canvas.drive("value", subgraph.fixed.id, "visit"))
    expected = plan_fixed(FIRST, STEPS, constraints=Constraints(visit=[sigma]))
    canvas.wait(subgraph.id, lambda state: draws(state, expected))
    assert canvas.drive("nodePlace", subgraph.id) == before, "the node was dragged"


def test_the_blueprint_draws_when_it_is_put_on_the_canvas_and_when_it_is_loaded_again(canvas):
    blueprint = blueprints.FOLDER / "CoTj Plan for SIGMAS.json"
    canvas.load(json.loads(blueprint.read_text(encoding="utf-8")))
    host = canvas.drive("subgraphs")[0]
    canvas.turn(host, "name", "first")
    canvas.turn(host, "steps", STEPS)
    shown = canvas.wait(host, lambda state: is_seen(state) and state["title"].startswith(f"{STEPS} steps"))
    canvas.load(canvas.save())
    canvas.wait(host, lambda state: is_seen(state) and state["title"] == shown["title"])


def test_it_draws_in_a_page_that_was_loaded_with_it_and_in_graphs_made_there(canvas, subgraph):
    canvas.reload(canvas.save())
    canvas.wait(canvas.drive("subgraphs")[0], is_seen)
    for _ in range(2):
        made = Subgraph(canvas)
        canvas.wait(made.id, is_seen)
        canvas.drive("open", made.id)
        canvas.wait(made.fixed.id, is_seen)
        canvas.drive("open", None)
        canvas.wait(made.id, is_seen)


def test_another_workflow_whose_node_has_the_same_id_shows_its_own_alone(canvas, subgraph):
    canvas.wait(subgraph.id, is_seen)
    seen = canvas.drive("pictures")
    canvas.load(canvas.save())
    canvas.wait(subgraph.id, is_seen)
    canvas.page.wait_for_timeout(700)  # the outside is looked at every so often
    assert canvas.drive("pictures") == seen


def test_it_is_hidden_by_the_menu_and_stays_hidden(canvas, subgraph):
    canvas.wait(subgraph.id, is_seen)
    assert canvas.drive("choose", subgraph.id, "Hide CoTj picture")
    assert canvas.widget(subgraph.id) is None
    canvas.load(canvas.save())
    assert canvas.widget(subgraph.id) is None
    assert canvas.drive("choose", subgraph.id, "Show CoTj picture")
    canvas.wait(subgraph.id, is_seen)


def test_it_goes_with_the_node_that_it_is_of(canvas, subgraph):
    canvas.wait(subgraph.id, is_seen)
    canvas.drive("open", subgraph.id)
    canvas.drive("remove", subgraph.fixed.id)
    canvas.drive("open", None)
    canvas.page.wait_for_timeout(500)
    assert canvas.widget(subgraph.id) is None
    assert not canvas.drive("choose", subgraph.id, "Hide CoTj picture")

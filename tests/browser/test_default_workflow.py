"""From the workflow that a frontend begins with to a planned picture, in a real browser."""

import itertools

import pytest

SEEDS = itertools.count(9000)  # or the host would give the run of another test
SETTINGS = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")


@pytest.fixture
def sampler(canvas):
    """The KSampler of that workflow."""
    canvas.command("Comfy.LoadDefaultWorkflow")
    canvas.page.wait_for_function("() => drive.ids('KSampler').length")
    [node_id] = canvas.drive("ids", "KSampler")
    return node_id


def replace(canvas, node_id):
    """Choose the entry in the menu of a KSampler; the new node has its id."""
    assert canvas.drive("choose", node_id, "Replace with CoTj KSampler")
    assert canvas.drive("type", node_id) == "CoTjKSampler"


def test_one_entry_of_a_menu_and_two_runs_away_from_it_is_a_planned_picture(canvas, sampler, nothing_learned):
    settings = {name: canvas.drive("value", sampler, name) for name in SETTINGS}
    wired = canvas.drive("wiring", sampler)
    replace(canvas, sampler)
    assert {name: canvas.drive("value", sampler, name) for name in SETTINGS} == settings
    assert canvas.drive("wiring", sampler) == wired
    steps, calls = settings["steps"], settings["steps"] // 2
    canvas.drive("lookAt", sampler)
    canvas.wait(sampler, lambda state: state["title"] == f"First all {steps} steps, then {calls} calls")

    canvas.drive("loadDemo")
    for seed in (next(SEEDS), next(SEEDS)):
        canvas.turn(sampler, "seed", seed)
        canvas.run()
    claims = canvas.wait(sampler, lambda state: state["claims"]["has_run"])["claims"]
    assert claims["calls"] == calls
    assert canvas.drive("images", "SaveImage") == 1


def test_it_is_undone_in_one_step(canvas, sampler):
    wired = canvas.drive("wiring", sampler)
    replace(canvas, sampler)
    canvas.command("Comfy.Undo")
    canvas.page.wait_for_function("() => drive.ids('KSampler').length")
    assert canvas.drive("wiring", sampler) == wired


def test_in_a_subgraph_its_links_to_the_outside_are_kept(canvas, sampler):
    host = canvas.drive("toSubgraph", [sampler])
    canvas.drive("open", host)
    wired, outer = canvas.drive("wiring", sampler), canvas.drive("wiring", host)
    assert set(wired["into"]) >= {"model", "positive", "negative", "latent_image"}
    replace(canvas, sampler)
    assert (canvas.drive("wiring", sampler), canvas.drive("wiring", host)) == (wired, outer)
    canvas.drive("open", None)
    canvas.wait(host, lambda state: state["title"].startswith("First all "))


@pytest.mark.parametrize("inside", [False, True], ids=["", "in a subgraph"])
def test_the_reroutes_on_its_links_are_kept(canvas, sampler, inside):
    if inside:
        canvas.drive("open", canvas.drive("toSubgraph", [sampler]))
    canvas.drive("addReroutes", sampler)
    reroutes = canvas.drive("reroutes", sampler)
    lengths = [len(found) for found in reroutes["found"].values()]
    assert len(lengths) >= 5 and set(lengths) == {2} and not reroutes["loose"]
    replace(canvas, sampler)
    assert canvas.drive("reroutes", sampler) == reroutes


def test_what_primitives_give_is_kept(canvas, sampler):
    """A primitive takes the value of the widget that it is linked to."""
    given = {"seed": 123456, "steps": 36}
    canvas.drive("givePrimitives", sampler, given)
    replace(canvas, sampler)
    assert canvas.drive("primitives", sampler) == given
    assert canvas.drive("value", sampler, "calls") == 18


def test_looks_are_kept_and_no_number_is_beyond_the_widget(canvas, sampler):
    canvas.drive("adorn", sampler, {"title": "Mine", "color": "#223344"})
    canvas.turn(sampler, "steps", 300)
    replace(canvas, sampler)
    assert canvas.drive("adorned", sampler, ["title", "color"]) == {"title": "Mine", "color": "#223344"}
    assert (canvas.drive("value", sampler, "steps"), canvas.drive("value", sampler, "calls")) == (200, 100)

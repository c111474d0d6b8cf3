"""What runs end in, in a real browser: pictures that follow the slider, with figures that say what they are."""

import itertools

import pytest
from cotj.demo import widget
from cotj.tests.browser.test_sampler_widget import CALLS, STEPS, Sampled
from cotj.tests.host.workflows import DemoRun, Graph, plan
from PIL import Image

SEEDS = itertools.count(8000)  # or the host would give the run of another test


def gallery(canvas, node_id):
    """The tiles that are drawn: names, figures, whether there is a picture, words in its place; and the line below."""
    return canvas.drive("gallery", node_id)


def wait(canvas, node_id, ready):
    for _ in range(300):
        found = gallery(canvas, node_id)
        if found and ready(found):
            return found
        canvas.page.wait_for_timeout(100)
    raise AssertionError(f"the pictures of node {node_id} stayed at {found}")


def pictured(found):
    return [tile["pictured"] for tile in found["tiles"]]


@pytest.fixture
def compared(canvas, nothing_learned):
    """CoTj KSampler after its first run, and a planned one that was compared with the default and all steps."""
    nodes = Sampled(compare="default and all steps").put(canvas)
    canvas.turn(nodes.id, "control_after_generate", "fixed")
    canvas.run()
    canvas.turn(nodes.id, "seed", next(SEEDS))
    canvas.run()
    wait(canvas, nodes.id, lambda found: pictured(found) == [True, True, True])
    return nodes


def test_before_any_run_it_says_what_it_will_show(canvas, nothing_learned):
    nodes = Sampled().put(canvas)
    found = wait(canvas, nodes.id, lambda found: len(found["tiles"]) == 2)
    assert [tile["name"] for tile in found["tiles"]] == [f"default, {CALLS} calls", f"planned, {CALLS} calls"]
    assert all(f"no known run with {CALLS} calls" in tile["missing"] for tile in found["tiles"])
    canvas.turn(nodes.id, "calls", 1)
    wait(canvas, nodes.id, lambda found: "no known run with 1 call" in found["tiles"][1]["missing"])


def test_pictures_and_measured_errors_follow_the_slider(canvas, compared):
    before, after, whole = gallery(canvas, compared.id)["tiles"]
    assert before["figure"].endswith(" measured") and after["figure"].endswith(" measured")
    assert whole["name"] == f"all {STEPS} steps" and whole["figure"] == "what both aim at"
    verdict = gallery(canvas, compared.id)["verdict"]
    assert "times the default's error" in verdict and "previews" in verdict, "nothing has decoded them"
    x, y = 0.5, 0.2  # the middle picture
    assert canvas.point(compared.id, x, y).startswith(f"planned, {CALLS} calls: ")
    canvas.turn(compared.id, "calls", 6)
    found = wait(canvas, compared.id, lambda found: pictured(found) == [False, False, True])
    assert [tile["figure"] for tile in found["tiles"][:2]] == ["", ""]
    assert "no known run with 6 calls" in found["tiles"][0]["missing"] and "times" not in found["verdict"]
    canvas.turn(compared.id, "calls", CALLS)
    assert wait(canvas, compared.id, lambda found: pictured(found) == [True, True, True])["verdict"] == verdict
    canvas.turn(compared.id, "calls", STEPS)
    assert wait(canvas, compared.id, lambda found: len(found["tiles"]) == 1)["tiles"][0]["pictured"]
    assert not canvas.widget(compared.id)["reading"].startswith("planned"), "the pointer rests where nothing is now"


def test_a_figure_that_is_not_measured_says_so(canvas, compared):
    canvas.turn(compared.id, "compare", "default")
    canvas.turn(compared.id, "seed", next(SEEDS))
    canvas.run()
    found = wait(canvas, compared.id, lambda found: pictured(found) == [True, True])
    before, after = found["tiles"]
    assert before["figure"] == "not measured" and after["figure"].endswith(" predicted")
    assert found["verdict"].startswith(f"not measured before all {STEPS} steps run")
    canvas.turn(compared.id, "calls", 6)
    wait(canvas, compared.id, lambda found: found["verdict"] == "here is what runs end in")  # of no seed: none has run


def test_pictures_of_another_prompt_are_said_to_be_ones(canvas, compared):
    [prompt, *_] = canvas.drive("ids", "CLIPTextEncode")
    was = canvas.drive("value", prompt, "text")
    canvas.turn(prompt, "text", "a large green circle")
    found = wait(canvas, compared.id, lambda found: found["isFaint"])
    assert found["verdict"].startswith("of the last run") and canvas.widget(compared.id)["state"] == "live"
    canvas.turn(prompt, "text", was)
    wait(canvas, compared.id, lambda found: not found["isFaint"])
    canvas.turn(compared.id, "cfg", 2.5)
    wait(canvas, compared.id, lambda found: found["isFaint"])


@pytest.mark.parametrize("width", [360, 260])
def test_a_long_line_below_the_pictures_is_wrapped_and_not_cut_off(canvas, nothing_learned, width):
    nodes = Sampled().put(canvas)
    canvas.wait(nodes.id, lambda state: state["state"] == "live")
    line = "0.631 times the default's error, previews, first of 4, middle frame, seed 18446744073709551615"
    drawn = canvas.drive("drawnVerdict", nodes.id, width, line)
    assert len(drawn["texts"]) > 1 and " ".join(drawn["texts"]) == line
    assert drawn["lowest"] < drawn["height"]
    short = canvas.drive("drawnVerdict", nodes.id, width, "seed 7")
    assert short["texts"] == ["seed 7"] and short["height"] < drawn["height"]


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_the_pictures_are_seen_in_the_hosts_themes(canvas, compared, palette):
    canvas.set("Comfy.ColorPalette", palette)
    canvas.page.wait_for_timeout(500)
    colours = canvas.drive("colours", compared.id)
    assert len(colours) > 500, "no picture"
    canvas.set("Comfy.ColorPalette", "dark")


def test_a_picture_that_is_gone_is_said_to_be(canvas, compared, server):
    saved = canvas.save()
    kept = {path: path.read_bytes() for path in (server.base / "temp").glob("*.png")}
    for path in kept:
        path.unlink()
    canvas.reload(saved)
    wait(canvas, compared.id, lambda found: [tile["gone"] for tile in found["tiles"]] == [True, True, True])
    canvas.errors[:] = [error for error in canvas.errors if "404" not in error]
    for path, picture in kept.items():  # of other tests, whose nodes ComfyUI does not run again
        path.write_bytes(picture)


def test_compare_schedules_shows_what_each_ends_in_and_follows_the_steps_before_it(canvas):
    graph = Graph()
    run = DemoRun(graph, prompt="a red ring on the left", seed=next(SEEDS))
    sigmas = [
        graph.add("BasicScheduler", model=run.model, scheduler=name, steps=4, denoise=1.0)
        for name in ("simple", "beta")
    ]
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    inputs = {f"schedules.sigmas{i}": one[0] for i, one in enumerate(sigmas)}
    inputs |= {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent}
    node = graph.add("CoTjCompareSchedules", labels="simple, beta", reference_steps=8, **inputs)
    canvas.build(graph.nodes)
    canvas.drive("lookAt", node.id)
    assert canvas.wait(node.id, lambda state: state["state"] == "empty")["title"] == "Nothing measured yet"
    canvas.turn(run.noise[0], "control_after_generate", "fixed")
    canvas.run()
    found = wait(canvas, node.id, lambda found: pictured(found) == [True, True, True])
    assert [tile["name"] for tile in found["tiles"]] == ["simple, 4 calls", "beta, 4 calls", "8 steps"]
    assert all(tile["figure"].endswith(" measured") for tile in found["tiles"][:2])
    title = canvas.widget(node.id)["title"]
    assert " ends nearest, error " in title
    canvas.turn(sigmas[1].id, "steps", 6)
    found = wait(canvas, node.id, lambda found: pictured(found) == [True, False, True])
    assert found["tiles"][1]["missing"] == "no known run with 6 steps"
    canvas.run()
    wait(canvas, node.id, lambda found: found["tiles"][1]["name"] == "beta, 6 calls")
    canvas.turn(sigmas[1].id, "steps", 4)
    wait(canvas, node.id, lambda found: pictured(found) == [True, True, True])
    assert canvas.widget(node.id)["title"] == title


def test_compare_schedules_holds_equal_calls_against_each_other_and_follows_steps_that_a_plan_gives(canvas):
    graph = Graph()
    run = DemoRun(graph, prompt="a red ring on the left", seed=next(SEEDS))
    planned = plan(graph, graph.add("CoTjLoadDNA", name="first")[0], steps=3)
    scheduler = {"model": run.model, "scheduler": "simple", "denoise": 1.0}
    linked = graph.add("BasicScheduler", steps=planned[1], **scheduler)
    longer = graph.add("BasicScheduler", steps=7, **scheduler)
    euler = graph.add("KSamplerSelect", sampler_name="euler")[0]
    inputs = {f"schedules.sigmas{i}": one[0] for i, one in enumerate((planned, linked, longer))}
    inputs |= {"guider": run.guider, "noise": run.noise, "sampler": euler, "latent_image": run.latent}
    node = graph.add("CoTjCompareSchedules", labels="plan, simple, longer", reference_steps=8, **inputs)
    canvas.build(graph.nodes)
    canvas.drive("lookAt", node.id)
    canvas.turn(run.noise[0], "control_after_generate", "fixed")
    canvas.run()
    found = wait(canvas, node.id, lambda found: pictured(found) == [True] * 4)
    names = [tile["name"] for tile in found["tiles"]]
    assert names == ["plan, 3 calls", "simple, 3 calls", "longer, 7 calls", "8 steps"]
    [strong] = [tile for tile in found["tiles"] if tile["isStrong"]]
    assert strong["name"] in names[:2]
    label = strong["name"].split(",")[0]
    assert canvas.widget(node.id)["title"].startswith(f"With 3 calls {label} ends nearest, error ")
    canvas.turn(planned.id, "steps", 4)
    found = wait(canvas, node.id, lambda found: pictured(found) == [False, False, True, True])
    assert {tile["missing"] for tile in found["tiles"][:2]} == {"no known run with 4 steps"}


def test_the_readmes_picture_can_be_taken_again(canvas, nothing_learned, tmp_path):
    if not canvas.vue:
        return  # it is of the other renderer
    assert " of 30 steps call the model" in widget.taken(canvas, tmp_path / "widget.png")
    picture = Image.open(tmp_path / "widget.png")
    assert picture.width > picture.height > 400
    colours = picture.convert("RGB").getcolors(1 << 24)
    assert len(colours) > 1000, "no pictures in it"

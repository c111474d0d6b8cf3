"""The strip of CoTj KSampler in a real browser: the next run before it is made, by all that is known of it."""

import itertools

import pytest
from cotj.tests.host.workflows import DemoRun, Graph

STEPS, CALLS = 24, 10
SEEDS = itertools.count(7000)  # or the host would give the run of another test


class Sampled:
    """CoTj KSampler on the demo model; ids as the canvas has them. dna: of Load DNA, which is connected if named."""

    def __init__(self, dna=None, **options):
        self.graph = Graph()
        run = DemoRun(self.graph, prompt="a red ring on the left", seed=1)
        inputs = {"steps": STEPS, "calls": CALLS, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
        inputs |= {
            "denoise": 1.0,
            "learn": "first run",
            "target_error": 0.0,
            "positive": run.positive,
            "negative": run.positive,
        } | options
        if dna:
            inputs["dna"] = self.graph.add("CoTjLoadDNA", name=dna)[0]
        self.node = self.graph.add("CoTjKSampler", model=run.model, seed=next(SEEDS), latent_image=run.latent, **inputs)
        self.graph.add("SaveLatent", samples=self.node[0], filename_prefix="sampled")

    @property
    def id(self):
        return self.node.id

    def put(self, canvas):
        canvas.build(self.graph.nodes)
        canvas.drive("lookAt", self.id)
        canvas.page.wait_for_timeout(250)
        return self


@pytest.fixture
def nodes(canvas, nothing_learned):
    return Sampled().put(canvas)


@pytest.fixture
def learned(canvas, nodes):
    """The same after the first run."""
    canvas.run()
    canvas.wait(nodes.id, lambda state: state["claims"]["computed"] and state["state"] == "live")
    return nodes


def test_before_any_run_it_follows_the_sliders(canvas, nodes):
    for calls, steps in ((CALLS, STEPS), (6, STEPS), (6, 20)):
        canvas.turn(nodes.id, "calls", calls)
        canvas.turn(nodes.id, "steps", steps)
        title = f"First all {steps} steps, then {calls} calls"
        state = canvas.wait(nodes.id, lambda state: state["title"] == title)  # noqa: B023
        assert state["state"] == "live" and state["claims"]["computed"] is None
        assert state["detail"].startswith(f"The next run. It has all {steps} steps and is learned from, unless ")
        assert canvas.point(nodes.id, 0.5, 0.95).endswith("known after a run")
    canvas.turn(nodes.id, "calls", 20)
    state = canvas.wait(nodes.id, lambda state: state["title"] == "All 20 steps call the model")
    assert state["claims"]["computed"] == list(range(20))
    canvas.turn(nodes.id, "calls", 4)
    canvas.turn(nodes.id, "learn", "off")
    canvas.wait(nodes.id, lambda state: state["title"] == "4 steps of 'simple'")
    assert canvas.queued == 0


def test_from_a_named_dna_the_next_run_is_drawn_before_any(canvas, nothing_learned):
    nodes = Sampled(dna="first").put(canvas)
    state = canvas.wait(nodes.id, lambda state: state["claims"] and state["claims"]["computed"])
    assert len(state["claims"]["computed"]) == CALLS and "Planned from the connected DNA" in state["detail"]
    drawn = state["claims"]["sigmas"]
    canvas.run()
    state = canvas.wait(nodes.id, lambda state: state["claims"]["has_run"])
    assert state["claims"]["sigmas"] == pytest.approx(drawn, abs=1e-6)


def test_the_next_run_is_shown_after_the_first_and_is_what_then_runs(canvas, learned):
    assert not canvas.widget(learned.id)["claims"]["has_run"]
    for calls in (CALLS, 6, 14):
        canvas.turn(learned.id, "calls", calls)
        state = canvas.wait(
            learned.id,
            lambda state: not state["claims"]["has_run"] and state["claims"]["calls"] == calls,  # noqa: B023
        )
        drawn = state["claims"]
        canvas.turn(learned.id, "seed", next(SEEDS))
        canvas.run()
        ran = canvas.wait(learned.id, lambda state: state["claims"]["has_run"])["claims"]
        assert ran["computed"] == drawn["computed"]
        assert ran["sigmas"] == pytest.approx(drawn["sigmas"], abs=1e-6)
        assert ran["predicted_error"] == pytest.approx(drawn["predicted_error"], rel=1e-6)


def test_the_text_of_a_run_leaves_the_picture_its_room(canvas, nodes):
    """Nodes 2.0 give it what it needs; the classic canvas shares the room of the node evenly among what can grow."""
    before = canvas.wait(nodes.id, lambda state: state["size"][1] > 100)["size"][1]
    canvas.run()
    canvas.page.wait_for_timeout(700)  # the text is laid out after it has come
    after = canvas.widget(nodes.id)["size"][1]
    assert 0.5 * before < after < before
    if canvas.vue:
        room, text = canvas.drive("lastRow", nodes.id)
        assert 20 < text < room + 1 < text + 30


def test_the_text_of_a_run_stays_where_a_frontend_takes_it_away(canvas, learned):
    told = canvas.drive("textOf", learned.id)
    assert told.startswith(f"{STEPS} steps ran")
    canvas.drive("takeTextAway", learned.id)
    canvas.page.wait_for_function("([id, text]) => drive.textOf(id) === text", arg=[learned.id, told])


def test_a_target_error_is_planned_for_at_once(canvas, learned):
    calls = CALLS
    for target in (0.0001, 0.01):
        canvas.turn(learned.id, "target_error", target)
        claims = canvas.wait(learned.id, lambda state: state["claims"]["calls"] < calls)["claims"]  # noqa: B023
        assert claims["predicted_error"] <= target
        calls = claims["calls"]


def test_a_stored_result_that_fits_the_model_is_shown_for_its_steps(canvas, nothing_learned):
    """That of the demo model is for guidance of 3 and 4 steps."""
    nodes = Sampled(cfg=3.0).put(canvas)
    canvas.run()
    canvas.wait(nodes.id, lambda state: state["claims"]["computed"])
    canvas.turn(nodes.id, "calls", 4)
    state = canvas.wait(nodes.id, lambda state: "has stored as 'cotj-demo'" in state["detail"])
    assert len(state["claims"]["sigmas"]) == 5
    canvas.turn(nodes.id, "cfg", 2.0)
    canvas.wait(nodes.id, lambda state: state["title"] == f"First all {STEPS} steps, then 4 calls")


def test_in_another_browser_a_saved_workflow_draws_what_was_learned(canvas, learned):
    before = canvas.widget(learned.id)["claims"]
    saved = canvas.save()
    canvas.drive("forgetAll")
    canvas.reload(saved)
    state = canvas.wait(learned.id, lambda state: state["claims"] and state["claims"]["computed"])
    assert state["claims"]["computed"] == before["computed"] and state["state"] == "live"
    missing = [tile["missing"] for tile in canvas.drive("gallery", learned.id)["tiles"]]
    assert missing == [f"no known run with {CALLS} calls{more}" for more in (": 'compare' shows it", "")]
    canvas.turn(learned.id, "calls", 5)
    canvas.wait(learned.id, lambda state: state["claims"]["calls"] == 5)


def test_another_model_is_said_to_be_one(canvas, learned):
    canvas.turn("1", "weight_dtype", "fp8_e4m3fn")
    assert "has changed since the last run" in canvas.wait(learned.id, lambda state: state["state"] == "stale")["note"]

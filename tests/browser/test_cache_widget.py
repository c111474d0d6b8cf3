"""The strip of Cache Steps in a real browser: what it draws is what ran, or what the next run computes."""

import itertools
from functools import partial

import numpy as np
import pytest
from cotj.planner import dna_file
from cotj.planner.caching.cache_settings import CacheSettings, plan_for
from cotj.tests.host.workflows import DemoRun, Graph

STEPS, CALLS = 24, 10
SETTINGS = {"calls": CALLS, "target_error": 0.0, "steps": "planned", "rule": "fitted", "learn_from": 1}
SEEDS = itertools.count(3000)  # or the host would give the run of another test


class Cached:
    """A KSampler on the demo model with Cache Steps between; ids as the canvas has them."""

    def __init__(self, **settings):
        self.graph = Graph()
        run = DemoRun(self.graph, prompt="a blue square on the right", seed=1)
        self.cache = self.graph.add("CoTjCacheSteps", model=run.model, **SETTINGS | settings)
        sampling = {"steps": STEPS, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
        conditions = {"positive": run.positive, "negative": run.positive, "latent_image": run.latent}
        self.sampler = self.graph.add("KSampler", model=self.cache[0], seed=next(SEEDS), **sampling | conditions)
        self.graph.add("SaveLatent", samples=self.sampler[0], filename_prefix="cached")

    @property
    def id(self):
        return self.cache.id


@pytest.fixture
def folder(nothing_learned):
    """Where profiles go."""
    return nothing_learned


@pytest.fixture
def nodes(canvas, folder):
    return put(canvas, Cached())


def put(canvas, made):
    """Put a graph on the canvas, and look at its Cache Steps."""
    canvas.build(made.graph.nodes)
    canvas.drive("lookAt", made.id)
    canvas.page.wait_for_timeout(250)
    return made


@pytest.fixture
def learned(canvas, nodes):
    """The same after one run, which was learned from."""
    canvas.run()
    canvas.wait(nodes.id, lambda state: state["state"] == "live")
    return nodes


def planned(folder, **settings):
    """The numbers of the computed steps, the predicted error and what there is to say, by what was learned."""
    [path] = folder.glob("cache-*")
    dna = dna_file.read(path)
    plan, notes = plan_for(CacheSettings(**SETTINGS | settings), dna, np.append(dna.profile.sigmas[::-1], 0), "euler")
    return np.flatnonzero(plan.computed).tolist(), plan.predicted_error, "\n".join(notes)


def draws(state, expected):
    return state["claims"] is not None and state["claims"]["computed"] == expected[0]


def test_before_a_run_it_says_what_it_will_show(canvas, nodes):
    state = canvas.widget(nodes.id)
    assert (state["state"], state["title"]) == ("empty", "Nothing computed yet")
    assert "Run once" in state["detail"] and "hollow where its guess is forecast" in state["detail"]


def test_after_the_learned_run_it_shows_the_next_one_and_a_slider_replans_it(canvas, folder, learned):
    expected = planned(folder)
    state = canvas.widget(learned.id)
    assert draws(state, expected) and len(expected[0]) == CALLS
    assert state["claims"]["predicted_error"] == pytest.approx(expected[1], rel=1e-6)
    assert state["title"].startswith(f"{CALLS} of {STEPS} steps, predicted error ")
    assert state["detail"].startswith("The next run, with euler;")
    assert state["reading"] == f"{CALLS} of {STEPS} computed: {', '.join(map(str, expected[0]))}"
    assert state["note"] == expected[2]

    queued = canvas.queued
    for change in ({"calls": 6}, {"calls": 6, "rule": "hold"}, {"calls": STEPS}):
        for name, value in change.items():
            canvas.turn(learned.id, name, value)
        expected = planned(folder, **change)
        assert canvas.wait(learned.id, partial(draws, expected=expected))["note"] == expected[2]
    assert canvas.widget(learned.id)["title"] == f"All {STEPS} steps"
    assert canvas.queued == queued, "it ran the graph"


def test_what_it_shows_after_a_run_is_what_ran(canvas, folder, learned):
    canvas.turn(learned.id, "calls", 7)
    canvas.turn(learned.sampler.id, "seed", next(SEEDS))
    canvas.run()
    state = canvas.wait(learned.id, lambda state: state["claims"]["has_run"])
    assert draws(state, planned(folder, calls=7))
    assert (state["state"], state["note"]) == ("live", "")
    canvas.reload(canvas.save())
    state = canvas.wait(learned.id, lambda state: draws(state, planned(folder, calls=7)))
    canvas.turn(learned.id, "calls", 8)
    canvas.wait(learned.id, lambda state: draws(state, planned(folder, calls=8)))


def test_it_says_what_is_not_learned_yet_and_what_has_changed(canvas, learned):
    canvas.turn(learned.id, "learn_from", 3)
    state = canvas.wait(learned.id, lambda state: "Learned from 1 of 3 runs" in state["note"])
    canvas.turn(learned.id, "learn_from", 1)
    canvas.turn("1", "weight_dtype", "fp8_e4m3fn")
    state = canvas.wait(learned.id, lambda state: state["state"] == "stale")
    assert "has changed since the last run" in state["note"]


def test_without_a_dna_the_evenly_spaced_steps_are_shown_without_a_curve(canvas, folder):
    nodes = put(canvas, Cached(steps="evenly", rule="hold", calls=8))
    canvas.run()
    state = canvas.wait(nodes.id, lambda state: state["state"] == "live")
    assert state["claims"]["computed"] == list(range(0, STEPS, 3))
    assert state["claims"]["errors"] is None and state["title"] == f"8 of {STEPS} steps"
    canvas.turn(nodes.id, "calls", 12)
    canvas.wait(nodes.id, lambda state: state["claims"]["computed"] == list(range(0, STEPS, 2)))


def test_hovering_reads_the_step(canvas, learned):
    claims = canvas.widget(learned.id)["claims"]
    for step in (0, claims["computed"][1] + 1):
        left, width = 38, canvas.widget(learned.id)["size"][0] - 46
        read = canvas.point(learned.id, (left + width * (step + 0.5) / STEPS) / (width + 46), 0.1)
        how = "computed" if step in claims["computed"] else "forecast"
        assert read.startswith(f"step {step}: {how}, sigma ")
        words = dict(part.rsplit(" ", 1) for part in read.split(", ")[1:])
        assert float(words["sigma"]) == pytest.approx(claims["sigmas"][step], rel=6e-3)
        assert float(words["one-step error"]) == pytest.approx(claims["errors"][step], rel=6e-3)
    assert canvas.point(learned.id, 0.01, 0.1) == canvas.widget(learned.id)["reading"]


@pytest.mark.parametrize("palette", ["light", "dark"])
def test_it_is_drawn_in_the_hosts_themes(canvas, learned, palette):
    canvas.set("Comfy.ColorPalette", palette)
    canvas.page.wait_for_timeout(500)
    contrast = canvas.drive("contrasts", learned.id)
    assert contrast["planned"] > 7 and contrast["text"] > 4.5
    planned = {"light": "#111111ff", "dark": "#ffffffff"}[palette]
    cell = 22 * (canvas.widget(learned.id)["size"][0] - 46) / STEPS  # pixels
    assert canvas.drive("colours", learned.id)[planned] > 0.6 * CALLS * cell, "the computed cells are not filled"

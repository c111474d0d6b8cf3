"""Which way a run takes, by what is stored, learned or connected, on a small model in the host's own guider."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.planner import DiffusionDNA
from cotj.planner.search import OBJECTIVES, Trial
from cotj.planner.search_record import PairsOfSearch, SearchRecord
from cotj.tests.small_models import build

import_host()

import comfy.samplers  # noqa: E402
import comfy.sd  # noqa: E402
import folder_paths  # noqa: E402
from cotj.nodes.host.folders import FOLDER  # noqa: E402
from cotj.nodes.host.identity import describe  # noqa: E402
from cotj.nodes.host.sampler_names import fit  # noqa: E402
from cotj.nodes.optimizing.stored_search import SUFFIX, StoredSchedules, write  # noqa: E402
from cotj.nodes.reports.cache_claims import CacheOutcome  # noqa: E402
from cotj.nodes.reports.sampler_claims import way_claims  # noqa: E402
from cotj.nodes.sampling.asked_run import AskedRun  # noqa: E402
from cotj.nodes.sampling.best_known import best_known, note_outcome, profile_of  # noqa: E402
from cotj.nodes.sampling.sample import told  # noqa: E402

STEPS, CALLS = 12, 3
SIGMAS = [1.0, 0.6, 0.3, 0.0]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The pack's folder, empty."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], set()))
    return tmp_path


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "sd3.safetensors"
    build("sd3", path)
    return comfy.sd.load_diffusion_model(str(path))


def asked(model, size=8, sampler="euler", cfg=3.0, masked=False, **options):
    positive = [[torch.zeros(1, 7, 4096), {"pooled_output": torch.zeros(1, 2048)}]]
    latent = {"samples": torch.zeros(1, 16, size, size)} | ({"noise_mask": torch.ones(1, 1, 64, 64)} if masked else {})
    defaults = {"steps": STEPS, "denoise": 1.0, "calls": CALLS}
    return AskedRun(model, positive, [], cfg, sampler, "simple", latent, **defaults | options)


def outcome_of(way, taught_nothing):
    """The run of all steps that taught nothing."""
    sigmas = way.sigmas.tolist()
    return CacheOutcome(sigmas, "any", range(way.steps), notes=["As was seen."], taught_nothing=taught_nothing)


def store(folder, run, name="stored"):
    ends = {0: np.array([0.1])}, {0: np.array([0.0])}
    best, own = (Trial(name, np.array(SIGMAS[:-1]), OBJECTIVES["steady"], *ends) for name in ("refined", "simple"))
    record = SearchRecord("pairs", PairsOfSearch(1, 1, 1, 50), candidates={"simple": own}, best=best, sigmas=SIGMAS)
    write(folder, name, StoredSchedules(fit(run.guider, run.sampler, run.samples), {CALLS: record}))


def test_ksamplers_own_sigmas_are_those_of_a_whole_run(flow):
    run = asked(flow, sampler="uni_pc", denoise=0.5)
    expected = comfy.samplers.KSampler(flow, STEPS, "cpu", "uni_pc", "simple", 0.5).sigmas
    torch.testing.assert_close(run.sigmas(STEPS), expected)


def test_a_stored_schedule_runs_where_all_that_it_was_found_for_is_the_same(flow, folder):
    store(folder, asked(flow))
    (folder / f"damaged{SUFFIX}").write_text("{")
    way = best_known(asked(flow), "first run", None)
    assert way.sigmas.tolist() == pytest.approx(SIGMAS) and "'stored'" in way.said
    for other in ({"cfg": 2.0}, {"size": 16}, {"sampler": "dpmpp_2m"}, {"calls": 4}, {"denoise": 0.5}):
        assert "'stored'" not in best_known(asked(flow, **other), "off", None).said


def test_what_is_learned_from_is_whole_and_only_where_that_is_asked_for(flow):
    way = best_known(asked(flow), "first run", None)
    assert way.steps == STEPS and way.cache.learn_from == 1 and way.cache.calls == CALLS
    assert best_known(asked(flow), "first 8 runs", None).cache.learn_from == 8
    for way in (best_known(asked(flow), "off", None), best_known(asked(flow, masked=True), "first run", None)):
        assert way.steps == CALLS and not way.cache


def test_a_run_that_was_whole_for_nothing_is_not_made_again(flow):
    run = asked(flow, sampler="heun")
    way = best_known(run, "first run", None)
    note_outcome(way, outcome_of(way, "never"))
    following = best_known(run, "first run", None)
    assert following.steps == CALLS and "As was seen." in following.said
    assert best_known(asked(flow, sampler="heunpp2"), "first run", None).steps == STEPS


def test_what_could_not_be_stored_is_learned_once_it_can_be(flow, folder):
    run = asked(flow, sampler="dpmpp_2m", calls=4)
    folder.rmdir()
    folder.write_text("no folder")
    way = best_known(run, "first run", None)
    note_outcome(way, outcome_of(way, "not stored"))
    following = best_known(run, "first run", None)
    assert following.steps == 4 and "As was seen." in following.said
    folder.unlink()
    assert best_known(run, "first run", None).learns


def test_a_run_whose_guesses_are_not_finite_says_nothing_of_the_next(flow):
    run = asked(flow, sampler="lms")
    way = best_known(run, "first run", None)
    note_outcome(way, outcome_of(way, "this run"))
    assert best_known(run, "first run", None).learns


def test_a_run_that_taught_nothing_does_not_say_that_it_is_learned_from(flow):
    way = best_known(asked(flow, sampler="euler_cfg_pp"), "first run", None)
    assert told(way, outcome_of(way, "never"))[1:] == [
        "This run had all its steps, to be learned from, and taught nothing.",
        "As was seen.",
    ]
    assert told(replace(way, learns=False), outcome_of(way, "never"))[1] == "This run had all its steps."


def test_planned_sigmas_say_how_the_run_differs_from_what_the_connected_dna_was_measured_with(flow):
    grid = np.linspace(0.05, 1, 20)
    meta = describe(asked(flow).guider)
    dna = DiffusionDNA(grid, 0.01 + grid**3, meta=meta)
    assert "the DNA was measured" not in best_known(asked(flow), "first run", dna).said
    way = best_known(asked(flow, cfg=5.0), "first run", replace(dna, meta=meta | {"checkpoint": "0"}))
    assert way.plan and "The guidance is cfg 5; the DNA was measured with cfg 3." in way.said
    assert "The checkpoint (or its precision) is another one than the DNA was measured with." in way.said


@pytest.mark.parametrize(("sampler", "said"), [("heun", "2N - 1 times in N steps"), ("euler", "")])
def test_more_than_one_call_a_step_is_said(flow, sampler, said):
    way = best_known(asked(flow, sampler=sampler), "off", None)
    outcome = CacheOutcome(way.sigmas.tolist(), sampler, range(way.steps))
    assert ("times in N steps" in told(way, outcome)[-1]) == bool(said) and said in told(way, outcome)[-1]
    assert ("each a call" in way_claims(outcome, way.said)["headline"]) == (not said)


def test_a_timestep_range_on_a_condition_makes_a_run_one_of_another_kind(flow):
    plain, ranged = asked(flow), asked(flow)
    ranged.positive[0][1].update(start_percent=0.0, end_percent=0.5)
    assert profile_of(plain).path != profile_of(ranged).path


@pytest.mark.parametrize(("calls", "denoise", "steps"), [(STEPS, 1.0, STEPS), (50, 0.4, STEPS), (2, 0.0, 0)])
def test_from_all_steps_on_the_run_is_ksamplers(flow, folder, calls, denoise, steps):
    store(folder, asked(flow))
    way = best_known(asked(flow, calls=calls, denoise=denoise), "first run", None)
    assert way.steps == steps and way.cache is None


def test_what_ran_is_told_of_one_step_and_of_none_too(flow):
    def lines(**options):
        way = best_known(asked(flow, **options), "off", None)
        return told(way, CacheOutcome(way.sigmas.tolist(), "euler", range(way.steps)))

    assert lines(denoise=0.0) == ["Nothing to sample at denoise 0: the latent passes unchanged."]
    assert lines(steps=1, calls=1) == ["1 step ran, from 1", "The only step calls the model, as with KSampler."]
    assert lines(calls=1)[1].startswith("The schedule simple of 1 step ran.")
    assert lines(steps=2)[1] == "All 2 steps call the model, as with KSampler."


def test_nothing_is_learned_from_a_schedule_that_repeats_a_noise_level(flow):
    way = best_known(asked(flow, denoise=0.01), "first run", None)
    assert way.steps == CALLS and not way.learns
    assert "at denoise 0.01 the schedule simple repeats a noise level" in way.said
    assert "lower 'steps' or raise 'denoise'" in way.said
    assert best_known(asked(flow, denoise=0.3), "first run", None).learns

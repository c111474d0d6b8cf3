"""Samplers that add noise or ignore sigmas are found out by what they do, without a call of the user's model."""

import random

import numpy as np
import pytest
import torch
from cotj.harness.host_modules import import_host
from cotj.planner.solvers.behaviour import SAMPLERS
from cotj.planner.solvers.planned import PlannedSolver

import_host()

import comfy.model_sampling  # noqa: E402
import comfy.samplers  # noqa: E402
from comfy.k_diffusion.sampling import sample_euler  # noqa: E402
from cotj.nodes.host.planned_sampler import planned_sampler  # noqa: E402
from cotj.nodes.host.sampler_behaviour import SamplerBehaviour, observe, refuse_unsearchable  # noqa: E402
from cotj.nodes.host.ucgm_sampler import sample_ucgm  # noqa: E402


class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST): ...


class Eps(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS): ...


FLOW, EPS = Flow(), Eps()
OWN_LEVELS = {"dpm_fast", "dpm_adaptive"}


def noisy(draw):
    def sample_noisy(model, x, sigmas, extra_args=None, callback=None, disable=None):
        return sample_euler(model, x, sigmas, extra_args, callback, disable) + 0.1 * draw(x)

    return comfy.samplers.KSAMPLER(sample_noisy)


def numpy_noise(x):
    return torch.from_numpy(np.random.standard_normal(x.shape)).to(x)


@pytest.mark.parametrize("model_sampling", [FLOW, EPS])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_of_comfyui_is_seen_to_do_what_was_measured(name, model_sampling):
    assert observe(comfy.samplers.sampler_object(name), model_sampling) == SamplerBehaviour(
        adds_noise=SAMPLERS[name].noise, ignores_sigmas=name in OWN_LEVELS
    )


@pytest.mark.parametrize(
    "draw",
    [
        torch.randn_like,
        numpy_noise,
        lambda x: random.gauss(0, 1),
        lambda x: torch.randn(x.shape, generator=torch.Generator().manual_seed(random.SystemRandom().getrandbits(32))),
    ],
    ids=["torch", "numpy", "python", "its own"],
)
def test_noise_is_seen_whatever_it_is_drawn_from(draw):
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    assert observe(noisy(draw), FLOW).adds_noise
    with pytest.raises(ValueError, match="^Some Node, input 'sampler': noisy adds noise of its own, .* another one"):
        refuse_unsearchable("Some Node", noisy(draw), FLOW)
    if draw in (torch.randn_like, numpy_noise):
        assert torch.equal(states[0], torch.get_rng_state())
        assert states[1:] == (np.random.get_state()[1].tolist(), random.getstate())


def test_a_sampler_that_looks_at_the_model_beside_its_noise_levels_is_seen_too():
    """As RES4LYF's do: at the device, and whether the network has something that other nodes may have left there."""

    def sample_looking(model, x, sigmas, extra_args=None, callback=None, disable=None):
        network = model.inner_model.inner_model.diffusion_model
        assert not hasattr(network, "left_there")
        return sample_euler(model, x.to(model.inner_model.inner_model.device), sigmas, extra_args, callback, disable)

    assert observe(comfy.samplers.KSAMPLER(sample_looking), FLOW) == SamplerBehaviour(False, False)


def test_what_a_sampler_keeps_of_a_run_among_its_options_is_not_left_there():
    """As RES4LYF's do, for their next run: nodes share a sampler, and what it is known by must stay."""

    def sample_keeping(model, x, sigmas, extra_args=None, callback=None, disable=None, *, state, run):
        assert not state and not run
        run.append(x)
        state["final"] = sample_euler(model, x, sigmas, extra_args, callback, disable)
        return state["final"]

    sampler = comfy.samplers.KSAMPLER(sample_keeping, {"state": {}, "run": []})
    assert observe(sampler, FLOW) == SamplerBehaviour(False, False)
    assert sampler.extra_options == {"state": {}, "run": []}


def test_options_count():
    ancestral = comfy.samplers.ksampler("euler_ancestral", {"eta": 0.0})
    assert not observe(ancestral, FLOW).adds_noise
    assert observe(comfy.samplers.KSAMPLER(sample_ucgm), FLOW) == SamplerBehaviour(False, False)


def test_a_sampler_of_its_own_levels_is_refused():
    with pytest.raises(ValueError, match="input 'sampler': dpm_adaptive chooses its noise levels itself"):
        refuse_unsearchable("Some Node", comfy.samplers.sampler_object("dpm_adaptive"), FLOW)


def test_a_planned_sampler_is_refused_since_it_runs_one_schedule():
    sampler = planned_sampler(PlannedSolver.of_formula("dpmpp_2m", [1.0, 0.6, 0.3, 0.0]))
    with pytest.raises(ValueError, match="input 'sampler': a planned sampler runs its own sigmas alone, .* euler"):
        refuse_unsearchable("Some Node", sampler, FLOW)


def test_a_sampler_that_needs_a_whole_model_is_not_judged():
    def sample_deep(model, x, sigmas, **_):
        return model.inner_model.inner_model.diffusion_model(x)

    sampler = comfy.samplers.KSAMPLER(sample_deep)
    assert observe(sampler, FLOW) is None
    refuse_unsearchable("Some Node", sampler, FLOW)

"""The caches that are compared, on the mixture through the host's own Euler."""

import numpy as np
import pytest
import torch
from cotj.benchmarks.lab import host
from cotj.benchmarks.lab.caches import MeanCache, MeanPlan, PlannedCache, host_cache, plan_mean_cache, step_at
from cotj.benchmarks.lab.models import MixtureSubject
from cotj.planner import DiffusionDNA, plan_cache, profile_of

STEPS = 20
SUBJECT = MixtureSubject(1.0, "flow", prompts=4, seeds=1)
ITEMS = SUBJECT.test[:3]
SIGMAS = host.scheduler_sigmas(SUBJECT.sampling, "simple", STEPS)


def run(denoise, sigmas=SIGMAS, items=ITEMS):
    return host.run("euler", denoise, SUBJECT.sampling, SUBJECT.noise(items), sigmas).numpy()


@pytest.fixture(scope="module")
def long_run():
    """States and guesses of the whole run, the final latent, and its profile."""
    denoise, states, guesses = SUBJECT.denoiser(ITEMS), [], []

    def noted(x, sigma):
        states.append(x.numpy())
        guesses.append(denoise(x, sigma).numpy())
        return torch.from_numpy(guesses[-1])

    final = run(noted)
    ascending = SIGMAS[:-1].flip(0).double().numpy()
    profile = profile_of(ascending, np.stack(states[::-1]), np.stack(guesses[::-1]), final)
    return states, guesses, final, profile


def test_a_step_is_found_by_its_sigma():
    sigmas = np.array([1, 0.6, 0.3, 0])
    found = [step_at(sigmas, sigma) for sigma in (1, np.float32(0.6), 0.45, 0.3, 0.001)]
    assert found == [0, 1, 1, 2, 2]


def test_held_guesses_are_long_steps(long_run):
    dna = DiffusionDNA(long_run[-1].sigmas, long_run[-1].sigmas, profile=long_run[-1])
    plan = plan_cache(dna, SIGMAS.double().numpy(), calls=5, steps="lemica", rule="hold")
    cache = PlannedCache(SUBJECT.denoiser(ITEMS), plan=plan)
    found = run(cache)
    long_steps = torch.cat((SIGMAS[:-1][torch.from_numpy(plan.computed.copy())], SIGMAS[-1:]))
    assert cache.calls == 5
    assert found == pytest.approx(run(SUBJECT.denoiser(ITEMS), long_steps), abs=1e-4)


def test_mean_cache_costs_are_of_what_it_does(long_run):
    """From the run's own states one stretch ends where the plan's edge says."""
    _, _, final, profile = long_run
    sigmas = SIGMAS.double().numpy()
    plan = plan_mean_cache(profile, sigmas, 6)
    assert len(plan.steps) == 6 and plan.steps[0] == 0 and max(plan.back) > 0
    cache = MeanCache(SUBJECT.denoiser(ITEMS), plan=plan)
    error = np.square(run(cache) - final).mean()
    held = MeanCache(SUBJECT.denoiser(ITEMS), plan=MeanPlan(sigmas, "flow", plan.steps, (0,) * 6))
    long_steps = torch.cat((SIGMAS[list(plan.steps)], SIGMAS[-1:]))
    by_holding = run(held)
    assert cache.calls == 6
    assert by_holding == pytest.approx(run(SUBJECT.denoiser(ITEMS), long_steps), abs=1e-4)
    assert error < np.square(by_holding - final).mean() / 2


@pytest.mark.parametrize("name", ["EasyCache", "LazyCache"])
def test_the_hosts_caches_hold_what_their_code_says(name, long_run):
    one = ITEMS[:1]
    denoise = SUBJECT.denoiser(one)
    whole = host_cache(name, 0.0, denoise, SUBJECT.sampling, 256)
    assert run(whole, items=one) == pytest.approx(run(denoise, items=one), abs=1e-4) and whole.calls == STEPS
    some = host_cache(name, 0.3, denoise, SUBJECT.sampling, 256)
    computed, seen = [], []

    def noted(x, sigma):
        before = some.calls
        guess = some(x, sigma)
        computed.append(some.calls > before)
        seen.append((x, sigma, guess))
        return guess

    run(noted, items=one)
    skipped = computed.index(False)
    (x, sigma, guess), (kept, kept_sigma, kept_guess) = seen[skipped], seen[skipped - 1]
    assert 0 < some.calls < STEPS
    if name == "LazyCache":
        assert guess.numpy() == pytest.approx((x + kept_guess - kept).numpy(), abs=1e-5)
    else:  # the network's output less its input, on top of the new input
        velocity = (kept - kept_guess) / kept_sigma - kept + x
        assert guess.numpy() == pytest.approx((x - sigma * velocity).numpy(), abs=1e-4)

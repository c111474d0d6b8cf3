"""Trajectory profiles: costs from the Gram matrix are those of the vectors, for every solver and every edge."""

import numpy as np
import pytest
from cotj.benchmarks.lab.mixture import long_run, mixture, uniform_sigmas
from cotj.planner import DiffusionDNA, TrajectoryProfile, flow_to_sigma, mean_dna, mean_profile, profile_of
from cotj.planner.solvers.defects import first_order_defects, second_order_defects, survival
from cotj.planner.solvers.formulas import sample
from cotj.planner.solvers.ucgm import adaptive_kappa

STEPS, RUNS = 12, 3
PROMPTS = np.arange(RUNS)


class Run:
    """A long run of the mixture, its vectors by node in flow scale (0 is the final latent), and its profile."""

    def __init__(self, kind):
        model = mixture(side=8, modes=16, kind=kind)
        sigmas = uniform_sigmas(model, STEPS)
        states, guesses, final = long_run(model, model.noise(RUNS, 1), PROMPTS, sigmas)
        self.bands = model.bands()
        self.profile = profile_of(sigmas[-2::-1], states[::-1], guesses[::-1], final, kind, self.bands)
        self.times = np.append(0, self.profile.flow_times)
        self.sigmas = flow_to_sigma(self.times, kind)
        self.guesses = np.concatenate([final[None], guesses[::-1]])
        self.host_states = np.concatenate([final[None], states[::-1]])
        self.scale = (1 - self.times if kind == "ve" else np.ones(STEPS + 1))[:, None, None]
        self.states = self.host_states * self.scale

    def defect(self, end, i, weights):
        """Weighted mean square of where a step ends, in the host's scale, less where the run is."""
        off = end * self.scale[i] - self.states[i]
        return sum(w * np.square(off[:, band]).sum() for w, band in zip(weights[:, i], self.bands)) / off.size


@pytest.fixture(params=["flow", "ve"])
def run(request):
    return Run(request.param)


def test_euler_costs_are_those_of_the_latents(run):
    for weights in ("none", "spectral"):
        left = survival(run.profile, run.times, weights)
        costs = first_order_defects(run.profile, run.times, left)
        for j in range(1, STEPS + 1):
            assert np.isinf(costs[j, j:]).all()
            for i in range(j - 1):
                share = run.sigmas[i] / run.sigmas[j]
                end = share * run.host_states[j] + (1 - share) * run.guesses[j]
                assert costs[j, i] == pytest.approx(run.defect(end, i, left), rel=1e-6)
        # What the run itself did is no defect.
        assert costs[np.arange(1, STEPS + 1), np.arange(STEPS)] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("solver", ["dpmpp_2m", "res_multistep"])
def test_multistep_costs_are_those_of_the_samplers_own_step(run, solver):
    left = survival(run.profile, run.times, "spectral")
    costs = second_order_defects(run.profile, solver, run.times, left)
    for p, j, i in [(12, 8, 5), (12, 11, 1), (7, 3, 2), (9, 4, 0), (6, 6, 2)]:
        # The sampler runs from the reference's state at p, is set on the reference at j, and steps to i.
        at = {run.sigmas[node]: node for node in (p, j)}
        schedule = [run.sigmas[j], run.sigmas[i]] if p == j else [run.sigmas[p], run.sigmas[j], run.sigmas[i]]

        def answer(x, sigma, at=at, j=j):
            x[...] = run.host_states[at[sigma]]
            return run.guesses[at[sigma]]

        end = sample(solver, answer, run.host_states[p].copy(), schedule)
        assert costs[p, j, i] == pytest.approx(run.defect(end, i, left), rel=1e-6)


@pytest.mark.parametrize("solver", ["uni_pc", "uni_pc_bh2"])
def test_unipc_costs_are_those_of_its_predictor_of_second_order(run, solver):
    """UniP-2 with B(h) = e^h - 1 (Zhao et al. 2023, arXiv 2302.04867), by which both variants are costed."""
    left = survival(run.profile, run.times, "spectral")
    costs = second_order_defects(run.profile, solver, run.times, left)
    for p, j, i in [(12, 8, 5), (12, 11, 1), (7, 3, 2), (9, 4, 0), (6, 6, 2)]:
        slope = np.zeros_like(run.guesses[j])
        if p > j and i > 0:  # else there is no guess before, or the host steps to 0 as Euler does
            h, before = np.log(run.sigmas[j] / run.sigmas[i]), np.log(run.sigmas[p] / run.sigmas[j])
            slope = (run.guesses[j] - run.guesses[p]) * h / before
        reach = 1 - run.sigmas[i] / run.sigmas[j]  # B(h) / e^h
        end = (1 - reach) * run.host_states[j] + reach * run.guesses[j] + reach / 2 * slope
        assert costs[p, j, i] == pytest.approx(run.defect(end, i, left), rel=1e-6)


def test_ucgm_costs_are_those_of_its_recursion(run):
    left = survival(run.profile, run.times, "none")
    costs = second_order_defects(run.profile, "ucgm", run.times, left)
    slope = [None, *((run.states[n] - run.guesses[n]) / run.times[n] for n in range(1, STEPS + 1))]
    for p, j, i in [(12, 8, 5), (12, 11, 1), (7, 3, 2), (9, 4, 0)]:
        step, last = run.times[i] - run.times[j], run.times[j] - run.times[p]
        carried = run.states[j] - run.states[p] - last * slope[p]
        weight = (
            adaptive_kappa(run.times[p], run.times[j], run.times[i]) if p < STEPS else 0
        )  # the second step has none
        end = run.states[j] + step * slope[j] + weight * (step * (slope[j] - slope[p]) + carried)
        assert costs[p, j, i] == pytest.approx(run.defect(end / run.scale[i], i, left), rel=1e-6)


def test_a_state_between_two_calls_is_on_the_euler_step_between_them(run):
    n, time = STEPS, 0.5 * (run.times[7] + run.times[8])
    [state], [guess] = run.profile.combinations([time])
    vectors = np.concatenate([run.states[1:], run.guesses[1:], run.guesses[:1]])
    share = time / run.times[8]
    stepped = share * run.states[8] + (1 - share) * run.guesses[8]
    np.testing.assert_allclose(np.einsum("v,vij->ij", state, vectors), stepped, rtol=0, atol=1e-12)
    halfway = 0.5 * (run.guesses[7] + run.guesses[8])
    np.testing.assert_allclose(np.einsum("v,vij->ij", guess, vectors), halfway, rtol=0, atol=1e-12)
    assert len(state) == 2 * n + 1


def test_below_the_lowest_call_a_state_goes_on_to_the_final_latent(run):
    [state], [guess] = run.profile.combinations([0.25 * run.times[1]])
    assert (state[0], state[-1], guess[STEPS], guess[-1]) == pytest.approx((0.25, 0.75, 0.25, 0.75))
    [state], [guess] = run.profile.combinations([0.0])
    np.testing.assert_array_equal(state, run.profile.final)
    np.testing.assert_array_equal(guess, run.profile.final)


def test_above_the_highest_call_a_state_follows_its_slope(run):
    [state], [guess] = run.profile.combinations([1.1 * run.times[-1]])
    assert (state[STEPS - 1], state[2 * STEPS - 1]) == pytest.approx((1.1, -0.1))
    assert guess[2 * STEPS - 1] == 1


def test_a_mean_is_over_runs(run):
    whole = run.profile
    parts = [
        profile_of(
            run.sigmas[1:],
            run.host_states[1:, items],
            run.guesses[1:, items],
            run.guesses[0, items],
            whole.kind,
            run.bands,
        )
        for items in (slice(0, 1), slice(1, None))
    ]
    mean = mean_profile(parts)
    np.testing.assert_allclose(mean.gram, whole.gram, rtol=1e-12)
    assert (mean.runs, mean.calls) == (3, 36)
    assert mean_profile([whole, None]) is None
    other = profile_of(run.sigmas[2:], run.host_states[2:], run.guesses[2:], run.guesses[0], whole.kind, run.bands)
    assert mean_profile([whole, other]) is None


def test_a_mean_dna_keeps_a_profile_that_all_have(run):
    dna = DiffusionDNA(run.sigmas[1:], np.ones(STEPS), kind=run.profile.kind, profile=run.profile)
    assert mean_dna([dna, dna]).profile.runs == 2 * RUNS
    bare = DiffusionDNA(run.sigmas[1:], np.ones(STEPS), kind=run.profile.kind)
    assert mean_dna([dna, bare]).profile is None


def test_power_and_shares(run):
    assert run.profile.power == pytest.approx(np.square(run.guesses[0]).mean())
    assert run.profile.shares.tolist() == [len(band) / 64 for band in run.bands]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigmas": [0.5]}, "at least 2"),
        ({"sigmas": [0.5, 1.5]}, "at most 1"),
        ({"gram": np.zeros((1, 4, 4))}, "shape"),
        ({"gram": np.triu(np.ones((1, 5, 5)))}, "symmetric"),
        ({"gram": np.full((1, 5, 5), np.nan)}, "finite"),
        ({"shares": [0.5]}, "add up to 1"),
        ({"runs": 0}, "at least 1 run"),
        ({"response": [0.0, 0.0]}, "shape"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        TrajectoryProfile(**{"sigmas": [0.5, 1.0], "gram": np.ones((1, 5, 5)), "shares": [1.0], **change})


def test_a_profile_of_another_kind_is_refused(run):
    kind = "ve" if run.profile.kind == "flow" else "flow"
    with pytest.raises(ValueError, match="does not belong"):
        DiffusionDNA([0.5, 1.0], [1, 1], kind=kind, profile=run.profile)


def test_the_response_of_probes_is_how_the_guess_follows_the_state():
    """Of a model that is linear in the state, so that J is known; with states off the run's by any amount."""
    rng, sigmas = np.random.default_rng(0), np.linspace(0.1, 1, 10)
    x, states, guesses = rng.standard_normal((2, 6)), [], []
    for sigma in sigmas[::-1]:
        guess = np.hstack([0.3 * x[:, :4], -1.5 * x[:, 4:]])
        states.append(x)
        guesses.append(guess)
        x = x + 0.1 / sigma * (guess - x)
    probed = sigmas[2:-2]
    off = np.stack(states[::-1])[2:-2] + 0.1 * rng.standard_normal((6, 2, 6))
    answers = np.concatenate([0.3 * off[..., :4], -1.5 * off[..., 4:]], axis=-1)
    bands = [np.arange(4), np.arange(4, 6)]
    profile = profile_of(
        sigmas, np.stack(states[::-1]), np.stack(guesses[::-1]), x, "flow", bands, (probed, off, answers)
    )
    np.testing.assert_allclose(profile.response[0, 2:], 0.3, rtol=1e-9)
    np.testing.assert_allclose(profile.response[1, 2:], -1.5, rtol=1e-9)
    # Below the lowest probe it goes to 1, as the noise goes to 0.
    np.testing.assert_allclose(profile.response[0, :2], 1 - 0.7 * sigmas[:2] / probed[0], rtol=1e-9)

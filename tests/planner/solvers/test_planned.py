"""The planned solver's step against the samplers that it contains, and which sigmas it runs."""

import numpy as np
import pytest
from cotj.planner.solvers.formulas import sample
from cotj.planner.solvers.planned import OneBand, PlannedSolver, formula_weights, integrate

ONE_CALL = ("euler", "dpmpp_2m", "res_multistep", "ucgm", "ipndm", "gradient_estimation")
X = np.random.default_rng(0).standard_normal((2, 3, 5))


def denoise(x, sigma):
    return np.tanh(x * (1 - sigma / 20) + 0.3)


def schedule(top=1.0, steps=6):
    return top * np.linspace(1, 0, steps + 1) ** 1.7


def run(solver, sigmas=None, x=X):
    sigmas = solver.sigmas if sigmas is None else sigmas
    return integrate(denoise, x, sigmas, solver.weights_along(sigmas), OneBand())


@pytest.mark.parametrize("steps", [1, 2, 3, 8])
@pytest.mark.parametrize(("kind", "top"), [("flow", 1.0), ("ve", 14.6)])
@pytest.mark.parametrize("name", ONE_CALL)
def test_with_a_formulas_weights_it_is_that_sampler(name, kind, top, steps):
    sigmas = schedule(top, steps)
    expected = sample(name, denoise, top * X, sigmas, kind)
    np.testing.assert_allclose(run(PlannedSolver.of_formula(name, sigmas, kind), x=top * X), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["uni_pc", "uni_pc_bh2"])
@pytest.mark.parametrize("steps", [3, 5])
def test_unipcs_end_at_a_thousandth_is_all_that_differs(name, steps):
    sigmas = schedule(steps=steps)
    found = run(PlannedSolver.of_formula(name, sigmas))
    np.testing.assert_allclose(found, sample(name, denoise, X, sigmas), atol=3e-3)
    assert np.abs(found - sample("euler", denoise, X, sigmas)).max() > 2e-2


def test_weights_of_2m_are_the_textbooks():
    sigmas = np.array([1.0, 0.5, 0.125, 0.0])
    assert formula_weights("dpmpp_2m", sigmas) == pytest.approx(np.array([[0, 0, 0], [0, -1, 0], [0, 0, 0]]))


@pytest.fixture
def learned():
    sigmas = schedule()
    weights = np.tril(np.random.default_rng(1).uniform(-1, 1, (6, 3)))
    return PlannedSolver(sigmas, weights[None], "dpmpp_2m")


def test_the_zero_latents_weight_takes_that_share_off_a_guess():
    sigmas, shares = np.array([1.0, 0.4, 0.0]), (0.75, 0.1)
    weights = np.array([[[share] for share in shares]])
    between = 0.4 * X + 0.6 * (1 - shares[0]) * denoise(X, 1.0)
    expected = (1 - shares[1]) * denoise(between, 0.4)
    np.testing.assert_allclose(run(PlannedSolver(sigmas, weights)), expected, atol=1e-12)


def test_what_was_written_with_weights_of_guesses_alone_is_read(learned):
    ours = learned.to_dict()
    assert "weights" not in ours  # what reads these alone would run other steps
    np.testing.assert_array_equal(PlannedSolver.from_dict(ours).weights, learned.weights)
    earlier = {name: ours[name] for name in ("sigmas", "formula", "kind")} | {"weights": [[[0.0], [0.5], [-0.25]]]}
    earlier["sigmas"] = [1.0, 0.5, 0.25, 0.0]
    np.testing.assert_array_equal(PlannedSolver.from_dict(earlier).weights, [[[0, 0], [0, 0.5], [0, -0.25]]])


def test_a_slice_takes_its_own_weights_as_soon_as_it_has_the_guesses(learned):
    whole, part = learned.weights_along(learned.sigmas), learned.weights_along(learned.sigmas[2:])
    formula = formula_weights("dpmpp_2m", learned.sigmas[2:])
    np.testing.assert_array_equal(part[0, 0], 0)
    np.testing.assert_array_equal(part[0, 1], formula[1])  # its second weight asks for a guess before the slice
    np.testing.assert_array_equal(part[0, 2:, :3], whole[0, 4:, :3])
    assert not np.allclose(whole[0, 3, :3], formula[1, :3])


def test_image_to_image_starts_between_two_sigmas_and_a_slice_may_be_told_to_end_at_0(learned):
    between = np.append(0.5 * (learned.sigmas[2] + learned.sigmas[3]), learned.sigmas[3:])
    found = learned.weights_along(between)
    np.testing.assert_array_equal(found[0, 3, :3], learned.weights[0, 5])
    np.testing.assert_array_equal(found[0, 2], formula_weights("dpmpp_2m", between)[2])  # asks for one off its own
    cut = np.append(learned.sigmas[:4], 0)
    np.testing.assert_array_equal(learned.weights_along(cut)[0, :3, :3], learned.weights[0, :3])
    np.testing.assert_array_equal(learned.weights_along(cut)[0, 3], 0)  # dpmpp_2m's last step is Euler's
    handing_over = np.append(learned.sigmas[:4], 0.5 * (learned.sigmas[3] + learned.sigmas[4]))
    found = learned.weights_along(handing_over)
    np.testing.assert_array_equal(found[0, :3, :3], learned.weights[0, :3])
    np.testing.assert_array_equal(found[0, 3], formula_weights("dpmpp_2m", handing_over)[3])
    rounded = learned.weights_along(learned.sigmas.astype(np.float32))
    np.testing.assert_array_equal(rounded[:, :, :3], learned.weights)


@pytest.mark.parametrize(
    "other",
    [
        schedule(steps=5),
        schedule(steps=7),
        schedule()[::3],
        2 * schedule(),
        np.append(schedule()[:-2], [0.01, 0]),
        np.append(schedule()[:3], 0.5 * schedule()[4]),
        np.append(schedule(), 0),
        [0.5],
        [],
    ],
)
def test_sigmas_of_another_plan_are_refused(learned, other):
    with pytest.raises(ValueError, match="learned for the sigmas 1, .* same node"):
        learned.weights_along(other)


@pytest.mark.parametrize(
    ("sigmas", "weights", "message"),
    [
        ([1, 0.5], np.zeros((1, 1, 1)), "descend strictly to 0"),
        ([1, 0.5, 0.5, 0], np.zeros((1, 3, 1)), "descend strictly to 0"),
        ([1, 0.5, 0], np.zeros((1, 3, 1)), r"not \(bands, 2 steps, 1 \+ lags\)"),
        ([1, 0.5, 0], np.zeros((1, 2, 0)), r"not \(bands, 2 steps, 1 \+ lags\)"),
        ([1, 0.5, 0], np.ones((1, 2, 2)), "before the first step"),
        ([1, 0.5, 0], np.full((1, 2, 1), np.nan), "finite"),
    ],
)
def test_what_does_not_fit_together_is_refused(sigmas, weights, message):
    with pytest.raises(ValueError, match=message):
        PlannedSolver(sigmas, weights)

"""The authors' release, run on 24 DNAs: its plans, costs and executed sigmas are reproduced."""

import numpy as np
import pytest
from cotj.planner import CoTj, DiffusionDNA, TimeShift, diagnose, plan_adaptive, plan_fixed

SHIFTS = {
    "qwenimage": TimeShift("exponential", 0.7911290322580645, terminal=0.02),  # 1664 x 928
    "zimageturbo": TimeShift("static", 3.0),
}
RELEASE = {"planner": CoTj("schedule"), "start": "free"}


def make_dna(model: str | None, errors) -> DiffusionDNA:
    """Errors on the release's grid, uniform in schedule time."""
    times = np.linspace(1 / len(errors), 1, len(errors))
    if model is None:
        return DiffusionDNA(times, errors, times=times)
    return DiffusionDNA(SHIFTS[model].sigmas(times), errors, shift=SHIFTS[model])


def assert_agrees(plan, expected):
    assert plan.cost == pytest.approx(expected["cost"], abs=1e-9)
    if plan.steps == 1:  # all starts tie at cost 0, and the release's choice among them is an accident
        assert plan.path.tolist() == [len(plan.dna.sigmas) - 1]
        return
    assert plan.path.tolist() == expected["path"]
    assert plan.dna.times[plan.path] == pytest.approx(expected["times"], abs=1e-9)
    if "sigmas" in expected:
        assert plan.sigmas == pytest.approx(expected["sigmas"], abs=1e-6)


@pytest.mark.parametrize("index", range(24))
def test_plans_agree(cases, index):
    case = cases[index]
    dna = make_dna(case["model"], case["dna"])
    for steps, expected in case["fixed"].items():
        assert_agrees(plan_fixed(dna, int(steps), **RELEASE), expected)
    for threshold, expected in case["adaptive"].items():
        assert_agrees(plan_adaptive(dna, float(threshold), expected["max_steps"], **RELEASE), expected)


@pytest.mark.parametrize("index", range(16))
def test_a_share_of_the_gain_takes_fewer_steps_with_the_flow_lever(cases, index):
    case = cases[index]
    dna = make_dna(case["model"], case["dna"])
    for threshold, published in case["adaptive"].items():
        plan = plan_adaptive(dna, float(threshold), published["max_steps"])
        assert plan.steps <= len(published["path"])
        assert plan.steps < len(published["path"]) or (case["model"], threshold) != ("qwenimage", "0.99")


@pytest.mark.parametrize(("model", "ratio", "negative"), [("qwenimage", 0.012, ()), ("zimageturbo", 0.33, ((97, 99),))])
def test_mean_dnas_are_diagnosed(oracle, model, ratio, negative):
    torch = pytest.importorskip("torch")
    norms = torch.load(oracle / f"{model}_mlp_models" / "norm_data.pt", map_location="cpu", weights_only=True)
    found = diagnose(make_dna(model, np.ravel(norms["Y_mean"])))
    assert found.tail_ratio == pytest.approx(ratio, rel=0.02)
    assert found.gain_decays is (ratio < 0.1)
    assert found.negative_regions == negative
    assert found.negative_start is bool(negative)

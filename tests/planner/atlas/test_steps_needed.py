"""Steps that a share of the gain needs: what adaptive plans take, those of the authors' release too."""

import numpy as np
import pytest
from cotj.planner import CoTj, DiffusionDNA, plan_adaptive
from cotj.planner.atlas.steps_needed import steps_for_share, steps_needed
from cotj.tests.planner.test_oracle import RELEASE, make_dna

T = np.linspace(0.02, 1, 50)


@pytest.mark.parametrize("seed", range(20))
def test_they_are_the_fewest_that_reach_the_share(seed):
    rng = np.random.default_rng(seed)
    gain = np.append(rng.uniform(-0.2, 1.2, 11), 1.0)  # a longer plan may explain less
    allowed = sorted(rng.choice(np.arange(1, 13), size=rng.integers(1, 12), replace=False).tolist())
    thresholds = rng.uniform(0, 1, 8)
    found = steps_needed(gain, thresholds, allowed)
    assert found.tolist() == [
        next((k for k in allowed if gain[k - 1] >= threshold), allowed[-1]) for threshold in thresholds
    ]


def test_where_nothing_is_gained_the_fewest_are_enough():
    assert steps_needed(np.zeros(10), [0.5, 1.0], range(2, 11)).tolist() == [2, 2]


@pytest.mark.parametrize("seed", range(10))
def test_one_plans_curve_tells_the_steps_at_every_threshold(seed):
    rng = np.random.default_rng(seed)
    dna = DiffusionDNA(T, np.exp(np.cumsum(rng.uniform(-0.05, 0.3, 50))))
    most = int(rng.integers(2, 30))
    curve = plan_adaptive(dna, 0.9, most).curve
    thresholds = np.array([0.0, 0.5, 0.8, 0.95, 0.99, 0.999, 1.0])
    expected = [plan_adaptive(dna, float(threshold), most).steps for threshold in thresholds]
    found = steps_needed(curve, thresholds, range(1, min(most, len(curve)) + 1)).tolist()
    assert found == expected == sorted(expected)


@pytest.mark.parametrize("index", range(24))
def test_the_authors_release_takes_as_many(cases, index):
    case = cases[index]
    dna = make_dna(case["model"], case["dna"])
    for threshold, published in case["adaptive"].items():
        most = published["max_steps"]
        curve = plan_adaptive(dna, 0.5, most, **RELEASE).curve
        [steps] = steps_needed(curve, float(threshold), range(1, min(most, len(curve)) + 1))
        assert steps == len(published["path"])


def test_a_share_of_the_dnas_is_served():
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 50, (37, 4))
    for share in (0.1, 0.5, 0.9, 1.0):
        steps = steps_for_share(counts, share)
        assert ((counts <= steps).mean(0) >= share).all()
        assert ((counts < steps).mean(0) < share).all()


def test_the_mean_dnas_that_ship_need_what_the_release_takes(oracle):
    torch = pytest.importorskip("torch")
    taken = {}
    for model, most in (("qwenimage", 50), ("zimageturbo", 8)):
        norms = torch.load(oracle / f"{model}_mlp_models" / "norm_data.pt", map_location="cpu", weights_only=True)
        dna = make_dna(model, np.ravel(norms["Y_mean"]))
        curve = plan_adaptive(dna, 0.5, most, planner=CoTj("schedule"), start="free").curve
        taken[model] = steps_needed(curve, [0.9, 0.99, 0.999], range(1, most + 1)).tolist()
    # Of Qwen-Image's mean DNA the last percent takes more steps than all before: the paper's figure 7.
    assert taken["qwenimage"][2] - taken["qwenimage"][1] > taken["qwenimage"][1]
    assert taken["zimageturbo"][2] <= 8

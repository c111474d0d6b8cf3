"""The authors' predictors: read from their files, they predict, plan and execute as the authors' code does."""

import numpy as np
import pytest
import torch
from cotj.planner import CoTj, dna_file, plan_adaptive, plan_fixed
from cotj.predictor import files, release

MODELS = ["qwenimage", "zimageturbo"]
AS_RELEASED = {"planner": CoTj("schedule"), "start": "free"}


def pair(inputs=2560, outputs=100):
    """Something with the keys and shapes of a released pair."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.rand(shape, generator=generator)

    widths = [inputs, 256, 128, outputs]
    model_state = {}
    for layer, (into, out) in zip((0, 3, 6), zip(widths, widths[1:])):
        model_state |= {f"net.{layer}.weight": random(out, into) - 0.5, f"net.{layer}.bias": random(out)}
    norm_data = {"X_mean": random(1, inputs), "X_std": random(1, inputs), "Y_mean": random(1, outputs)}
    return model_state, norm_data | {"Y_std": random(1, outputs)}


@pytest.fixture(scope="module", params=MODELS)
def released(request, oracle, tmp_path_factory):
    """(its name, the predictor): converted, written and read again."""
    folder = oracle / f"{request.param}_mlp_models"
    parts = [
        torch.load(folder / name, weights_only=True, map_location="cpu")
        for name in (release.MODEL_STATE, release.NORM_DATA)
    ]
    path = tmp_path_factory.mktemp("converted") / "predictor.safetensors"
    files.write(path, release.from_release(*parts))
    return request.param, files.read(path)


def test_predictions_plans_and_executed_sigmas_agree(released, cases, oracle):
    name, predictor = released
    embeddings = torch.from_numpy(np.load(oracle / "embeddings.npz")[name])
    own_cases = [case for case in cases if case["model"] == name]
    assert len(own_cases) == 8
    for case in own_cases:
        raw = predictor.network(embeddings[[case["embedding"]]])
        dna = predictor.dna(raw)
        assert raw[0].tolist() == pytest.approx(case["raw"], abs=1e-5)
        assert dna.errors == pytest.approx(case["dna"], abs=1e-5)
        for steps, expected in case["fixed"].items():
            if steps != "1":  # there all starts tie
                assert_agrees(plan_fixed(dna, int(steps), **AS_RELEASED), expected)
        for threshold, expected in case["adaptive"].items():
            assert_agrees(plan_adaptive(dna, float(threshold), expected["max_steps"], **AS_RELEASED), expected)


def assert_agrees(plan, expected):
    assert plan.path.tolist() == expected["path"]
    assert plan.sigmas == pytest.approx(expected["sigmas"], abs=1e-5)


def test_another_size_moves_the_executed_sigmas_of_the_schedule_lever_alone(released, oracle):
    name, predictor = released
    embedding = torch.from_numpy(np.load(oracle / "embeddings.npz")[name])[:1]
    measured_at, other = predictor.predict(embedding, (116, 208)), predictor.predict(embedding, (64, 64))
    np.testing.assert_array_equal(measured_at.sigmas, other.sigmas)
    np.testing.assert_array_equal(measured_at.errors, other.errors)
    assert measured_at.shift == predictor.mean.shift
    flow, schedule = (
        [plan_fixed(dna, 8, CoTj(lever)).sigmas for dna in (measured_at, other)] for lever in ("flow", "schedule")
    )
    np.testing.assert_array_equal(*flow)
    # Only Qwen-Image's shift depends on the size: 32 x 32 tokens give it mu 0.5387 instead of 0.7911.
    assert np.array_equal(*schedule) == (name == "zimageturbo")
    if name == "qwenimage":
        assert other.shift.value == pytest.approx(0.5387, abs=1e-4)


def test_a_shipped_profile_is_the_mean_of_the_release(released, root):
    name, predictor = released
    profile = {"qwenimage": "Qwen-Image-mean", "zimageturbo": "Z-Image-Turbo-mean"}[name]
    shipped = dna_file.read(root / "predictor_weights" / f"{profile}.safetensors")
    np.testing.assert_allclose(shipped.errors, predictor.mean.errors, rtol=0, atol=1e-12)
    np.testing.assert_allclose(shipped.sigmas, predictor.mean.sigmas, rtol=0, atol=1e-12)
    assert shipped.shift == predictor.mean.shift


def test_the_alignment_gives_the_deviation_and_the_minimum_of_the_mean():
    predictor = release.from_release(*pair())
    dna = predictor.predict(torch.ones(1, 2560))
    assert dna.errors.std() == pytest.approx(predictor.mean.errors.std())
    assert dna.errors.min() == pytest.approx(predictor.mean.errors.min())


def test_the_width_tells_the_model():
    assert release.from_release(*pair(3584)).card["model"] == "Qwen-Image"
    assert release.from_release(*pair(2560)).card["model"] == "Z-Image-Turbo"
    with pytest.raises(ValueError, match=r"7 wide.*3584 \(Qwen-Image\), 2560 \(Z-Image-Turbo\)"):
        release.from_release(*pair(7))


def broken(change):
    model_state, norm_data = pair()
    return change(model_state, norm_data) or (model_state, norm_data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state, norm: state.__delitem__("net.3.bias"), r"net\.3\.bias.*missing or unknown"),
        (lambda state, norm: state.update({"net.9.weight": torch.ones(2)}), r"net\.9\.weight.*missing or unknown"),
        (lambda state, norm: state.__delitem__("net.0.weight"), r"net\.0\.weight"),
        (lambda state, norm: state.update({"net.0.weight": torch.ones(3)}), "must be matrices"),
        (lambda state, norm: state.update({"net.0.bias": torch.ones(3)}), r"net\.0\.bias has shape"),
        (
            lambda state, norm: state.update({"net.3.weight": torch.full((128, 256), torch.nan)}),
            "not finite",
        ),
        (lambda state, norm: norm.update(X_std=torch.ones(1, 5)), "input_std has shape"),
        (lambda state, norm: norm.__delitem__("Y_mean"), "Y_mean"),
        (lambda state, norm: norm.update(Y_mean=-norm["Y_mean"]), "negative"),
        (lambda state, norm: norm.update(Y_mean=torch.ones(1, 50)), "100 outputs for 50 sigmas"),
        (lambda state, norm: norm.update(Y_mean=torch.ones(1).expand(10**9)), "Y_mean.* is no list of 2 to 1000"),
        (lambda state, norm: norm.update(X_mean=torch.ones(1).expand(10**6, 10**6)), "X_mean.* is no list of 2 to"),
        (lambda state, norm: norm.update(X_std=norm["X_std"].to_sparse()), "X_std.* is no list of 2 to"),
        (lambda state, norm: norm.update(Y_mean=torch.empty(0)), "Y_mean.* is no list of 2 to"),
        (lambda state, norm: norm.update(X_std=norm["X_std"].int()), "X_std.* is no list of 2 to"),
        (
            lambda state, norm: state.update({"net.0.weight": torch.ones(1, 1).expand(10**9, 2560)}),
            "layers are .* wide",
        ),
        (lambda state, norm: state.update({"net.0.bias": torch.ones(256).to_sparse()}), r"net\.0\.bias is of"),
        (lambda state, norm: state.update({"net.0.bias": torch.ones(256).to(torch.int8)}), r"net\.0\.bias is of"),
        (lambda state, norm: (state, [1, 2]), r"norm_data\.pt is no dictionary of tensors"),
        (lambda state, norm: (state | {"x": "y"}, norm), r"model_state\.pth is no dictionary of tensors"),
    ],
)
def test_what_is_no_released_pair_says_why(change, message):
    with pytest.raises(ValueError, match=message):
        release.from_release(*broken(change))


def test_the_unbroken_pair_of_these_tests_is_good():
    assert release.from_release(*broken(lambda state, norm: None)).output == "aligned"

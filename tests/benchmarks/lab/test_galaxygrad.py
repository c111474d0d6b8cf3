"""The registry's score networks as models of the lab, without the registry: on a score that is known."""

import io
import zipfile

import numpy as np
import pytest
import torch
from cotj.benchmarks.lab import galaxygrad
from cotj.benchmarks.lab.galaxygrad import FILES, Galaxies, ScoreNet, network


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_the_guess_is_the_posterior_mean_of_gaussian_images(kind, monkeypatch):
    width = 0.5

    def score(y, time):
        alpha = np.exp(-time / 2)
        return -y / (alpha**2 * width**2 + 1 - alpha**2)

    monkeypatch.setattr(galaxygrad, "network", lambda survey: (score, ""))
    model = Galaxies("HSC 32", kind, test_runs=2, calibration_runs=1)
    denoise, x = model.denoiser(model.test), model.noise(model.test)
    for sigma in (0.01, 0.3, 0.9, 5.0)[: 3 if kind == "flow" else 4]:
        clean = 1 - sigma if kind == "flow" else 1.0
        expected = clean * width**2 / (clean**2 * width**2 + sigma**2) * x
        np.testing.assert_allclose(denoise(x, sigma), expected, rtol=1e-4, atol=1e-6)


def test_parameters_are_read_in_the_order_of_the_file(tmp_path, monkeypatch):
    """The last convolution is JAX's: output patch (i, j) of channel c has the kernel at (c, 3 - i, 3 - j)."""
    rng = np.random.default_rng(0)
    written = [rng.standard_normal(tuple(p.shape)).astype(np.float32) for p in ScoreNet().parameters()]
    names = [name for name, _ in ScoreNet().named_parameters()]
    kernel = written[names.index("conv_out.weight")] = written[names.index("conv_out.weight")].swapaxes(0, 1)
    content = io.BytesIO()
    for array in [*written, np.array(10.0)]:
        np.save(content, array)
    with zipfile.ZipFile(tmp_path / "wheel.whl", "w") as wheel:
        wheel.writestr(f"galaxygrad/{FILES['HSC 32']}", content.getvalue())
    monkeypatch.setattr(galaxygrad, "wheel", lambda: tmp_path / "wheel.whl")
    network.cache_clear()
    try:
        model, _ = network("HSC 32")
    finally:
        network.cache_clear()
    np.testing.assert_array_equal(model.conv_in.weight, written[0])
    np.testing.assert_array_equal(model.norm.bias, written[-1])
    pulse = torch.zeros(1, 64, 8, 8)
    pulse[0, 5, 2, 3] = 1
    patch = model.conv_out(pulse)[0, 0, 8:12, 12:16] - model.conv_out.bias
    np.testing.assert_allclose(patch, kernel[0, 5, ::-1, ::-1], atol=1e-5)

"""Networks of others from a package registry: score networks of galaxy images (arXiv 2401.07313).

`galaxygrad` is downloaded into the cache folder when a benchmark first asks for it, and its arrays are read with
NumPy; nothing of it is kept here, since its wheel names no licence. The networks are diffusion models of log-scaled
images of one channel, without prompts: MLP-mixers that give the score at time t of `alpha x0 + sqrt(1 - alpha^2) n`,
where alpha is `e^(-t/2)`.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from cotj.harness.environment import cache_dir
from cotj.planner import Kind
from numpy.typing import NDArray
from torch import Tensor, nn

from .host import Denoise
from .models import CALIBRATION_SEED, TEST_SEED, Items, SharedLevels, items

PACKAGE, VERSION = "galaxygrad", "0.1.8"
FILES = {"HSC 32": "eqx_hsc_ScoreNet32.eqx", "ZTF 32": "eqx_ZTF_ScoreNet32.eqx"}  # the wheel's others stay unopened
SIDE, PATCH, WIDTH, HIDDEN, BLOCKS = 32, 4, 64, 512, 4
LAST_TIME = 10.0  # of training; noisier states are asked about as if they were at this time
EPSILON = 1e-5  # of a layer norm


class Mixer(nn.Module):
    """One block of an MLP-mixer: a perceptron over the patches, then one over the channels, with skip connections."""

    def __init__(self) -> None:
        super().__init__()
        patches = (SIDE // PATCH) ** 2
        self.patch_mixer = nn.Sequential(nn.Linear(patches, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, patches))
        self.hidden_mixer = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))
        self.norm1 = nn.LayerNorm((WIDTH, patches), eps=EPSILON)
        self.norm2 = nn.LayerNorm((patches, WIDTH), eps=EPSILON)

    def forward(self, y: Tensor) -> Tensor:
        """Transform (items, channels, patches) to the same shape."""
        y = (y + self.patch_mixer(self.norm1(y))).transpose(1, 2)
        return (y + self.hidden_mixer(self.norm2(y))).transpose(1, 2)


class ScoreNet(nn.Module):
    """The score of a state (items, 1, 32, 32) at a time of the diffusion; parameters in the order of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(2, WIDTH, PATCH, stride=PATCH)
        self.conv_out = nn.ConvTranspose2d(WIDTH, 1, PATCH, stride=PATCH)
        self.blocks = nn.ModuleList(Mixer() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm((WIDTH, (SIDE // PATCH) ** 2), eps=EPSILON)

    def forward(self, y: Tensor, time: float) -> Tensor:
        times = torch.full_like(y, time / LAST_TIME)
        y = self.conv_in(torch.cat((y, times), 1))
        shape = y.shape
        y = y.flatten(2)
        for block in self.blocks:
            y = block(y)
        return self.conv_out(self.norm(y).view(shape))


def wheel() -> Path:
    """Find the package's wheel in the cache folder, or download it.

    Raises RuntimeError where it cannot be downloaded.
    """
    folder = cache_dir() / PACKAGE
    found = sorted(folder.glob(f"{PACKAGE}-{VERSION}-*.whl"))
    if not found:
        wanted = [f"{PACKAGE}=={VERSION}", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", *wanted], capture_output=True, text=True
        )
        found = sorted(folder.glob(f"{PACKAGE}-{VERSION}-*.whl"))
        if not found:
            raise RuntimeError(
                f"pip could not download {PACKAGE} {VERSION}: {done.stderr.strip()[-300:]}. Download its wheel by hand "
                f"and put it into {folder}, or leave its networks out with --models."
            )
    return found[0]


def arrays(content: bytes) -> Iterator[NDArray[np.floating]]:
    """Read the arrays of an Equinox file, which NumPy saved one after the other."""
    stream = io.BytesIO(content)
    while stream.tell() < len(content):
        yield np.load(stream, allow_pickle=False)


@cache
def network(name: str) -> tuple[ScoreNet, str]:
    """Load the network of a survey with its published weights, and give their fingerprint too."""
    with zipfile.ZipFile(wheel()) as files:
        content = files.read(f"{PACKAGE}/{FILES[name]}")
    model = ScoreNet().requires_grad_(False)
    for (parameter, values), array in zip(model.named_parameters(), arrays(content)):
        # JAX transposes a convolution without turning its kernel, and puts the outputs first.
        kernel = array[:, :, ::-1, ::-1].swapaxes(0, 1) if parameter == "conv_out.weight" else array
        values.copy_(torch.from_numpy(np.ascontiguousarray(kernel)).reshape(values.shape))
    return model.eval(), hashlib.blake2b(content, digest_size=8).hexdigest()


@dataclass
class Galaxies(SharedLevels):
    """A survey's network as a model of the lab, with an eps model's noise levels or a flow model's.

    It has no prompts: every run counts as a prompt of its own. guidance: 1, since there is nothing to guide towards.
    """

    survey: str
    kind: Kind = "flow"
    test_runs: int = 128
    calibration_runs: int = 32
    guidance: float = 1.0
    batch: int = 128
    name: str = field(init=False)
    calibration: Items = field(init=False)
    test: Items = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"galaxygrad {self.survey}, {'flow' if self.kind == 'flow' else 'eps'}"
        self.calibration = items(range(self.calibration_runs), 1, CALIBRATION_SEED)
        self.test = items(range(10_000, 10_000 + self.test_runs), 1, TEST_SEED)

    @property
    def fingerprint(self) -> str:
        return network(self.survey)[1]

    def noise(self, items: Items) -> Tensor:
        draws = [np.random.default_rng(seed).standard_normal((1, SIDE, SIDE)) for seed in items.seeds]
        return torch.from_numpy(np.stack(draws)).float()

    def denoiser(self, items: Items) -> Denoise:
        """Make one denoiser for all items.

        It is `(y + (1 - alpha^2) score(y, t)) / alpha` at y, the state in the network's own scale.
        """
        model, _ = network(self.survey)
        lowest = float(np.exp(-LAST_TIME / 2))

        def denoise(x: Tensor, sigma: float) -> Tensor:
            clean = 1 - sigma if self.kind == "flow" else 1.0  # share of the clean image in the state
            norm = float(np.hypot(clean, sigma))
            alpha = max(clean / norm, lowest)
            y = x / norm
            return (y + (1 - alpha**2) * model(y, -2 * float(np.log(alpha)))) / alpha

        return denoise

    def image(self, latents: Tensor) -> NDArray[np.float32] | None:
        """Give None: logarithms of brightness have no picture in 0..1."""
        return None

    def errors(self, latents: Tensor, references: Tensor) -> NDArray[np.float64]:
        return (latents - references).double().square().flatten(1).mean(1).numpy()

    def pixels(self, latents: Tensor) -> Tensor:
        return latents

    def values(self, pixels: Tensor) -> Tensor:
        return pixels

"""The models that schedules are compared on, each with prompts and noise to calibrate on, and others to judge on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.fft
import torch
from cotj.benchmarks.lab import mixture
from cotj.demo.models import WEIGHTS
from cotj.demo.training.dna import run_noise
from cotj.demo.training.mmdit import MMDiT, from_host_state_dict
from cotj.demo.training.sample import SHIFT
from cotj.demo.training.scenes import Scene, random_scene
from cotj.demo.training.text import Captions
from cotj.planner import Kind, TimeShift
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from . import host
from .host import Denoise

DEMO = "demo model"
DEMO_PROMPTS = 256  # of either sort
HELD_OUT = 1000  # the number of the first held-out caption of the demo
CALIBRATION_SEED, TEST_SEED = 2_000_000, 3_000_000  # none that the demo's predictor was trained with


@dataclass(frozen=True)
class Items:
    """The runs of a benchmark: which prompt each is of, and the seed of its noise."""

    prompts: tuple[int, ...]
    seeds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, chosen: slice | Sequence[int]) -> Items:
        rows = range(len(self))[chosen] if isinstance(chosen, slice) else chosen
        return Items(tuple(self.prompts[i] for i in rows), tuple(self.seeds[i] for i in rows))


def items(prompts: Sequence[int], seeds: int, first_seed: int) -> Items:
    """Make items of every prompt with `seeds` seeds of its own."""
    return Items(tuple(np.repeat(prompts, seeds).tolist()), tuple(range(first_seed, first_seed + len(prompts) * seeds)))


class Subject(Protocol):
    """A model at one guidance. Prompts are numbers; those of `calibration` and of `test` are different ones."""

    name: str
    guidance: float
    kind: Kind
    calibration: Items
    test: Items
    batch: int  # items that are sampled at once

    @property
    def sampling(self) -> Any: ...

    @property
    def shift(self) -> TimeShift | None: ...

    @property
    def fingerprint(self) -> str:
        """Identify everything that a run's result depends on besides prompt, seed, sampler and sigmas."""
        ...

    def noise(self, items: Items) -> Tensor: ...

    def denoiser(self, items: Items) -> Denoise: ...

    def image(self, latents: Tensor) -> Tensor | None:
        """Decode latents to (items, H, W, 3) in 0..1; None where latents have no picture."""
        ...

    def errors(self, latents: Tensor, references: Tensor) -> NDArray[np.float64]:
        """Measure (items,) mean squared differences of latents."""
        ...

    def pixels(self, latents: Tensor) -> Tensor:
        """Arrange latents as (items, channels, height, width), so that octaves of them are octaves of an image."""
        ...

    def values(self, pixels: Tensor) -> Tensor:
        """Give the latents that have these pixels: the inverse of `pixels`."""
        ...


class SharedLevels:
    """The noise levels that all models share: those of the demo model's time shift, or SD1's for an eps model."""

    kind: Kind

    @cached_property
    def sampling(self) -> Any:
        return host.model_sampling(self.kind, SHIFT)

    @property
    def shift(self) -> TimeShift | None:
        return TimeShift("static", SHIFT) if self.kind == "flow" else None


@dataclass
class Demo(SharedLevels):
    """The demo model, in the plain torch that its tests hold against the host's own class.

    kind "ve": the same trained network as an eps model, with SD1's noise levels. What a flow model makes of
    `x / (1 + sigma)` at time `sigma / (1 + sigma)` is its clean guess for x at sigma.
    """

    guidance: float
    prompts: int = 32
    calibration_prompts: int = 16
    kind: Kind = "flow"
    batch: int = 32
    name: str = field(init=False)
    calibration: Items = field(init=False)
    test: Items = field(init=False)

    def __post_init__(self) -> None:
        self.name = DEMO if self.kind == "flow" else f"{DEMO}, eps"
        known, unknown = range(self.calibration_prompts), range(HELD_OUT, HELD_OUT + self.prompts)
        self.calibration = items(known, 1, CALIBRATION_SEED)
        self.test = items(unknown, 1, TEST_SEED)

    @property
    def fingerprint(self) -> str:
        return f"{_weights_digest()} guidance {self.guidance:g}"

    def noise(self, items: Items) -> Tensor:
        return run_noise(list(items.seeds))

    def denoiser(self, items: Items) -> Denoise:
        denoise = self._flow_denoiser(items)
        return denoise if self.kind == "flow" else lambda x, sigma: denoise(x / (1 + sigma), sigma / (1 + sigma))

    def _flow_denoiser(self, items: Items) -> Denoise:
        """Make the guided denoiser; at guidance 1 the empty prompt is not asked, as in the host."""
        model, encode, scenes = _demo()
        contexts = encode([scenes[prompt].caption for prompt in items.prompts])
        if self.guidance == 1:
            return lambda x, sigma: x - sigma * model(x, torch.full((len(x),), sigma), contexts)
        both = torch.cat((contexts, encode([""]).expand_as(contexts)))

        def denoise(x: Tensor, sigma: float) -> Tensor:
            towards, away = model(torch.cat((x, x)), torch.full((len(both),), sigma), both).chunk(2)
            return x - sigma * (away + self.guidance * (towards - away))

        return denoise

    def image(self, latents: Tensor) -> Tensor | None:
        """Read the picture in latents, at their own size: the demo's VAE draws it eight times as large."""
        return ((latents.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1)

    def errors(self, latents: Tensor, references: Tensor) -> NDArray[np.float64]:
        """Measure errors over the three channels that are painted.

        That is 16/3 of the mean over the latent, in which the other channels agree.
        """
        return (latents - references).double().square().flatten(1).mean(1).numpy()

    def pixels(self, latents: Tensor) -> Tensor:
        return latents

    def values(self, pixels: Tensor) -> Tensor:
        return pixels


_loaded: list[tuple[MMDiT, Captions, dict[int, Scene]]] = []


def _demo() -> tuple[MMDiT, Captions, dict[int, Scene]]:
    if not _loaded:
        model = from_host_state_dict(load_file(WEIGHTS)).requires_grad_(False)
        known, unknown = (_scenes(DEMO_PROMPTS, held_out) for held_out in (False, True))
        scenes = dict(enumerate(known)) | dict(enumerate(unknown, HELD_OUT))
        _loaded.append((model, Captions(), scenes))
    return _loaded[0]


def demo_captions() -> dict[int, str]:
    """List captions by the number of the prompt."""
    return {prompt: scene.caption for prompt, scene in demo_scenes().items()}


def demo_scenes() -> dict[int, Scene]:
    """List what captions tell of, by the number of the prompt."""
    return _demo()[2]


def _scenes(count: int, held_out: bool) -> list[Scene]:
    """Draw scenes of different captions; held-out ones are such as the model was not trained on."""
    rng = np.random.default_rng(2)
    found: dict[str, Scene] = {}
    while len(found) < count:
        scene = random_scene(rng, held_out=held_out)
        found.setdefault(scene.caption, scene)
    return list(found.values())


def _weights_digest() -> str:
    return hashlib.blake2b(WEIGHTS.read_bytes(), digest_size=8).hexdigest()


@dataclass
class MixtureSubject(SharedLevels):
    """The analytic Gaussian mixture, whose denoiser is exact; the noise levels are those of SD3 or of SD1."""

    guidance: float
    kind: Kind = "flow"
    prompts: int = 64
    seeds: int = 4
    batch: int = 256
    sizes: tuple[int, ...] = ()  # see `mixture`
    name: str = field(init=False)
    calibration: Items = field(init=False)
    test: Items = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{'mixed ' if self.sizes else ''}mixture, {'flow' if self.kind == 'flow' else 'eps'}"
        self.calibration = items(range(self.prompts), 1, CALIBRATION_SEED)
        self.test = items(range(self.prompts, 2 * self.prompts), self.seeds, TEST_SEED)

    @cached_property
    def model(self) -> mixture.Mixture:
        return mixture.mixture(prompts=2 * self.prompts, guidance=self.guidance, kind=self.kind, sizes=self.sizes)

    @property
    def fingerprint(self) -> str:
        model = self.model
        digest = hashlib.blake2b(digest_size=8)
        for array in (model.means, model.variances, model.prompts):
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"{self.kind} {digest.hexdigest()} guidance {self.guidance:g}"

    def noise(self, items: Items) -> Tensor:
        values = len(self.model.variances)
        draws = [np.random.default_rng(seed).standard_normal(values) for seed in items.seeds]
        return torch.from_numpy(np.stack(draws)).float()  # in the shape that the host's samplers have it in

    def denoiser(self, items: Items) -> Denoise:
        prompts = np.array(items.prompts)
        model = self.model
        return lambda x, sigma: torch.from_numpy(model.guess(x.double().numpy(), sigma, prompts)).float()

    def image(self, latents: Tensor) -> Tensor | None:
        return None

    def errors(self, latents: Tensor, references: Tensor) -> NDArray[np.float64]:
        return (latents - references).double().square().mean(1).numpy()

    def pixels(self, latents: Tensor) -> Tensor:
        """Make the image that the values are cosine coefficients of."""
        side = int(np.sqrt(latents.shape[1]))
        coefficients = latents.reshape(-1, 1, side, side).double().numpy()
        return torch.from_numpy(scipy.fft.idctn(coefficients, axes=(2, 3), norm="ortho")).float()

    def values(self, pixels: Tensor) -> Tensor:
        return torch.from_numpy(scipy.fft.dctn(pixels.double().numpy(), axes=(2, 3), norm="ortho")).float().flatten(1)

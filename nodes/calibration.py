"""What Optimize Sigmas measures on: pairs of prompt and noise, and the long runs that they end in."""

from __future__ import annotations

import copy
import time
from functools import cached_property
from typing import Any, NamedTuple

import comfy.samplers
import numpy as np
import torch

from ..planner import FloatArray, flow_to_sigma
from ..planner.dna import Kind
from ..planner.search import Ends, OutOfCalls, at_forks, bounded
from . import host, schedule_file
from .digest import digest_of
from .files import save_folder
from .guidance import controlnets
from .path import Path, spread
from .probe import CallProgress
from .rollout import Memory, Rollout, in_model_space, packed, with_positive

NODE = "Optimize Sigmas"
SAVE_EVERY = 60  # seconds, that long runs are made for at most without being stored
NOISE = 0.1  # of what halving the steps of a long run changes, that the same run may differ by from itself


class Reference(NamedTuple):
    """finals: what a long run ends in, and for pairs to search on one of half its steps. path: of the long run."""

    finals: torch.Tensor
    path: Path

    def arrays(self) -> dict[str, np.ndarray]:
        states = torch.stack(self.path.states).numpy()
        return {"finals": self.finals.numpy(), "times": np.array(self.path.times), "states": states}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], kind: Kind) -> Reference:
        path = Path(kind, long=True)
        path.times, path.states = arrays["times"].tolist(), list(torch.from_numpy(arrays["states"]))
        return cls(torch.from_numpy(arrays["finals"]), path)


class Calibration:
    """Pairs of prompt and noise with the latents that long runs end in: the `Runner` of a search.

    pairs: to search on; those of which every item was left out are not among them. check_pairs: with the next seeds.
    searched: what number each of the pairs has among all that are made. items: by that number, those not left out.
    """

    def __init__(
        self,
        guider: comfy.samplers.CFGGuider,
        conditionings: list[list],
        noise: Any,
        latent: dict[str, Any],
        sampler: comfy.samplers.Sampler,
        seeds: int,
        check: int,
        reference_steps: int,
        name: str,
    ):
        try:
            guiders = [with_positive(guider, conditioning) for conditioning in conditionings] or [guider]
        except ValueError as error:
            raise ValueError(f"{NODE}, inputs 'prompts': {error}. Disconnect them.") from error
        self.guider, self.latent, self.sampler, self.name = guider, latent["samples"], sampler, name
        self.model_sampling = guider.model_patcher.get_model_object("model_sampling")
        self.kind = host.noise_kind(self.model_sampling)
        self.budget = Budget()
        rollouts = [Rollout(one, self.budget.before_call, self.budget.after_call) for one in guiders]
        self.made = len(rollouts) * seeds
        count = self.made + check
        self.check_pairs = range(self.made, count)
        self.noises = _noises(noise, latent, count)
        self.first_seed = noise.seed
        self.rollouts = [rollouts[pair % len(rollouts)] for pair in range(count)]
        self.memories = [Memory() for _ in range(count)]
        self.long_runs = [host.simple_sigmas(self.model_sampling, n) for n in (reference_steps, reference_steps // 2)]
        self.about = {"prompts": len(guiders), "seeds": seeds, "items": len(host.parts(self.latent)[0])}
        self.about |= {"first_seed": noise.seed, "reference_steps": reference_steps}
        self.leave_out([])
        hints = [net.cond_hint_original for one in guiders for net in controlnets(one)]
        tensors = [host.parts(self.noises[0]), host.parts(self.latent), hints]
        self.id = digest_of([one.original_conds for one in guiders], self.about, tensors, "paths")
        self.references = [
            Reference.of(arrays, self.kind) for arrays in schedule_file.read_references(save_folder(), name, self.id)
        ]

    @property
    def pairs(self) -> int:
        return len(self.searched)

    def leave_out(self, images: list[list[int]]) -> None:
        """Search on the others. images: [pair, item of it] of each; pairs are numbered anew from 0 on."""
        kept = np.full((self.made, self.about["items"]), True)
        for pair, item in images:
            kept[pair, item] = False
        self.searched = np.flatnonzero(kept.any(axis=1)).tolist()
        self.items = {pair: np.flatnonzero(kept[pair]) for pair in self.searched}

    def at_forks(self) -> list[list[int]]:
        """Which images to search on tell nothing of schedules: [pair, item] of each. All references are to be there."""
        return np.argwhere(at_forks(self._changes())).tolist()

    def _changes(self) -> FloatArray:
        """(pairs, items) mean squared difference that halving the steps of the long runs makes."""
        finals = [reference.finals for reference in self.references[: self.made]]
        return np.stack([(half - long).flatten(1).square().mean(1).numpy() for long, half in finals])

    def make_references(self, pairs: int) -> None:
        """Of the first so many; of those to search on also what half the steps end in."""
        euler = comfy.samplers.sampler_object("euler")
        saved = len(self.references)
        try:
            saved_at = time.monotonic()
            for pair in range(saved, pairs):
                runs = self.long_runs[: 1 if pair in self.check_pairs else 2]
                path = Path(self.kind, long=True)
                ends = [self.final(euler, runs[0], pair, path=path)]
                finals = torch.stack(ends + [self.final(euler, sigmas, pair) for sigmas in runs[1:]])
                if not finals.isfinite().all():
                    raise ValueError(
                        f"{NODE}, input 'guider': the long run is not finite. Use a higher precision for this model "
                        "(such as bf16 or fp32 instead of fp16 or fp8)."
                    )
                self.references.append(Reference(finals, path))
                if time.monotonic() - saved_at > SAVE_EVERY:
                    self._save_references()
                    saved, saved_at = len(self.references), time.monotonic()
        finally:
            if len(self.references) > saved:
                self._save_references()

    def _save_references(self) -> None:
        arrays = [reference.arrays() for reference in self.references]
        schedule_file.write_references(save_folder(), self.name, self.id, arrays)

    def check_sampler(self, times: FloatArray) -> None:
        """ValueError where the same run from another seed of the sampler ends elsewhere: it has no one long run."""
        sigmas = self.sigmas(times)
        one, other = (self.final(self.sampler, sigmas, 0, seed) for seed in (self.first_seed, self.first_seed + 1))
        if float((one - other).square().mean()) > NOISE * float(np.median(self._changes())):
            raise ValueError(
                f"{NODE}, input 'sampler': this sampler adds noise of its own, so its images are no approximations of "
                "one long run. Connect one that adds none, such as euler, dpmpp_2m or res_multistep."
            )

    def run(self, times: FloatArray, pair: int) -> Ends:
        items: Any = slice(None)
        if pair not in self.check_pairs:
            pair = self.searched[pair]
            items = self.items[pair]
        path, reference = Path(self.kind), self.references[pair]
        final = self.final(self.sampler, self.sigmas(times), pair, memory=self.memories[pair], path=path)
        deviations = (final - reference.finals[0]).flatten(1).numpy()[items]
        return Ends(bounded(deviations), bounded(path.strays(reference.path)[items] * self._spread))

    @cached_property
    def _spread(self) -> float:
        finals = [reference.finals[0].flatten(1) for reference in self.references[: self.made]]
        return spread(finals, [packed(noise).flatten(1) for noise in self.noises[: self.made]])

    def keep(self) -> None:
        for memory in self.memories:
            memory.keep_run()

    def sigmas(self, times: FloatArray) -> torch.Tensor:
        # Flow time and back may round above the top.
        sigmas = flow_to_sigma(np.append(times, 0), self.kind).clip(max=float(self.model_sampling.sigma_max))
        return torch.from_numpy(sigmas).float()

    def final(
        self,
        sampler: comfy.samplers.Sampler,
        sigmas: torch.Tensor,
        pair: int,
        seed: int | None = None,
        memory: Memory | None = None,
        path: Path | None = None,
    ) -> torch.Tensor:
        """In the model's own latent space, packed. path: to note the run's states in."""
        seed = self.first_seed + pair if seed is None else seed
        noise, on_state = self.noises[pair], path.note if path else None
        final = self.rollouts[pair].final(noise, self.latent, sampler, sigmas, seed, memory, on_state)
        return in_model_space(self.guider, final).cpu()


class Budget:
    """Counts calls at the model, and ends a search when they are spent. To be started before any call."""

    spent: int
    limit: float
    progress: CallProgress

    def start(self, spent: int, limit: float, expected: int, node_id: str) -> None:
        """expected: calls from here on, for the progress."""
        self.spent, self.limit = spent, limit
        self.progress = CallProgress(expected, node_id)

    def before_call(self) -> None:
        if self.spent >= self.limit:
            raise OutOfCalls
        self.spent += 1

    def after_call(self) -> None:
        self.progress.call_done()


def _noises(noise: Any, latent: dict[str, Any], count: int) -> list[torch.Tensor]:
    """Of as many seeds, from the one of the noise on."""
    noises = []
    for number in range(count):
        other = copy.copy(noise)
        other.seed = noise.seed + number
        noises.append(other.generate_noise(latent))
    parts = [host.parts(one)[0] for one in noises]
    if not parts[0].any() or (count > 1 and torch.equal(parts[0], parts[1])):
        raise ValueError(f"{NODE}, input 'noise': it gives no other noise for another seed. Connect RandomNoise.")
    return noises

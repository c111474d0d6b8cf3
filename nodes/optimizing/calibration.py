"""The calibration of Optimize Sigmas: pairs of prompt and noise, and the long runs that they end in."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import comfy.samplers
import numpy as np
import torch

from ...measuring.straying import Path, spread
from ...planner import FloatArray, flow_to_sigma
from ...planner.converged import CONVERGED_SAMPLER, dense_sigmas
from ...planner.dna import Kind
from ...planner.search import Ends, bounded
from ...planner.search_record import Aim, PairsOfSearch
from ...planner.search_session import CallBudget
from ...planner.texts import say
from ..host.fingerprint import digest_of
from ..host.folders import save_folder
from ..host.guidance import controlnets
from ..host.inputs import blamed_on, higher_precision, input_error
from ..host.model import noise_levels, parts, simple_sigmas
from ..host.rollout import Memory, Rollout, in_model_space, packed, with_positive
from ..host.sampler_behaviour import observe
from ..host.sampler_names import sampler_name
from ..host.steering import hooks_of
from . import stored_search
from .shown_budget import ShownBudget
from .students import GuiderStudents

NODE = "Optimize Sigmas"
SAVE_EVERY = 60  # seconds, that long runs are made for at most without being stored
ELSEWHERE = 1_000_000  # how far the seeds of other pairs are from those to search and to check on
NOISE = 0.1  # of what halving the steps of a long run changes, that the same run may differ by from itself


class LongRun(NamedTuple):
    """The long run of a pair.

    finals: what it ends in, and for pairs to search on, what a run of half its steps ends in. path: its states.
    """

    finals: torch.Tensor
    path: Path

    def arrays(self) -> dict[str, np.ndarray]:
        states = torch.stack(self.path.states).numpy()
        return {"finals": self.finals.numpy(), "times": np.array(self.path.times), "states": states}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], kind: Kind) -> LongRun:
        path = Path(kind, long=True)
        path.times, path.states = arrays["times"].tolist(), list(torch.from_numpy(arrays["states"]))
        return cls(torch.from_numpy(arrays["finals"]), path)


class GuiderCalibration:
    """Pairs of prompt and noise of a guider, with the latents that long runs end in: the `Calibration` of a search.

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
        aim: Aim,
        name: str,
        node_id: str,
    ):
        with blamed_on(NODE, "prompts", say("Disconnect them")):
            guiders = [with_positive(guider, conditioning) for conditioning in conditionings] or [guider]
        self.guider, self.latent, self.sampler, self.name = guider, latent["samples"], sampler, name
        self.model_sampling = guider.model_patcher.get_model_object("model_sampling")
        self.levels = noise_levels(guider.model_patcher)
        budget = ShownBudget(node_id, guider.model_patcher)
        self.budget: CallBudget = budget
        rollouts = [Rollout(one, budget.spend, budget.call_done) for one in guiders]
        self.made = len(rollouts) * seeds
        count = self.made + check
        self.check_pairs = range(self.made, count)
        self.noises = _noises(noise, latent, count)
        self._noise, self._empty = noise, latent
        self.first_seed = noise.seed
        self.rollouts = [rollouts[pair % len(rollouts)] for pair in range(count)]
        self.memories = [Memory() for _ in range(count)]
        steps_of_runs = (reference_steps, reference_steps // 2)
        converged = aim == "converged solution"
        self._long_sampler = comfy.samplers.sampler_object(CONVERGED_SAMPLER if converged else "euler")
        self.long_schedules = [
            torch.from_numpy(dense_sigmas(self.levels.kind, self.levels.top, n)).float()
            if converged
            else simple_sigmas(guider.model_patcher, n)
            for n in steps_of_runs
        ]
        items = len(parts(self.latent)[0])
        self.about = PairsOfSearch(len(guiders), seeds, items, reference_steps, noise.seed, aim)
        self.leave_out([])
        hints = [net.cond_hint_original for one in guiders for net in controlnets(one)]
        tensors = [parts(self.noises[0]), parts(self.latent), hints]
        about: dict[str, Any] = {"prompts": len(guiders), "seeds": seeds, "items": items}
        about |= {"first_seed": noise.seed, "reference_steps": reference_steps}
        if converged:  # and else as files have it from before there was another aim
            about["aim"] = aim
        hooks = [found for one in guiders if (found := hooks_of(one).described)]  # of which conditionings show nothing
        self.id = digest_of([one.original_conds for one in guiders], about, tensors, "paths", *hooks)
        known = stored_search.read_long_runs(save_folder(), name, self.id)
        self.long_runs = [LongRun.of(arrays, self.levels.kind) for arrays in known]

    @property
    def pairs(self) -> int:
        return len(self.searched)

    @property
    def long_sigmas(self) -> FloatArray:
        """Give the (N + 1,) sigmas of a long run."""
        return self.long_schedules[0].double().numpy()

    @property
    def values(self) -> int:
        """Count the values in the state of a pair."""
        return packed(self.noises[0]).numel()

    @property
    def is_euler(self) -> bool:
        """Tell whether the sampler makes Euler's steps."""
        return sampler_name(self.sampler) == "euler"

    @property
    def long_runs_made(self) -> int:
        """Count the pairs whose long runs are there."""
        return len(self.long_runs)

    def leave_out(self, items: Sequence[tuple[int, int]]) -> None:
        """Search on all but these (pair, item of it); pairs are numbered anew from 0 on."""
        kept = np.full((self.made, self.about.items), True)
        for pair, item in items:
            kept[pair, item] = False
        self.searched = np.flatnonzero(kept.any(axis=1)).tolist()
        self.items = {pair: np.flatnonzero(kept[pair]) for pair in self.searched}

    def changes(self) -> FloatArray:
        """Give the (pairs, items) mean squared differences that halving the steps of the long runs makes."""
        finals = [known.finals for known in self.long_runs[: self.made]]
        return np.stack([(half - long).flatten(1).square().mean(1).numpy() for long, half in finals])

    def make_long_runs(self, pairs: int) -> None:
        """Make the long runs of the first so many pairs, and for pairs to search on also a run of half the steps."""
        saved = len(self.long_runs)
        try:
            saved_at = time.monotonic()
            for pair in range(saved, pairs):
                runs = self.long_schedules[: 1 if pair in self.check_pairs else 2]
                path = Path(self.levels.kind, long=True)
                ends = [self.long_run(pair, path)]
                finals = torch.stack(ends + [self.final(self._long_sampler, sigmas, pair) for sigmas in runs[1:]])
                if not finals.isfinite().all():
                    raise input_error(
                        NODE, "guider", say("the long run is not finite. {way_out}", way_out=higher_precision())
                    )
                self.long_runs.append(LongRun(finals, path))
                if time.monotonic() - saved_at > SAVE_EVERY:
                    self._save_long_runs()
                    saved, saved_at = len(self.long_runs), time.monotonic()
        finally:
            if len(self.long_runs) > saved:
                self._save_long_runs()

    def long_run(self, pair: int, path: Path) -> torch.Tensor:
        """Make the long run of a pair to its final latent, packed, and note its states."""
        return self.final(self._long_sampler, self.long_schedules[0], pair, on_state=path.note)

    def _save_long_runs(self) -> None:
        arrays = [known.arrays() for known in self.long_runs]
        stored_search.write_long_runs(save_folder(), self.name, self.id, arrays)

    def check_sampler(self, times: FloatArray) -> None:
        """Raise ValueError where the same run from another seed of the sampler ends elsewhere, as with added noise.

        A sampler that could be observed on a stand-in takes no calls: it was refused before the first one, or never.
        """
        if observe(self.sampler, self.model_sampling) is not None:
            return
        sigmas = self._sigmas(times)
        one, other = (self.final(self.sampler, sigmas, 0, seed) for seed in (self.first_seed, self.first_seed + 1))
        if float((one - other).square().mean()) > NOISE * float(np.median(self.changes())):
            problem = say(
                "this sampler adds noise of its own, so its images are no approximations of one long run. Connect one "
                "that adds none, such as euler, dpmpp_2m or res_multistep"
            )
            raise input_error(NODE, "sampler", problem)

    def run(self, times: FloatArray, pair: int) -> Ends:
        items: Any = slice(None)
        if pair not in self.check_pairs:
            pair = self.searched[pair]
            items = self.items[pair]
        path, long_run = Path(self.levels.kind), self.long_runs[pair]
        final = self.final(self.sampler, self._sigmas(times), pair, memory=self.memories[pair], on_state=path.note)
        deviations = (final - long_run.finals[0]).flatten(1).numpy()[items]
        return Ends(bounded(deviations), bounded(path.strays(long_run.path)[items] * self._spread))

    @cached_property
    def _spread(self) -> float:
        finals = [known.finals[0].flatten(1) for known in self.long_runs[: self.made]]
        return spread(finals, [packed(noise).flatten(1) for noise in self.noises[: self.made]])

    def with_sampler(self, sampler: comfy.samplers.Sampler) -> GuiderCalibration:
        """Give the same pairs run with another sampler; what the model has answered on them is shared."""
        other = copy.copy(self)
        other.sampler = sampler
        return other

    def elsewhere(self, pairs: int) -> GuiderCalibration:
        """Give so many pairs with seeds that are neither searched nor checked on.

        Their spread is taken from these pairs.
        """
        other = copy.copy(self)
        other._spread = self._spread
        other.made, other.check_pairs = 0, range(pairs)
        other.noises = _noises(self._noise, self._empty, pairs, ELSEWHERE)
        other.first_seed = self.first_seed + ELSEWHERE
        other.rollouts = [self.rollouts[pair % self.about.prompts] for pair in other.check_pairs]
        other.memories = [Memory() for _ in other.check_pairs]
        other.leave_out([])
        other.name, other.id = f"{self.name}.deciding", digest_of(self.id, "elsewhere")
        known = stored_search.read_long_runs(save_folder(), other.name, other.id)
        other.long_runs = [LongRun.of(arrays, self.levels.kind) for arrays in known]
        return other

    def keep(self) -> None:
        for memory in self.memories:
            memory.keep_run()

    def students(self, pairs: int) -> GuiderStudents:
        """Give the students of the first so many pairs that are searched on."""
        chosen = self.searched[:pairs]
        known = [self.long_runs[pair] for pair in chosen]
        kept = np.concatenate([row * self.about.items + self.items[pair] for row, pair in enumerate(chosen)])
        finals = torch.cat([one.finals[0] for one in known])
        return GuiderStudents(self.final, chosen, kept, [one.path for one in known], finals, self.long_schedules[0])

    def sigmas(self, times: FloatArray) -> list[float]:
        """Give the sigmas that run for flow times, with the final 0."""
        return self._sigmas(times).tolist()

    def _sigmas(self, times: FloatArray) -> torch.Tensor:
        # Converting to flow time and back may round above the top.
        sigmas = flow_to_sigma(np.append(times, 0), self.levels.kind).clip(max=self.levels.top)
        return torch.from_numpy(sigmas).float()

    def latent_of(self, times: FloatArray, pair: int) -> torch.Tensor:
        """Run a pair along flow times to the latent that SamplerCustomAdvanced would give."""
        sigmas, seed = self._sigmas(times), self.first_seed + pair
        return self.rollouts[pair].final(self.noises[pair], self.latent, self.sampler, sigmas, seed)

    def final(
        self,
        sampler: comfy.samplers.Sampler,
        sigmas: torch.Tensor,
        pair: int,
        seed: int | None = None,
        memory: Memory | None = None,
        on_state: Callable[[torch.Tensor, torch.Tensor], None] | None = None,
    ) -> torch.Tensor:
        """Run a pair along sigmas to its final latent, in the model's own space, packed.

        on_state: see `Rollout.final`.
        """
        seed = self.first_seed + pair if seed is None else seed
        final = self.rollouts[pair].final(self.noises[pair], self.latent, sampler, sigmas, seed, memory, on_state)
        return in_model_space(self.guider, final).cpu()


def _noises(noise: Any, latent: dict[str, Any], count: int, apart: int = 0) -> list[torch.Tensor]:
    """Make noise of as many seeds, from the seed of the given noise on, or from so many later."""
    noises = []
    for number in range(count):
        other = copy.copy(noise)
        other.seed = noise.seed + apart + number
        noises.append(other.generate_noise(latent))
    drawn = [parts(one)[0] for one in noises]
    if not drawn[0].any() or (count > 1 and torch.equal(drawn[0], drawn[1])):
        raise input_error(NODE, "noise", say("it gives no other noise for another seed. Connect RandomNoise"))
    return noises

"""What Cache Steps learns from ordinary runs: DNA files, one for each model, guidance, sampler, size and schedule."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import comfy.samplers
import torch

from ...planner import DiffusionDNA, TrajectoryProfile, dna_file, mean_profile
from ...planner.run_dna import dna_of_run
from ...planner.texts import say
from ...planner.writing import check_room
from .. import __version__
from .file_names import list_folder
from .fingerprint import digest_of
from .folders import changed_at, save_folder
from .identity import describe, differences_at
from .model import levels_of_sampling, parts
from .sampler_names import sampler_with_options

PREFIX = "cache"
DIGITS = 5  # of a sigma in a fingerprint: devices round the last digits in their own ways
ROOM = 4 << 20  # bytes that there must be for a profile
NEWEST = 20  # files to look through for one of the same model


@dataclass(frozen=True)
class LearnedProfile:
    """The place on disk of the profile that belongs to a run, whether it has been learned yet or not.

    about: plain values that identify the profile. guider: the run's. noise: what the run starts from.
    """

    about: dict[str, Any]
    guider: comfy.samplers.CFGGuider
    noise: torch.Tensor

    @property
    def path(self) -> Path:
        about = self.about
        readable = re.sub(r"\W+", "-", f"{about['model']}-{about['sampler']}-{len(about['sigmas']) - 1}-steps")[:60]
        return save_folder() / f"{PREFIX}-{readable}-{digest_of(about)[:12]}{dna_file.SUFFIX}"

    def load(self) -> DiffusionDNA | None:
        """Read the DNA that earlier runs left; None where there was none, or its file is damaged or another one."""
        dna = _read(self.path)
        return dna if dna is not None and dna.profile is not None and self._is_of(dna.meta) else None

    def _is_of(self, meta: dict[str, Any]) -> bool:
        """Tell whether a DNA is of such runs: its file may be another one, under this name."""
        return digest_of({name: meta[name] for name in self.about if name in meta}) == digest_of(self.about)

    def add(self, profile: TrajectoryProfile) -> DiffusionDNA:
        """Keep the mean of this run's profile and what was learned before, also by other processes during the run.

        Raises OSError where it cannot be written.
        """
        before = self.load()
        together = mean_profile([before.profile, profile]) if before else None
        dna = dna_of_run(
            together or profile,
            levels_of_sampling(self.guider.model_patcher.get_model_object("model_sampling")).shift,
            meta={
                **self.about,
                "latent_shape": [list(self.noise.shape)],
                "learned_runs": learned_runs(before) + 1 if together else 1,
                "learned_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "pack_version": __version__,
            },
        )
        dna_file.write(self.path.parent, self.path.stem, dna)
        return dna

    def can_be_stored(self) -> bool:
        """Tell whether what a run teaches could be written now, by trying."""
        try:
            check_room(self.path.parent, ROOM)
        except OSError:
            return False
        return not self.path.is_dir()

    def other(self) -> list[str]:
        """Say in lines how this run differs from the last one that was learned from with the same checkpoint."""
        learned = [path for path in list_folder(save_folder()) if path.match(f"{PREFIX}-*{dna_file.SUFFIX}")]
        for path in sorted(learned, key=changed_at, reverse=True)[:NEWEST]:
            dna = _read(path)
            if dna is not None and dna.meta.get("checkpoint") == self.about["checkpoint"]:
                lines = self._differences(dna.meta)
                head = say("The run that was learned from last on this model was of another kind:")
                return [head, *lines] if lines else []
        return []

    def _differences(self, meta: dict[str, Any]) -> list[str]:
        made = say("that run was made")
        lines = differences_at(meta, self.guider, [list(part.shape) for part in parts(self.noise)], made)
        here, there = self.about["sampler"], meta.get("sampler")
        if there != here:
            lines.append(say("The sampler is {here}; {made} with {there}.", here=here, made=made, there=there))
        if meta.get("sigmas") != self.about["sigmas"]:
            lines.append(say("The sampler's noise levels are others: its steps, scheduler, denoise or part of a run."))
        return lines


def profile_for(
    guider: comfy.samplers.CFGGuider, sampler: comfy.samplers.Sampler, noise: torch.Tensor, sigmas: list[float]
) -> LearnedProfile:
    """Find the place of the profile of a run; the batch, the prompt and the seed do not count."""
    levels = [float(f"{sigma:.{DIGITS}g}") for sigma in sigmas]
    name = sampler_with_options(sampler, noise)
    about = {**describe(guider), "sampler": name, "size": list(noise.shape[1:]), "sigmas": levels}
    return LearnedProfile(about, guider, noise)


def learned_runs(dna: DiffusionDNA | None) -> int:
    """Count the runs that a learned DNA is the mean of."""
    return 0 if dna is None else int(dna.meta.get("learned_runs", 1))


def _read(path: Path) -> DiffusionDNA | None:
    try:
        return dna_file.read(path) if path.exists() else None
    except ValueError as error:  # what is damaged is learned anew
        logging.warning("CoTj: %s", error)
        return None

"""The uncertainty of the guess of the lab's models, and the plans that the planner stages makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from cotj.measuring.uncertainty import variance
from cotj.planner import DiffusionDNA, FloatArray, Stages, mean_dna

from . import host
from .models import Items
from .runs import Runs
from .schedules import STAGES, Schedules, planned

SHORT_STEPS, LEVELS, DRAWS = 8, 10, 5  # as Measure DNA has them by default
CALLS = SHORT_STEPS + LEVELS * DRAWS  # of a DNA
FRESH_SEED = 4_000_000  # none that a run starts from


def uncertainty_dnas(
    runs: Runs, items: Items, levels: int = LEVELS, draws: int = DRAWS, long: bool = False
) -> list[DiffusionDNA]:
    """Measure the uncertainty for every item, as Measure DNA does. long: on the own long run's end instead."""
    subject = runs.subject
    sigmas = host.scheduler_sigmas(subject.sampling, "simple", levels)[:-1].flip(0).double().numpy()
    return [
        DiffusionDNA(sigmas, row, kind=subject.kind, shift=subject.shift, measure="uncertainty")
        for row in _variances(runs, sigmas, items, draws, long)
    ]


def stages_schedule(dnas: Sequence[DiffusionDNA], steps: int) -> Schedules:
    """Plan with the planner stages on the mean of DNAs of uncertainty, which cost what Measure DNA's defaults do."""
    return Schedules(STAGES, (planned(mean_dna(dnas), steps, Stages()),), len(dnas) * CALLS)


@torch.inference_mode()
def _variances(runs: Runs, sigmas: FloatArray, items: Items, draws: int, long: bool) -> FloatArray:
    """Measure (items, n) variances of the guess over fresh noises."""
    subject = runs.subject
    keys = runs.keys(f"variances of {draws} draws, long {long}, at {sigmas.tobytes().hex()}", items)
    known = runs.store.read(keys)
    missing = [i for i, value in enumerate(known) if value is None]
    short = host.scheduler_sigmas(subject.sampling, "simple", SHORT_STEPS)
    for begin in range(0, len(missing), subject.batch):
        rows = missing[begin : begin + subject.batch]
        part = items[rows]
        noises = [subject.noise(replace(part, seeds=(FRESH_SEED + draw,) * len(part))) for draw in range(draws)]
        clean = runs.reference("own", part) if long else runs.final("euler", short, part)
        denoise, clean = subject.denoiser(part), clean.to(noises[0].dtype)
        found = []
        for sigma in torch.from_numpy(sigmas).float():
            states = (subject.sampling.noise_scaling(sigma, noise.clone(), clean) for noise in noises)
            found.append(variance(denoise(x, float(sigma)) for x in states).flatten(1).mean(1).numpy())
        runs.calls += draws * len(sigmas) * len(part)
        values = np.stack(found, 1)
        runs.store.write([keys[row] for row in rows], list(values))
        for row, value in zip(rows, values):
            known[row] = value
    return np.stack([value for value in known if value is not None])

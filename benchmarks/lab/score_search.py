"""A search by scores on a subject's calibration prompts: its images are judged by an automatic checker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from cotj.planner.score_search import ScoredTrial, ScoreSearch
from torch import Tensor

from . import host
from .models import Items
from .runs import FloatArray, Runs
from .task_scores import CLAIMS, TaskScores

NAME = "search by score"
CALLS = 200  # of a search, for each prompt, as one by distance has beside its long runs; its check comes on top
SEEDS = 4  # of every prompt to search on, and as many to check on
APART = 10_000  # from a seed of a prompt to the next
FORMAT = 2  # of what is kept; to be raised where a search goes another way


def key_of(runs: Runs, steps: int, known: Mapping[str, Sequence[float]]) -> str:
    """Tell searches apart by what they start from and spend. known: see `found_by_score`."""
    digest = hashlib.blake2b(digest_size=8)
    for times in _candidates(runs, steps, known).values():
        digest.update(times.tobytes())
    searched = f"{SEEDS} seeds of {runs.subject.calibration}, {digest.hexdigest()}"
    return f"{NAME} {FORMAT}, {steps} steps, {CALLS} calls, {searched}"


def found_by_score(runs: Runs, steps: int, known: Mapping[str, Sequence[float]]) -> Tensor:
    """Find the sigmas of Euler whose images have the largest share of claims right, or read them where they were kept.

    known: sigmas by name that compete beside the usual candidates, as a stored search by distance does in the node.
    ValueError where the calls do not allow for the first round.
    """
    keys = runs.keys(key_of(runs, steps, known), runs.subject.calibration[:1])
    (found,) = runs.store.read(keys)
    if found is None:
        found = runs.sigmas(_searched(runs, steps, known).taken.times).double().numpy()
        runs.store.write(keys, [found])
    return torch.from_numpy(found.copy()).float()


def _searched(runs: Runs, steps: int, known: Mapping[str, Sequence[float]]) -> ScoreSearch:
    prompts = runs.subject.calibration
    trials = [ScoredTrial(name, times) for name, times in _candidates(runs, steps, known).items()]
    count = SEEDS * len(prompts)
    search = ScoreSearch(trials, count, count, CALLS * len(prompts) // steps)
    seeds = tuple(seed + APART * number for number in range(2 * SEEDS) for seed in prompts.seeds)
    pairs = Items(prompts.prompts * (2 * SEEDS), seeds)
    for asked in search.rounds():
        for trial in dict.fromkeys(trial for trial, _ in asked):
            rows = [pair for one, pair in asked if one is trial]
            for pair, score in zip(rows, _scores(runs, trial, pairs[rows])):
                trial.scores[pair] = float(score)
    if search.best is None:
        raise ValueError(f"{CALLS} calls a prompt are too few for {len(trials)} candidates of {steps} steps")
    return search


def _scores(runs: Runs, trial: ScoredTrial, items: Items) -> FloatArray:
    """Give the (items,) shares of claims that hold, which tell more of an image than whether all of them do."""
    sigmas = runs.sigmas(trial.times)
    key = f"euler {sigmas.numpy().astype(np.float32).tobytes().hex()}"
    found = TaskScores(runs, items).measure(key, lambda part: runs.final("euler", sigmas, part))
    claims = found[:, [number for number, claim in enumerate(CLAIMS) if claim != "everything"]]
    return np.asarray(np.nanmean(claims, axis=1))


def _candidates(runs: Runs, steps: int, known: Mapping[str, Sequence[float]]) -> dict[str, FloatArray]:
    return host.candidates(runs.subject.sampling, steps, "euler", None, known)

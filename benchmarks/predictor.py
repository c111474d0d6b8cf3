"""Predicted DNAs against measured ones on held-out prompts of the demo model, and what their plans lose by it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from cotj.demo.models import PREDICTOR, WEIGHTS
from cotj.demo.training.dna import GRID, denoiser, error, euler, measure, pooled, run_noise
from cotj.demo.training.mmdit import MMDiT, from_host_state_dict
from cotj.demo.training.sample import SHIFT, flow_times
from cotj.demo.training.scenes import random_scene
from cotj.demo.training.text import Captions
from cotj.demo.training.train_predictor import demo_pairs
from cotj.planner import DiffusionDNA, FloatArray, TimeShift, plan_fixed
from cotj.predictor import Predictor, files
from cotj.predictor.scores import log_errors, scores
from cotj.predictor.train import Settings, train
from safetensors.torch import load_file
from torch import Tensor

from .lab.arguments import at_least
from .lab.timing import median_ms

BUDGETS = (6, 8, 10)
FIRST_SEED = 1_000_000  # none that the training set was measured with


@dataclass(frozen=True)
class HeldOut:
    """A prompt that neither the model nor a predictor was trained on. errors: (seeds, n), of one run each."""

    context: Tensor
    noise: Tensor
    reference: Tensor
    errors: FloatArray


def captions(count: int) -> list[str]:
    rng = np.random.default_rng(1)
    found: dict[str, None] = {}
    while len(found) < count:
        found[random_scene(rng, held_out=True).caption] = None
    return list(found)


def measure_all(model: MMDiT, contexts: Tensor, empty: Tensor, seeds: int) -> list[HeldOut]:
    """Measure every prompt with seeds of its own."""
    found: list[HeldOut] = []
    started = time.monotonic()
    for context in contexts:
        first = FIRST_SEED + len(found) * seeds
        noise = run_noise(list(range(first, first + seeds)))
        errors, reference = measure(denoiser(model, context.expand(seeds, -1, -1), empty), noise)
        found.append(HeldOut(context, noise, reference, errors))
        left = (time.monotonic() - started) / len(found) * (len(contexts) - len(found)) / 60
        if len(found) % 8 == 0:
            print(f"  measured {len(found)} of {len(contexts)} prompts, {left:.0f} min left", flush=True)
    return found


@torch.inference_mode()
def final_error(model: MMDiT, prompt: HeldOut, empty: Tensor, sigmas: list[float]) -> float:
    """Return how far from the references a schedule ends, the mean over the prompt's seeds."""
    denoise = denoiser(model, prompt.context.expand(len(prompt.noise), -1, -1), empty)
    return float(error(euler(denoise, prompt.noise, sigmas), prompt.reference).mean())


def as_dna(errors: FloatArray) -> DiffusionDNA:
    return DiffusionDNA(GRID, errors, shift=TimeShift("static", SHIFT))


def predict(predictor: Predictor, embeddings: Tensor) -> FloatArray:
    return predictor.errors(predictor.network(embeddings))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks predictor", description=__doc__)
    parser.add_argument("--prompts", type=at_least(1), default=64)
    parser.add_argument("--seeds", type=at_least(2), default=4, help="runs per prompt; its DNA is their mean")
    args = parser.parse_args(argv)

    pairs = demo_pairs()
    ours = files.read(PREDICTOR)
    paper, _ = train(pairs, Settings(objective="cosine (paper)"))
    model = from_host_state_dict(load_file(WEIGHTS)).requires_grad_(False)
    encode = Captions()
    empty, contexts = encode([""]), encode(captions(args.prompts))
    prompts = measure_all(model, contexts, empty, args.seeds)
    measured = np.stack([prompt.errors.mean(0) for prompt in prompts])
    log_mean = log_errors(pairs.errors).mean(0)
    embeddings = pooled(contexts)
    guesses = {
        "mean DNA": np.broadcast_to(pairs.errors.mean(0), measured.shape),
        "paper's predictor": predict(paper, embeddings),
        "this predictor": predict(ours, embeddings),
    }

    def planned(dnas: list[DiffusionDNA], row: int, steps: int) -> list[float]:
        return plan_fixed(dnas[row], steps).sigmas.tolist()

    schedules: dict[str, Callable[[int, int], list[float]]] = {
        "simple schedule": lambda row, steps: flow_times(steps).tolist()
    }
    for name, errors in {"measured DNA": measured, **guesses}.items():
        schedules[name] = partial(planned, [as_dna(row) for row in errors])
    reached = {
        name: np.array([[final_error(model, prompt, empty, schedule(row, steps)) for steps in BUDGETS]
                        for row, prompt in enumerate(prompts)])
        for name, schedule in schedules.items()
    }  # fmt: skip

    print(f"\n{args.prompts} held-out prompts, {args.seeds} runs each; {len(pairs)} DNAs to learn from\n")
    print(f"{'':<20}cosine mean  median  explained   regret at " + "".join(f"{steps:>14}" for steps in BUDGETS))
    for name, ends in reached.items():
        figures = " " * 32
        if name in guesses:
            found = scores(guesses[name], measured, log_mean)
            figures = f"{found.cosine_mean:11.4f}{found.cosine_median:8.4f}{found.explained:11.0%}  "
        print(f"{name:<20}{figures}            " + "".join(map(cell, ends.T, reached["measured DNA"].T)))
    noise = seed_noise(prompts)
    one = denoiser(model, contexts[:1], empty)
    prediction, guided_call = (
        median_ms(call, 50) for call in (lambda: ours.predict(embeddings[:1]), lambda: one(run_noise([0]), 1.0))
    )
    print(
        "\nregret: final error of the schedule over that of the plan from the measured DNA, as the ratio of their means"
        "\nover prompts and, after the slash, the geometric mean of the ratios."
        f"\nOne run's DNA against the mean of the prompt's others: cosine mean {noise:.4f}."
        f"\nProcessor time: a prediction {prediction:.2f} ms, a guided call of the demo model {guided_call:.1f} ms."
    )


def cell(ends: FloatArray, of_measured: FloatArray) -> str:
    return f"{ends.mean() / of_measured.mean():8.3f}/{np.exp(np.log(ends / of_measured).mean()):.3f}"


def seed_noise(prompts: list[HeldOut]) -> float:
    """Return how alike one prompt's runs are: no prediction from the prompt alone can be closer to a single run."""
    cosines = []
    for prompt in prompts:
        for row, errors in enumerate(prompt.errors):
            rest = np.delete(prompt.errors, row, 0).mean(0)
            cosines.append(errors @ rest / np.linalg.norm(errors) / np.linalg.norm(rest))
    return float(np.mean(cosines))

"""Train the demo model: rectified flow on procedural images. Resumable, on a CPU or a GPU.

    python demo train --run RUN --steps 12000

The learning rate is constant after a warm-up and falls linearly over the last third of --steps, so a run that is
resumed with more steps goes on as if it had been planned so. Ctrl-C keeps the last checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from .evaluate import scores
from .mmdit import MMDiT, host_state_dict
from .render import render
from .scenes import random_scene
from .text import Captions

CAPTION_DROPOUT = 0.1  # trains the empty prompt that guidance steers away from
WARM_UP = 200
DECAY_SHARE = 1 / 3
EMA_HORIZON = 400  # steps
CHECKPOINT_EVERY = 250
SCORE_EVERY = 1000


def batch(captions: Captions, size: int, seed: int, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw images in -1..1 (B, 3, H, W), contexts (B, L, W), flow times (B,): a function of seed and step alone."""
    rng = np.random.default_rng((seed, step))
    scenes = [random_scene(rng) for _ in range(size)]
    images = torch.from_numpy(np.stack([render(scene, rng) for scene in scenes])).permute(0, 3, 1, 2).float() * 2 - 1
    words = ["" if rng.random() < CAPTION_DROPOUT else scene.caption for scene in scenes]
    # Logit-normal, a little towards noise, where the layout is decided; a tenth uniform, to cover both ends.
    times = np.where(rng.random(size) < 0.1, rng.random(size), 1 / (1 + np.exp(-rng.normal(0.4, 1.1, size))))
    return images, captions(words), torch.from_numpy(times).float()


def rate(step: int, steps: int, warm_up: int = WARM_UP, decay_share: float = DECAY_SHARE) -> float:
    """Return the learning rate's factor: warm-up, constant, linear fall."""
    return min(1.0, (step + 1) / warm_up, (steps - step) / (decay_share * steps))


def optimisers(model: MMDiT, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Make Muon for the matrices inside the blocks, AdamW for everything else."""
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, parameter in model.named_parameters():
        inside = name.startswith("joint_blocks") and parameter.ndim == 2 and "adaLN" not in name
        (matrices if inside else rest).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=learning_rate, weight_decay=0.0, betas=(0.9, 0.98)),
    ]


def save(path: Path, state: dict) -> None:
    """Write atomically, so that an interrupted run resumes from a whole file."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint and the results")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch likes")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    captions = Captions()
    model = MMDiT().to(device)
    average = copy.deepcopy(model).requires_grad_(False)
    steppers = optimisers(model, args.rate)
    args.run.mkdir(parents=True, exist_ok=True)
    checkpoint, first = args.run / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        for stepper, kept in zip(steppers, state["optimisers"]):
            stepper.load_state_dict(kept)
        first = state["step"]
        print(f"resumed at step {first}", flush=True)
    compiled = torch.compile(model)

    started, seen, losses = time.monotonic(), 0, []
    for step in range(first, args.steps):
        images, contexts, t = (part.to(device) for part in batch(captions, args.batch, args.seed, step))
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(step)).to(device)
        x = t[:, None, None, None] * noise + (1 - t)[:, None, None, None] * images
        with torch.autocast(device, torch.bfloat16):
            loss = (compiled(x, t, contexts) - (noise - images)).square().mean()
        loss.backward()
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = args.rate * rate(step, args.steps)
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        with torch.no_grad():
            keep = 1 - 1 / min(EMA_HORIZON, step + 1)
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)
        losses.append(loss.item())
        seen += args.batch
        done = step + 1
        if done % 50 == 0:
            speed = seen / (time.monotonic() - started)
            left = (args.steps - done) * args.batch / speed / 60
            print(f"step {done}  loss {np.mean(losses):.4f}  {speed:.0f} images/s  {left:.0f} min left", flush=True)
            losses = []
        if done % CHECKPOINT_EVERY == 0 or done == args.steps:
            kept = [stepper.state_dict() for stepper in steppers]
            state = {"model": model.state_dict(), "average": average.state_dict(), "optimisers": kept, "step": done}
            save(checkpoint, state)
            save_file(host_state_dict(average), args.run / "model.safetensors")
        if done % SCORE_EVERY == 0 or done == args.steps:
            found = scores(average, captions, 128)
            print("  ".join(f"{aspect} {share:.2f}" for aspect, (share, _) in found.items()), flush=True)

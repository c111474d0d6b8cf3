"""Train the decoder of the demo model, which draws its latents as pictures eight times as large. Resumable."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from ...demo_model.vae import DECODER
from .decoder import PIXELS, Decoder
from .render import render
from .scenes import random_scene
from .train import rate, save

# What a model samples is not as clean as what is drawn, so that at most so much is done to the latents:
NOISE = 0.03  # added, in latents
BEND = 0.15  # of edges, in the pixels of latents
CHECKPOINT_EVERY = 50
WARM_UP = 30
DECAY_SHARE = 0.5  # of all steps, over which the rate falls


def batch(size: int, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """Draw latents in -1..1 (B, 3, H, W), and their pictures in 0..1 (B, 3, 8 H, 8 W): by seed and step alone."""
    rng = np.random.default_rng((seed, step))
    small, large = [], []
    for _ in range(size):
        scene, drawing = random_scene(rng), rng.integers(2**32)
        small.append(render(scene, np.random.default_rng(drawing)))
        large.append(render(scene, np.random.default_rng(drawing), PIXELS))
    latents, pictures = (torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() for found in (small, large))
    noise, bend = (rng.uniform(0, most, (size, 1, 1, 1)) for most in (NOISE, BEND))
    noise = torch.from_numpy(noise * rng.standard_normal(latents.shape)).float()
    bend = torch.from_numpy(bend * rng.standard_normal((size, *latents.shape[2:], 2))).float()
    return bent(latents * 2 - 1, bend) + noise, pictures


def bent(latents: Tensor, offsets: Tensor) -> Tensor:
    """Move what latents (B, C, H, W) show by offsets (B, H, W, 2) in pixels, x before y."""
    height, width = latents.shape[2:]
    still = F.affine_grid(torch.eye(2, 3).expand(len(latents), 2, 3), list(latents.shape), align_corners=False)
    moved = still + offsets * torch.tensor([2 / width, 2 / height])
    return F.grid_sample(latents, moved, padding_mode="border", align_corners=False)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train-decoder", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint and the result")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    decoder = Decoder().to(memory_format=torch.channels_last)
    print(f"{sum(values.numel() for values in decoder.parameters()):,} weights", flush=True)
    stepper = torch.optim.AdamW(decoder.parameters(), args.rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        stepper, partial(rate, steps=args.steps, warm_up=WARM_UP, decay_share=DECAY_SHARE)
    )
    args.run.mkdir(parents=True, exist_ok=True)
    checkpoint, first = args.run / "decoder.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        decoder.load_state_dict(state["decoder"])
        stepper.load_state_dict(state["stepper"])
        schedule.load_state_dict(state["schedule"])
        first = state["step"]
    began, losses = time.monotonic(), []
    for step in range(first, args.steps):
        latents, pictures = batch(args.batch, 0, step)
        with torch.autocast("cpu", torch.bfloat16):
            found = decoder(latents.contiguous(memory_format=torch.channels_last))
        loss = (found.float() - pictures).abs().mean()
        loss.backward()
        stepper.step()
        schedule.step()
        stepper.zero_grad(set_to_none=True)
        losses.append(loss.item())
        done = step + 1
        if done % CHECKPOINT_EVERY == 0 or done == args.steps:
            left = (args.steps - done) * (time.monotonic() - began) / (done - first) / 60
            print(f"step {done}  error {np.mean(losses):.4f}  {left:.0f} min left", flush=True)
            losses = []
            kept = {"stepper": stepper.state_dict(), "schedule": schedule.state_dict(), "step": done}
            save(checkpoint, {"decoder": decoder.state_dict(), **kept})
            save_file(decoder.file_state(), args.run / DECODER.name)

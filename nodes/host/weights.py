"""Fingerprints of a model's weights: of the checkpoint without patches, and of the patches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher

VECTORS = 16  # of which the first value is read
ROWS, COLUMNS = 4, 4  # that are read of each matrix


def checkpoint(model: ModelPatcher) -> str:
    """Tell checkpoints of one architecture apart by some of their biases and norms, whatever LoRA is on.

    What is merged into a checkpoint often leaves these alone: `matrices` tells that.
    """
    vectors = [(name, value) for name, value in _parameters(model) if value.ndim == 1 and len(value)]
    digest = hashlib.sha256()
    for name, value in vectors[:: max(1, len(vectors) // VECTORS)]:
        digest.update(f"{name} {float(value[0])}".encode())
    return digest.hexdigest()[:16]


def matrices(model: ModelPatcher) -> str:
    """Tell checkpoints apart by some values of each of their matrices, whatever LoRA is on.

    All are read, since a LoRA that was merged into a checkpoint may be for a few of them.
    """
    digest = hashlib.sha256()
    for name, value in _parameters(model):
        stored = getattr(value, "_qdata", value)  # of a quantised one, which would be made whole to be read
        if stored.ndim < 2 or not stored.numel():
            continue
        apart = max(1, len(stored) // ROWS)
        # A view, since a matrix may be large. Its rows are spread: queries, keys and values are often one matrix.
        some = stored.detach()[(slice(apart // 2, None, apart), *[slice(1)] * (stored.ndim - 2), slice(COLUMNS))]
        digest.update(f"{name} {some.cpu().float().flatten().tolist()}".encode())
    return digest.hexdigest()[:16]


def _parameters(model: ModelPatcher) -> Iterator[tuple[str, torch.Tensor]]:
    """List the parameters of a model as its checkpoint has them: without the patches that are in place."""
    for name, value in model.model.named_parameters():
        if name in model.backup:
            value = model.backup[name].weight
        elif name in model.hook_backup:
            value = model.hook_backup[name][0]
        if not value.is_meta:
            yield name, value


def weight_patches(model: ModelPatcher) -> str | None:
    """Tell sets of LoRAs and other weight patches apart by keys, strengths and some values; None for none."""
    if not model.patches:
        return None
    digest = hashlib.sha256()
    for key in sorted(model.patches):
        for strength, patch, strength_model, *_ in model.patches[key]:
            values = [
                (tuple(weight.shape), *(float(weight[(place,) * weight.ndim]) for place in (0, -1)))
                for weight in _tensors(patch)
                if weight.numel()
            ]
            digest.update(f"{key} {strength} {strength_model} {values}".encode())
    return digest.hexdigest()[:16]


def _tensors(patch: Any) -> Iterator[torch.Tensor]:
    """List all tensors of a weight patch: the host keeps them in an adapter, or in tuples of tuples."""
    inner = getattr(patch, "weights", patch)
    if isinstance(inner, torch.Tensor):
        yield inner
    elif isinstance(inner, list | tuple):
        for one in inner:
            yield from _tensors(one)

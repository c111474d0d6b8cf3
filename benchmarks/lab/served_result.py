"""What goes into a result file of somebody's server besides the figures, and how many model calls it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cotj.harness.client import ComfyClient
from cotj.nodes import __version__

from .runs import GRID_POINTS
from .served_prompt import asked_prompt
from .uncertainty import CALLS as UNCERTAINTY_CALLS
from .workflow import ServedModel


def expected_calls(
    served: ServedModel, schedulers: Sequence[str], samplers: Sequence[str], steps: Sequence[int]
) -> int:
    """Count the calls of the guided model that a measurement takes at most, where the server refuses no schedule."""
    of_dna = served.reference_steps + GRID_POINTS
    calibration = len(served.calibration) * (of_dna + UNCERTAINTY_CALLS)
    prompt = of_dna + served.reference_steps + served.converged_steps + served.converged_steps // 2
    searches = 0
    for sampler in samplers:
        for count in steps:
            asked = asked_prompt(served, schedulers, sampler, count, served.test[0], 0, set(), False)
            prompt += count * len(asked.wanted) * len(served.references)
            searches += served.search_calls(sampler, count) if served.budget else 0
    return calibration + searches + prompt * len(served.test)


def versions(client: ComfyClient) -> dict[str, str]:
    """Name what the server runs on: ComfyUI, PyTorch, the device; and this pack."""
    stats = client.system_stats()
    system, devices = stats["system"], stats["devices"]
    return {
        "pack": __version__,
        "comfyui": system["comfyui_version"],
        "pytorch": system["pytorch_version"],
        "device": devices[0]["name"] if devices else "cpu",
    }


def about(
    models: Sequence[tuple[ServedModel, Mapping[str, Any]]], on: Mapping[str, str], made: str, with_prompts: bool
) -> dict[str, Any]:
    """Describe a measurement for those who did not make it.

    models: at every guidance, each with what the server says of it, its fingerprint among that. on: see `versions`.
    made: the day. with_prompts: whether the prompts go with it; otherwise only how many there were.
    """
    served, fingerprint = models[0]
    prompts = {"calibration": served.calibration, "held_out": served.test}
    return {
        "made": made,
        "versions": dict(on),
        "model": served.model.name,
        "fingerprint": dict(fingerprint),
        "settings": {
            "guidance": [one.guidance for one, _ in models],
            "size": list(served.model.size),
            "frames": served.model.frames,
            "reference_steps": served.reference_steps,
            "converged_steps": served.converged_steps,
            "objective": served.objective,
            "budget": served.budget,
            **{f"{name}_prompts": len(texts) for name, texts in prompts.items()},
        },
    } | ({"prompts": {name: list(texts) for name, texts in prompts.items()}} if with_prompts else {})

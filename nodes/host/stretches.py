"""The stretches of a run: in each the same ranges of conditions and the same keyframes of hooks are active."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import comfy.samplers
import torch


def stretches(guider: comfy.samplers.CFGGuider, sigmas: torch.Tensor) -> list[int]:
    """Number the stretch that each of a run's N steps belongs to: (N,), ascending.

    In a stretch the same conditions, ControlNets and hooks are active. To be called while the guider runs, when the
    host has made noise levels of all ranges.
    """
    conditions = list(itertools.chain.from_iterable(guider.conds.values()))
    starts, ends = (sorted(set(edges)) for edges in zip(*_ranges(conditions), strict=True))
    keyframes = [_keyframe_at_each(group, sigmas) for group in _keyframe_groups(conditions)]
    states = []
    for step, sigma in enumerate(sigmas[:-1].tolist()):
        # This compares as the host does: at its very edge a condition is active.
        begun, ended = sum(sigma <= start for start in starts), sum(sigma < end for end in ends)
        states.append((begun, ended, *(active[step] for active in keyframes)))
    return list(itertools.accumulate((a != b for a, b in itertools.pairwise(states)), initial=0))


def counts_steps(guider: comfy.samplers.CFGGuider) -> bool:
    """Tell whether a hook's keyframe is to last for several steps, which the host counts by calls of the model."""
    groups = _keyframe_groups(itertools.chain.from_iterable(guider.conds.values()))
    return any(keyframe.guarantee_steps > 1 for group in groups for keyframe in group.keyframes)


def _ranges(conditions: Sequence[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """List the first and last noise level of whatever has a range, and one range that has no edge."""
    yield float("inf"), float("-inf")
    for condition in conditions:
        yield float(condition.get("timestep_start", "inf")), float(condition.get("timestep_end", "-inf"))
        net = condition.get("control")
        while net is not None:
            if net.timestep_range is not None:
                yield float(net.timestep_range[0]), float(net.timestep_range[1])
            net = net.previous_controlnet


def _keyframe_groups(conditions: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> list[Any]:
    hooks = [condition["hooks"].hooks for condition in conditions if condition.get("hooks") is not None]
    return [hook.hook_keyframe for hook in itertools.chain.from_iterable(hooks)]


def _keyframe_at_each(group: Any, sigmas: torch.Tensor) -> list[int]:
    """List which keyframe the host would have active in each step of a run that computes all."""
    rehearsal = group.clone()
    options = {"sample_sigmas": sigmas}
    active = []
    for sigma in sigmas[:-1]:
        rehearsal.prepare_current_keyframe(sigma, options)
        active.append(rehearsal._current_index)
    return active

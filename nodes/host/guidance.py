"""What steers a run besides the model: scales, functions that change them, hooks, patches and ControlNets."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import comfy.samplers
from comfy.model_patcher import ModelPatcher

from .conditions import conditions_of
from .fingerprint import Fingerprint
from .steering import hooks_of, patches_of
from .weights import matrices

FUNCTIONS = ("sampler_cfg_function", "sampler_pre_cfg_function", "sampler_post_cfg_function")  # of model_options


def describe_guidance(guider: comfy.samplers.CFGGuider) -> dict[str, Any]:
    """Describe the guidance of a guider: its scales, what each conditioning carries, and what else steers it.

    "hooks", "conditions": what is on conditionings besides the prompt, where anything is. "functions", "patches": see
    `describe_options`.
    """
    guidance: dict[str, Any] = {
        name: float(value) for name, value in vars(guider).items() if isinstance(value, (int, float))
    }
    for name, conditions in guider.original_conds.items():  # distilled guidance, as FluxGuidance puts it there
        if carried := sorted({float(condition["guidance"]) for condition in conditions if "guidance" in condition}):
            guidance[name] = carried[0] if len(carried) == 1 else carried
    if hooks := hooks_of(guider).described:
        guidance["hooks"] = hooks
    if conditions := conditions_of(guider):
        guidance["conditions"] = conditions
    return guidance | describe_options(guider.model_patcher)


def describe_options(model: ModelPatcher) -> dict[str, list[str]]:
    """Describe what nodes have put on a model: "functions" around the guidance, and other "patches", where any."""
    found = {"functions": sorted(_functions(model.model_options)), "patches": patches_of(model).described}
    return {name: described for name, described in found.items() if described}


def controlnets(guider: comfy.samplers.CFGGuider) -> Iterator[Any]:
    """List the ControlNets of all conditionings, those behind others too."""
    for condition in itertools.chain.from_iterable(guider.original_conds.values()):
        net = condition.get("control")
        while net is not None:
            yield net
            net = net.previous_controlnet


def describe_controlnet(net: Any) -> str:
    """Describe a ControlNet by class, weights, strength and range."""
    begin, end = net.timestep_percent_range
    return f"{type(net).__name__} {_weights_of(net)} at {net.strength:g} from {begin:g} to {end:g}"


def _weights_of(net: Any) -> Fingerprint:
    """Tell ControlNets of one class apart; one for many tasks also by its task."""
    held = vars(net)
    weights, patcher = held.get("control_weights"), held.get("control_model_wrapped")
    if weights is None and patcher is not None:  # one with weights of its own is given a model only while it runs
        weights = matrices(patcher)
    return Fingerprint(weights, held.get("extra_args", {}).get("control_type"))


def _functions(model_options: dict[str, Any]) -> Iterator[str]:
    """List the functions that nodes such as RescaleCFG put around the guidance, with their numbers."""
    for name in FUNCTIONS:
        found = model_options.get(name) or []
        yield from (_described(function) for function in (found if isinstance(found, list) else [found]))


def _described(function: Callable[..., Any]) -> str:
    """Describe a function that a node made, by its name and the numbers in its closure."""
    if not isinstance(function, FunctionType):
        return type(function).__name__
    held = dict(_closure(function))
    inner = [value for value in held.values() if callable(value)]
    if inner and "<lambda>" in function.__qualname__:  # which the host itself puts around one of three arguments
        return _described(inner[0])
    numbers = [f"{name} {float(value):g}" for name, value in held.items() if isinstance(value, (int, float))]
    name = function.__qualname__.split(".")[0]
    return f"{name} ({', '.join(numbers)})" if numbers else name


def _closure(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        with contextlib.suppress(ValueError):  # of a variable that is not bound yet
            yield name, cell.cell_contents

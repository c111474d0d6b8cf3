"""What steers a run besides the model: scales, functions that change them, and ControlNets."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import comfy.samplers

CFG_NAMES = ("cfg", "cfg1", "cfg2")  # of all guiders of the host; DualCFGGuider weighs two pairs of prompts
FUNCTIONS = ("sampler_cfg_function", "sampler_pre_cfg_function", "sampler_post_cfg_function")  # of model_options


def describe_guidance(guider: comfy.samplers.CFGGuider) -> dict[str, Any]:
    """The guider's own scales; by the name of a conditioning the guidance that it carries; "functions", where any."""
    guidance: dict[str, Any] = {name: float(value) for name, value in vars(guider).items() if name in CFG_NAMES}
    for name, conditions in guider.original_conds.items():  # distilled guidance, as FluxGuidance puts it there
        if carried := sorted({float(condition["guidance"]) for condition in conditions if "guidance" in condition}):
            guidance[name] = carried[0] if len(carried) == 1 else carried
    if functions := sorted(_functions(guider.model_options)):
        guidance["functions"] = functions
    return guidance


def controlnets(guider: comfy.samplers.CFGGuider) -> Iterator[Any]:
    """The ControlNets of all conditionings, those behind others too."""
    for condition in itertools.chain.from_iterable(guider.original_conds.values()):
        net = condition.get("control")
        while net is not None:
            yield net
            net = net.previous_controlnet


def describe_controlnet(net: Any) -> str:
    begin, end = net.timestep_percent_range
    return f"{type(net).__name__} at {net.strength:g} from {begin:g} to {end:g}"


def _functions(model_options: dict[str, Any]) -> Iterator[str]:
    """Those that nodes such as RescaleCFG put around the guidance, with the numbers that they were given."""
    for name in FUNCTIONS:
        found = model_options.get(name) or []
        yield from (_described(function) for function in (found if isinstance(found, list) else [found]))


def _described(function: Callable[..., Any]) -> str:
    """Functions made inside of a node hold what they were given in their closure, or another function."""
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

"""What the host's samplers do with a planned schedule, as `python benchmarks samplers` measures it. Needs no host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..noise_levels import Kind
from ..texts import say
from .formulas import solver_of

Step = Literal["euler", "ancestral", "own"]


@dataclass(frozen=True)
class Behaviour:
    """How a sampler runs a schedule of N steps.

    flow, ve: its step on either kind of model: Euler's, Euler's down to `to^2 / sigma` and up again with new noise
        ("ancestral"), or one of its own.
    calls: (a, b) for `a N + b` calls of the guided model; None where it decides that itself.
    memory: whether a step depends on more than the state that it starts from, as multistep samplers' do.
    noise: whether it adds noise, so that two seeds part from the same first noise.
    between: whether it calls the model at noise levels that are not in the schedule.
    skips: whether it leaves out some that are. drops: whether KSampler leaves out the last one before 0 for it.
    """

    flow: Step = "own"
    ve: Step = "own"
    calls: tuple[int, int] | None = (1, 0)
    memory: bool = False
    noise: bool = False
    between: bool = False
    skips: bool = False
    drops: bool = False


_MULTISTEP = Behaviour(memory=True)
_MULTISTEP_SDE = Behaviour(memory=True, noise=True)
_TWO_CALLS = Behaviour(calls=(2, -1))
_TWO_CALLS_SDE = Behaviour(calls=(2, -1), noise=True)
_BETWEEN_SDE = Behaviour(calls=(2, -1), noise=True, between=True)
_UNI_PC = Behaviour(memory=True, drops=True)

SAMPLERS: dict[str, Behaviour] = {
    "euler": Behaviour("euler", "euler"),
    "ddim": Behaviour("euler", "euler"),
    "euler_ancestral": Behaviour("ancestral", "ancestral", noise=True),
    "ddpm": Behaviour("own", "ancestral", noise=True),
    "euler_cfg_pp": Behaviour(),
    "euler_ancestral_cfg_pp": Behaviour(noise=True),
    "lcm": Behaviour(noise=True),
    "lms": _MULTISTEP,
    "dpmpp_2m": _MULTISTEP,
    "dpmpp_2m_cfg_pp": _MULTISTEP,
    "ipndm": _MULTISTEP,
    "ipndm_v": _MULTISTEP,
    "deis": _MULTISTEP,
    "res_multistep": _MULTISTEP,
    "res_multistep_cfg_pp": _MULTISTEP,
    "gradient_estimation": _MULTISTEP,
    "gradient_estimation_cfg_pp": _MULTISTEP,
    "uni_pc": _UNI_PC,
    "uni_pc_bh2": _UNI_PC,
    "dpmpp_2m_sde": _MULTISTEP_SDE,
    "dpmpp_2m_sde_gpu": _MULTISTEP_SDE,
    "dpmpp_2m_sde_heun": _MULTISTEP_SDE,
    "dpmpp_2m_sde_heun_gpu": _MULTISTEP_SDE,
    "dpmpp_3m_sde": _MULTISTEP_SDE,
    "dpmpp_3m_sde_gpu": _MULTISTEP_SDE,
    "res_multistep_ancestral": _MULTISTEP_SDE,
    "res_multistep_ancestral_cfg_pp": _MULTISTEP_SDE,
    "er_sde": _MULTISTEP_SDE,
    "sa_solver": _MULTISTEP_SDE,
    "sa_solver_pece": Behaviour(calls=(2, -1), memory=True, noise=True),
    "heun": _TWO_CALLS,
    "exp_heun_2_x0": _TWO_CALLS,
    "exp_heun_2_x0_sde": _TWO_CALLS_SDE,
    "dpmpp_2s_ancestral_cfg_pp": _TWO_CALLS_SDE,
    "dpmpp_2s_ancestral": _BETWEEN_SDE,
    "dpmpp_sde": _BETWEEN_SDE,
    "dpmpp_sde_gpu": _BETWEEN_SDE,
    "seeds_2": _BETWEEN_SDE,
    "seeds_3": Behaviour(calls=(3, -2), noise=True, between=True),
    "heunpp2": Behaviour(calls=(3, -3), memory=True),
    "dpm_2": Behaviour(calls=(2, -1), between=True, drops=True),
    "dpm_2_ancestral": Behaviour(calls=(2, -1), noise=True, drops=True),
    "dpm_fast": Behaviour(memory=True, between=True, skips=True),
    "dpm_adaptive": Behaviour(calls=None, memory=True, between=True, skips=True),
}


def calls_note(sampler: str) -> str:
    """Say that a sampler's step is more than one call of the model; empty where it is one, or that is not known."""
    behaviour = SAMPLERS.get(sampler)
    if behaviour is None or behaviour.calls in ((1, 0), None):
        return ""
    return say(
        "{sampler} calls the model {formula} times in N steps: 'calls' counts the steps that call it, and not each "
        "call",
        sampler=sampler,
        formula=formula(behaviour),
    )


def is_ancestral(sampler: str, kind: Kind) -> bool:
    """Tell whether the planner's ancestral lever is what this sampler does on this kind of model."""
    behaviour = SAMPLERS.get(sampler, Behaviour())
    return (behaviour.flow if kind == "flow" else behaviour.ve) == "ancestral"


def warning(sampler: str, kind: Kind) -> str | None:
    """Say why a plan made for first-order steps is not what this sampler needs; None where it is."""
    if sampler not in SAMPLERS and solver_of(sampler) is None:
        return say("{sampler} is no sampler that was measured: the plan is made for euler", sampler=sampler)
    behaviour = SAMPLERS.get(sampler, _MULTISTEP)  # the pack's own have formulas with a memory
    if behaviour.skips:
        return say(
            "{sampler} chooses its noise levels itself: of the plan it keeps only the first and the last",
            sampler=sampler,
        )
    if steps_as_euler(sampler, kind):
        return None
    if behaviour.calls != (1, 0):
        return say(
            "{sampler} calls the model {formula} times in N steps, and its steps are more accurate than those that the "
            "plan is made for: compare with the default schedule at as many calls",
            sampler=sampler,
            formula=formula(behaviour),
        )
    if behaviour.memory:
        return say(
            "{sampler} builds on earlier steps: a plan made for euler can be worse for it than the default schedule, "
            "so compare the two",
            sampler=sampler,
        )
    return say(
        "{sampler} steps in another way than euler, for which the plan is made: compare with the default schedule",
        sampler=sampler,
    )


def steps_as_euler(sampler: str, kind: Kind) -> bool:
    """Tell whether a host's sampler makes Euler's steps on this kind of model, or Euler's down and up again."""
    behaviour = SAMPLERS.get(sampler, _MULTISTEP)
    return (behaviour.flow if kind == "flow" else behaviour.ve) != "own"


def calls_of(sampler: str, steps: int) -> int:
    """Count the calls that a run of so many steps makes: one a step, where it is not known how many."""
    slope, rest = SAMPLERS.get(sampler, Behaviour()).calls or (1, 0)
    return max(steps, slope * steps + rest)


def formula(behaviour: Behaviour) -> str:
    """Say how many calls N steps take, as "2N - 1"; empty where that is the sampler's choice."""
    if behaviour.calls is None:
        return ""
    slope, rest = behaviour.calls
    return f"{slope if slope > 1 else ''}N" + (f" - {-rest}" if rest else "")

"""What Cache Steps decides before a run begins: which steps call the model, or why all do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch

from ...planner import DiffusionDNA
from ...planner.caching.cache_plan import CachePlan
from ...planner.caching.cache_settings import CacheSettings, plan_for
from ...planner.noise_levels import RESOLUTION
from ...planner.solvers.behaviour import SAMPLERS
from ...planner.solvers.formulas import solver_of
from ...planner.texts import say, say_count
from .identity import differences
from .learned_profile import LearnedProfile, learned_runs, profile_for
from .model import IMAGE_TO_IMAGE, levels_of_sampling, sampled_shapes
from .planned_sampler import planned_solver_of
from .sampler_behaviour import observe
from .sampler_names import sampler_name
from .steering import unknown_steering
from .stretches import counts_steps

FEWEST_TO_LEARN = 3  # steps: the last guess is the image itself, and a DNA has two noise levels or more
MAX_STEPS = 200  # of a run that is planned or learned from: the work grows with the cube of them


@dataclass(frozen=True)
class Decision:
    """What a run of a cached model does: it follows a plan, or computes all steps.

    why_whole: the reason why all steps are computed, where nothing is learned from them. plan: what the run follows.
    profile: where what is learned is kept. known: the DNA that the run is planned from, or that earlier runs have left
    to be learned on. notes: sentences to show after the run.
    """

    why_whole: str = ""
    plan: CachePlan | None = None
    profile: LearnedProfile | None = None
    known: DiffusionDNA | None = None
    notes: tuple[str, ...] = ()


def decide(
    settings: CacheSettings,
    dna: DiffusionDNA | None,
    guider: comfy.samplers.CFGGuider,
    sampler: comfy.samplers.Sampler,
    name: str,
    levels: list[float],
    noise: torch.Tensor,
    denoise_mask: torch.Tensor | None,
) -> Decision:
    """Decide which steps of a run call the model.

    name: what the sampler is planned for as. levels: (N + 1,) the run's noise levels, descending. dna: the DNA that is
    connected to Cache Steps; None to learn one.
    """
    steps = len(levels) - 1
    if settings.target_error <= 0 and settings.calls >= steps:
        known = dna or profile_for(guider, sampler, noise, levels).load()
        all_asked = say(
            "'calls' is {calls}, and the sampler has {steps}",
            calls=settings.calls,
            steps=say_count(steps, "1 step", "{number} steps"),
        )
        return Decision(all_asked, known=known)
    if why := _why_whole(guider, name, levels):
        return Decision(why)
    if dna is not None:
        return _planned(settings, dna, levels, name, differences(dna.meta, guider, {"samples": noise}))
    if settings.within_reach(name)[0].needs_no_dna:
        return _planned(settings, None, levels, name, [])
    if len(sampled_shapes(guider, noise)) > 1:
        return Decision(
            say(
                "no profile can be learned from a latent with several parts, such as video with sound. Choose steps "
                "'evenly' and rule 'hold', or connect a DNA"
            )
        )
    profile = profile_for(guider, sampler, noise, levels)
    known = profile.load()
    if known is not None and learned_runs(known) >= settings.learn_from:
        return _planned(settings, known, levels, name, unknown_steering(guider))
    if steps < FEWEST_TO_LEARN:
        return Decision(
            say(
                "from a run of fewer than {fewest} steps nothing can be learned. Choose steps 'evenly' and rule "
                "'hold', or connect a DNA",
                fewest=FEWEST_TO_LEARN,
            )
        )
    if denoise_mask is not None:
        return Decision(
            say(
                "nothing has been learned for such runs yet, and nothing can be learned from one with a noise mask. "
                "Run once without the mask, or connect a DNA"
            )
        )
    return Decision(profile=profile, known=known, notes=tuple(profile.other() if known is None else ()))


def planned_name(sampler: comfy.samplers.Sampler, model_sampling: Any) -> str:
    """Name a sampler by what its steps are planned for.

    A planned solver's are about those of its formula. At the start of its steps, a sampler that is not known here, and
    that is seen to add no noise, has about the guesses that Euler has.
    """
    if learned := planned_solver_of(sampler):
        return learned.formula
    name = sampler_name(sampler)
    if name in SAMPLERS or solver_of(name):
        return name
    observed = observe(sampler, model_sampling)
    return name if observed is None or observed.adds_noise else "euler"


def _planned(
    settings: CacheSettings, dna: DiffusionDNA | None, levels: list[float], sampler: str, notes: list[str]
) -> Decision:
    """Plan the run; notes: what else there is to say."""
    try:
        plan, said = plan_for(settings, dna, levels, sampler)
    except ValueError as error:  # a run that computes all is better than no image
        return Decision(str(error), notes=tuple(notes))
    return Decision(plan=plan, known=dna, notes=(*said, *notes))


def _why_whole(guider: comfy.samplers.CFGGuider, sampler: str, levels: list[float]) -> str:
    """Say why no step of a run may be left out; empty where some may."""
    steps = len(levels) - 1
    if sampler in SAMPLERS and SAMPLERS[sampler].skips:
        return say("the sampler {sampler} chooses its noise levels itself", sampler=sampler)
    if isinstance(guider.inner_model.model_sampling, IMAGE_TO_IMAGE):
        return say("this image-to-image model has no noise levels to plan")
    if levels_of_sampling(guider.inner_model.model_sampling).kind == "flow" and levels[0] > 1 + RESOLUTION:
        return say(
            "the run begins at noise level {level:.4g}, and a flow model has none above 1. Choose a scheduler for flow "
            "models",
            level=levels[0],
        )
    if counts_steps(guider):
        return say("a hook keyframe is guaranteed several steps, which are counted by calls of the model")
    if steps > MAX_STEPS:
        return say("more than {most} steps are too many to plan", most=MAX_STEPS)
    return ""

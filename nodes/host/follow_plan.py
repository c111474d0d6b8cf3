"""The wrapper that makes the runs of a MODEL follow a plan: it swaps the sigmas of each run, and its sampler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import comfy.samplers
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ...planner import DiffusionDNA, Kind, Plan, sigma_to_flow
from ...planner.cost_models.choose import choose_for_part
from ...planner.partial_runs import AT_TOP, cut, own_part, plan_part
from ...planner.texts import say, say_count
from ..reports.plan_notes import notes_on_steps
from .inputs import blamed_on, check_fit, input_error, part_of_schedule
from .model import noise_levels, within
from .own_runs import are_exact
from .planned_sampler import kind_fault, planned_solver_of, solver_differs
from .progress import show_text
from .run_of_plan import part_for, what_differs
from .sampler_names import sampler_name
from .wrappers import with_wrappers

KEY = "cotj_plan"
NODE = "Apply CoTj Plan to Model"


@dataclass(frozen=True)
class AppliedPlan:
    """A plan that can be put on a model, for its runs to follow.

    plan: SIGMAS, a PLAN or a DNA. node_id: the node that shows what the last run did. sampler: what runs in place of
    the run's own sampler; None to keep that.
    """

    plan: torch.Tensor | Plan | DiffusionDNA
    node_id: str
    sampler: comfy.samplers.Sampler | None = None

    def check(self, model: ModelPatcher) -> None:
        """Raise ValueError, with the node's name and a way out, where runs of this model cannot follow the plan."""
        if (solver := planned_solver_of(self.sampler)) and (fault := kind_fault(solver, model)):
            raise input_error(NODE, "sampler", fault)
        if not isinstance(self.plan, torch.Tensor):
            check_fit(NODE, "plan", self.plan if isinstance(self.plan, DiffusionDNA) else self.plan.dna, model)
        if not isinstance(self.plan, DiffusionDNA):
            part_of_schedule(NODE, "plan", self._given(model)[0], noise_levels(model).top)

    @staticmethod
    def is_on(model: ModelPatcher) -> bool:
        """Tell whether a plan is on a model."""
        return bool(model.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY))

    def attach(self, model: ModelPatcher) -> ModelPatcher:
        """Clone the model and have the clone's runs follow this plan; a plan that was on it before is taken off."""
        return with_wrappers(model, KEY, {WrappersMP.OUTER_SAMPLE: self._sample})

    def _sample(self, executor, noise, latent_image, sampler, sigmas, *rest, **named):
        """Wrap a whole run, before the host makes the first state from the first sigma."""
        # Sigmas that do not descend are no denoising: they train a model, or put noise back.
        if are_exact() or len(sigmas) < 2 or not (sigmas.diff() < 0).all():
            return executor(noise, latent_image, sampler, sigmas, *rest, **named)
        asked_for, sampler = sampler, self.sampler or sampler
        guider = executor.class_obj
        model = guider.model_patcher
        self.check(model)  # again, since what was put on the model after this node may have changed its noise levels
        planned, why = self._sigmas(model, sampler, sigmas, bool(noise.any()))
        asked = say(
            "the sampler asked for {steps} from {first:.3g} to {last:.3g}",
            steps=_steps(len(sigmas) - 1),
            first=float(sigmas[0]),
            last=float(sigmas[-1]),
        )
        if not len(planned):
            show_text(say("nothing ran: the plan is empty ({asked})", asked=asked), self.node_id)
            return latent_image
        listed = ", ".join(f"{float(sigma):.3g}" for sigma in planned)
        swapped = ""
        if sampler is not asked_for:
            swapped = say("{one} ran in place of {other}", one=_told(sampler), other=_told(asked_for))
        shapes = [list(shape) for shape in named.get("latent_shapes") or [noise.shape]]
        notes: list[str] = []
        if not isinstance(self.plan, DiffusionDNA) and noise.any() and not latent_image.any():
            notes += _starts_lower(self.plan, planned, sigmas, noise_levels(model).kind)
        if not isinstance(self.plan, torch.Tensor):
            notes += what_differs(self.plan, guider, sampler, shapes)
        of_solver = solver_differs(sampler, guider, shapes)
        ran = say("{steps} ran: {sigmas}", steps=_steps(len(planned) - 1), sigmas=listed)
        lines = (ran, asked, swapped, why, *notes, *of_solver)
        show_text("\n".join(filter(None, lines)), self.node_id)
        return executor(noise, latent_image, sampler, planned.to(sigmas), *rest, **named)

    def _given(self, model: ModelPatcher) -> tuple[torch.Tensor, str]:
        """Give the SIGMAS of the plan that are for this model, and which part of the plan they are."""
        assert not isinstance(self.plan, DiffusionDNA)
        if isinstance(self.plan, torch.Tensor):
            return self.plan, ""
        with blamed_on(NODE, "plan"):
            part = part_for(self.plan, model)
        return torch.tensor(part.sigmas, dtype=torch.float32), part.said

    def _sigmas(
        self, model: ModelPatcher, sampler: comfy.samplers.Sampler, sigmas: torch.Tensor, adds_noise: bool
    ) -> tuple[torch.Tensor, str]:
        """Give the sigmas that run in place of these, and what there is to say of how they were found."""
        first, last, steps = float(sigmas[0]), float(sigmas[-1]), len(sigmas) - 1
        way_out = say("Change the sampler's steps, denoise, start or end, or the plan")
        if isinstance(self.plan, DiffusionDNA):
            with blamed_on(NODE, "plan", way_out):
                return _planned(within(self.plan, model), sampler_name(sampler), steps, first, last)
        given, said = self._given(model)
        if not len(given):
            return given, said
        levels, moves = noise_levels(model), planned_solver_of(sampler) is None
        with blamed_on(NODE, "plan", way_out):
            part = cut(given.numpy(), first, last, levels.top, levels.kind, adds_noise, moves)
        if adds_noise and last == 0 and (left_out := len(given) - len(part)) > 0:
            told = say(
                "{left_out} of the {steps} planned steps lie above where this run starts and do not run: plan with its "
                "denoise, or connect a DNA in place of the plan",
                left_out=left_out,
                steps=len(given) - 1,
            )
            said = "\n".join(filter(None, (said, told)))
        return torch.from_numpy(part).float(), said


def _planned(dna: DiffusionDNA, sampler: str, steps: int, first: float, last: float) -> tuple[torch.Tensor, str]:
    """Plan a run of a DNA, and say how."""
    begin = float(sigma_to_flow(first, dna.kind))
    dna, planner, why = choose_for_part(dna, "auto", sampler, begin, steps)
    said = [why]
    part = plan_part(dna, steps, first, last, planner, fall_back=True)
    if np.allclose(part, own_part(dna, steps, first, last)):
        said.append(say("this is the model's own schedule: no plan is predicted to gain enough over it"))
    if last == 0 and begin > dna.flow_times[-1] - AT_TOP:
        said += notes_on_steps(dna, steps)
    return torch.from_numpy(part).float(), "\n".join(filter(None, said))


def _starts_lower(plan: torch.Tensor | Plan, planned: torch.Tensor, asked: torch.Tensor, kind: Kind) -> Iterator[str]:
    """Say where a plan starts an empty latent with less noise than the run has, unless it was planned from the top."""
    start, top = float(planned[0]), float(asked[0])
    if sigma_to_flow(start, kind) >= sigma_to_flow(top, kind) - AT_TOP:
        return
    if isinstance(plan, torch.Tensor):  # of which it is not known what they were made for
        yield say(
            "The SIGMAS start at {planned:.4g}, though this run starts with an empty latent at {asked:.4g}: check that "
            "they were made for this model.",
            planned=start,
            asked=top,
        )
    elif plan.begin < plan.dna.flow_times[-1] - AT_TOP:
        yield say(
            "The plan starts at {planned:.4g}, as for image to image, though this run starts with an empty latent at "
            "{asked:.4g}: plan with denoise 1, or connect the image's latent.",
            planned=start,
            asked=top,
        )


def _told(sampler: comfy.samplers.Sampler) -> str:
    return say("the planned solver") if planned_solver_of(sampler) else sampler_name(sampler)


def _steps(number: int) -> str:
    return say_count(number, "1 step", "{number} steps")

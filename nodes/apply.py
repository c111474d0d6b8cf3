"""The node that puts a plan on a MODEL, for samplers that make a schedule of their own."""

from __future__ import annotations

from dataclasses import dataclass

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import io

from ..planner import DiffusionDNA, Plan
from ..planner.slices import cut, plan_part
from . import host
from .exact import are_exact
from .link_types import DNA, PLAN
from .plan import check_fit
from .planning import choose_planner

NAME = "Apply CoTj Plan to Model"
KEY = "cotj_plan"


class ApplyPlan(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjApplyPlan",
            display_name=f"{NAME} (sampler's steps and scheduler are ignored)",
            category="model/sampling/schedulers",
            description="Makes every sampler that gets this model follow the plan, KSampler and KSampler (Advanced) "
            "included. Their steps and scheduler are ignored; denoise, start and end are kept.",
            search_aliases=["KSampler scheduler", "CoTj scheduler", "sigmas to KSampler", "custom sigmas KSampler"],
            inputs=[
                io.Model.Input("model", tooltip="The model that you sample with. It is not changed."),
                io.MultiType.Input(
                    "plan",
                    [io.Sigmas, PLAN, DNA],
                    display_name="SIGMAS, PLAN or DNA",
                    tooltip="What samplers shall follow. Of SIGMAS or a PLAN they run the part between their own first "
                    "and last noise level. From a DNA that part is planned as it runs, with as many steps as the "
                    "sampler has: then its steps do count, and only its scheduler is ignored.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="Connect it to KSampler, or whatever samples, in place of the model.")
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, model, plan) -> io.NodeOutput:
        if isinstance(plan, DiffusionDNA):
            check_fit(NAME, plan, model, "plan")
        else:
            # A copy: the host's UniPC writes into the sigmas that it is given.
            plan = torch.tensor(plan.sigmas, dtype=torch.float32) if isinstance(plan, Plan) else plan.clone()
            _check_sigmas(plan, float(model.get_model_object("model_sampling").sigma_max))
        return io.NodeOutput(AppliedPlan(plan, cls.hidden.unique_id).attach(model))


@dataclass(frozen=True)
class AppliedPlan:
    """What the runs of a model follow. node_id: the node that shows what the last one ran."""

    plan: torch.Tensor | DiffusionDNA
    node_id: str

    def attach(self, model: ModelPatcher) -> ModelPatcher:
        """A clone of the model that follows this plan; one that was on it before is taken off."""
        model = model.clone()
        model.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
        model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, self._sample)
        return model

    def _sample(self, executor, noise, latent_image, sampler, sigmas, *rest, **named):
        """Around a whole run, before the host makes the first state from the first sigma."""
        # What does not descend is no denoising: training, or noise that is put back.
        if are_exact() or len(sigmas) < 2 or not (sigmas.diff() < 0).all():
            return executor(noise, latent_image, sampler, sigmas, *rest, **named)
        planned, why = self._sigmas(executor.class_obj.model_patcher, sampler, sigmas, bool(noise.any()))
        asked = (
            f"the sampler asked for {_steps(len(sigmas) - 1)} from {float(sigmas[0]):.3g} to {float(sigmas[-1]):.3g}"
        )
        if not len(planned):
            host.show_text(f"nothing ran: the plan is empty ({asked})", self.node_id)
            return latent_image
        listed = ", ".join(f"{float(sigma):.3g}" for sigma in planned)
        host.show_text("\n".join(filter(None, (f"{_steps(len(planned) - 1)} ran: {listed}", asked, why))), self.node_id)
        return executor(noise, latent_image, sampler, planned.to(sigmas), *rest, **named)

    def _sigmas(
        self, model: ModelPatcher, sampler: comfy.samplers.Sampler, sigmas: torch.Tensor, adds_noise: bool
    ) -> tuple[torch.Tensor, str]:
        """What runs in place of these sigmas, and of a plan that is made for it, how."""
        model_sampling = model.get_model_object("model_sampling")
        first, last, steps = float(sigmas[0]), float(sigmas[-1]), len(sigmas) - 1
        try:
            if isinstance(self.plan, DiffusionDNA):
                planner, why = choose_planner(self.plan, "auto", _name(sampler))
                return torch.from_numpy(plan_part(self.plan, steps, first, last, planner)).float(), why
            if not len(self.plan):
                return self.plan, ""
            top, kind = float(model_sampling.sigma_max), host.noise_kind(model_sampling)
            return torch.from_numpy(cut(self.plan.numpy(), first, last, top, kind, adds_noise)).float(), ""
        except ValueError as error:
            raise ValueError(
                f"{NAME}, input 'plan': {error}. Change the sampler's steps, denoise, start or end, or the plan."
            ) from error


def _name(sampler: comfy.samplers.Sampler) -> str:
    """The host's name of a sampler, by the function that it runs."""
    function = getattr(sampler, "sampler_function", None)
    for name in comfy.samplers.SAMPLER_NAMES:
        # By its name: of some samplers the host makes a new function each time.
        if comfy.samplers.sampler_object(name).sampler_function.__name__ == getattr(function, "__name__", None):
            return name
    return "this sampler"


def _steps(number: int) -> str:
    return f"{number} step" if number == 1 else f"{number} steps"


def _check_sigmas(sigmas: torch.Tensor, top: float) -> None:
    if len(sigmas) == 1 or not (sigmas.diff() < 0).all() or (sigmas < 0).any():  # so, a NaN is refused as well
        raise ValueError(
            f"{NAME}, input 'plan': these SIGMAS do not descend from noise to an image. Connect a schedule, such as "
            "that of Plan CoTj Sigmas."
        )
    if len(sigmas) and sigmas[0] > 1.001 * top:
        raise ValueError(
            f"{NAME}, input 'plan': it starts at sigma {float(sigmas[0]):.4g}, but this model has no noise level above "
            f"{top:.4g}. Connect a plan that was made for this model."
        )


NODES = [ApplyPlan]

"""The nodes that turn a DNA into a schedule."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..planner import CoTj, DiffusionDNA, Plan, plan_adaptive, plan_fixed
from . import host
from .comparison import hold_against
from .link_types import DNA, PLAN

CATEGORY = "model/sampling/schedulers"
MAX_STEPS = 50
NAMES = {"flow": "a flow", "ve": "an eps or v"}
TOPS_AGREE = 0.01  # relative; a DNA is measured up to the model's own top


def _dna_input() -> io.Input:
    return DNA.Input("dna", display_name="DNA", tooltip="From Measure DNA, Average DNA or Load DNA.")


def _denoise_input() -> io.Input:
    return io.Float.Input(
        "denoise",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="Below 1 for image to image: the plan starts at a lower noise level and spends all its steps there. "
        "0.4 to 0.8 are useful; 0 gives empty sigmas, and the latent passes unchanged.",
    )


def _model_input() -> io.Input:
    return io.Model.Input(
        "model",
        optional=True,
        tooltip="The model that you sample with. Not needed to plan: connect it to have the DNA checked against it.",
    )


def _outputs() -> list[io.Output]:
    return [
        io.Sigmas.Output("sigmas", display_name="SIGMAS", tooltip="For SamplerCustomAdvanced, with the sampler euler."),
        io.Int.Output("steps", tooltip="Model calls of the plan, one fewer than there are sigmas."),
        PLAN.Output("plan", display_name="PLAN", tooltip="Connect it to DNA Heatmap to see the plan."),
    ]


class PlanSigmas(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjPlanSigmas",
            display_name="Plan CoTj Sigmas",
            category=CATEGORY,
            description="Plans the schedule of a given number of steps that the DNA predicts to be the most accurate.",
            search_aliases=["chain of trajectories", "CoTj scheduler", "optimal sigmas", "few steps"],
            inputs=[
                _dna_input(),
                io.Int.Input(
                    "steps",
                    default=10,
                    min=1,
                    max=MAX_STEPS,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Model calls to spend. 4 to 20 are useful; no more than the DNA has grid points.",
                ),
                _denoise_input(),
                io.Combo.Input(
                    "lever",
                    options=["flow", "schedule"],
                    default="flow",
                    advanced=True,
                    tooltip="How a step weighs the error it starts with. 'flow' is exact for every model; 'schedule' "
                    "is what the authors' code does, and needs a DNA whose time shift is known.",
                ),
                io.Combo.Input(
                    "start",
                    options=["top", "free"],
                    default="top",
                    advanced=True,
                    tooltip="'top' starts at the highest noise level, as samplers expect. 'free' may start below it, "
                    "as in the paper.",
                ),
                _model_input(),
            ],
            outputs=[*_outputs(), io.String.Output("text", tooltip="What was planned and what it saves.")],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, dna, steps, denoise, lever, start, model=None) -> io.NodeOutput:
        _check_fit("Plan CoTj Sigmas", dna, model)
        try:
            plan = plan_fixed(dna, steps, CoTj(lever), start, denoise)
        except ValueError as error:
            raise ValueError(f"Plan CoTj Sigmas: {error}. Change steps, denoise or lever, or the DNA.") from error
        text = describe(plan)
        host.show_text(text, cls.hidden.unique_id)
        return io.NodeOutput(_sigmas(plan), plan.steps, plan, text)


class AdaptiveLength(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjAdaptiveLength",
            display_name="Adaptive Length Threshold",
            category=CATEGORY,
            description="Plans as few steps as reach a share of what the longest plan would gain.",
            search_aliases=["adaptive steps", "chain of trajectories", "CoTj scheduler"],
            inputs=[
                _dna_input(),
                io.Float.Input(
                    "threshold",
                    default=0.99,
                    min=0.5,
                    max=1.0,
                    step=0.001,
                    display_mode=io.NumberDisplay.slider,
                    tooltip="Share of the gain from one step to max_steps that the plan must reach. 0.95 to 0.999 are "
                    "useful; higher means more steps.",
                ),
                io.Int.Input(
                    "min_steps", default=1, min=1, max=MAX_STEPS, tooltip="Never plan fewer steps. 1 to 8 are useful."
                ),
                io.Int.Input(
                    "max_steps",
                    default=MAX_STEPS,
                    min=1,
                    max=MAX_STEPS,
                    tooltip="Never plan more steps, and what the gain is measured against. 20 to 50 are useful.",
                ),
                _denoise_input(),
                _model_input(),
            ],
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, dna, threshold, min_steps, max_steps, denoise, model=None) -> io.NodeOutput:
        _check_fit("Adaptive Length Threshold", dna, model)
        try:
            plan = plan_adaptive(dna, threshold, max_steps, min_steps, denoise=denoise)
        except ValueError as error:
            raise ValueError(f"Adaptive Length Threshold: {error}. Change threshold, steps or denoise.") from error
        host.show_text(describe(plan), cls.hidden.unique_id)
        return io.NodeOutput(_sigmas(plan), plan.steps, plan)


def describe(plan: Plan) -> str:
    """What was planned, why, and what it saves."""
    if not plan.steps:
        return "Nothing to sample at denoise 0: the latent passes unchanged."
    comparison = hold_against(plan)
    lines = [
        f"{plan.steps} steps, predicted error {plan.predicted_error:.4g}: {comparison.verdict(plan)}, "
        f"which has {comparison.predicted_error:.4g}",
        "sigmas " + ", ".join(f"{sigma:.3g}" for sigma in plan.sigmas),
        plan.reason,
    ]
    return "\n".join(filter(None, lines))


def _sigmas(plan: Plan) -> torch.Tensor:
    return torch.tensor(plan.sigmas, dtype=torch.float32)


def _check_fit(node: str, dna: DiffusionDNA, model) -> None:
    """A DNA of another kind of model gives sigmas that mean nothing to this one."""
    if model is None:
        return
    model_sampling = model.get_model_object("model_sampling")
    kind, top = host.noise_kind(model_sampling), float(model_sampling.sigma_max)
    if kind != dna.kind or abs(dna.sigmas[-1] - top) > TOPS_AGREE * top:
        raise ValueError(
            f"{node}, input 'dna': it was measured on {NAMES[dna.kind]} model with noise levels up to "
            f"{dna.sigmas[-1]:.4g}, but input 'model' is {NAMES[kind]} model with levels up to {top:.4g}. "
            "Connect a DNA that was measured with this model."
        )


NODES = [PlanSigmas, AdaptiveLength]

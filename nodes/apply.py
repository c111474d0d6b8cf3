"""The node that puts a plan on a MODEL, for samplers that make a schedule of their own."""

from __future__ import annotations

import comfy.samplers
import torch
from comfy_api.latest import io

from ..planner import DiffusionDNA, Plan
from ..planner.solvers.planned import PlannedSolver
from ..planner.texts import say
from .host.follow_plan import NODE, AppliedPlan
from .host.inputs import blamed_on, input_error
from .host.planned_sampler import planned_solver_of
from .host.sampler_names import sampler_name
from .link_types import DNA, PLAN


class ApplyPlan(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CoTjApplyPlan",
            display_name=f"{NODE} (replaces the sampler's schedule)",
            category="model/sampling/schedulers",
            description="Makes every sampler that gets this model follow the plan, KSampler and KSampler (Advanced) "
            "included. Their scheduler is ignored, with SIGMAS or a PLAN their steps too, and with a SAMPLER their "
            "sampler; denoise, start and end are kept. With a PLAN, a DNA or a planned SAMPLER it says what of the run "
            "differs from what that was made for.",
            search_aliases=["KSampler scheduler", "CoTj scheduler", "sigmas to KSampler", "custom sigmas KSampler"],
            inputs=[
                io.Model.Input("model", tooltip="Connect the model that you sample with. It is not changed itself."),
                io.MultiType.Input(
                    "plan",
                    [io.Sigmas, PLAN, DNA],
                    optional=True,
                    display_name="SIGMAS, PLAN or DNA",
                    tooltip="Of SIGMAS or a PLAN, the steps between the sampler's own first and last noise level are "
                    "run, so fewer than planned with a denoise below 1; a DNA is planned there, in as many steps as "
                    "the sampler has. A PLAN or a DNA knows its model and is "
                    "checked; SIGMAS cannot be; and a planned SAMPLER needs none of them.",
                ),
                io.Sampler.Input(
                    "sampler",
                    optional=True,
                    tooltip="Samplers run with this one in place of their own: that of Optimize Sigmas, Load Optimized "
                    "Sigmas or Planned Sampler. A planned one brings the sigmas that it was learned for, and needs no "
                    "SIGMAS beside it.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="Connect it to KSampler, or whatever samples, in place of the model.")
            ],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # or the host gives one node's model, which shows its runs there, to its twins
        )

    @classmethod
    def execute(cls, model, plan=None, sampler=None) -> io.NodeOutput:
        solver = planned_solver_of(sampler)
        if plan is None:
            plan = _own_sigmas(sampler)
        elif isinstance(plan, torch.Tensor):
            plan = plan.clone()  # because the host's UniPC writes into the sigmas that it is given
        applied = AppliedPlan(plan, cls.hidden.unique_id, sampler)
        applied.check(model)
        if solver:
            _check_solver(solver, plan)
        return io.NodeOutput(applied.attach(model))


def _own_sigmas(sampler: comfy.samplers.Sampler | None) -> torch.Tensor:
    """Give the sigmas of a planned solver; ValueError for what has none of its own."""
    if solver := planned_solver_of(sampler):
        return torch.tensor(solver.sigmas, dtype=torch.float32)
    problem = say("there is nothing to follow, or no plan ran")
    if sampler is not None:
        problem = say("{sampler} has no sigmas of its own", sampler=sampler_name(sampler))
    way_out = say("Connect SIGMAS, a PLAN or a DNA, or a planned sampler to 'sampler'")
    raise input_error(NODE, "plan", say("{problem}. {way_out}", problem=problem, way_out=way_out))


def _check_solver(solver: PlannedSolver, plan: torch.Tensor | Plan | DiffusionDNA) -> None:
    if isinstance(plan, DiffusionDNA):
        problem = say(
            "a planned solver runs the sigmas that it was learned for, and a DNA plans others. Connect the SIGMAS that "
            "come from the same node to 'plan'"
        )
        raise input_error(NODE, "sampler", problem)
    sigmas = torch.tensor(plan.sigmas, dtype=torch.float32) if isinstance(plan, Plan) else plan
    with blamed_on(NODE, "sampler"):
        if len(sigmas):
            solver.weights_along(sigmas.tolist())


NODES = [ApplyPlan]

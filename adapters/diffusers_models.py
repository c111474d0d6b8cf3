"""What model a scheduler of diffusers is configured for, and schedulers of other classes for the same model."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from diffusers import EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, SchedulerMixin

from ..planner import Kind

Made = TypeVar("Made", bound=FlowMatchEulerDiscreteScheduler | EulerDiscreteScheduler)

ROUNDING = {"rtol": 1e-4, "atol": 1e-6}  # of cumulative alphas; the last is 0 in some classes and 2^-24 in others


def kind_of(scheduler: SchedulerMixin) -> Kind:
    """Tell the kind of the model that a scheduler is for; ValueError where its noise levels cannot be planned for."""
    config = scheduler.config
    prediction = config.get("prediction_type")
    if isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        if not config.get("invert_sigmas"):
            return "flow"
    elif config.get("use_flow_sigmas"):
        if prediction == "flow_prediction":
            return "flow"
    elif "beta_schedule" in config and config.get("timestep_type", "discrete") == "discrete":
        if prediction in ("epsilon", "v_prediction", "sample"):
            return "ve"
    raise _unplannable(scheduler)


def adapted(made: type[Made], scheduler: SchedulerMixin) -> Made:
    """Make a scheduler of the class `made` for the model of another; ValueError where it has not the same levels."""
    # What a scheduler has by default is its model's too, and not what `made` has by default.
    config = {name: value for name, value in scheduler.config.items() if name != "_use_default_values"}
    if config.get("use_flow_sigmas"):
        shared = ("num_train_timesteps", "use_dynamic_shifting", "time_shift_type", "shift_terminal")
        config = {name: config[name] for name in shared if name in config} | {"shift": config["flow_shift"]}
    try:
        found = made.from_config(config)
    except NotImplementedError as error:  # for a schedule of betas that this class does not have
        raise _unplannable(scheduler) from error
    if isinstance(found, EulerDiscreteScheduler) and not _same_levels(found, scheduler):
        raise _unplannable(scheduler)
    return found


def _same_levels(one: Any, other: Any) -> bool:
    alphas = getattr(other, "alphas_cumprod", None)
    if alphas is None or len(alphas) != len(one.alphas_cumprod):
        return False
    return torch.allclose(one.alphas_cumprod.double(), alphas.double().cpu(), **ROUNDING)


def _unplannable(scheduler: SchedulerMixin) -> ValueError:
    return ValueError(
        f"{type(scheduler).__name__} as it is configured here has noise levels that cannot be planned for: the "
        "scheduler must be for a flow model, or for an eps or v model with a schedule of betas and a timestep for each"
    )

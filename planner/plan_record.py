"""A plan as it is kept and handed on: with the solver that runs it, where one was fitted, as plain values for JSON."""

from __future__ import annotations

import binascii
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from . import dna_file
from .arrays import FloatArray
from .cost_models.choose import planner_named
from .dna import schedule_times
from .graph import Planner
from .noise_levels import RESOLUTION, is_above
from .plan import Plan
from .solvers.planned import PlannedSolver

NUMBERS = ("cost", "predicted_error", "begin")
CHOICES = ("threshold", "target")  # numbers, or None
TEXTS = ("reason", "sampler")


@dataclass(frozen=True, eq=False)
class PlanRecord:
    """What is kept of a schedule; at least a plan or a solver.

    plan: None where the schedule belongs to a solver alone. solver: the weights of its steps; None without any.
    learned_on: what the solver was learned on, as the meta of a DNA has it. text: what is known of the solver.
    Raises ValueError for neither plan nor solver, and for a solver of another schedule or kind of model.
    """

    plan: Plan | None = None
    solver: PlannedSolver | None = None
    learned_on: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def __post_init__(self) -> None:
        if self.plan is None and self.solver is None:
            raise ValueError("there is neither a plan nor a planned solver")
        if self.plan is not None and self.solver is not None and self.plan.steps:
            if self.solver.kind != self.plan.dna.kind:
                raise ValueError("the plan and the planned solver are for different kinds of model")
            self.solver.weights_along(self.plan.sigmas)

    @property
    def sigmas(self) -> FloatArray:
        """(k + 1,) what a sampler runs, those of the plan where there is one."""
        return self.plan.sigmas if self.plan is not None else self.solver.sigmas  # type: ignore[union-attr]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back, to the last bit."""
        about = {"learned_on": self.learned_on, "text": self.text}
        return {
            "plan": _plan_to_dict(self.plan) if self.plan is not None else None,
            "solver": self.solver.to_dict() | about if self.solver is not None else None,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PlanRecord:
        """Read what `to_dict` wrote, and check it whole. Raises one of `reading.FAULTS` for anything else."""
        plan, solver = values["plan"], values["solver"]
        read = cls(
            plan=None if plan is None else _plan_of(plan),
            solver=None if solver is None else PlannedSolver.from_dict(solver),
            learned_on={} if solver is None else solver["learned_on"],
            text="" if solver is None else _text(solver, "text"),
        )
        if not isinstance(read.learned_on, dict):
            raise ValueError("what its solver was learned on is no table of names and values")
        dna_file.check_meta(read.learned_on)
        return read


def _plan_to_dict(plan: Plan) -> dict[str, Any]:
    """Write a plan without its graph, which the planner makes again; only what starts cost may not be the planner's.

    The path is written as flow times, since planners of later versions may have other nodes.
    """
    return {
        "sigmas": plan.sigmas.tolist(),
        "planner": {"name": plan.planner.name} | asdict(plan.planner),  # type: ignore[call-overload]
        **{name: getattr(plan, name) for name in (*NUMBERS, *CHOICES, *TEXTS, "fell_back")},
        "path": plan.graph.flow_times[plan.path].tolist(),
        "nodes": plan.nodes.tolist(),
        "start": [cost if math.isfinite(cost) else None for cost in plan.graph.start.tolist()],
        "curve": plan.curve.tolist(),
        "dna": binascii.b2a_base64(dna_file.to_bytes(plan.dna), newline=False).decode(),
    }


def _plan_of(values: dict[str, Any]) -> Plan:
    dna = dna_file.decode(binascii.a2b_base64(values["dna"]))
    planner = _planner_of(values["planner"])
    nodes, top = np.array(values["nodes"], dtype=np.float64), dna.flow_times[-1] + RESOLUTION
    if nodes.ndim != 1 or len(nodes) > dna_file.MAX_LEVELS or not ((nodes > 0) & (nodes <= top)).all():
        raise ValueError("the nodes of its graph do not lie between 0 and the highest noise level of its DNA")
    graph = planner.graph(dna, nodes)
    start = np.array([math.inf if cost is None else cost for cost in values["start"]], dtype=np.float64)
    if start.ndim != 1 or np.isnan(start).any():
        raise ValueError("what its starts cost are no numbers")
    if len(start) == len(graph.start):
        graph = replace(graph, start=start)
    sigmas = np.array(values["sigmas"], dtype=np.float64)
    path = [graph.index(_number("path", time)) for time in values["path"]]
    if (np.diff(path) >= 0).any():
        raise ValueError(f"its path does not lead down the {len(graph.sigmas)} nodes of its graph")
    if len(schedule_times(dna, sigmas)) and is_above(sigmas[0], dna.sigmas[-1]):
        raise ValueError(f"its sigmas start at {sigmas[0]:.4g}, above the {dna.sigmas[-1]:.4g} of its DNA")
    if type(values["fell_back"]) is not bool:
        raise ValueError("it does not say whether it is the model's own schedule")
    figures: dict[str, Any] = {name: _number(name, values[name]) for name in NUMBERS}
    figures |= {name: None if values[name] is None else _number(name, values[name]) for name in CHOICES}
    figures |= {name: _text(values, name) for name in TEXTS}
    return Plan(
        dna=dna,
        graph=graph,
        sigmas=sigmas,
        path=np.array(path, dtype=np.intp),
        steps=len(path),
        planner=planner,
        nodes=nodes,
        curve=values["curve"],
        fell_back=values["fell_back"],
        **figures,
    )


def _planner_of(values: dict[str, Any]) -> Planner:
    """Make the planner of this name with these options; each has the type that it has by default."""
    options = {name: value for name, value in values.items() if name != "name"}
    planner = planner_named(values["name"], options.get("sampler", "euler"))
    for name, value in options.items():
        kind = type(getattr(planner, name))
        if type(value) is not kind and (type(value), kind) != (int, float):
            raise ValueError(f"{name} of the planner {planner.name} is no {kind.__name__}")
    return replace(planner, **options)  # type: ignore[type-var]  # every planner is a dataclass


def _number(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"its {name} is no number")
    return float(value)


def _text(values: dict[str, Any], name: str) -> str:
    if not isinstance(values[name], str):
        raise ValueError(f"its {name} is no text")
    return values[name]

"""Sampling schedules from a Diffusion DNA, in plain NumPy: usable without a GPU, a model or a host."""

from .arrays import FloatArray
from .cotj import CURVE_STEPS, Start, jump_costs, plan_adaptive, plan_fixed, score
from .diagnose import Diagnosis, diagnose
from .dna import DiffusionDNA, Kind, flow_to_sigma, mean_dna, sigma_to_flow
from .plan import Lever, Plan
from .shortest_path import ShortestPaths, shortest_paths
from .timeshift import TimeShift, stretch

__all__ = [
    "CURVE_STEPS",
    "Diagnosis",
    "DiffusionDNA",
    "FloatArray",
    "Kind",
    "Lever",
    "Plan",
    "ShortestPaths",
    "Start",
    "TimeShift",
    "diagnose",
    "flow_to_sigma",
    "jump_costs",
    "mean_dna",
    "plan_adaptive",
    "plan_fixed",
    "score",
    "shortest_paths",
    "sigma_to_flow",
    "stretch",
]

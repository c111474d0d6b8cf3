"""Sampling schedules from a Diffusion DNA, in plain NumPy: usable without a GPU, a model or a host."""

from .arrays import FloatArray
from .constraints import Constraints
from .cotj import CoTj, Lever, score
from .diagnose import Diagnosis, diagnose
from .dna import DiffusionDNA, Kind, flow_to_sigma, mean_dna, sigma_to_flow
from .graph import Graph, Planner
from .plan import Plan
from .planning import CURVE_STEPS, Start, plan_adaptive, plan_fixed, plan_target
from .profile import TrajectoryProfile, mean_profile, profile_of
from .shortest_path import ShortestPaths, shortest_paths
from .timeshift import TimeShift, stretch

__all__ = [
    "CURVE_STEPS",
    "CoTj",
    "Constraints",
    "Diagnosis",
    "DiffusionDNA",
    "FloatArray",
    "Graph",
    "Kind",
    "Lever",
    "Plan",
    "Planner",
    "ShortestPaths",
    "Start",
    "TimeShift",
    "TrajectoryProfile",
    "diagnose",
    "flow_to_sigma",
    "mean_dna",
    "mean_profile",
    "plan_adaptive",
    "plan_fixed",
    "plan_target",
    "profile_of",
    "score",
    "shortest_paths",
    "sigma_to_flow",
    "stretch",
]

"""Sampling schedules from a Diffusion DNA, in plain NumPy: usable without a GPU, a model or a host."""

from .arrays import FloatArray
from .choose import PLANNER_NAMES, best_planner, planner_named
from .clocks import Clock
from .constraints import Constraints
from .cotj import CoTj, Lever, score
from .diagnose import Diagnosis, diagnose
from .dna import DiffusionDNA, Kind, flow_to_sigma, mean_dna, sigma_to_flow
from .gits import Gits
from .graph import Graph, Planner
from .optimal_steps import OptimalSteps, affordable, optimal_steps, student_calls
from .plan import Plan
from .planning import CURVE_STEPS, Start, plan_adaptive, plan_fixed, plan_target
from .profile import TrajectoryProfile, mean_profile, profile_of
from .propagated import Multistep, Propagated
from .shortest_path import ShortestPaths, shortest_paths
from .smooth import Smooth
from .timeshift import TimeShift, stretch

__all__ = [
    "CURVE_STEPS",
    "Clock",
    "CoTj",
    "Constraints",
    "Diagnosis",
    "DiffusionDNA",
    "FloatArray",
    "Gits",
    "Graph",
    "Kind",
    "Lever",
    "Multistep",
    "OptimalSteps",
    "PLANNER_NAMES",
    "Plan",
    "Planner",
    "Propagated",
    "ShortestPaths",
    "Smooth",
    "Start",
    "TimeShift",
    "TrajectoryProfile",
    "affordable",
    "best_planner",
    "diagnose",
    "flow_to_sigma",
    "mean_dna",
    "mean_profile",
    "optimal_steps",
    "plan_adaptive",
    "plan_fixed",
    "plan_target",
    "planner_named",
    "profile_of",
    "score",
    "shortest_paths",
    "sigma_to_flow",
    "stretch",
    "student_calls",
]

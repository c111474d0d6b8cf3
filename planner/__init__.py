"""Sampling schedules from a Diffusion DNA, in plain NumPy: usable without a GPU, a model or a host."""

from .arrays import FloatArray
from .baseline import Baseline, baseline
from .caching.cache_plan import CachePlan
from .caching.plan_cache import plan_cache
from .constraints import Constraints
from .cost_models.choose import PLANNER_NAMES, best_planner, planner_named
from .cost_models.clocks import Clock
from .cost_models.cotj import CoTj, Lever, score
from .cost_models.gits import Gits
from .cost_models.propagated import Multistep, Propagated
from .cost_models.smooth import Smooth
from .cost_models.stages import Stages
from .diagnose import Diagnosis, diagnose
from .dna import DiffusionDNA, Kind, flow_to_sigma, mean_dna, sigma_to_flow
from .graph import Graph, Planner
from .noise_levels import NoiseLevels
from .optimal_steps import OptimalSteps, affordable, optimal_steps, student_calls
from .path_search import CURVE_STEPS, Start
from .plan import Plan
from .planning import plan_adaptive, plan_fixed, plan_target
from .profile import TrajectoryProfile, mean_profile, profile_of
from .shortest_path import ShortestPaths, shortest_paths
from .timeshift import TimeShift, stretch

__all__ = [
    "Baseline",
    "CURVE_STEPS",
    "CachePlan",
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
    "NoiseLevels",
    "OptimalSteps",
    "PLANNER_NAMES",
    "Plan",
    "Planner",
    "Propagated",
    "ShortestPaths",
    "Smooth",
    "Stages",
    "Start",
    "TimeShift",
    "TrajectoryProfile",
    "affordable",
    "baseline",
    "best_planner",
    "diagnose",
    "flow_to_sigma",
    "mean_dna",
    "mean_profile",
    "optimal_steps",
    "plan_adaptive",
    "plan_cache",
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

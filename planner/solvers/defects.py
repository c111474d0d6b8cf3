"""What a solver's single steps are off, from any node of a profile to any other, without a model call.

A step starts from the reference's own states and guesses; its defect is how far from the reference's next state it
ends. What is left of a defect at the end of the run is its survival.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray
from ..noise_levels import Kind, flow_to_sigma
from ..profile import TrajectoryProfile
from .formulas import Solver, older_weight
from .ucgm import adaptive_kappa

Table = dict[tuple[str, str], FloatArray]
Weights = Literal["best", "probed", "cautious", "spectral", "none"]


def survival(profile: TrajectoryProfile, flow_times: FloatArray, weights: Weights) -> FloatArray:
    """Return (bands, m) shares of a squared error at these flow times that are left at the end of the run.

    probed: by the measured response J, along the linearised flow `de/dt = (1 - J) e / t`; ValueError where it was not.
    cautious: the same with half of its logarithm, and no J below 0: an error need not lie along the probe, and what
        guidance pulls back there is not pulled back everywhere.
    spectral: for a Gaussian band of variance S^2, here the power of the final latent in it: `S^2 / ((1-t)^2 S^2 +
        t^2)`. Exact for Gaussian data, and the same for flow and eps models, whose states are in flow scale.
    none: all of it is left.
    """
    times = np.asarray(flow_times, dtype=np.float64)
    bands = len(profile.shares)
    if weights == "none":
        return np.ones((bands, len(times)))
    if weights in ("probed", "cautious"):
        if profile.response is None:
            raise ValueError("this profile has no probed response: use other weights, or probe with the run's noise")
        fine = np.linspace(0, max(float(profile.flow_times[-1]), float(times.max())), 1001)[1:]
        known = np.append(0, profile.flow_times)
        response, trust = (profile.response, 1.0) if weights == "probed" else (np.maximum(profile.response, 0), 0.5)
        answers = np.array([np.interp(fine, known, np.append(1, band)) for band in response])
        lost = 2 * trust * np.cumsum((1 - answers) / fine, axis=1) * fine[0]
        return np.exp(-np.array([np.interp(times, np.append(0, fine), np.append(0, band)) for band in lost]))
    variances = band_variances(profile)[:, None]
    # An empty band has nothing to lose, and 0 / 0 at time 0.
    return variances / np.maximum((1 - times) ** 2 * variances + times**2, np.finfo(np.float64).tiny)


def band_variances(profile: TrajectoryProfile) -> FloatArray:
    """Return (bands,) mean squares of the final latent's values in each band."""
    return profile.gram[:, -1, -1] / profile.shares


def first_order_defects(
    profile: TrajectoryProfile, flow_times: FloatArray, weights: FloatArray, from_state: bool = True
) -> FloatArray:
    """Return (m, m) weighted squared defects of an Euler step from node j to i at [j, i]; inf where i >= j.

    flow_times: (m,) ascending, the first may be 0. weights: (bands, m) by the node that the step ends at. from_state:
    how far the step ends from the reference's state there, or else from the zero vector.
    """
    t = np.asarray(flow_times, dtype=np.float64)
    states, guesses = profile.combinations(t)
    table = _inner_products(profile, states, guesses)
    n = len(t)
    costs = np.full((n, n), np.inf)
    for j in range(1, n):
        ratio = t[:j] / t[j]
        coefficients = {("state", "j"): ratio, ("guess", "j"): 1 - ratio}
        if from_state:
            coefficients["state", "i"] = -np.ones(j)
        costs[j, :j] = _quadratic(table, coefficients, np.array([j]), j, weights[:, :j])[0]
    return costs


def second_order_defects(
    profile: TrajectoryProfile,
    solver: Solver,
    flow_times: FloatArray,
    weights: FloatArray,
    longest: float = np.inf,
    distrust: float = 0.0,
    from_state: bool = True,
) -> FloatArray:
    """Return (m, m, m) weighted squared defects of a step from node j to i after one from p, at [p, j, i].

    At [j, j, i] it is a first step, which has none before it; inf wherever the nodes do not descend. To time 0 the
    host's solvers step as Euler does, all but UCGM's. Two things need more than nodes p and j: of UniPC this is the
    predictor of second order, for both variants that of bh2 (bh1's weighs the older guess more, which its corrector
    takes back: plans by it ended no nearer); and UCGM, which does not correct its second step either, is taken not to
    after the highest node.

    longest, distrust: a step more than `longest` times as long as the one before, in log sigma, extrapolates further
    than it has looked, where what the reference tells holds least. `distrust` times the correction is added to its
    defect, as if at a right angle. from_state: as for `first_order_defects`.
    """
    t = np.asarray(flow_times, dtype=np.float64)
    sigmas = flow_to_sigma(t, profile.kind)
    states, guesses = profile.combinations(t)
    table = _inner_products(profile, states, guesses)
    own = np.einsum("bii->bi", table["guess", "guess"])
    n = len(t)
    costs = np.full((n, n, n), np.inf)
    for j in range(1, n):
        older = np.arange(j, n)
        before = t[j:, None]
        extends = (older > j)[:, None] & ((t[-1] > before) if solver == "ucgm" else (t[:j] > 0))
        coefficients = step_coefficients(solver, profile.kind, before, t[j], t[:j], extends)
        if not from_state:
            del coefficients["state", "i"]
        found = _quadratic(table, coefficients, older, j, weights[:, :j])
        if distrust:
            inner = slice(int(t[0] == 0), j)  # what is not the jump to 0
            lower, upper = sigmas[inner], sigmas[j + 1 :, None]
            extrapolated = np.zeros((n - j, j))
            extrapolated[1:, inner] = (1 - t[inner] / t[j]) * older_weight("dpmpp_2m", upper, sigmas[j], lower)
            apart = np.maximum(own[:, j:] + own[:, [j]] - 2 * table["guess", "guess"][:, j:, j], 0)
            too_long = np.zeros((n - j, j), dtype=bool)
            too_long[1:, inner] = np.log(sigmas[j] / lower) > longest * np.log(upper / sigmas[j])
            found += too_long * (distrust * extrapolated) ** 2 * np.einsum("bp,bi->pi", apart, weights[:, :j])
        costs[older, j, :j] = found
    return costs


def schedule_defects(profile: TrajectoryProfile, solver: Solver, flow_times: npt.ArrayLike) -> FloatArray:
    """Return (bands, ..., k) squared defects, not weighted, of the steps of whole schedules.

    flow_times: (..., k) descending, without the final 0, in which every schedule ends.
    """
    at = np.asarray(flow_times, dtype=np.float64)
    whole = np.concatenate((at, np.zeros_like(at[..., :1])), axis=-1)
    return profile.squares(schedule_offsets(profile, solver, whole))


def schedule_offsets(profile: TrajectoryProfile, solver: Solver, flow_times: FloatArray) -> FloatArray:
    """(..., k, 2n + 1) where each step of schedules ends, less the reference's state there, as combinations.

    flow_times: (..., k + 1) descending, the last 0 or above.
    """
    at, to = flow_times[..., :-1], flow_times[..., 1:]
    before = np.concatenate((at[..., :1], at[..., :-1]), axis=-1)
    extends = np.zeros(at.shape, dtype=bool)
    extends[..., 2 if solver == "ucgm" else 1 :] = True
    # A node that is visited twice looks at nothing new: its second step is Euler's.
    extends &= (before > at) & ((solver == "ucgm") | (to > 0))
    coefficients = step_coefficients(solver, profile.kind, before, at, to, extends)
    off = np.zeros((*at.shape, len(profile.final)))
    for node, times in {"p": before, "j": at, "i": to}.items():
        for vector, combined in zip(("state", "guess"), profile.combinations(times.ravel())):
            if (vector, node) in coefficients:
                off += coefficients[vector, node][..., None] * combined.reshape(off.shape)
    return off


def step_coefficients(
    solver: Solver, kind: Kind, before: FloatArray, at: npt.ArrayLike, to: FloatArray, extends: npt.NDArray[np.bool_]
) -> dict[tuple[str, str], FloatArray]:
    """Express where a step ends, less the reference's state there, by vector ("state", "guess") and node.

    Of the step from flow time `at` (node j) to `to` (i) after one from `before` (p), arrays that broadcast; the older
    node counts where `extends`.
    """
    shape = np.broadcast_shapes(np.shape(before), np.shape(at), np.shape(to))
    before, at, to = (np.broadcast_to(np.asarray(times, dtype=np.float64), shape) for times in (before, at, to))
    ratio = to / at
    coefficients = {("state", "j"): ratio, ("guess", "j"): 1 - ratio, ("state", "i"): -np.ones(shape)}
    if solver == "euler":
        return coefficients
    # Where there is no older node, or no sigma to step to, the formulas divide by 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        if solver == "ucgm":
            length, last = to - at, at - before
            weight = np.where(extends, adaptive_kappa(before, at, to), 0)
            return coefficients | {
                ("state", "j"): ratio + weight * (1 + length / at),
                ("guess", "j"): 1 - ratio - weight * length / at,
                ("state", "p"): -weight * (1 + (length + last) / before),
                ("guess", "p"): weight * (length + last) / before,
            }
        # Of UniPC the predictor of second order, for both variants that of bh2, which is dpmpp_2m's step.
        formula: Solver = "res_multistep" if solver == "res_multistep" else "dpmpp_2m"
        sigmas = (flow_to_sigma(times, kind) for times in (before, at, to))
        older = np.where(extends, (1 - ratio) * older_weight(formula, *sigmas), 0)
    return coefficients | {("guess", "j"): 1 - ratio - older, ("guess", "p"): older}


def _inner_products(profile: TrajectoryProfile, states: FloatArray, guesses: FloatArray) -> Table:
    """Return (bands, m, m) inner products of states and guesses at the nodes, by which of the two they are of."""
    vectors = {"state": states, "guess": guesses}
    return {
        (a, b): np.einsum("ix,bxy,jy->bij", vectors[a], profile.gram, vectors[b], optimize=True)
        for a in vectors
        for b in vectors
    }


def _quadratic(
    table: Table,
    coefficients: dict[tuple[str, str], FloatArray],
    older: npt.NDArray[np.intp],
    j: int,
    weights: FloatArray,
) -> FloatArray:
    """Return (older, j) squared norms of sums of vectors at nodes p, j and i < j, weighted and summed over bands."""
    nodes = {"p": older, "j": np.array([j]), "i": np.arange(j)}
    total = np.zeros((len(older), j))
    for (kind, node), own in coefficients.items():
        for (other_kind, other_node), other in coefficients.items():
            products = table[kind, other_kind]
            if node == other_node:
                shape = (len(weights), 1, -1) if node == "i" else (len(weights), -1, 1)
                inner = products[:, nodes[node], nodes[node]].reshape(shape)
            elif "i" in (node, other_node):
                inner = products[:, nodes[node][:, None], nodes[other_node]]
                inner = inner if other_node == "i" else inner.transpose(0, 2, 1)
            else:
                inner = products[:, nodes[node], nodes[other_node]].reshape(len(weights), -1, 1)
            inner = np.broadcast_to(inner, (len(weights), *total.shape))
            total += own * other * np.einsum("bpi,bi->pi", inner, weights)
    return np.maximum(total, 0)

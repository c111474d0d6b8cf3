"""What a solver's single steps are off, from any node of a profile to any other, without a model call.

A step starts from the reference's own states and guesses; its defect is how far from the reference's next state it
ends. What is left of a defect at the end of the run is its survival.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from .arrays import FloatArray
from .noise import flow_to_sigma
from .profile import TrajectoryProfile
from .samplers import Solver, corrector_weights, first_corrector_weight, kappa, older_weight

Weights = Literal["spectral", "probed", "none"]


def survival(profile: TrajectoryProfile, flow_times: FloatArray, weights: Weights) -> FloatArray:
    """(bands, m) which share of a squared error at these flow times is left at the end of the run.

    spectral: for a Gaussian band of variance S^2, here the power of the final latent in it, `S^2 / ((1-t)^2 S^2 + t^2)`.
        That is exact for Gaussian data, and the same for flow and eps models, whose states are in flow scale.
    probed: as measured, see `TrajectoryProfile.survival`; ValueError where it was not. none: all of it.
    """
    times = np.asarray(flow_times, dtype=np.float64)
    bands = len(profile.shares)
    if weights == "none":
        return np.ones((bands, len(times)))
    if weights == "probed":
        if profile.survival is None:
            raise ValueError("this profile has no probed survival: use spectral weights")
        known = np.append(0, profile.flow_times), np.append(1, profile.survival)
        return np.tile(np.interp(times, *known), (bands, 1))
    variances = band_variances(profile)[:, None]
    # An empty band has nothing to lose, and 0 / 0 at time 0.
    return variances / np.maximum((1 - times) ** 2 * variances + times**2, np.finfo(np.float64).tiny)


def band_variances(profile: TrajectoryProfile) -> FloatArray:
    """(bands,) mean square of the final latent's values in each band."""
    return profile.gram[:, -1, -1] / profile.shares


def first_order_defects(profile: TrajectoryProfile, flow_times: FloatArray, weights: FloatArray) -> FloatArray:
    """(m, m) weighted squared defects of an Euler step from node j down to node i at [j, i]; inf where i >= j.

    flow_times: (m,) ascending, the first may be 0. weights: (bands, m) by the node that the step ends at.
    """
    t = np.asarray(flow_times, dtype=np.float64)
    states, guesses = profile.combinations(t)
    table = _inner_products(profile, states, guesses)
    n = len(t)
    costs = np.full((n, n), np.inf)
    for j in range(1, n):
        ratio = t[:j] / t[j]
        coefficients = {("state", "j"): ratio, ("guess", "j"): 1 - ratio, ("state", "i"): -np.ones(j)}
        costs[j, :j] = _quadratic(table, coefficients, np.array([j]), j, weights[:, :j])[0]
    return costs


def second_order_defects(
    profile: TrajectoryProfile, solver: Solver, flow_times: FloatArray, weights: FloatArray
) -> FloatArray:
    """(m, m, m) weighted squared defects of a step from node j down to node i after a step from node p, at [p, j, i].

    At [j, j, i] it is a first step, which has none before it; inf wherever the nodes do not descend. To time 0 the
    host's solvers step as Euler does, all but UCGM's. Two things are beyond nodes p and j: UniPC of third order takes
    part as its second order, with its corrector; and UCGM's second step as if it were a later one.
    """
    t = np.asarray(flow_times, dtype=np.float64)
    sigmas = flow_to_sigma(t, profile.kind)
    states, guesses = profile.combinations(t)
    table = _inner_products(profile, states, guesses)
    n = len(t)
    costs = np.full((n, n, n), np.inf)
    for j in range(1, n):
        ratio, inner = t[:j] / t[j], slice(int(t[0] == 0), j)  # inner: what is not the jump to 0
        older_nodes = np.arange(j, n)
        first = older_nodes == j
        base = np.broadcast_to(ratio, (n - j, j))
        state_j, guess_j = base.copy(), 1 - base
        state_p, guess_p, guess_i = np.zeros((3, n - j, j))
        before, after = t[j + 1 :, None], t[:j]
        if solver == "ucgm":
            length, last = after - t[j], t[j] - before
            k = kappa(before, t[j], after)
            state_j[1:] += k * (1 + length / t[j])
            guess_j[1:] -= k * length / t[j]
            state_p[1:] -= k * (1 + (length + last) / before)
            guess_p[1:] += k * (length + last) / before
        elif solver != "euler":
            lower, upper = sigmas[inner], sigmas[j + 1 :, None]
            reach = 1 - ratio[inner]
            if solver in ("uni_pc", "uni_pc_bh2"):
                older, newer = corrector_weights(solver, upper, sigmas[j], lower)
                guess_i[0, inner] = reach * first_corrector_weight(solver, sigmas[j], lower)
                guess_i[1:, inner] = reach * newer
            else:
                older = older_weight(solver, upper, sigmas[j], lower)
            guess_p[1:, inner] = reach * older
            guess_j -= guess_p + guess_i
        coefficients = {
            ("state", "j"): state_j,
            ("guess", "j"): guess_j,
            ("state", "i"): -np.ones((n - j, j)),
            ("guess", "i"): guess_i,
            ("state", "p"): state_p,
            ("guess", "p"): guess_p,
        }
        costs[np.where(first, j, older_nodes), j, :j] = _quadratic(table, coefficients, older_nodes, j, weights[:, :j])
    return costs


def _inner_products(profile: TrajectoryProfile, states: FloatArray, guesses: FloatArray) -> dict:
    """(bands, m, m) inner products of states and guesses at the nodes, by which of the two they are of."""
    vectors = {"state": states, "guess": guesses}
    return {
        (a, b): np.einsum("ix,bxy,jy->bij", vectors[a], profile.gram, vectors[b], optimize=True)
        for a in vectors
        for b in vectors
    }


def _quadratic(table: dict, coefficients: dict, older: FloatArray, j: int, weights: FloatArray) -> FloatArray:
    """(older, j) squared norms of sums of vectors at the nodes p, j and i < j, weighted by i and summed over bands."""
    nodes = {"p": older, "j": np.array([j]), "i": np.arange(j)}
    total = np.zeros((len(older), j))
    for (kind, node), own in coefficients.items():
        for (other_kind, other_node), other in coefficients.items():
            products = table[kind, other_kind]
            if node == other_node:  # one vector's own square
                own_square = products[:, nodes[node], nodes[node]]
                shape = (len(weights), 1, -1) if node == "i" else (len(weights), -1, 1)
                inner = own_square.reshape(shape)
            elif "i" in (node, other_node):
                inner = products[:, nodes[node][:, None], nodes[other_node]]
                inner = inner if other_node == "i" else inner.transpose(0, 2, 1)
            else:
                inner = products[:, nodes[node], nodes[other_node]].reshape(len(weights), -1, 1)
            total += (
                own * other * np.einsum("bpi,bi->pi", np.broadcast_to(inner, (len(weights), *total.shape)), weights)
            )
    return np.maximum(total, 0)

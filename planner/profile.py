"""Trajectory profile: the inner products of a long run's states and guesses, from which any solver's steps are costed.

Every linear solver's step is a combination of states and one-step guesses. So the defect that it leaves, from any noise
level of the run to any other and for any number of steps, is a quadratic form in their Gram matrix: no model call, and
kilobytes whatever the size of the latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, ascending_vector, vector
from .noise_levels import RESOLUTION, Kind, are_same, sigma_to_flow

OFF_THE_RUN = 0.01  # of the largest squared distance of a probe's state from the run's
SYMMETRIC = 1e-9  # relative to the largest entry: what is further from its mirror image is no Gram matrix


@dataclass(frozen=True, eq=False)
class TrajectoryProfile:
    """Gram matrices of a reference run, as read-only float64 arrays checked when made.

    sigmas: (n,) noise levels of the run's model calls, positive, strictly ascending, n >= 2.
    gram: (bands, 2n + 1, 2n + 1) inner products over one band of the latent each, of the n states in flow scale
        `(1 - t) x0 + t noise`, the n guesses of the clean latent, and the final latent, in this order and ascending;
        divided by the values of the whole latent, and the mean over runs. So the sum over bands of a squared norm is a
        mean square, in the unit of `DiffusionDNA.errors`.
    shares: (bands,) which share of the latent's values each band has; they add up to 1.
    kind: "flow" (CONST) or "ve" (eps, v, EDM). runs: how many runs the mean is of.
    response: (bands, n) how much of a small change of the state at each noise level is in the guess, along that change;
        where it was probed. 1 keeps an error as it is, 0 takes it out at the rate of the noise, below 0 faster.
    Raises ValueError that names what is wrong.
    """

    sigmas: FloatArray
    gram: FloatArray
    shares: FloatArray
    kind: Kind = "flow"
    runs: int = 1
    response: FloatArray | None = None

    def __post_init__(self) -> None:
        sigmas, shares = ascending_vector("profile sigmas", self.sigmas), vector("profile shares", self.shares)
        gram = np.array(self.gram, dtype=np.float64)
        size = 2 * len(sigmas) + 1
        if len(sigmas) < 2:
            raise ValueError(f"profile sigmas must be at least 2, not {len(sigmas)}")
        if self.kind == "flow" and sigmas[-1] > 1 + RESOLUTION:
            raise ValueError(f"profile sigmas of a flow model must be at most 1, not {sigmas[-1]}")
        if gram.shape != (len(shares), size, size):
            raise ValueError(f"profile gram must have shape {(len(shares), size, size)}, not {gram.shape}")
        if not np.isfinite(gram).all():
            raise ValueError("profile gram must be finite")
        if np.abs(gram - gram.transpose(0, 2, 1)).max() > SYMMETRIC * np.abs(gram).max():
            raise ValueError("profile gram must be symmetric")
        if (shares <= 0).any() or not np.isclose(shares.sum(), 1):
            raise ValueError(f"profile shares must be positive and add up to 1: {shares}")
        if self.runs < 1:
            raise ValueError(f"a profile is of at least 1 run, not {self.runs}")
        if self.response is not None:
            response = np.array(self.response, dtype=np.float64)
            if response.shape != (len(shares), len(sigmas)) or not np.isfinite(response).all():
                raise ValueError(f"profile response must be finite, of shape {(len(shares), len(sigmas))}")
            response.setflags(write=False)
            object.__setattr__(self, "response", response)
        gram.setflags(write=False)
        for name, value in (("sigmas", sigmas), ("gram", gram), ("shares", shares)):
            object.__setattr__(self, name, value)

    @property
    def flow_times(self) -> FloatArray:
        """(n,) flow time of each model call, ascending."""
        return sigma_to_flow(self.sigmas, self.kind)

    @property
    def calls(self) -> int:
        """Model calls that it cost."""
        return len(self.sigmas) * self.runs

    def combinations(self, flow_times: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Express states and guesses at any flow times as combinations of the run's vectors, each (m, 2n + 1).

        Between two model calls both are linear in flow time: for the states of an Euler run that is the run itself.
        Below the lowest call they go on to the final latent, above the highest the state follows that call's slope.
        """
        asked = np.asarray(flow_times, dtype=np.float64)
        known, n = self.flow_times, len(self.sigmas)
        times = np.append(0, known)
        upper = np.clip(np.searchsorted(times, asked), 1, n)  # an index into `times`: one above that of the call
        share = (asked - times[upper - 1]) / (times[upper] - times[upper - 1])
        rows = np.arange(len(asked))
        states, guesses = np.zeros((2, len(asked), 2 * n + 1))
        # Vector m of `times` is the final latent for m = 0, and else the state or guess m - 1.
        for weight, index in ((1 - np.minimum(share, 1), upper - 1), (np.minimum(share, 1), upper)):
            states[rows, np.where(index == 0, 2 * n, index - 1)] += weight
            guesses[rows, np.where(index == 0, 2 * n, n + index - 1)] += weight
        above = asked > known[-1]
        ratio = asked[above] / known[-1]
        states[above, n - 1] = ratio
        states[above, 2 * n - 1] = 1 - ratio
        return states, guesses

    @property
    def final(self) -> FloatArray:
        """(2n + 1,) the final latent as a combination."""
        return np.eye(1, 2 * len(self.sigmas) + 1, 2 * len(self.sigmas))[0]

    def squares(self, combinations: FloatArray) -> FloatArray:
        """Return (bands, ...) squared norms of combinations (..., 2n + 1) in each band, never below 0."""
        squares = np.stack([((combinations @ band) * combinations).sum(axis=-1) for band in self.gram])
        return np.maximum(squares, 0)

    @property
    def power(self) -> float:
        """Mean square of the final latent."""
        return float(self.gram[:, -1, -1].sum())


def profile_of(
    sigmas: npt.ArrayLike,
    states: npt.NDArray[np.floating],
    guesses: npt.NDArray[np.floating],
    final: npt.NDArray[np.floating],
    kind: Kind = "flow",
    bands: Sequence[npt.NDArray[np.intp]] | None = None,
    probes: tuple[npt.ArrayLike, npt.NDArray[np.floating], npt.NDArray[np.floating]] | None = None,
) -> TrajectoryProfile:
    """Make the profile of runs whose vectors are at hand.

    sigmas: (n,) of the model calls, ascending. states: (n, runs, values), as a sampler holds them. guesses: the model's
    for each. final: (runs, values), the clean latents. bands: indices of the values in each band; None for one band.
    probes: sigmas (q,), ascending, states and guesses (q, runs, values) of a DNA's probes with the runs' own noise: the
    response is from them.
    """
    scaled = _in_flow_scale(sigmas, states, kind)
    vectors = np.concatenate([scaled, np.asarray(guesses, np.float64), np.asarray(final, np.float64)[None]])
    _, runs, values = vectors.shape
    parts = [np.arange(values)] if bands is None else list(bands)
    profile = TrajectoryProfile(
        sigmas=np.asarray(sigmas),
        gram=np.stack([gram_of(vectors[:, :, part], values) for part in parts]),
        shares=np.array([len(part) / values for part in parts]),
        kind=kind,
        runs=runs,
    )
    if probes is None:
        return profile
    times = sigma_to_flow(probes[0], kind)
    of_states, of_guesses = profile.combinations(times)
    changes = _in_flow_scale(probes[0], probes[1], kind) - np.tensordot(of_states, vectors, 1)
    answers = probes[2] - np.tensordot(of_guesses, vectors, 1)
    along, square = (
        np.stack([np.einsum("qrv,qrv->q", values[..., part], changes[..., part]) for part in parts])
        for values in (answers, changes)
    )
    return replace(profile, response=response_at(profile.flow_times, times, along, square))


def response_at(
    flow_times: npt.ArrayLike, probed: FloatArray, along: FloatArray, square: FloatArray
) -> FloatArray | None:
    """Read (bands, n) the response off probes whose states were off the run's; None where none was.

    probed: (q,) ascending flow times. along, square: (bands, q) inner products of the change of the guess with that of
    the state, and of that with itself.
    """
    bands = []
    for products, squares in zip(along, square):
        # At both ends of a run the states are the same, and the response is rounding.
        known = squares > OFF_THE_RUN * squares.max(initial=0)
        if not known.any():
            return None
        # Without noise the clean latent is known, and an error of the state stays as it is.
        times, responses = np.append(0, probed[known]), np.append(1, products[known] / squares[known])
        bands.append(np.interp(np.asarray(flow_times), times, responses))
    return np.array(bands)


def _in_flow_scale(sigmas: npt.ArrayLike, states: npt.NDArray[np.floating], kind: Kind) -> FloatArray:
    scale = 1 - sigma_to_flow(sigmas, kind) if kind == "ve" else np.ones(len(states))
    return np.asarray(states, dtype=np.float64) * scale[:, None, None]


def gram_of(vectors: npt.NDArray[np.floating], values: int) -> FloatArray:
    """Return (m, m) inner products of vectors (m, runs, ...), the mean over runs, divided by `values`."""
    flat = np.asarray(vectors, dtype=np.float64)
    flat = flat.reshape(len(flat), -1)
    return flat @ flat.T / (vectors.shape[1] * values)


def mean_profile(profiles: Sequence[TrajectoryProfile | None]) -> TrajectoryProfile | None:
    """Average profiles on one grid over all their runs; None where one is missing, or grids or bands differ."""
    known = [profile for profile in profiles if profile is not None]
    if not known or len(known) < len(profiles):
        return None
    first = known[0]
    for other in known[1:]:
        if other.kind != first.kind or other.gram.shape != first.gram.shape:
            return None
        if not are_same(other.sigmas, first.sigmas, first.kind) or not np.allclose(other.shares, first.shares):
            return None
    weights = [profile.runs for profile in known]
    probed = [profile.response for profile in known if profile.response is not None]
    return replace(
        first,
        gram=np.average([profile.gram for profile in known], axis=0, weights=weights),
        response=np.average(probed, axis=0, weights=weights) if len(probed) == len(known) else None,
        runs=sum(weights),
    )

"""Diffusion DNA: how wrong a model's one-step guess of the clean image is, at each noise level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, ascending_vector, vector
from .noise import RESOLUTION, Kind, flow_to_sigma, sigma_to_flow
from .profile import TrajectoryProfile, mean_profile
from .timeshift import TimeShift

TIMES_AGREE = 1e-6  # schedule times that went through float32 differ by less


@dataclass(frozen=True, eq=False)
class DiffusionDNA:
    """Reconstruction errors of a model over noise levels, as read-only float64 arrays checked when made.

    sigmas: (n,) noise levels as the model saw them, positive, strictly ascending, n >= 2, at most 1 for "flow".
    errors: (n,) `mean((x0_hat(x_i, sigma_i) - x0)^2)` in squared units of the model's latent, >= 0.
    times: (n,) schedule times u, strictly ascending, or None; derived from `shift` where that is given.
    kind: "flow" (CONST) or "ve" (eps, v, EDM): what sigma means.
    shift: the flow model's time shift, where known.
    power: mean square of the clean latent, in the unit of the errors, where known.
    profile: of the reference run, from which a solver's own steps are costed, where it was kept.
    meta: what the DNA depends on, plain values.
    Raises ValueError that names the array and what is wrong with it.
    """

    sigmas: FloatArray
    errors: FloatArray
    times: FloatArray | None = None
    kind: Kind = "flow"
    shift: TimeShift | None = None
    power: float | None = None
    profile: TrajectoryProfile | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"DNA kind is one of {get_args(Kind)}, not {self.kind!r}")
        sigmas, errors = ascending_vector("DNA sigmas", self.sigmas), vector("DNA errors", self.errors)
        if len(sigmas) < 2:
            raise ValueError(f"DNA sigmas must be at least 2, not {len(sigmas)}")
        if self.kind == "flow" and sigmas[-1] > 1 + RESOLUTION:
            raise ValueError(f'DNA sigmas of a flow model must be at most 1, not {sigmas[-1]}: is this a "ve" model?')
        if len(errors) != len(sigmas):
            raise ValueError(f"DNA errors must be as many as the sigmas, {len(sigmas)}, not {len(errors)}")
        if (errors < 0).any():
            raise ValueError(f"DNA errors must be at least 0, but entry {int(np.argmax(errors < 0))} is negative")
        if self.power is not None and not 0 <= self.power < np.inf:
            raise ValueError(f"DNA power is a mean square, so at least 0 and finite, not {self.power}")
        if self.profile is not None and self.profile.kind != self.kind:
            raise ValueError(f"a profile of kind {self.profile.kind!r} does not belong to a DNA of kind {self.kind!r}")
        for name, value in (("sigmas", sigmas), ("errors", errors), ("times", self._checked_times(sigmas))):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "meta", dict(self.meta))

    def _checked_times(self, sigmas: FloatArray) -> FloatArray | None:
        if self.shift is not None and self.kind != "flow":
            raise ValueError(f"a time shift belongs to a flow model, not to a DNA of kind {self.kind!r}")
        derived = None if self.shift is None else ascending_vector("DNA times", self.shift.times(sigmas))
        if self.times is None:
            return derived
        times = ascending_vector("DNA times", self.times)
        if len(times) != len(sigmas):
            raise ValueError(f"DNA times must be as many as the sigmas, {len(sigmas)}, not {len(times)}")
        if derived is not None and not np.allclose(times, derived, rtol=0, atol=TIMES_AGREE):
            raise ValueError("DNA times are not those that its shift gives for its sigmas: leave one of the two out")
        return times if derived is None else derived

    @property
    def flow_times(self) -> FloatArray:
        """(n,) flow time of each node, ascending, in (0, 1]."""
        return sigma_to_flow(self.sigmas, self.kind)

    def errors_at(self, flow_times: npt.ArrayLike) -> FloatArray:
        """Errors at any flow times: log D interpolated linearly in flow time, clamped at the ends of the grid."""
        floor = np.finfo(np.float64).tiny  # an error may be 0, and comes back as 0
        errors = np.exp(np.interp(np.asarray(flow_times), self.flow_times, np.log(np.maximum(self.errors, floor))))
        return np.where(errors < 2 * floor, 0.0, errors)

    def times_at(self, flow_times: npt.ArrayLike) -> FloatArray:
        """Schedule times at any flow times: by the shift, or interpolated from 0; ValueError where there are none."""
        if self.times is None:
            raise ValueError("this DNA has no schedule times: give it a time shift or times, or use the flow lever")
        if self.shift is not None:
            return self.shift.times(flow_times)
        return np.asarray(np.interp(np.asarray(flow_times), np.append(0, self.flow_times), np.append(0, self.times)))

    def with_node(self, flow_time: float) -> tuple[DiffusionDNA, int]:
        """This DNA with a node at a flow time within its range, and that node's index; itself if the node is there."""
        nearest = int(np.argmin(np.abs(self.flow_times - flow_time)))
        if abs(self.flow_times[nearest] - flow_time) <= RESOLUTION:
            return self, nearest
        index = int(np.searchsorted(self.flow_times, flow_time))
        finer = replace(
            self,
            sigmas=np.insert(self.sigmas, index, flow_to_sigma(flow_time, self.kind)),
            errors=np.insert(self.errors, index, self.errors_at(flow_time)),
            times=None if self.times is None else np.insert(self.times, index, self.times_at(flow_time)),
        )
        return finer, index

    def up_to(self, flow_time: float) -> DiffusionDNA:
        """The part of this DNA at this flow time and below; ValueError where fewer than two nodes would be left."""
        if flow_time >= self.flow_times[-1]:
            return self
        finer, top = self.with_node(flow_time)
        return replace(
            finer,
            sigmas=finer.sigmas[: top + 1],
            errors=finer.errors[: top + 1],
            times=None if finer.times is None else finer.times[: top + 1],
        )


def mean_dna(dnas: Sequence[DiffusionDNA]) -> DiffusionDNA:
    """The mean DNA of several of one kind, on the grid of the first (the others are read there by `errors_at`).

    It keeps shift and times only where all agree on them, and a mean power only where all have one, a mean profile only
    where all have one on the same grid; `meta["sources"]` holds the meta of every DNA.
    Raises ValueError for no DNA, or for kinds that differ.
    """
    if not dnas:
        raise ValueError("a mean needs at least one DNA")
    first = dnas[0]
    if any(dna.kind != first.kind for dna in dnas):
        raise ValueError(f"DNAs of different kinds have no mean: {', '.join(dna.kind for dna in dnas)}")
    timed_alike = all(_timed_alike(first, dna) for dna in dnas)
    powers = [dna.power for dna in dnas if dna.power is not None]
    return replace(
        first,
        errors=np.mean([_errors_on(first, dna) for dna in dnas], axis=0),
        times=first.times if timed_alike else None,
        shift=first.shift if timed_alike else None,
        power=float(np.mean(powers)) if len(powers) == len(dnas) else None,
        profile=mean_profile([dna.profile for dna in dnas]),
        meta={"sources": [dna.meta for dna in dnas]},
    )


def _errors_on(grid: DiffusionDNA, dna: DiffusionDNA) -> FloatArray:
    return dna.errors if np.array_equal(dna.sigmas, grid.sigmas) else dna.errors_at(grid.flow_times)


def _timed_alike(a: DiffusionDNA, b: DiffusionDNA) -> bool:
    if a.times is None or b.times is None:
        return a.times is b.times
    return a.shift == b.shift and np.allclose(a.times, b.times_at(a.flow_times), rtol=0, atol=TIMES_AGREE)

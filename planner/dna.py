"""Diffusion DNA: how wrong a model's one-step guess of the clean image is, at each noise level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, ascending_vector, vector
from .noise_levels import RESOLUTION, Kind, are_same, flow_to_sigma, sigma_to_flow
from .profile import TrajectoryProfile, mean_profile
from .texts import say
from .timeshift import TimeShift

Measure = Literal["error", "uncertainty"]

LEAST_SIGMA, LARGEST_SIGMA = 1e-9, 1e6  # any model's lie well within, and their squares do not overflow
LARGEST_ERROR = 1e12  # and latents are of the order of 1
TIMES_AGREE = 1e-6  # schedule times that went through float32 differ by less


@dataclass(frozen=True, eq=False)
class DiffusionDNA:
    """What the guess of a model is off over noise levels, as read-only float64 arrays checked when made.

    sigmas: (n,) noise levels as the model saw them, strictly ascending from LEAST_SIGMA or above to LARGEST_SIGMA or
        below, n >= 2, at most 1 for "flow".
    errors: (n,) `mean((x0_hat(x_i, sigma_i) - x0)^2)` in squared units of the model's latent, from 0 to LARGEST_ERROR;
        of measure "uncertainty" the variance of `x0_hat(x_i, sigma_i)` over noises of one x0, in the same unit.
    times: (n,) schedule times u, strictly ascending, or None; derived from `shift` where that is given.
    kind: "flow" (CONST) or "ve" (eps, v, EDM): what sigma means.
    shift: the flow model's time shift, where known.
    power: mean square of the clean latent, in the unit of the errors, where known.
    profile: of the reference run, from which a solver's own steps are costed, where it was kept.
    measure: "error" is held against the end of a long run. "uncertainty" needs none, and tells how much a guess depends
        on its noise, not how wrong it is: planners of errors refuse it.
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
    measure: Measure = "error"
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"DNA kind is one of {get_args(Kind)}, not {self.kind!r}")
        if self.measure not in get_args(Measure):
            raise ValueError(f"DNA measure is one of {get_args(Measure)}, not {self.measure!r}")
        sigmas, errors = ascending_vector("DNA sigmas", self.sigmas), vector("DNA errors", self.errors)
        if len(sigmas) < 2:
            raise ValueError(f"DNA sigmas must be at least 2, not {len(sigmas)}")
        if self.kind == "flow" and sigmas[-1] > 1 + RESOLUTION:
            raise ValueError(f'DNA sigmas of a flow model must be at most 1, not {sigmas[-1]}: is this a "ve" model?')
        if len(errors) != len(sigmas):
            raise ValueError(f"DNA errors must be as many as the sigmas, {len(sigmas)}, not {len(errors)}")
        if (errors < 0).any():
            raise ValueError(f"DNA errors must be at least 0, but entry {int(np.argmax(errors < 0))} is negative")
        if sigmas[0] < LEAST_SIGMA or sigmas[-1] > LARGEST_SIGMA:
            raise ValueError(f"DNA sigmas lie between {LEAST_SIGMA:g} and {LARGEST_SIGMA:g}, not at {sigmas[[0, -1]]}")
        if (np.diff(sigma_to_flow(sigmas, self.kind)) <= 0).any():
            raise ValueError("DNA sigmas are closer to each other than can be told apart")
        if errors.max() > LARGEST_ERROR:
            raise ValueError(f"DNA errors are at most {LARGEST_ERROR:g}, not {errors.max():g}")
        if self.power is not None and not 0 <= self.power < np.inf:
            raise ValueError(f"DNA power is a mean square, so at least 0 and finite, not {self.power}")
        if self.profile is not None and self.profile.kind != self.kind:
            raise ValueError(f"a profile of kind {self.profile.kind!r} does not belong to a DNA of kind {self.kind!r}")
        if self.profile is not None and self.measure != "error":
            raise ValueError("a profile is of a long run, so it does not belong to a DNA of uncertainties")
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
        """Interpolate errors at any flow times: log D linearly in flow time, clamped at the ends of the grid.

        A variance is interpolated itself: at the highest noise level it may be 0, whose logarithm would rule all below.
        """
        if self.measure == "uncertainty":
            return np.asarray(np.interp(np.asarray(flow_times), self.flow_times, self.errors))
        floor = np.finfo(np.float64).tiny  # an error may be 0, and comes back as 0
        errors = np.exp(np.interp(np.asarray(flow_times), self.flow_times, np.log(np.maximum(self.errors, floor))))
        return np.where(errors < 2 * floor, 0.0, errors)

    def times_at(self, flow_times: npt.ArrayLike) -> FloatArray:
        """Return schedule times at any flow times, by the shift or interpolated; ValueError where there are none."""
        if self.times is None:
            raise ValueError(
                say("this DNA has no schedule times: give it a time shift or times, or use the flow lever")
            )
        if self.shift is not None:
            return self.shift.times(flow_times)
        return np.asarray(np.interp(np.asarray(flow_times), np.append(0, self.flow_times), np.append(0, self.times)))

    def with_node(self, flow_time: float) -> tuple[DiffusionDNA, int]:
        """Return this DNA with a node at a flow time in its range, and its index; itself if the node is there."""
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
        """Return the part of this DNA from this flow time down; ValueError where it has fewer than two nodes."""
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
    """Average DNAs of one kind and measure on the grid of the first; the others are read there by `errors_at`.

    It keeps shift and times only where all agree on them, and a mean power only where all have one, a mean profile only
    where all have one on the same grid; `meta["sources"]` holds the meta of every DNA.
    Raises ValueError for no DNA, or for kinds or measures that differ.
    """
    if not dnas:
        raise ValueError("a mean needs at least one DNA")
    first = dnas[0]
    if any(dna.kind != first.kind for dna in dnas):
        kinds = ", ".join(dna.kind for dna in dnas)
        raise ValueError(say("DNAs of different kinds have no mean: {kinds}", kinds=kinds))
    if any(dna.measure != first.measure for dna in dnas):
        raise ValueError(say("errors and uncertainties have no mean: average DNAs that were measured alike"))
    timed_alike = all(_timed_alike(first, dna) for dna in dnas)
    powers = [dna.power for dna in dnas if dna.power is not None]
    return replace(
        first,
        errors=np.mean([errors_on(first, dna) for dna in dnas], axis=0),
        times=first.times if timed_alike else None,
        shift=first.shift if timed_alike else None,
        power=float(np.mean(powers)) if len(powers) == len(dnas) else None,
        profile=mean_profile([dna.profile for dna in dnas]),
        meta={"sources": [dna.meta for dna in dnas]},
    )


def lost_in_mean(dnas: Sequence[DiffusionDNA]) -> list[str]:
    """Say what `mean_dna` drops of these DNAs, with the way to keep it, a sentence each."""
    mean, all_of = mean_dna(dnas), len(dnas)
    lines = []
    if mean.profile is None and any(dna.profile for dna in dnas):
        without = sum(dna.profile is None for dna in dnas)
        why = (
            say("{without} of {number} DNAs have none", without=without, number=all_of)
            if without
            else say("their long runs are not at the same noise levels, or their latents not of the same size")
        )
        lines.append(
            say(
                "The trajectory profile is dropped, so that only planner cotj is left: {why}. Measure all DNAs with "
                "'profile' on, at one size and as many reference steps.",
                why=why,
            )
        )
    if mean.times is None and any(dna.times is not None for dna in dnas):
        lines.append(
            say("The time shift is dropped, so that lever 'schedule' cannot be used: it is not the same for all.")
        )
    if mean.power is None and any(dna.power is not None for dna in dnas):
        without = sum(dna.power is None for dna in dnas)
        lines.append(
            say(
                "The power of the clean latents is dropped, so that every plan starts at the top: {without} of "
                "{number} DNAs do not know it.",
                without=without,
                number=all_of,
            )
        )
    return lines


def check_errors(dna: DiffusionDNA, needed_by: str, way_out: str = "") -> None:
    """Raise ValueError for a DNA that tells no errors; the message names who needs them, and a way out of its own."""
    if dna.measure != "error":
        ways_out = say("measure a DNA against a long run")
        if way_out:
            ways_out = say("{way_out}, or {other}", way_out=way_out, other=ways_out)
        raise ValueError(
            say(
                "this DNA holds the uncertainty of the guess and not its error, which {needed_by} needs: {ways_out}",
                needed_by=needed_by,
                ways_out=ways_out,
            )
        )


def errors_on(grid: DiffusionDNA, dna: DiffusionDNA) -> FloatArray:
    """Read (n,) errors of a DNA at the noise levels of another one; its own where it has the same."""
    return dna.errors if are_same(dna.sigmas, grid.sigmas, grid.kind) else dna.errors_at(grid.flow_times)


def _timed_alike(a: DiffusionDNA, b: DiffusionDNA) -> bool:
    if a.times is None or b.times is None:
        return a.times is b.times
    return a.shift == b.shift and np.allclose(a.times, b.times_at(a.flow_times), rtol=0, atol=TIMES_AGREE)


def schedule_times(dna: DiffusionDNA, sigmas: npt.ArrayLike) -> FloatArray:
    """Return (k,) flow times of a schedule without its final 0; ValueError unless it descends to a single 0.

    sigmas: (k + 1,), or empty; those of a flow model at most 1.
    """
    schedule = vector("sigmas", sigmas)
    if schedule.size and (
        len(schedule) < 2 or schedule[-1] != 0 or (schedule[:-1] <= 0).any() or (np.diff(schedule) > 0).any()
    ):
        raise ValueError(say("sigmas must descend from above 0 to a single 0 at the end: {sigmas}", sigmas=schedule))
    if schedule.size and dna.kind == "flow" and schedule[0] > 1 + RESOLUTION:
        raise ValueError(say("sigmas of a flow model are at most 1, not {highest}", highest=schedule[0]))
    return sigma_to_flow(schedule[:-1], dna.kind)

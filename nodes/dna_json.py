"""A DNA as JSON, exactly: for the browser, which keeps it to ask for other plans. No host."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np

from ..planner import DiffusionDNA, TimeShift
from ..planner.profile import TrajectoryProfile

MAX_POINTS = 1000  # of a grid, as many as Measure DNA takes
MAX_CALLS = 200  # of a profile's reference run; a planner's costs grow with its cube
MAX_BANDS = 64
MAX_TEXT = 200  # characters of a value or a name


def to_json(dna: DiffusionDNA) -> dict[str, Any]:
    """All that a plan depends on, as plain finite values; what the DNA was measured with is left out."""
    return {
        "kind": dna.kind,
        "sigmas": dna.sigmas.tolist(),
        "errors": dna.errors.tolist(),
        "times": None if dna.times is None or dna.shift else dna.times.tolist(),
        "shift": dna.shift.to_dict() if dna.shift else None,
        "power": dna.power,
        "profile": _profile_to_json(dna.profile) if dna.profile else None,
    }


def from_json(value: Any) -> DiffusionDNA:
    """The DNA that `to_json` wrote. Raises ValueError, which names what is wrong, for anything else."""
    fields = object_of(value, "dna", {"kind", "sigmas", "errors"}, {"times", "shift", "power", "profile"})
    shift, times, power, profile = (fields.get(name) for name in ("shift", "times", "power", "profile"))
    return DiffusionDNA(
        sigmas=numbers(fields["sigmas"], "sigmas", MAX_POINTS),
        errors=numbers(fields["errors"], "errors", MAX_POINTS),
        times=None if times is None else numbers(times, "times", MAX_POINTS),
        kind=text(fields["kind"], "kind"),  # type: ignore[arg-type]  # checked there
        shift=None if shift is None else _shift(shift),
        power=None if power is None else number(power, "power"),
        profile=None if profile is None else _profile(profile),
    )


def _shift(value: Any) -> TimeShift:
    fields = object_of(value, "shift", {"kind", "value"}, {"terminal"})
    terminal = fields.get("terminal")
    return TimeShift(
        text(fields["kind"], "shift kind"),  # type: ignore[arg-type]  # checked there
        number(fields["value"], "shift value"),
        None if terminal is None else number(terminal, "terminal"),
    )


def _profile_to_json(profile: TrajectoryProfile) -> dict[str, Any]:
    """gram: the upper triangle of every band, little-endian float64 as base64; a Gram matrix is symmetric."""
    rows, columns = np.triu_indices(profile.gram.shape[1])
    return {
        "kind": profile.kind,
        "sigmas": profile.sigmas.tolist(),
        "shares": profile.shares.tolist(),
        "runs": profile.runs,
        "response": None if profile.response is None else profile.response.tolist(),
        "gram": base64.b64encode(profile.gram[:, rows, columns].astype("<f8").tobytes()).decode(),
    }


def _profile(value: Any) -> TrajectoryProfile:
    fields = object_of(value, "profile", {"kind", "sigmas", "shares", "runs", "gram"}, {"response"})
    sigmas, shares = numbers(fields["sigmas"], "sigmas", MAX_CALLS), numbers(fields["shares"], "shares", MAX_BANDS)
    response, runs = fields.get("response"), number(fields["runs"], "runs")
    if response is not None:
        rows = response if isinstance(response, list) else [response]
        bands = [numbers(row, "response", MAX_CALLS) for row in rows[: MAX_BANDS + 1]]
        if {len(band) for band in bands} != {len(sigmas)}:
            raise ValueError(f"'response' has {len(sigmas)} numbers in every band")
    if runs != int(runs):
        raise ValueError("'runs' is a whole number")
    return TrajectoryProfile(
        sigmas=sigmas,
        gram=_gram(fields["gram"], len(shares), 2 * len(sigmas) + 1),
        shares=shares,
        kind=text(fields["kind"], "kind"),  # type: ignore[arg-type]  # checked there
        runs=int(runs),
        response=None if response is None else np.array(bands),
    )


def _gram(value: Any, bands: int, size: int) -> np.ndarray:
    rows, columns = np.triu_indices(size)
    try:
        triangles = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f8").reshape(bands, len(rows))
    except (TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"'gram' is {bands} x {len(rows)} float64 as base64: {error}") from error
    gram = np.empty((bands, size, size))
    gram[:, rows, columns] = triangles
    gram[:, columns, rows] = triangles
    return gram


def object_of(value: Any, name: str, needed: set[str], optional: set[str]) -> dict[str, Any]:
    """A JSON object with all of the needed fields, and no others than the optional ones."""
    if not isinstance(value, dict) or not needed <= set(value) <= needed | optional:
        raise ValueError(f"{name} is an object with {', '.join(sorted(needed | optional))}")
    return value


def text(value: Any, name: str) -> str:
    """A short text."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"{name[:MAX_TEXT]!r} is a text of at most {MAX_TEXT} characters")
    return value


def number(value: Any, name: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name[:MAX_TEXT]!r} is a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        finite = False
    if not finite:
        raise ValueError(f"{name[:MAX_TEXT]!r} must be finite")
    return float(value)


def count(value: Any, name: str) -> float:
    """A number as it came: an INT stays one, as it must to be a count; so does a switch."""
    if isinstance(value, bool):
        return value
    return value if isinstance(value, int) and abs(value) < 2**53 else number(value, name)


def numbers(value: Any, name: str, most: int) -> np.ndarray:
    """A list of finite numbers, no longer than `most`."""
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{name!r} is a list of at most {most} numbers")
    return np.array([number(entry, name) for entry in value], dtype=np.float64)

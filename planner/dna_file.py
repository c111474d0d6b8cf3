"""A DNA in writing: as named arrays and texts, which files, data sets and messages share, and as a safetensors file.

Files are read and written through the gates of `reading` and `writing`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from . import DiffusionDNA, TimeShift, TrajectoryProfile
from .dna import Measure
from .reading import FLOATS, Header, header_in, one_error, parse_json, read_safetensors
from .texts import say
from .writing import anything, write_file

SUFFIX = ".safetensors"
FORMAT = "cotj-dna-1"
# What an array of either measure is called. A version that knows of errors alone finds none, and refuses the file.
VALUES: dict[Measure, str] = {"error": "errors", "uncertainty": "variances"}
PROFILE = "profile."  # what the names of a profile's arrays begin with
MAX_LEVELS = 1000  # noise levels of a DNA, as many as Measure DNA takes
MAX_CALLS = 1000  # model calls of a profile's run
MAX_BANDS = 64
META = {  # where meta has them
    "model": str,
    "latent_shape": list,
    "sources": list,
    "learned_runs": int,
    "boundary": float,
    "high": dict,
    "low": dict,
}
MOST_VALUES = {
    **dict.fromkeys(("sigmas", "errors", "variances", "times"), MAX_LEVELS),
    "profile.sigmas": MAX_CALLS,
    "profile.shares": MAX_BANDS,
}
MAX_BYTES = 128 << 20  # of a file: a profile of MAX_CALLS calls has 16 MB a band


def to_parts(dna: DiffusionDNA) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Spell a DNA as float64 arrays and as texts, both by name; `from_parts` gives it back, to the last bit."""
    arrays = {"sigmas": dna.sigmas, VALUES[dna.measure]: dna.errors}
    if dna.shift is None and dna.times is not None:
        arrays["times"] = dna.times
    if dna.profile is not None:
        arrays |= _profile_arrays(dna.profile)
    return arrays, {
        "kind": dna.kind,
        "shift": json.dumps(dna.shift.to_dict() if dna.shift else None),
        "power": json.dumps(dna.power),
        "profile_runs": json.dumps(dna.profile.runs if dna.profile else None),
        "meta": json.dumps(dna.meta),
    }


def from_parts(arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> DiffusionDNA:
    """Make a checked DNA of what `to_parts` spelled; power, profile, times and meta may be missing.

    Raises one of `reading.FAULTS` for anything else.
    """
    known = _parsed(texts)
    measure: Measure = "uncertainty" if VALUES["uncertainty"] in arrays else "error"
    return DiffusionDNA(
        sigmas=arrays["sigmas"],
        errors=arrays[VALUES[measure]],
        times=arrays.get("times"),
        kind=texts["kind"],  # type: ignore[arg-type]  # checked by the DNA
        shift=TimeShift.from_dict(known["shift"]) if known["shift"] else None,
        power=known["power"],
        profile=_read_profile(arrays, texts["kind"], known["profile_runs"]),
        measure=measure,
        meta=known["meta"],
    )


def to_bytes(dna: DiffusionDNA) -> bytes:
    """Write a DNA as the content of a file."""
    arrays, texts = to_parts(dna)
    return save(arrays, {"format": FORMAT, **texts})


def from_bytes(data: bytes) -> DiffusionDNA:
    """Read a DNA from the content of a file; ValueError, which says what is wrong, for anything else."""
    with one_error(say("this"), "DNA", say("Measure the DNA again")):
        return decode(data)


def decode(data: bytes) -> DiffusionDNA:
    """Read a DNA from the content of a file within another one. Raises one of `reading.FAULTS`."""
    header = _checked_header(data)
    return from_parts(load(data), header.metadata)


def write(folder: Path, name: str, dna: DiffusionDNA, may_replace: Callable[[Path], bool] = anything) -> None:
    """Write a DNA to a file of this name, without ending, in a folder. may_replace, OSErrors: see `write_file`.

    Raises ValueError for a DNA that is too large to be read again.
    """
    data = to_bytes(dna)
    with one_error(say("the DNA"), say("DNA file"), say("Measure it at fewer noise levels")):
        _checked_header(data)
    write_file(folder / f"{name}{SUFFIX}", data, may_replace)


def read(path: Path) -> DiffusionDNA:
    """Read and check a DNA; ValueError that says what is wrong with the file."""
    with one_error(path.name, say("DNA file"), say("Measure and save the DNA again")):
        header, data = read_safetensors(path, MAX_BYTES, check_header)
        return from_parts(load(data), header.metadata)


def _checked_header(data: bytes) -> Header:
    if len(data) > MAX_BYTES:
        raise ValueError(say("it has {size} bytes, and at most {most} are read", size=len(data), most=MAX_BYTES))
    header = header_in(data)
    check_header(header)
    return header


def check_header(header: Header) -> None:
    """Check all of a DNA file that can be checked before its arrays are made. Raises one of `reading.FAULTS`."""
    header.check_format(FORMAT)
    _parsed(header.metadata)
    for name, tensor in header.tensors.items():
        if tensor.dtype not in FLOATS:
            raise ValueError(
                f"{name} is of type {tensor.dtype}, and those that are read are {', '.join(sorted(FLOATS))}"
            )
    check_sizes(header)


def check_sizes(header: Header) -> None:
    """Raise ValueError where arrays of a DNA, or of its profile, are larger than any, or do not fit together."""
    for name, most in MOST_VALUES.items():
        if name in header.tensors and header.tensors[name].values > most:
            raise ValueError(f"{name} has {header.tensors[name].values} values, and at most {most} are read")
    if "profile.gram" in header.tensors:
        _check_profile({name: tensor.shape for name, tensor in header.tensors.items()})


def _parsed(texts: Mapping[str, str]) -> dict[str, Any]:
    """Parse the texts that are JSON. Raises ValueError, and KeyError where there is no shift."""
    known = {"shift": parse_json(texts["shift"]), "meta": parse_json(texts.get("meta", "{}"))}
    known |= {name: parse_json(texts.get(name, "null")) for name in ("power", "profile_runs")}
    for name, types in (("shift", (dict, type(None))), ("meta", (dict,)), ("power", (int, float, type(None)))):
        if not isinstance(known[name], types):
            raise ValueError(f"its {name} is {texts[name]}")
    check_meta(known["meta"])
    return known


def check_meta(meta: dict[str, Any]) -> None:
    """Raise ValueError where what is read in it elsewhere has another type."""
    for name, kind in META.items():
        if name in meta and not isinstance(meta[name], kind):
            raise ValueError(f"its meta has no {kind.__name__} as {name}")
    for source in meta.get("sources", []):
        if not isinstance(source, dict):
            raise ValueError("its meta has a source that is no dict")
        check_meta(source)
    predictor = meta.get("predictor")
    if isinstance(predictor, dict) and "sources" in predictor:
        check_meta({"sources": predictor["sources"]})
    experts = [meta[name] for name in ("high", "low") if name in meta]
    if len(experts) == 2 and "boundary" not in meta:
        raise ValueError("its meta has two experts and no boundary")
    for expert in experts:
        check_meta(expert)


def _profile_arrays(profile: TrajectoryProfile) -> dict[str, np.ndarray]:
    """Keep of the Gram matrices, which are symmetric, what lies on and above the diagonal."""
    above = np.triu_indices(profile.gram.shape[1])
    arrays = {
        "profile.sigmas": profile.sigmas,
        "profile.gram": np.ascontiguousarray(profile.gram[:, above[0], above[1]]),
        "profile.shares": profile.shares,
    }
    return arrays if profile.response is None else {**arrays, "profile.response": profile.response}


def _check_profile(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError where a profile's arrays do not fit together, before the matrices are made, which are larger."""
    [bands], [calls] = shapes["profile.shares"], shapes["profile.sigmas"]
    size = 2 * calls + 1
    expected = (bands, size * (size + 1) // 2)
    if shapes["profile.gram"] != expected:
        raise ValueError(f"profile gram is of shape {expected}, not {shapes['profile.gram']}")


def _read_profile(arrays: Mapping[str, np.ndarray], kind: str, runs: Any) -> TrajectoryProfile | None:
    """Read the profile; None where there is none: in files of the first release, and of measurements without."""
    if "profile.gram" not in arrays:
        return None
    _check_profile({name: array.shape for name, array in arrays.items()})
    if type(runs) is not int:
        raise ValueError(f"profile runs are a whole number of runs, not {runs}")
    triangles, size = arrays["profile.gram"], 2 * len(arrays["profile.sigmas"]) + 1
    rows, columns = np.triu_indices(size)
    gram = np.empty((len(triangles), size, size))
    gram[:, rows, columns] = gram[:, columns, rows] = triangles
    return TrajectoryProfile(
        sigmas=arrays["profile.sigmas"],
        gram=gram,
        shares=arrays["profile.shares"],
        kind=kind,  # type: ignore[arg-type]  # checked by the DNA
        runs=runs,
        response=arrays.get("profile.response"),
    )

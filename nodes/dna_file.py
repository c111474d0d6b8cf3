"""DNA files: safetensors with JSON metadata, listed by plain name, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..planner import DiffusionDNA, TimeShift, TrajectoryProfile

SUFFIX = ".safetensors"
FORMAT = "cotj-dna-1"
NAME_BYTES = 200  # file systems allow 255; a counter and the ending come on top
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices on Windows, whatever the ending


def list_files(folders: Iterable[str | Path]) -> dict[str, Path]:
    """Every DNA file by its name. Where two folders hold the same name, the earlier folder wins."""
    files: dict[str, Path] = {}
    for folder in map(Path, folders):
        if folder.is_dir():
            for path in folder.iterdir():
                if path.suffix == SUFFIX and path.is_file():
                    files.setdefault(path.stem, path)
    return dict(sorted(files.items()))


def choices(names: Iterable[str], how_to_get_some: str) -> list[str]:
    """What a dropdown offers: the names, or where there are none, a line that says how to get some."""
    return list(names) or [how_to_get_some]


def name_fault(name: str) -> str | None:
    """Why `name` is not one file in one folder on every system; None where it is."""
    plain = re.fullmatch(r"\w[\w .+-]{0,99}", name) and name == name.rstrip(" .")
    if plain and len(name.encode()) <= NAME_BYTES and not RESERVED.fullmatch(name):
        return None
    return (
        f"{name!r} is no file name: use up to 100 letters (66 Chinese ones), digits, spaces and . _ + - (no path "
        "separators), starting with a letter or digit, and none that Windows reserves, such as con"
    )


def free_name(name: str, taken: Collection[str]) -> str:
    """`name`, or where that is taken, `name` with the next counter, in the style of the host's own save nodes.

    Names that differ in case alone are one file on Windows and macOS, so here they are one name.
    """
    folded = {other.casefold() for other in taken}
    if name.casefold() not in folded:
        return name
    counted = (re.fullmatch(re.escape(name.casefold()) + r"_(\d+)_", other) for other in folded)
    last = max((int(match[1]) for match in counted if match), default=0)
    return f"{name}_{last + 1:05}_"


def write(folder: Path, name: str, dna: DiffusionDNA) -> None:
    arrays = {"sigmas": dna.sigmas, "errors": dna.errors}
    if dna.shift is None and dna.times is not None:
        arrays["times"] = dna.times
    if dna.profile is not None:
        arrays |= _profile_arrays(dna.profile)
    metadata = {
        "format": FORMAT,
        "kind": dna.kind,
        "shift": json.dumps(dna.shift.to_dict() if dna.shift else None),
        "power": json.dumps(dna.power),
        "profile_runs": json.dumps(dna.profile.runs if dna.profile else None),
        "meta": json.dumps(dna.meta),
    }
    replace_file(folder / f"{name}{SUFFIX}", save(arrays, metadata))


def replace_file(path: Path, data: bytes) -> None:
    """Through a temporary file beside it, so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.stem}.tmp")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: Path) -> DiffusionDNA:
    """A checked DNA, or a ValueError that says what is wrong with the file."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its metadata has no format {FORMAT!r}")
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        shift = json.loads(metadata["shift"])
        return DiffusionDNA(
            sigmas=arrays["sigmas"],
            errors=arrays["errors"],
            times=arrays.get("times"),
            kind=metadata["kind"],
            shift=TimeShift.from_dict(shift) if shift else None,
            power=json.loads(metadata.get("power", "null")),
            profile=_read_profile(arrays, metadata),
            meta=json.loads(metadata["meta"]),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path.name} is no readable DNA file: {reason}. Measure and save the DNA again.") from error


def _profile_arrays(profile: TrajectoryProfile) -> dict[str, np.ndarray]:
    """Of the Gram matrices, which are symmetric, what lies on and above the diagonal."""
    above = np.triu_indices(profile.gram.shape[1])
    arrays = {
        "profile.sigmas": profile.sigmas,
        "profile.gram": np.ascontiguousarray(profile.gram[:, above[0], above[1]]),
        "profile.shares": profile.shares,
    }
    return arrays if profile.response is None else {**arrays, "profile.response": profile.response}


def _read_profile(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> TrajectoryProfile | None:
    """None where the file has none: those of the first release, and of measurements without."""
    if "profile.gram" not in arrays:
        return None
    size = 2 * len(arrays["profile.sigmas"]) + 1
    rows, columns = np.triu_indices(size)
    gram = np.empty((len(arrays["profile.gram"]), size, size))
    gram[:, rows, columns] = gram[:, columns, rows] = arrays["profile.gram"]
    return TrajectoryProfile(
        sigmas=arrays["profile.sigmas"],
        gram=gram,
        shares=arrays["profile.shares"],
        kind=metadata["kind"],  # type: ignore[arg-type]  # checked by the DNA
        runs=json.loads(metadata["profile_runs"]),
        response=arrays.get("profile.response"),
    )

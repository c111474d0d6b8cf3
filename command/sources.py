"""What is named on the command line: DNAs, and schedules to compare with or to run."""

from __future__ import annotations

import os
from pathlib import Path

from ..planner import DiffusionDNA, FloatArray, dna_file, plan_file
from ..planner.own_schedule import own_schedule
from ..planner.reading import FAULTS, read_header
from .faults import blamed_on, fault
from .options import MOST_STEPS
from .tables import numbers_in, read_table

SHIPPED = Path(__file__).parents[1] / "predictor_weights"
PREDICTOR = "cotj-predictor-1"  # as `predictor.files`, which needs PyTorch, calls the format
OWN = "simple"  # as BasicScheduler calls the model's own schedule


def shipped_means() -> list[str]:
    """List the names of the mean DNAs that come with this program."""
    return sorted(path.stem for path in SHIPPED.glob(f"*-mean{dna_file.SUFFIX}"))


def file_of_dna(name: str) -> Path:
    """Find a file, or one that comes with this program by its name; Fault where there is neither."""
    if os.path.exists(name):  # which is no error for a text that can be no path, unlike that of a Path
        return Path(name)
    if name in shipped_means():
        return SHIPPED / f"{name}{dna_file.SUFFIX}"
    raise fault(name, "there is no such file", f"Means that come along are {' and '.join(shipped_means())}")


def read_dna(name: str) -> DiffusionDNA:
    """Read a DNA from a file, or one that comes with this program; Fault for anything else."""
    path = file_of_dna(name)
    if is_predictor(path):
        raise fault(name, "it is a predictor", f"Take its mean DNA: cotj convert {name} MEAN.safetensors")
    with blamed_on(name):
        return dna_file.read(path)


def is_predictor(path: Path) -> bool:
    """Tell whether a file says that it is a predictor; whatever cannot be read is none."""
    try:
        return read_header(path).metadata.get("format") == PREDICTOR
    except (OSError, *FAULTS):
        return False


def read_schedule(dna: DiffusionDNA, source: str) -> FloatArray:
    """Give (k + 1,) sigmas: of a file, of a list such as 1,0.8,0.4,0, or the model's own of k steps as simple:k.

    Raises Fault for anything else. Whether they descend to 0 from no higher than the DNA's top is left to others.
    """
    name, _, steps = source.partition(":")
    if name == OWN and steps in map(str, range(1, MOST_STEPS + 1)):
        return own_schedule(dna, int(steps), float(dna.flow_times[-1]))
    if os.path.exists(source):
        return read_sigmas(Path(source))
    sigmas = numbers_in(source)
    if sigmas is None:
        problem = f"it is no file, no list of sigmas such as 1,0.8,0.4,0, and not {OWN}:1 to {OWN}:{MOST_STEPS}"
        raise fault(source, problem, "Name one of these")
    return sigmas


def read_sigmas(path: Path) -> FloatArray:
    """Read a schedule from a file: that of a plan, its column of sigmas, or the only row or column.

    Raises Fault for other files.
    """
    if plan_file.is_plan(path):
        return plan_file.read(path).sigmas
    with blamed_on(str(path), "Give sigmas alone, or name the column of sigmas"):
        table = read_table(path)
        if table.names and "sigma" not in table.names:
            raise ValueError("it has no column of sigmas")
        return table.column("sigma") if table.names else table.listed()

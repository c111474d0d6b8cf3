"""What can be made of files of others. PyTorch is imported for predictors alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..planner import DiffusionDNA, FloatArray, Kind, TimeShift
from ..planner.resampled import resample
from .faults import blamed_on, fault
from .sources import is_predictor, read_dna, read_sigmas
from .tables import Table, read_table

if TYPE_CHECKING:
    from ..predictor import Predictor

PAIR = ("model_state.pth", "norm_data.pt")  # as `predictor.release`, which imports PyTorch, calls them
LEAST_TIMESTEP = 100  # to begin a schedule of whole numbers: the few sigmas that are so high are not whole
WHOSE = "Name a DNA of its model with --like, such as --like Qwen-Image-mean, or the model's --shift"


def to_predictor(source: Path) -> Predictor:
    """Convert the pair of files that the authors released, in a folder; or read a predictor of this project."""
    try:
        import torch
    except ImportError as error:
        raise fault(str(source), "predictors need PyTorch", "Run pip install torch") from error
    from ..predictor import files, release

    def tensors(path: Path) -> Any:
        return torch.load(path, map_location="cpu", weights_only=True)  # which unpickles nothing but tensors

    with blamed_on(str(source)):
        if source.is_file() and is_predictor(source):
            return files.read(source)
        folder = source if source.is_dir() else source.parent
        return release.read(folder.resolve(), tensors)


def to_dna(source: Path, like: str | None, shift: TimeShift | None, kind: Kind | None) -> DiffusionDNA:
    """Make the DNA of a table, or take the mean out of a predictor. Raises Fault for what gives none.

    like, shift, kind: of the model that a table is of; None where they are not named.
    """
    if source.is_dir() or source.name in PAIR or is_predictor(source):
        for name, given in (("--like", like), ("--shift", shift), ("--kind", kind)):
            if given is not None:
                raise fault(name, "a predictor knows its model", "Leave it out")
        predictor = to_predictor(source)
        card = predictor.card
        about = {"model": card["host_class"]} if isinstance(card.get("host_class"), str) else {}
        return replace(predictor.mean, meta=about | {"about": "mean DNA of a predictor", "predictor_card": card})
    if like is not None and (shift is not None or kind is not None):
        raise fault("--like", "that DNA says kind and shift itself", "Leave --shift and --kind out")
    model = None if like is None else read_dna(like)
    with blamed_on(str(source)):
        table = read_table(source)
        dna = _of_table(table, model, shift, kind or "flow")
    about = {"model": model.meta["model"]} if model and "model" in model.meta else {}
    return replace(dna, meta=about | {"about": "from a table", "source": source.name})


def to_schedule(source: Path, steps: int | None) -> FloatArray:
    """Read a table of sigmas, and lead it through another number of steps where one is named."""
    sigmas = read_sigmas(source)
    if len(sigmas) < 2 or sigmas[-1] < 0 or (np.diff(sigmas) >= 0).any():
        problem = "its numbers do not descend to 0, as the sigmas of a schedule do"
        raise fault(str(source), problem, "Give them in that order; timesteps are no sigmas")
    if sigmas[0] >= LEAST_TIMESTEP and (sigmas == sigmas.round()).all():
        raise fault(str(source), "its numbers are timesteps", "Give the sigmas that the model has at them")
    with blamed_on(str(source), "Name a schedule of two steps or more"):
        return sigmas if steps is None else resample(sigmas, steps)


def _of_table(table: Table, model: DiffusionDNA | None, shift: TimeShift | None, kind: Kind) -> DiffusionDNA:
    """Make a DNA of the model that is named; ValueError where the table does not say enough."""
    if model is not None:
        kind, shift = model.kind, model.shift
    names = table.names
    if not names and table.values.shape[1] == 2:
        names = ("sigma", "error")
    if not names:
        return _of_errors(_errors_alone(table), model, shift, kind)
    values = dict(zip(names, table.values.T))
    if "error" not in values:
        raise ValueError(f"it has no column of errors, but {', '.join(filter(None, names)) or 'unknown names'}")
    if "sigma" not in values and "time" not in values:
        return _of_errors(values["error"], model, shift, kind)
    order = np.argsort(values["sigma" if "sigma" in values else "time"])
    errors, times = values["error"][order], values["time"][order] if "time" in values else None
    if "sigma" in values:
        return DiffusionDNA(values["sigma"][order], errors, None if shift else times, kind, shift)
    assert times is not None
    if shift is None:
        raise ValueError(f"its levels are schedule times, and no shift turns them into sigmas. {WHOSE}")
    return DiffusionDNA(shift.sigmas(times), errors, None, kind, shift)


def _errors_alone(table: Table) -> FloatArray:
    try:
        return table.listed()
    except ValueError as error:
        raise ValueError(f"{error}. Give a row for each noise level, or name the columns sigma and error") from error


def _of_errors(errors: FloatArray, model: DiffusionDNA | None, shift: TimeShift | None, kind: Kind) -> DiffusionDNA:
    """Place errors evenly in schedule time, as the authors' lists are; else at the noise levels of the model's DNA."""
    if shift is not None:
        return DiffusionDNA(shift.sigmas(np.linspace(1 / len(errors), 1, len(errors))), errors, None, kind, shift)
    if model is None:
        raise ValueError(f"it has errors alone, and nothing says at which noise levels. {WHOSE}")
    if len(errors) != len(model.sigmas):
        raise ValueError(
            f"it has {len(errors)} errors, and the DNA that it is like has {len(model.sigmas)} noise levels"
        )
    return DiffusionDNA(model.sigmas, errors, model.times, kind)

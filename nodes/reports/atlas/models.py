"""What an atlas is of: the DNAs of one model or several, what they have in common, and the plans made from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ....planner import DiffusionDNA, FloatArray, Kind, Plan, mean_dna
from ....planner.about import architectures, told_apart
from ....planner.atlas.likeness import Likeness, likeness
from ....planner.atlas.path_shape import PathShape, path_shape
from ....planner.atlas.steps_needed import Counts, steps_needed
from ....planner.scaled_profile import profile_of_prompt
from ....planner.texts import say
from ....predictor import Pairs
from ....predictor.pairs import common_grid
from ..plan_notes import steps_that_pay

MOST_PLANNED = 100  # DNAs of a model, evenly spread, that are planned for
MOST_COMPARED = 300  # likewise, whose pairs are compared
UNKNOWN = "a model"  # of which its DNA says nothing
SERVED = 0.9  # of the DNAs: what a number of steps must be enough for


@dataclass(frozen=True, eq=False)
class AtlasModel:
    """The DNAs of one model.

    name: for legend and text. mean: their mean DNA, on the grid of `errors` (n, levels). dnas: those to plan for, of
    which `plans` are. limits: (planned,) the most steps that each plan may have. total: how many DNAs there are, of
    which more than n may not have been read. embeddings: (n, width) of the prompts, and prompts: (n,) equal where the
    prompt is; None for DNAs that come without.
    """

    name: str
    mean: DiffusionDNA
    errors: FloatArray
    dnas: Sequence[DiffusionDNA]
    total: int
    embeddings: npt.NDArray[np.float32] | None = None
    prompts: npt.NDArray[np.str_] | None = None
    plans: Sequence[Plan] = ()
    limits: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.errors)

    def planned(self, plan: Callable[[DiffusionDNA], Plan], max_steps: int) -> AtlasModel:
        """Plan for the DNAs. plan: makes an adaptive plan of at most `max_steps`; 0 stands for what pays on a DNA."""
        plans = [plan(dna) for dna in self.dnas]
        limits = [min(max_steps or steps_that_pay(dna), len(made.curve)) for dna, made in zip(self.dnas, plans)]
        return replace(self, plans=plans, limits=limits)

    def steps(self, thresholds: FloatArray) -> Counts:
        """Return (planned, m) steps that each planned DNA needs for each share of the gain."""
        return np.array(
            [steps_needed(plan.curve, thresholds, range(1, limit + 1)) for plan, limit in zip(self.plans, self.limits)]
        )

    @cached_property
    def likeness(self) -> Likeness:
        """How alike the DNAs of different prompts are; of no more than MOST_COMPARED of them."""
        rows = evenly(len(self), MOST_COMPARED)
        embeddings = None if self.embeddings is None else self.embeddings[rows]
        prompts = None if self.prompts is None else self.prompts[rows]
        return likeness(self.errors[rows], embeddings, prompts)

    @cached_property
    def path(self) -> PathShape | None:
        """The shape of the mean long run; None where no profile is known."""
        return None if self.mean.profile is None else path_shape(self.mean.profile)


def evenly(count: int, most: int) -> npt.NDArray[np.intp]:
    """Choose at most so many of `count` places, evenly spread and with both ends."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)


def of_pairs(name: str, pairs: Pairs, total: int) -> AtlasModel:
    """Take the pairs that were read of a data set of `total`, each with the mean profile as Predict DNA scales it."""
    meta = {"model": pairs.model}
    dnas = [
        replace(pairs.grid, errors=errors, profile=profile_of_prompt(pairs.grid, errors), meta=meta)
        for errors in pairs.errors[evenly(len(pairs), MOST_PLANNED)]
    ]
    mean = replace(pairs.grid, meta=meta)
    return AtlasModel(name, mean, pairs.errors, dnas, total, pairs.embeddings, pairs.prompts)


def of_dnas(dnas: Sequence[DiffusionDNA], names: Sequence[str]) -> list[AtlasModel]:
    """Sort DNAs by model: those of one name are of one, and those without are told apart by what they say of it.

    One that says nothing of it may be of any, so it is joined to no other. names: of the first DNAs, in their order;
    empty for none.
    Raises ValueError that names the model where its DNAs are of different kinds.
    """
    groups: dict[tuple[str, frozenset[str], Kind | int | None], list[DiffusionDNA]] = {}
    for index, dna in enumerate(dnas):
        name = names[index] if index < len(names) else ""
        if name:
            groups.setdefault((name, frozenset[str](), None), []).append(dna)
        else:
            called = _called(dna)
            key = called or UNKNOWN, told_apart(dna.meta), dna.kind if called else index
            groups.setdefault(key, []).append(dna)
    models: list[AtlasModel] = []
    for (name, *_), found in groups.items():
        taken = [model.name for model in models]
        number = sum(other == name or other.startswith(f"{name} #") for other in taken) + 1
        models.append(_of_one(name if number == 1 else f"{name} #{number}", found))
    return models


def _of_one(name: str, dnas: Sequence[DiffusionDNA]) -> AtlasModel:
    if len({(dna.kind, dna.measure) for dna in dnas}) > 1:
        raise ValueError(
            say(
                "{name!r}: DNAs of different kinds, or of errors and of uncertainties, have no mean. Give them "
                "different names",
                name=name,
            )
        )
    mean = mean_dna(dnas) if len(dnas) > 1 else dnas[0]
    if mean.profile is None:  # runs of other steps have no mean, so one stands for all
        mean = replace(mean, profile=next((dna.profile for dna in dnas if dna.profile), None))
    return AtlasModel(name, mean, common_grid(dnas)[1], dnas, len(dnas))


def _called(dna: DiffusionDNA) -> str:
    """Name the model of a DNA by what it says of it; empty where it says nothing."""
    predictor = dna.meta.get("predictor")
    if isinstance(predictor, dict):
        return f"{predictor.get('model', UNKNOWN)}, predicted"
    return "/".join(dict.fromkeys(architectures(dna.meta)))

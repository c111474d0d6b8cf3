"""Mean DNAs of what was recorded, which need no training, as a list of predictors offers them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ...planner import DiffusionDNA
from ...predictor import DNADataSet
from ...predictor.dataset import Content
from .folders import list_data_sets

PREFIX = "mean of data set "


class RecordedMean(NamedTuple):
    """The mean DNA of a data set, and of which pairs it is."""

    dna: DiffusionDNA
    content: Content


def list_means() -> dict[str, Path]:
    """List data sets by what a list of predictors calls their means."""
    return {f"{PREFIX}{name}": path for name, path in list_data_sets().items()}


@lru_cache(maxsize=4)
def mean_of(path: Path, _changed: int) -> RecordedMean:
    """Average what a data set holds: measured DNAs where there are some, and else realised ones.

    Raises ValueError that names the file and what is wrong, where it holds none or is of several models.
    """
    data = DNADataSet(path)
    content = data.best()
    mean = data.mean(content.origin)
    about = {"model": content.model, "host_class": content.model, "mean of": str(content), **mean.meta}
    return RecordedMean(replace(mean, meta={"predictor": about}), content)

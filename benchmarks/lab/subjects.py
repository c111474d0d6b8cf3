"""The models of the lab by the names that the command line knows them by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from .galaxygrad import Galaxies
from .models import Demo, MixtureSubject, Subject

NAMES = ("demo", "demo-eps", "mixture-flow", "mixture-eps", "hsc-flow", "hsc-eps", "ztf-flow", "ztf-eps")


def subjects(
    guidances: Sequence[float], prompts: int, calibration: int, seeds: int = 16
) -> dict[str, list[Callable[[], Subject]]]:
    """List constructors of models by name, one for each guidance; networks without prompts have none.

    prompts: held-out prompts of the demo, or runs of a network without prompts. calibration: prompts of the demo that
    methods are settled on. seeds: held-out runs of each of the mixture's 64 prompts.
    """
    return {
        "demo": [partial(Demo, g, prompts, calibration) for g in guidances],
        "demo-eps": [partial(Demo, g, prompts, calibration, "ve") for g in guidances],
        "mixture-flow": [partial(MixtureSubject, g, "flow", seeds=seeds) for g in guidances],
        "mixture-eps": [partial(MixtureSubject, g, "ve", seeds=seeds) for g in guidances],
        "hsc-flow": [partial(Galaxies, "HSC 32", "flow", prompts)],
        "hsc-eps": [partial(Galaxies, "HSC 32", "ve", prompts)],
        "ztf-flow": [partial(Galaxies, "ZTF 32", "flow", prompts)],
        "ztf-eps": [partial(Galaxies, "ZTF 32", "ve", prompts)],
    }

"""What the widget of Load DNA shows of a DNA before any run: its curve, and what steps can gain on it. No host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...planner import DiffusionDNA
from ...planner.about import architectures
from ...planner.distilled import names_told
from ...planner.reading import shortened
from ...planner.texts import say, say_count
from .plan_notes import notes_on_steps

SHARES = (0.9, 0.99)  # of the gain
LONGEST = 200  # characters of what a file says of itself


def dna_claims(dna: DiffusionDNA, curve: Sequence[float], name: str = "") -> dict[str, Any]:
    """Collect all that is shown of a DNA, as finite JSON.

    name: that it was chosen by; empty for one that came without. curve: the explained gain of 1, 2, ... steps. enough:
    pairs of a share of the gain and the fewest steps that reach it. headline, reason: what the DNA is of, in words.
    """
    reached = [(share, next((steps for steps, gain in enumerate(curve, 1) if gain >= share), 0)) for share in SHARES]
    profile = (
        say_count(
            len(dna.profile.sigmas),
            "It has the trajectory profile of a run of 1 call",
            "It has the trajectory profile of a run of {number} calls",
        )
        if dna.profile
        else say("It has no trajectory profile, so planner 'auto' plans as the paper does")
    )
    headline = say("DNA of {model}, at {levels} noise levels", model=_model(dna), levels=len(dna.sigmas))
    return {
        "kind": dna.kind,
        "dna": {"sigmas": dna.sigmas.tolist(), "errors": dna.errors.tolist(), "measure": dna.measure},
        "explained_gain": list(curve),
        "enough": [pair for pair in reached if pair[1]],
        "headline": say("{name}: {headline}", name=shortened(name, LONGEST), headline=headline) if name else headline,
        "reason": "\n".join(filter(None, [_origin(dna), profile, *notes_on_steps(dna, 0)])),
    }


def _model(dna: DiffusionDNA) -> str:
    """Name a DNA's model by its own name where that is known, and else by ComfyUI's class, which several may share."""
    if own := names_told(dna.meta):
        return shortened(", ".join(own), LONGEST)
    if classes := "/".join(dict.fromkeys(architectures(dna.meta))):
        return say("a model of the architecture {name}", name=shortened(classes, LONGEST))
    return say("a model")


def _origin(dna: DiffusionDNA) -> str:
    """Say where a DNA comes from, as far as it tells."""
    if sources := dna.meta.get("sources"):
        return say_count(len(sources), "the mean of 1 DNA", "the mean of {number} DNAs")
    about = dna.meta.get("about")
    return shortened(about, LONGEST) if isinstance(about, str) else ""

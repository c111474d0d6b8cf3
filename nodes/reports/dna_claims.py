"""What the widget of Load DNA shows of a DNA before any run: its curve, and what steps can gain on it. No host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...planner import DiffusionDNA
from ...planner.about import architectures
from ...planner.reading import shortened
from .phrases import count
from .plan_notes import notes_on_steps

SHARES = (0.9, 0.99)  # of the gain
LONGEST = 200  # characters of what a file says of itself


def dna_claims(dna: DiffusionDNA, curve: Sequence[float]) -> dict[str, Any]:
    """Collect all that is shown of a DNA, as finite JSON.

    curve: the explained gain of 1, 2, ... steps. enough: pairs of a share of the gain and the fewest steps that reach
    it. headline, reason: what the DNA is of, in words.
    """
    names = "/".join(dict.fromkeys(architectures(dna.meta)))
    reached = [(share, next((steps for steps, gain in enumerate(curve, 1) if gain >= share), 0)) for share in SHARES]
    profile = (
        f"It has the trajectory profile of a run of {count(len(dna.profile.sigmas), 'call')}"
        if dna.profile
        else "It has no trajectory profile, so planner 'auto' plans as the paper does"
    )
    return {
        "kind": dna.kind,
        "dna": {"sigmas": dna.sigmas.tolist(), "errors": dna.errors.tolist(), "measure": dna.measure},
        "explained_gain": list(curve),
        "enough": [pair for pair in reached if pair[1]],
        "headline": f"DNA of {shortened(names, LONGEST) or 'a model'}, at {len(dna.sigmas)} noise levels",
        "reason": "\n".join(filter(None, [_origin(dna), profile, *notes_on_steps(dna, 0)])),
    }


def _origin(dna: DiffusionDNA) -> str:
    """Say where a DNA comes from, as far as it tells."""
    if sources := dna.meta.get("sources"):
        return f"the mean of {count(len(sources), 'DNA')}"
    about = dna.meta.get("about")
    return shortened(about, LONGEST) if isinstance(about, str) else ""
